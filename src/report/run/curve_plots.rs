//! Plots of precision against recall, class by class.

use crate::evaluate::{EvaluateStats, GoalStats, NamedCurve};
use crate::metrics::ClassCurve;
use crate::report::format::{count, score};
use crate::report::plot::{Axis, Chart, Curve, Figure, LabelledPoint, LineChart, Unit};
use serde_json::json;

/// The plot of the classes that matter most: those with goals, then those with the smallest areas.
pub(super) const FIRST: &str = "precision-recall";

/// Curves in one plot: as many as have a style of their own.
const CURVES: usize = 6;
/// Plots at most; the table has all classes.
const MOST_PLOTS: usize = 5;
/// Points of a drawn curve at most.
const MOST_POINTS: usize = 400;

/// One plot for each six classes, the first of which are those with goals, then those with the smallest average precision.
pub(super) fn all(stats: &EvaluateStats) -> Vec<Figure> {
    let order = order(stats);
    let groups = order.chunks(CURVES).take(MOST_PLOTS).enumerate();
    groups.map(|(i, group)| figure(stats, i, group, order.len())).collect()
}

/// The names of the plots behind the first one.
pub(super) fn further(stats: &EvaluateStats) -> Vec<String> {
    (1..order(stats).len().div_ceil(CURVES).min(MOST_PLOTS)).map(name).collect()
}

fn name(plot: usize) -> String {
    if plot == 0 { FIRST.into() } else { format!("{FIRST}-{}", plot + 1) }
}

/// The classes that have curves, in the order of the plots.
fn order(stats: &EvaluateStats) -> Vec<(&NamedCurve, &ClassCurve)> {
    let mut order: Vec<_> =
        stats.curves.classes.iter().filter_map(|named| Some((named, named.curve.as_ref()?))).collect();
    let has_goal = |named: &NamedCurve| {
        let goals = stats.decision.as_ref().map_or(&[][..], |decision| &decision.goals);
        goals.iter().any(|goal| goal.threshold.goal.class == named.name)
    };
    order.sort_by(|a, b| {
        let by_goal = has_goal(b.0).cmp(&has_goal(a.0));
        by_goal.then(a.1.average_precision.total_cmp(&b.1.average_precision))
    });
    order
}

fn figure(
    stats: &EvaluateStats,
    plot: usize,
    group: &[(&NamedCurve, &ClassCurve)],
    classes: usize,
) -> Figure {
    let curves = group.iter().map(|(named, curve)| Curve {
        name: format!("{} {}", named.name, score(Some(curve.average_precision))),
        points: steps(curve),
    });
    let (first, last) = (plot * CURVES + 1, plot * CURVES + group.len());
    let (which, numbers) = match plot {
        0 => ("Each class against all others".to_string(), json!({ "curves": stats.curves })),
        _ => (
            format!("Classes {} to {} of {}", count(first), count(last), count(classes)),
            json!({ "curves": { "mean_average_precision": stats.curves.mean_average_precision } }),
        ),
    };
    let points = marked(stats, group);
    let marks = if points.is_empty() { "" } else { " A circle is what the goal of the run reaches." };
    Figure {
        name: name(plot),
        title: match plot {
            0 if classes > CURVES => format!("Precision against recall, the {CURVES} worst classes"),
            0 => "Precision against recall".into(),
            _ => format!("Precision against recall, classes {first} to {last}"),
        },
        summary: format!(
            "{which}: with a lower threshold on its probability, more of its images are found, and more of the images that are found are of other classes. Beside each name its average precision; the mean of all classes is {}.{marks}",
            score(stats.curves.mean_average_precision)
        ),
        chart: Chart::Line(LineChart {
            x: share("recall"),
            y: share("precision"),
            curves: curves.collect(),
            context: Vec::new(),
            has_legend: true,
            marks: Vec::new(),
            points,
        }),
        numbers,
    }
}

fn share(label: &str) -> Axis {
    Axis { label: label.into(), unit: Unit::Percent, range: Some((0.0, 1.0)) }
}

/// What the goals of the run reach for the classes of a plot.
fn marked(stats: &EvaluateStats, group: &[(&NamedCurve, &ClassCurve)]) -> Vec<LabelledPoint> {
    let goals = stats.decision.as_ref().map_or(&[][..], |decision| &decision.goals);
    let shown =
        goals.iter().filter(|goal| group.iter().any(|(named, _)| named.name == goal.threshold.goal.class));
    let point = |goal: &GoalStats| {
        let label = goal.threshold.goal.to_string();
        Some(LabelledPoint { x: goal.recall?, y: goal.precision?, label })
    };
    shown.filter_map(point).collect()
}

/// The curve in steps, whose area is the average precision, thinned out where there are many points.
fn steps(curve: &ClassCurve) -> Vec<(f64, f64)> {
    let every = curve.points.len().div_ceil(MOST_POINTS).max(1);
    let last = curve.points.len().saturating_sub(1);
    let kept = curve.points.iter().enumerate().filter(|(i, _)| i % every == 0 || *i == last);
    let mut before = 0.0;
    let mut steps = Vec::new();
    for (_, point) in kept {
        steps.extend([(before, point.precision), (point.recall, point.precision)]);
        before = point.recall;
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::class_curves;

    #[test]
    fn a_curve_of_many_points_is_thinned_out_to_its_end() {
        let truth: Vec<usize> = (0..3000).map(|i| i % 2).collect();
        let probabilities: Vec<Vec<f64>> =
            (0..3000u32).map(|i| f64::from(i * 7919 % 3001) / 3001.0).map(|p| vec![1.0 - p, p]).collect();
        let curve = class_curves(&truth, &probabilities, 2).pop().flatten().unwrap();
        let steps = steps(&curve);
        assert!(curve.points.len() > 1000 && steps.len() <= 2 * MOST_POINTS + 2, "{}", steps.len());
        assert_eq!(steps.last().unwrap().0, 1.0);
        assert!(steps.windows(2).all(|two| two[0].0 <= two[1].0));
    }
}
