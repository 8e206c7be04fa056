//! `predictions.parquet`: predictions of a run's head for its validation and test images.

use crate::data::augment::Variant;
use crate::data::dataset::Split;
use crate::error::{Error, Kind, Result};
use crate::io::digest::Digest;
use crate::io::fs;
use crate::io::parquet::{ColumnData, ColumnSpec, ColumnType, Table, Vectors};
use std::path::Path;

/// One row of `predictions.parquet`.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// Path of the image, relative to the folder of images. Of files with the same bytes it is the first.
    pub path: String,
    /// SHA-256 of the bytes of the image file.
    pub image_sha256: Digest,
    /// The variant of the image.
    pub variant: Variant,
    /// Number of the group of the image, as text; `None` for an image on its own.
    pub group: Option<String>,
    /// Validation or test.
    pub split: Split,
    /// The label of the image.
    pub label: String,
    /// The class of largest probability.
    pub predicted: String,
    /// Probabilities in class order, before temperature scaling.
    pub probabilities: Vec<f32>,
}

impl Prediction {
    /// The probability of the label, where `classes` holds the sorted names of the classes; 0 for a label that is no class.
    pub fn of_label(&self, classes: &[String]) -> f32 {
        classes.binary_search(&self.label).map_or(0.0, |class| self.probabilities[class])
    }
}

const COLUMNS: [ColumnSpec<'static>; 7] = [
    ColumnSpec::new("path", ColumnType::Text),
    ColumnSpec::new("image_sha256", ColumnType::Digests),
    ColumnSpec::new("variant", ColumnType::Text),
    ColumnSpec::new("split", ColumnType::Text),
    ColumnSpec::new("label", ColumnType::Text),
    ColumnSpec::new("predicted", ColumnType::Text),
    ColumnSpec::new("probabilities", ColumnType::Vectors),
];

/// Column that is there only where an image has a group.
const GROUP: &str = "group";

/// Writes the predictions of a run with this number of classes.
pub(super) fn write(path: &Path, rows: &[Prediction], classes: usize) -> Result<()> {
    fs::write_atomic(path, &table(rows, classes).encode())
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
    let has_groups = rows.iter().any(|row| row.group.is_some());
    let groups = || (GROUP, ColumnData::OptionalText(rows.iter().map(|row| row.group.clone()).collect()));
    Table::new(COLUMNS.map(|column| column.name).into_iter().zip(columns).chain(has_groups.then(groups)))
}

/// Checks that a run keeps predictions for `split`.
///
/// # Errors
/// [`Kind::Usage`] for the train split.
pub fn check_split(split: Split) -> Result<()> {
    match split {
        Split::Validation | Split::Test => Ok(()),
        Split::Train => Err(Error::new(Kind::Usage, "a run keeps no predictions for the train split")
            .help("use `split` validation or `split` test")),
    }
}

/// Decodes the predictions in the order of the file: by image digest, then variant. `path` is for messages.
pub(super) fn decode(bytes: Vec<u8>, path: &Path) -> Result<Vec<Prediction>> {
    let optional = [ColumnSpec::new(GROUP, ColumnType::OptionalText)];
    let mut table = Table::decode_with_optional(bytes, &COLUMNS, &optional, path)?;
    let mut groups = table.take_optional_text(GROUP).into_iter();
    let Vectors { width, values } = table.take_vectors("probabilities");
    let mut probabilities = values.chunks_exact(width.max(1));
    let digests = table.take_digests("image_sha256").into_iter();
    let [variants, splits, labels, predicted] =
        ["variant", "split", "label", "predicted"].map(|name| table.take_text(name).into_iter());
    let rows =
        table.take_text("path").into_iter().zip(digests).zip(variants).zip(splits).zip(labels).zip(predicted);
    rows.map(|(((((path, image_sha256), variant), split), label), predicted)| {
        Ok(Prediction {
            path,
            image_sha256,
            variant: variant.parse()?,
            group: groups.next().flatten(),
            split: split.parse()?,
            label,
            predicted,
            probabilities: probabilities.next().unwrap_or_default().to_vec(),
        })
    })
    .collect()
}
