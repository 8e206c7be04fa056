//! The held-out images of a run as its predictions tell them, image by image.

use crate::augment::Variant;
use crate::dataset::Split;
use crate::error::{Error, Kind, Result};
use crate::run::{self, Prediction};
use std::path::Path;

/// One image: its class, and what the head says of it.
#[derive(Debug)]
pub(super) struct Held {
    pub truth: usize,
    /// The class predicted from the image as it is.
    pub predicted: usize,
    /// Probabilities in class order: of the image as it is, or their mean over its variants.
    pub probabilities: Vec<f32>,
}

/// The predictions of one split, by image.
#[derive(Debug)]
pub(super) struct HeldOut {
    /// In the order of their digests.
    pub images: Vec<Held>,
    /// What the probabilities of each image are the mean of.
    pub variants: Vec<Variant>,
}

/// The images of a split of `run`, with all variants that there are or with variant `none` alone. `predictions` are in the
/// order of the file.
///
/// # Errors
/// [`Kind::Run`] when the predictions do not fit the class `names`, or some images lack variants of others.
pub(super) fn of_split(
    run: &Path,
    predictions: &[Prediction],
    (split, with_variants): (Split, bool),
    names: &[String],
) -> Result<HeldOut> {
    let is_wanted = |row: &&Prediction| row.split == split && (with_variants || row.variant == Variant::None);
    let rows: Vec<&Prediction> = predictions.iter().filter(is_wanted).collect();
    let by_image = || rows.chunk_by(|a, b| a.image_sha256 == b.image_sha256);
    let variants_of = |image: &[&Prediction]| image.iter().map(|row| row.variant).collect::<Vec<_>>();
    let variants = by_image().next().map(variants_of).unwrap_or_default();
    if by_image().any(|image| image[0].variant != Variant::None || variants_of(image) != variants) {
        let message = format!("its {split} images do not all have the same variants");
        return Err(Error::new(Kind::Run, message).at(run).help("train again"));
    }
    Ok(HeldOut { images: by_image().map(|image| held(run, image, names)).collect::<Result<_>>()?, variants })
}

/// The rows of one image, which begin with variant `none`.
fn held(run: &Path, image: &[&Prediction], names: &[String]) -> Result<Held> {
    if let Some(row) = image.iter().find(|row| row.probabilities.len() != names.len()) {
        let (here, there) = (row.probabilities.len(), names.len());
        let message = format!("its predictions have {here} classes, its record {there}");
        return Err(Error::new(Kind::Run, message).at(run).help("train again"));
    }
    Ok(Held {
        truth: run::class_index(run, names, &image[0].label)?,
        predicted: run::class_index(run, names, &image[0].predicted)?,
        probabilities: mean(image),
    })
}

/// The mean of the probabilities over the rows of one image.
fn mean(image: &[&Prediction]) -> Vec<f32> {
    let over_rows = |class: usize| {
        let sum: f64 = image.iter().map(|row| f64::from(row.probabilities[class])).sum();
        (sum / image.len() as f64) as f32
    };
    (0..image[0].probabilities.len()).map(over_rows).collect()
}
