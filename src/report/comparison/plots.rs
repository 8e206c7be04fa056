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

/// Curves that are drawn in colour at most.
const HIGHLIGHTED: usize = 5;
/// Up to this many curves are all in colour.
const ALL_HIGHLIGHTED: usize = 6;

/// The runs that have a curve, those of more than one epoch, by index.
pub(super) struct Curves {
    /// Drawn in colour: all, or of many the most accurate, the best first.
    pub highlighted: Vec<usize>,
    /// Drawn in grey.
    pub context: Vec<usize>,
}

impl Curves {
    pub fn of(stats: &CompareStats) -> Self {
        let mut runs: Vec<usize> =
            (0..stats.runs.len()).filter(|&at| stats.runs[at].history.len() > 1).collect();
        if runs.len() <= ALL_HIGHLIGHTED {
            return Self { highlighted: runs, context: Vec::new() };
        }
        runs.sort_by(|&a, &b| stats.runs[b].accuracy.total_cmp(&stats.runs[a].accuracy).then(a.cmp(&b)));
        let context = runs.split_off(HIGHLIGHTED);
        Self { highlighted: runs, context }
    }

    fn is_empty(&self) -> bool {
        self.highlighted.is_empty()
    }
}

/// A plot per measure with a curve per run; none if no run has a curve.
pub(super) fn curves(stats: &CompareStats, names: &[String]) -> Vec<Figure> {
    let shown = Curves::of(stats);
    let plot = |Measure { key, title, value, unit }: &Measure| {
        let curve = |at: &usize| Curve {
            name: names[*at].clone(),
            points: stats.runs[*at].history.iter().map(|epoch| (epoch.epoch as f64, value(epoch))).collect(),
        };
        let numbers = |run: &RunScores| {
            let history: Vec<Value> =
                run.history.iter().map(|epoch| json!({"epoch": epoch.epoch, *key: value(epoch)})).collect();
            json!({"run": run.run, "best_epoch": run.best_epoch, "history": history})
        };
        let axis = |label: &str, unit| Axis { label: label.into(), unit, range: None };
        let which = match shown.context.len() {
            0 => "of each run".into(),
            others => {
                format!(
                    "of the {HIGHLIGHTED} most accurate runs in colour and of the {others} others in grey,"
                )
            }
        };
        Figure {
            name: key.replace('_', "-"),
            title: (*title).into(),
            summary: format!("{title} {which} after each epoch."),
            chart: Chart::Line(LineChart {
                x: axis("epoch", Unit::Count),
                y: axis(&title.to_lowercase(), *unit),
                curves: shown.highlighted.iter().map(curve).collect(),
                context: shown.context.iter().map(curve).collect(),
                has_legend: false,
                marks: Vec::new(),
                points: Vec::new(),
            }),
            numbers: json!({"runs": stats.runs.iter().map(numbers).collect::<Vec<_>>()}),
        }
    };
    if shown.is_empty() { Vec::new() } else { MEASURES.iter().map(plot).collect() }
}
