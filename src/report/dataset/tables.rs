//! Tables of a data set, as the page shows them and as CSV files.

use super::examine::DatasetStats;
use super::look;
use crate::data::dataset::Split;
use crate::report::format::count;
use crate::report::page::{Cell, Column, Table};

/// All tables for which there are data.
pub(super) fn all(stats: &DatasetStats) -> Vec<Table> {
    let mut all = vec![classes(stats), sizes(stats), duplicates(stats), refused(stats), variants(stats)];
    all.extend(stats.summary.perceptual_duplicates.as_ref().map(look::table));
    all.extend([splits(stats), near_duplicates(stats), label_issues(stats)].into_iter().flatten());
    all
}

fn classes(stats: &DatasetStats) -> Table {
    let rows = stats.summary.classes.iter();
    let rows =
        rows.map(|class| [Cell::text(&class.name), Cell::count(class.images), Cell::percent(class.share)]);
    let caption =
        format!("{} {}, the largest first", count(stats.summary.classes.len()), stats.summary.class_words());
    Table::new(
        "classes",
        caption,
        [class_column(stats), Column::new("Images", "images"), Column::new("Share", "share")],
        rows,
    )
}

fn splits(stats: &DatasetStats) -> Option<Table> {
    let rows = stats.splits.as_ref()?.iter().map(|class| {
        let [train, validation, test] = Split::ALL.map(|split| Cell::count(class.files(split)));
        [Cell::text(&class.name), train, validation, test]
    });
    let columns = [
        class_column(stats),
        Column::new("Train", "train"),
        Column::new("Validation", "validation"),
        Column::new("Test", "test"),
    ];
    let caption = format!("Images of each {} and split", stats.summary.class_word());
    Some(Table::new("splits", caption, columns, rows))
}

/// The column of classes or labels.
fn class_column(stats: &DatasetStats) -> Column {
    match stats.summary.several_labels {
        true => Column::new("Label", "label"),
        false => Column::new("Class", "class"),
    }
}

fn sizes(stats: &DatasetStats) -> Table {
    let all = stats.summary.images.max(1) as f64;
    let rows = stats.sizes.pairs.iter().map(|size| {
        [
            Cell::count(size.width as usize),
            Cell::count(size.height as usize),
            Cell::count(size.images),
            Cell::percent(size.images as f64 / all),
        ]
    });
    let columns = [
        Column::new("Width", "width"),
        Column::new("Height", "height"),
        Column::new("Images", "images"),
        Column::new("Share", "share"),
    ];
    Table::new("sizes", "Sizes in pixels, the most frequent first", columns, rows)
}

fn duplicates(stats: &DatasetStats) -> Table {
    let rows = stats.duplicates.iter().enumerate().flat_map(|(at, group)| {
        group.paths.iter().map(move |path| {
            [
                Cell::text(path),
                Cell::count(at + 1),
                Cell::text(group.labels.join(", ")),
                Cell::text(group.image_sha256.to_string()),
            ]
        })
    });
    let columns = [
        Column::new("File", "path"),
        Column::new("Group", "group"),
        Column::new("Labels of the group", "labels"),
        Column::new("SHA-256", "image_sha256"),
    ];
    Table::new("duplicates", "Files with the same bytes", columns, rows)
}

fn refused(stats: &DatasetStats) -> Table {
    let all = [&stats.summary.unreadable[..], &stats.summary.conflicting[..]].concat();
    let rows = all.iter().map(|refused| [Cell::text(&refused.path), Cell::text(refused.reason.to_string())]);
    let caption =
        format!("Files and folders that an extraction would refuse, with the reason: {}", count(all.len()));
    Table::new("refused", caption, [Column::new("File", "path"), Column::new("Reason", "reason")], rows)
}

fn variants(stats: &DatasetStats) -> Table {
    let rows = stats.augmentation.iter().flat_map(|preview| &preview.variants).map(|variant| {
        let [width, height] = variant.size.map(Cell::count);
        [Cell::text(variant.variant.to_string()), width, height, Cell::count(variant.input[0])]
    });
    let columns = [
        Column::new("Variant", "variant"),
        Column::new("Width", "width"),
        Column::new("Height", "height"),
        Column::new("Input side", "input_side"),
    ];
    Table::new("variants", "Variants of one image", columns, rows)
}

fn near_duplicates(stats: &DatasetStats) -> Option<Table> {
    let rows = stats.near_duplicates.as_ref()?.pairs.iter().map(|pair| {
        let [a, b] = &pair.images;
        let distance = Cell::four_decimals(pair.distance);
        [
            Cell::text(&a.path),
            Cell::text(a.split.name()),
            Cell::text(&b.path),
            Cell::text(b.split.name()),
            distance,
        ]
    });
    let columns = [
        Column::new("Image", "path"),
        Column::new("Split", "split"),
        Column::new("Other image", "other_path"),
        Column::new("Its split", "other_split"),
        Column::new("Distance", "distance"),
    ];
    Some(Table::new("near-duplicates", "The nearest images of different splits", columns, rows))
}

fn label_issues(stats: &DatasetStats) -> Option<Table> {
    let rows = stats.label_issues.as_ref()?.issues.iter().map(|issue| {
        [
            Cell::text(&issue.path),
            Cell::text(&issue.label),
            Cell::percent(issue.label_probability),
            Cell::text(&issue.suggested),
            Cell::percent(issue.suggested_probability),
        ]
    });
    let columns = [
        Column::new("Image", "path"),
        Column::new("Label", "label"),
        Column::new("Its probability", "label_probability"),
        Column::new("Suggested", "suggested"),
        Column::new("Its probability", "suggested_probability"),
    ];
    Some(Table::new(
        "doubtful-labels",
        "Labels that may be wrong, the most likely wrong first",
        columns,
        rows,
    ))
}
