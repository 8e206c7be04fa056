//! The predictions of a run, image by image.

use crate::data::augment::Variant;
use crate::data::dataset::Split;
use crate::error::{Error, Kind, Result};
use crate::run::{self, Prediction};
use std::path::Path;

/// The predictions of a run and how they are read.
pub(super) struct RunPredictions<'a> {
    pub run: &'a Path,
    /// Rows in the order of the file.
    pub rows: &'a [Prediction],
    /// Names of the classes, in the order of their indices.
    pub classes: &'a [String],
    /// Whether the probabilities of all variants of an image are averaged, rather than those of variant `none` taken.
    pub average: bool,
}

/// The prediction for one image. Classes are indices.
#[derive(Debug)]
pub(super) struct HeldOutPrediction {
    pub truth: usize,
    /// The class predicted from variant `none`.
    pub predicted: usize,
    /// Probabilities in class order: of variant `none`, or the mean over all variants.
    pub probabilities: Vec<f32>,
    /// The group of the image.
    pub group: Option<String>,
}

/// The predictions for the images of one split.
#[derive(Debug)]
pub(super) struct SplitPredictions {
    /// Images in the order of their digests.
    pub images: Vec<HeldOutPrediction>,
    /// The variants that the probabilities of each image are computed from.
    pub variants: Vec<Variant>,
}

impl RunPredictions<'_> {
    /// Groups the rows of a split by image.
    ///
    /// # Errors
    /// [`Kind::Run`] when the predictions do not fit the classes, or some images lack variants that others have.
    pub fn of_split(&self, split: Split) -> Result<SplitPredictions> {
        let is_wanted =
            |row: &&Prediction| row.split == split && (self.average || row.variant == Variant::None);
        let rows: Vec<&Prediction> = self.rows.iter().filter(is_wanted).collect();
        let by_image = || rows.chunk_by(|a, b| a.image_sha256 == b.image_sha256);
        let variants_of = |image: &[&Prediction]| image.iter().map(|row| row.variant).collect::<Vec<_>>();
        let variants = by_image().next().map(variants_of).unwrap_or_default();
        if by_image().any(|image| image[0].variant != Variant::None || variants_of(image) != variants) {
            let message = format!("its {split} images do not all have the same variants");
            return Err(Error::new(Kind::Run, message).at(self.run).help("train again"));
        }
        let images = by_image().map(|image| self.of_image(image)).collect::<Result<_>>()?;
        Ok(SplitPredictions { images, variants })
    }

    /// Combines the rows of one image. The first one is variant `none`.
    fn of_image(&self, image: &[&Prediction]) -> Result<HeldOutPrediction> {
        let (run, names) = (self.run, self.classes);
        if let Some(row) = image.iter().find(|row| row.probabilities.len() != names.len()) {
            let (here, there) = (row.probabilities.len(), names.len());
            let message = format!("its predictions have {here} classes, its record {there}");
            return Err(Error::new(Kind::Run, message).at(run).help("train again"));
        }
        Ok(HeldOutPrediction {
            truth: run::class_index(run, names, &image[0].label)?,
            predicted: run::class_index(run, names, &image[0].predicted)?,
            probabilities: mean_probabilities(image),
            group: image[0].group.clone(),
        })
    }
}

/// Averages the probabilities of the rows of one image.
fn mean_probabilities(image: &[&Prediction]) -> Vec<f32> {
    let mean = |class: usize| {
        let sum: f64 = image.iter().map(|row| f64::from(row.probabilities[class])).sum();
        (sum / image.len() as f64) as f32
    };
    (0..image[0].probabilities.len()).map(mean).collect()
}
