//! The tables of a report, as they stand in the page and in CSV files.

use super::Material;
use super::album::Shown;
use crate::evaluate::EvaluateStats;
use crate::page::{Cell, Column, Table};

/// Every table that belongs to the report.
pub(super) fn all(material: &Material) -> Vec<Table> {
    let stats = &material.stats;
    vec![
        classes(stats),
        composition(stats),
        confusion(stats),
        pairs(stats),
        training(material),
        bins(stats),
        shown("mistakes", "The most confident mistakes", &material.album.mistakes),
        shown("hits", "The least confident right answers", &material.album.hits),
        settings(material),
    ]
}

fn table<const N: usize>(
    name: &str,
    caption: impl Into<String>,
    columns: [(&str, &str); N],
    rows: impl Iterator<Item = [Cell; N]>,
) -> Table {
    Table {
        name: name.into(),
        caption: caption.into(),
        columns: columns.map(|(title, key)| Column::new(title, key)).into(),
        rows: rows.map(Vec::from).collect(),
    }
}

fn classes(stats: &EvaluateStats) -> Table {
    let columns = [
        ("Class", "class"),
        ("Images", "support"),
        ("Predicted", "predicted"),
        ("Precision", "precision"),
        ("Recall", "recall"),
        ("F1", "f1"),
    ];
    let rows = stats.classes.iter().map(|class| {
        [
            Cell::text(&class.name),
            Cell::count(class.support),
            Cell::count(class.predicted),
            Cell::percent(class.precision),
            Cell::percent(class.recall),
            Cell::score(class.f1),
        ]
    });
    let caption = format!("Precision, recall and F1 of each class, {} images", stats.split);
    table("classes", caption, columns, rows)
}

fn composition(stats: &EvaluateStats) -> Table {
    let columns = [
        ("Class", "class"),
        ("Images", "truth"),
        ("Predictions", "predicted"),
        ("Relative difference", "relative_difference"),
    ];
    let rows = stats.composition.iter().map(|class| {
        [
            Cell::text(&class.name),
            Cell::percent(class.truth),
            Cell::percent(class.predicted),
            Cell::signed_percent(class.relative_difference),
        ]
    });
    table(
        "composition",
        format!("Composition of the {} images and of the predictions", stats.split),
        columns,
        rows,
    )
}

fn confusion(stats: &EvaluateStats) -> Table {
    let head = std::iter::once(Column::new("Truth", "truth"));
    let names = stats.classes.iter().map(|class| Column::new(&class.name, &class.name));
    let rows = stats.classes.iter().zip(&stats.confusion);
    Table {
        name: "confusion".into(),
        caption: "Confusion: a row for each truth, a column for each prediction".into(),
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

/// Pairs (truth, prediction) of different classes that occur, most frequent first, then by the share of the truth's images,
/// then in class order.
pub(super) fn confusions(stats: &EvaluateStats) -> Vec<(usize, usize)> {
    let count = |&(t, p): &(usize, usize)| stats.confusion[t][p];
    let share = |pair: &(usize, usize)| count(pair) as f64 / stats.classes[pair.0].support as f64;
    let classes = stats.classes.len();
    let pairs = (0..classes).flat_map(|t| (0..classes).map(move |p| (t, p)));
    let mut pairs: Vec<_> = pairs.filter(|pair| pair.0 != pair.1 && count(pair) > 0).collect();
    pairs.sort_by(|a, b| {
        count(b).cmp(&count(a)).then_with(|| share(b).total_cmp(&share(a))).then_with(|| a.cmp(b))
    });
    pairs
}

/// Confused pairs in the table at most.
const MOST_PAIRS: usize = 15;

fn pairs(stats: &EvaluateStats) -> Table {
    let columns = [
        ("Truth", "truth"),
        ("Taken for", "predicted"),
        ("Images", "images"),
        ("Share of truth", "share"),
        ("Reverse", "reverse"),
    ];
    let all = confusions(stats);
    let rows = all.iter().take(MOST_PAIRS).map(|&(t, p)| {
        let images = stats.confusion[t][p];
        [
            Cell::text(&stats.classes[t].name),
            Cell::text(&stats.classes[p].name),
            Cell::count(images),
            Cell::percent(images as f64 / stats.classes[t].support as f64),
            Cell::count(stats.confusion[p][t]),
        ]
    });
    let caption = match all.len() {
        n if n > MOST_PAIRS => format!("The {MOST_PAIRS} most frequent confusions of {n}"),
        _ => "All confusions, most frequent first".into(),
    };
    table("confused-pairs", caption, columns, rows)
}

fn training(material: &Material) -> Table {
    let columns = [
        ("Epoch", "epoch"),
        ("Train loss", "train_loss"),
        ("Validation loss", "validation_loss"),
        ("Train accuracy", "train_accuracy"),
        ("Validation accuracy", "validation_accuracy"),
    ];
    let loss = |value: f64| Cell::Number { told: format!("{value:.4}"), value: Some(value) };
    let rows = material.record.history.iter().map(|epoch| {
        [
            Cell::count(epoch.epoch),
            loss(epoch.train_loss),
            loss(epoch.validation_loss),
            Cell::percent(epoch.train_accuracy),
            Cell::percent(epoch.validation_accuracy),
        ]
    });
    table("training", "Loss and accuracy of each epoch", columns, rows)
}

fn bins(stats: &EvaluateStats) -> Table {
    let columns = [
        ("Confidence", "bin"),
        ("From", "low"),
        ("To", "high"),
        ("Images", "images"),
        ("Right", "right"),
        ("Mean confidence", "confidence"),
        ("Accuracy", "accuracy"),
    ];
    let calibrated = &stats.calibration.split;
    let at = [("as the head gives it", &calibrated.bins_before), ("at the temperature", &calibrated.bins)];
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
    table("calibration", "Answers by confidence", columns, rows)
}

fn shown(name: &str, caption: &str, images: &[Shown]) -> Table {
    let columns =
        [("Image", "path"), ("Truth", "truth"), ("Answer", "predicted"), ("Confidence", "confidence")];
    let rows = images.iter().map(|shown| {
        [
            Cell::text(&shown.path),
            Cell::text(&shown.truth),
            Cell::text(&shown.predicted),
            Cell::percent(shown.confidence),
        ]
    });
    table(name, caption, columns, rows)
}

fn settings(material: &Material) -> Table {
    let rows = super::commands::settings(material).into_iter();
    let rows = rows.map(|(name, value)| [Cell::text(name), Cell::text(value)]);
    table("settings", "What the run was made from", [("Setting", "setting"), ("Value", "value")], rows)
}
