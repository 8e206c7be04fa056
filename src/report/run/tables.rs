//! Tables of the page of a run, as the page shows them and as CSV files.

use super::confused_pairs::confused_pairs;
use super::examples::Example;
use super::run_data::RunData;
use super::settings::{self, MadeFrom};
use crate::evaluate::{EvaluateStats, NamedCurve};
use crate::report::page::{Cell, Column, Table};

/// All tables.
pub(super) fn all(data: &RunData) -> Vec<Table> {
    let stats = &data.stats;
    vec![
        classes(stats),
        areas(stats),
        goals(stats),
        composition(stats),
        confusion(stats),
        pairs(stats),
        training(data),
        bins(stats),
        examples("mistakes", "The most confident errors", &data.examples.errors),
        examples("hits", "The least confident correct answers", &data.examples.correct),
        settings_table(&MadeFrom { run: &data.run, record: &data.record, samples: data.samples.as_ref() }),
    ]
}

fn classes(stats: &EvaluateStats) -> Table {
    let columns = [
        Column::new("Class", "class"),
        Column::new("Images", "support"),
        Column::new("Predicted", "predicted"),
        Column::new("Precision", "precision"),
        Column::file_only("precision_low"),
        Column::file_only("precision_high"),
        Column::new("Recall", "recall"),
        Column::file_only("recall_low"),
        Column::file_only("recall_high"),
        Column::new("F1", "f1"),
    ];
    let rows = stats.classes.iter().map(|class| {
        [
            Cell::text(&class.name),
            Cell::count(class.support),
            Cell::count(class.predicted),
            Cell::percent_with_interval(class.precision, class.precision_interval),
            Cell::percent(class.precision_interval.map(|interval| interval[0])),
            Cell::percent(class.precision_interval.map(|interval| interval[1])),
            Cell::percent_with_interval(class.recall, class.recall_interval),
            Cell::percent(class.recall_interval.map(|interval| interval[0])),
            Cell::percent(class.recall_interval.map(|interval| interval[1])),
            Cell::score(class.f1),
        ]
    });
    let caption = format!(
        "Precision and recall of each class with their 95 % intervals, and F1, {} images",
        stats.split
    );
    let page_order = super::plots::worst_first(stats);
    Table { page_order, ..Table::new("classes", caption, columns, rows) }
}

/// The areas under the curves of each class, the smallest first.
fn areas(stats: &EvaluateStats) -> Table {
    let columns = [
        Column::new("Class", "class"),
        Column::new("Images", "images"),
        Column::new("Average precision", "average_precision"),
        Column::file_only("average_precision_low"),
        Column::file_only("average_precision_high"),
        Column::new("ROC area", "roc_area"),
        Column::file_only("roc_area_low"),
        Column::file_only("roc_area_high"),
    ];
    let mut classes: Vec<_> = stats.curves.classes.iter().collect();
    let area =
        |named: &NamedCurve| named.curve.as_ref().map_or(f64::INFINITY, |curve| curve.average_precision);
    classes.sort_by(|a, b| area(a).total_cmp(&area(b)));
    let rows = classes.into_iter().map(|named| {
        let curve = named.curve.as_ref();
        let precision = curve.and_then(|curve| curve.average_precision_interval);
        let roc = curve.and_then(|curve| curve.roc_area_interval);
        let end =
            |interval: Option<[f64; 2]>, end: usize| Cell::percent(interval.map(|interval| interval[end]));
        [
            Cell::text(&named.name),
            Cell::count(named.images),
            Cell::percent_with_interval(curve.map(|curve| curve.average_precision), precision),
            end(precision, 0),
            end(precision, 1),
            Cell::percent_with_interval(curve.map(|curve| curve.roc_area), roc),
            end(roc, 0),
            end(roc, 1),
        ]
    });
    let caption = format!(
        "Areas under the curves of each class against all others with their 95 % intervals, {} images, the smallest first",
        stats.split
    );
    Table::new("areas", caption, columns, rows)
}

/// The goals of the run, and what is reached.
fn goals(stats: &EvaluateStats) -> Table {
    let columns = [
        Column::new("Goal", "goal"),
        Column::new("Threshold", "threshold"),
        Column::new("Where it was chosen", "chosen"),
        Column::new("Here", "here"),
        Column::new("Precision", "precision"),
        Column::new("Recall", "recall"),
    ];
    let goals = stats.decision.as_ref().map_or(&[][..], |decision| &decision.goals);
    let rows = goals.iter().map(|goal| {
        [
            Cell::text(goal.threshold.goal.to_string()),
            Cell::four_decimals(goal.threshold.threshold),
            Cell::percent(goal.chosen_rate),
            Cell::percent_with_interval(goal.rate, goal.interval),
            Cell::percent(goal.precision),
            Cell::percent(goal.recall),
        ]
    });
    let caption =
        format!("Goals of classes, and what is reached on the {} images, with 95 % intervals", stats.split);
    Table::new("goals", caption, columns, rows)
}

fn composition(stats: &EvaluateStats) -> Table {
    let columns = [
        Column::new("Class", "class"),
        Column::new("Images", "truth"),
        Column::new("Predictions", "predicted"),
        Column::new("Relative difference", "relative_difference"),
    ];
    let rows = stats.composition.iter().map(|class| {
        [
            Cell::text(&class.name),
            Cell::percent(class.truth),
            Cell::percent(class.predicted),
            Cell::signed_percent(class.relative_difference),
        ]
    });
    Table::new(
        "composition",
        format!("Composition of the {} images and of the predictions", stats.split),
        columns,
        rows,
    )
}

fn confusion(stats: &EvaluateStats) -> Table {
    let head = std::iter::once(Column::new("Truth", "truth"));
    let names = stats.classes.iter().map(|class| Column::of_class(&class.name));
    let rows = stats.classes.iter().zip(&stats.confusion);
    Table {
        page_order: Vec::new(),
        name: "confusion".into(),
        caption: "Confusion matrix: a row for each true class, a column for each predicted class".into(),
        columns: head.chain(names).collect(),
        rows: rows
            .map(|(class, counts)| {
                std::iter::once(Cell::text(&class.name))
                    .chain(counts.iter().map(|n| Cell::count(*n)))
                    .collect()
            })
            .collect(),
    }
}

/// Confused pairs in the table at most.
const MOST_PAIRS: usize = 15;

fn pairs(stats: &EvaluateStats) -> Table {
    let columns = [
        Column::new("Truth", "truth"),
        Column::new("Classified as", "predicted"),
        Column::new("Images", "images"),
        Column::new("Share of truth", "share"),
        Column::new("Reverse", "reverse"),
    ];
    let all = confused_pairs(stats);
    let rows = all.iter().take(MOST_PAIRS).map(|pair| {
        [
            Cell::text(&stats.classes[pair.truth].name),
            Cell::name(&stats.classes[pair.predicted].name),
            Cell::count(pair.images),
            Cell::percent(pair.share()),
            Cell::count(pair.reverse),
        ]
    });
    let caption = match all.len() {
        n if n > MOST_PAIRS => format!("The {MOST_PAIRS} most frequent of {n} confused pairs"),
        _ => "All confused pairs, the most frequent first".into(),
    };
    Table::new("confused-pairs", caption, columns, rows)
}

fn training(data: &RunData) -> Table {
    let columns = [
        Column::new("Epoch", "epoch"),
        Column::new("Train loss", "train_loss"),
        Column::new("Validation loss", "validation_loss"),
        Column::new("Train accuracy", "train_accuracy"),
        Column::new("Validation accuracy", "validation_accuracy"),
    ];
    let rows = data.record.history.iter().map(|epoch| {
        [
            Cell::count(epoch.epoch),
            Cell::four_decimals(epoch.train_loss),
            Cell::four_decimals(epoch.validation_loss),
            Cell::percent(epoch.train_accuracy),
            Cell::percent(epoch.validation_accuracy),
        ]
    });
    Table::new("training", "Loss and accuracy of each epoch", columns, rows)
}

fn bins(stats: &EvaluateStats) -> Table {
    let columns = [
        Column::new("Confidence", "bin"),
        Column::new("From", "low"),
        Column::new("To", "high"),
        Column::new("Images", "images"),
        Column::new("Correct", "right"),
        Column::new("Mean confidence", "confidence"),
        Column::new("Accuracy", "accuracy"),
    ];
    let calibrated = &stats.calibration.split;
    let at = [
        ("before temperature scaling", &calibrated.bins_before),
        ("after temperature scaling", &calibrated.bins),
    ];
    let kinds = if stats.calibration.temperature.is_some() { 2 } else { 1 };
    let rows = at.into_iter().take(kinds).flat_map(|(which, bins)| {
        bins.iter().filter(|bin| bin.images > 0).map(move |bin| {
            [
                Cell::text(which),
                Cell::percent(bin.low),
                Cell::percent(bin.high),
                Cell::count(bin.images),
                Cell::count(bin.correct),
                Cell::percent(bin.confidence),
                Cell::percent(bin.accuracy),
            ]
        })
    });
    Table::new("calibration", "Answers by confidence", columns, rows)
}

fn examples(name: &str, caption: &str, examples: &[Example]) -> Table {
    let columns = [
        Column::new("Image", "path"),
        Column::new("Truth", "truth"),
        Column::new("Answer", "predicted"),
        Column::new("Confidence", "confidence"),
    ];
    let rows = examples.iter().map(|example| {
        [
            Cell::text(&example.path),
            Cell::text(&example.truth),
            Cell::text(&example.predicted),
            Cell::percent(example.confidence),
        ]
    });
    Table::new(name, caption, columns, rows)
}

pub(super) fn settings_table(data: &MadeFrom) -> Table {
    let columns = [Column::new("Setting", "setting"), Column::new("Value", "value")];
    let rows = settings::settings(data).into_iter();
    let rows = rows.map(|setting| [Cell::text(setting.name), Cell::text(setting.value)]);
    Table::new("settings", "How the run was made", columns, rows)
}
