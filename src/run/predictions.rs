//! `predictions.parquet`: what a run's head answers for its validation and test images.

use super::damaged;
use crate::augment::Variant;
use crate::dataset::Split;
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::fs;
use crate::store::table::{ColumnData, ColumnType, Table, Vectors};
use std::path::Path;

/// The file's name.
pub(super) const FILE: &str = "predictions.parquet";

/// One row of `predictions.parquet`.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The image, relative to the folder of images; the first of copies.
    pub path: String,
    /// Of its bytes.
    pub image_sha256: Digest,
    /// Which variant.
    pub variant: Variant,
    /// Validation or test.
    pub split: Split,
    /// The truth.
    pub label: String,
    /// The class of the largest probability.
    pub predicted: String,
    /// In class order, as the head gives them: without the temperature.
    pub probabilities: Vec<f32>,
}

const COLUMNS: [(&str, ColumnType); 7] = [
    ("path", ColumnType::Text),
    ("image_sha256", ColumnType::Digests),
    ("variant", ColumnType::Text),
    ("split", ColumnType::Text),
    ("label", ColumnType::Text),
    ("predicted", ColumnType::Text),
    ("probabilities", ColumnType::Vectors),
];

/// Writes the predictions of a run of so many classes into its folder.
///
/// # Errors
/// When the operating system refuses.
pub(super) fn write(folder: &Path, rows: &[Prediction], classes: usize) -> Result<()> {
    fs::write_atomic(&folder.join(FILE), &table(rows, classes).encode())
}

fn table(rows: &[Prediction], classes: usize) -> Table {
    let text = |get: fn(&Prediction) -> String| ColumnData::Text(rows.iter().map(get).collect());
    let values = rows.iter().flat_map(|row| row.probabilities.iter().copied()).collect();
    let columns = [
        text(|row| row.path.clone()),
        ColumnData::Digests(rows.iter().map(|row| row.image_sha256).collect()),
        text(|row| row.variant.to_string()),
        text(|row| row.split.to_string()),
        text(|row| row.label.clone()),
        text(|row| row.predicted.clone()),
        ColumnData::Vectors(Vectors { width: classes, values }),
    ];
    Table::new(COLUMNS.map(|(name, _)| name).into_iter().zip(columns))
}

/// Checks that a run keeps predictions for `split`.
///
/// # Errors
/// [`Kind::Usage`] for the train split.
pub fn check_split(split: Split) -> Result<()> {
    match split {
        Split::Validation | Split::Test => Ok(()),
        Split::Train => Err(Error::new(Kind::Usage, "a run keeps no predictions for the train split")
            .help("use --split validation or --split test")),
    }
}

/// Reads the predictions, in the order of the file: by image digest and variant.
///
/// # Errors
/// [`Kind::Run`] when the file is damaged or speaks of unknown splits.
pub fn read_predictions(run: &Path) -> Result<Vec<Prediction>> {
    let path = run.join(FILE);
    let mut table = Table::read(&path, &COLUMNS).map_err(|e| damaged(&path, e))?;
    let Vectors { width, values } = table.take_vectors("probabilities");
    let mut probabilities = values.chunks_exact(width.max(1));
    let digests = table.take_digests("image_sha256").into_iter();
    let [variants, splits, labels, predicted] =
        ["variant", "split", "label", "predicted"].map(|name| table.take_text(name).into_iter());
    let rows =
        table.take_text("path").into_iter().zip(digests).zip(variants).zip(splits).zip(labels).zip(predicted);
    rows.map(|(((((image, image_sha256), variant), split), label), predicted)| {
        Ok(Prediction {
            path: image,
            image_sha256,
            variant: variant.parse().map_err(|e| damaged(&path, e))?,
            split: split.parse().map_err(|e| damaged(&path, e))?,
            label,
            predicted,
            probabilities: probabilities.next().unwrap_or_default().to_vec(),
        })
    })
    .collect()
}

/// The number of a class in a run's order.
///
/// # Errors
/// [`Kind::Run`] when the run knows no such class.
pub fn class_index(run: &Path, names: &[String], name: &str) -> Result<usize> {
    names.iter().position(|known| known == name).ok_or_else(|| {
        Error::new(Kind::Run, format!("its predictions speak of an unknown class {name:?}"))
            .at(run)
            .help("train again")
    })
}
