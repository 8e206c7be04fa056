//! The tables of a folder of images, as they stand in the page and in CSV files.

use super::SurveyStats;
use crate::dataset::Split;
use crate::page::{Cell, Column, Table};
use crate::words::count;

/// Every table that belongs to the page.
pub(super) fn all(stats: &SurveyStats) -> Vec<Table> {
    let mut all = vec![classes(stats), sizes(stats), duplicates(stats), refused(stats), variants(stats)];
    all.extend([splits(stats), twins(stats), doubts(stats)].into_iter().flatten());
    all
}

fn table<const N: usize>(
    name: &str,
    caption: String,
    columns: [(&str, &str); N],
    rows: impl Iterator<Item = [Cell; N]>,
) -> Table {
    let columns = columns.map(|(title, key)| Column::new(title, key)).into();
    Table { name: name.into(), caption, columns, rows: rows.map(Vec::from).collect() }
}

fn classes(stats: &SurveyStats) -> Table {
    let rows = stats.summary.classes.iter();
    let rows =
        rows.map(|class| [Cell::text(&class.name), Cell::count(class.images), Cell::percent(class.share)]);
    let caption = format!("{} classes, the largest first", count(stats.summary.classes.len()));
    table("classes", caption, [("Class", "class"), ("Images", "images"), ("Share", "share")], rows)
}

fn splits(stats: &SurveyStats) -> Option<Table> {
    let rows = stats.splits.as_ref()?.iter().map(|class| {
        let [train, validation, test] = Split::ALL.map(|split| Cell::count(class.of(split)));
        [Cell::text(&class.name), train, validation, test]
    });
    let columns = [("Class", "class"), ("Train", "train"), ("Validation", "validation"), ("Test", "test")];
    Some(table("splits", "Images of each class and split".into(), columns, rows))
}

fn sizes(stats: &SurveyStats) -> Table {
    let all = stats.summary.images.max(1) as f64;
    let rows = stats.sizes.pairs.iter().map(|size| {
        [
            Cell::count(size.width as usize),
            Cell::count(size.height as usize),
            Cell::count(size.images),
            Cell::percent(size.images as f64 / all),
        ]
    });
    let columns = [("Width", "width"), ("Height", "height"), ("Images", "images"), ("Share", "share")];
    table("sizes", "Sizes in pixels, the most frequent first".into(), columns, rows)
}

fn duplicates(stats: &SurveyStats) -> Table {
    let rows = stats.duplicates.iter().enumerate().flat_map(|(at, copies)| {
        copies.paths.iter().map(move |path| {
            [
                Cell::text(path),
                Cell::count(at + 1),
                Cell::text(copies.labels.join(", ")),
                Cell::text(copies.image_sha256.to_string()),
            ]
        })
    });
    let columns = [
        ("File", "path"),
        ("Group", "group"),
        ("Labels of the group", "labels"),
        ("SHA-256", "image_sha256"),
    ];
    table("duplicates", "Files of the same bytes".into(), columns, rows)
}

fn refused(stats: &SurveyStats) -> Table {
    let all = [&stats.summary.unreadable[..], &stats.summary.conflicting[..]].concat();
    let rows = all.iter().map(|refused| [Cell::text(&refused.path), Cell::text(refused.reason.to_string())]);
    let caption = format!("{} files and folders that an extraction would refuse, and why", count(all.len()));
    table("refused", caption, [("File", "path"), ("Reason", "reason")], rows)
}

fn variants(stats: &SurveyStats) -> Table {
    let rows = stats.augmentation.iter().flat_map(|preview| &preview.variants).map(|varied| {
        let [width, height] = varied.size.map(Cell::count);
        [Cell::text(&varied.variant), width, height, Cell::count(varied.input[0])]
    });
    let columns =
        [("Variant", "variant"), ("Width", "width"), ("Height", "height"), ("Input side", "input_side")];
    table("variants", "Variants of one image".into(), columns, rows)
}

fn twins(stats: &SurveyStats) -> Option<Table> {
    let rows = stats.near_duplicates.as_ref()?.pairs.iter().map(|twin| {
        let [a, b] = &twin.images;
        let distance = Cell::Number { told: format!("{:.4}", twin.distance), value: Some(twin.distance) };
        [
            Cell::text(&a.path),
            Cell::text(a.split.name()),
            Cell::text(&b.path),
            Cell::text(b.split.name()),
            distance,
        ]
    });
    let columns = [
        ("Image", "path"),
        ("Split", "split"),
        ("Other image", "other_path"),
        ("Its split", "other_split"),
        ("Distance", "distance"),
    ];
    Some(table("near-duplicates", "The nearest images of different splits".into(), columns, rows))
}

fn doubts(stats: &SurveyStats) -> Option<Table> {
    let rows = stats.doubtful_labels.as_ref()?.suspects.iter().map(|suspect| {
        [
            Cell::text(&suspect.path),
            Cell::text(&suspect.label),
            Cell::percent(suspect.label_probability),
            Cell::text(&suspect.suggested),
            Cell::percent(suspect.suggested_probability),
        ]
    });
    let columns = [
        ("Image", "path"),
        ("Label", "label"),
        ("Its probability", "label_probability"),
        ("Suggested", "suggested"),
        ("Its probability", "suggested_probability"),
    ];
    Some(table("doubtful-labels", "Labels that may be wrong, the most doubtful first".into(), columns, rows))
}
