//! The answer `unknown` of a run: how far from its classes is too far, from the distances of its validation images. It
//! refuses to judge by images that calibrated it.

use super::REJECT;
use crate::error::{Error, Kind, Result};
use crate::head::rejection::{self, MahalanobisDistance};
use crate::metrics::{Conformal, images_needed};
use std::path::Path;

/// A run's measure of distance with its threshold.
#[derive(Debug, Clone)]
pub struct Reject {
    /// The measure.
    pub distance: MahalanobisDistance,
    /// Distances of the validation images.
    pub known: Conformal,
    /// A larger distance is unknown.
    pub threshold: f32,
    /// Distances of the test images, in the order of their digests.
    pub test: Vec<f32>,
}

impl Reject {
    /// Reads the measure of a run and calibrates it: of images like those of the validation split a share of at most
    /// `alpha` is called unknown.
    ///
    /// # Errors
    /// [`Kind::Usage`] where `alpha` is not above 0 and below 1, or too small for so few validation images;
    /// [`Kind::Run`] when the run is missing or damaged, or from before there was such a measure.
    pub fn read(run: &Path, alpha: f64) -> Result<Self> {
        if !(alpha > 0.0 && alpha < 1.0) {
            return Err(Error::new(Kind::Usage, "--reject must be above 0 and below 1")
                .help("it is the share of known images that may be called unknown: try --reject 0.05"));
        }
        super::read_record(run)?;
        let path = run.join(REJECT);
        if !path.exists() {
            return Err(Error::new(Kind::Run, "it is missing: the run is of a version without --reject")
                .at(&path)
                .help("train again"));
        }
        let measured = rejection::load(&path)?;
        let known = Conformal::new(measured.validation);
        let threshold = known.threshold(alpha).ok_or_else(|| too_few(run, alpha, known.images()))?;
        Ok(Self { distance: measured.distance, known, threshold, test: measured.test })
    }

    /// Whether an image at this distance is called unknown; at one that is no number it is.
    pub fn is_unknown(&self, distance: f32) -> bool {
        let is_known = distance <= self.threshold;
        !is_known
    }
}

fn too_few(run: &Path, alpha: f64, images: usize) -> Error {
    let needed = images_needed(alpha);
    let message = format!("--reject {alpha} needs {needed} validation images, and the run has {images}");
    // Rounded up, so that it is enough.
    let possible = (1000.0 / (images + 1) as f64).ceil() / 1000.0;
    let larger = if images > 0 { format!("use --reject {possible} or more, or ") } else { String::new() };
    Error::new(Kind::Usage, message).at(run).help(format!(
        "{larger}give the validation split more images, with another --split of `headstart extract`, and train again"
    ))
}
