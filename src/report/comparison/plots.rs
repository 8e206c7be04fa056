//! Plots of a comparison of runs.

use super::measures::{MEASURES, Measure};
use crate::evaluate::comparison::{CompareStats, RunScores};
use crate::report::plot::{Axis, Chart, Curve, Figure, Interval, IntervalChart, LineChart, Unit};
use serde_json::{Value, json};

pub(super) fn accuracies(stats: &CompareStats, names: &[String]) -> Figure {
    let rows = stats.runs.iter().zip(names).map(|(run, name)| Interval {
        name: name.clone(),
        low: run.interval[0],
        value: run.accuracy,
        high: run.interval[1],
    });
    let one = |run: &RunScores| json!({"run": run.run, "accuracy": run.accuracy, "interval": run.interval});
    let numbers: Vec<Value> = stats.runs.iter().map(one).collect();
    Figure {
        name: "accuracy".into(),
        title: "Accuracy of each run".into(),
        summary: "With Wilson's 95 % interval. The runs are measured on the same images, so the plot of differences shows more precisely which runs differ.".into(),
        chart: Chart::Interval(IntervalChart {
            rows: rows.collect(),
            values: Axis { label: "accuracy".into(), unit: Unit::Percent, range: None },
            zero: false,
        }),
        numbers: json!({"runs": numbers}),
    }
}

pub(super) fn differences(stats: &CompareStats, names: &[String]) -> Figure {
    let rows = stats.differences.iter().zip(&names[1..]).map(|(difference, name)| Interval {
        name: name.clone(),
        low: difference.interval[0],
        value: difference.difference,
        high: difference.interval[1],
    });
    Figure {
        name: "differences".into(),
        title: "Difference from the first run".into(),
        summary: format!(
            "Compared with {}. If the interval excludes zero, the difference is statistically significant.",
            names[0]
        ),
        chart: Chart::Interval(IntervalChart {
            rows: rows.collect(),
            values: Axis { label: "percentage points of accuracy".into(), unit: Unit::Points, range: None },
            zero: true,
        }),
        numbers: json!({"differences": stats.differences}),
    }
}

/// Indices of the runs that have a curve: those of more than one epoch.
fn with_curves(stats: &CompareStats) -> impl Iterator<Item = usize> + '_ {
    (0..stats.runs.len()).filter(|&at| stats.runs[at].history.len() > 1)
}

/// A plot per measure with a curve per run; none if no run has a curve.
pub(super) fn curves(stats: &CompareStats, names: &[String]) -> Vec<Figure> {
    let plot = |Measure { key, title, value, unit }: &Measure| {
        let curve = |at: usize| Curve {
            name: names[at].clone(),
            points: stats.runs[at].history.iter().map(|epoch| (epoch.epoch as f64, value(epoch))).collect(),
        };
        let numbers = |run: &RunScores| {
            let history: Vec<Value> =
                run.history.iter().map(|epoch| json!({"epoch": epoch.epoch, *key: value(epoch)})).collect();
            json!({"run": run.run, "best_epoch": run.best_epoch, "history": history})
        };
        let axis = |label: &str, unit| Axis { label: label.into(), unit, range: None };
        Figure {
            name: key.replace('_', "-"),
            title: (*title).into(),
            summary: format!("{title} of each run after each epoch."),
            chart: Chart::Line(LineChart {
                x: axis("epoch", Unit::Count),
                y: axis(&title.to_lowercase(), *unit),
                curves: with_curves(stats).map(curve).collect(),
                marks: Vec::new(),
            }),
            numbers: json!({"runs": stats.runs.iter().map(numbers).collect::<Vec<_>>()}),
        }
    };
    if with_curves(stats).next().is_none() { Vec::new() } else { MEASURES.iter().map(plot).collect() }
}
