//! The result of [`suggest`](super::suggest()): the images to label.

use super::config::SuggestBy;
use super::uncertainty::Uncertainty;
use crate::evaluate::predict::ClassProbability;
use crate::io::digest::Digest;
use serde::Serialize;
use std::path::PathBuf;

/// Result of [`suggest`](super::suggest()).
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct SuggestStats {
    /// How images are ranked.
    pub by: SuggestBy,
    /// Number of distinct images without a label that have features.
    pub unlabelled: usize,
    /// The images to label, the most useful first.
    pub images: Vec<Suggestion>,
    /// The folder of images.
    #[serde(skip)]
    pub root: PathBuf,
}

/// An image to label, and what the run says about it.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Suggestion {
    /// Relative to the folder of images; the first path of duplicates.
    pub path: String,
    /// Digest of the file's bytes.
    #[serde(skip)]
    pub image_sha256: Digest,
    /// All classes, the most probable first.
    pub predictions: Vec<ClassProbability>,
    /// How unsure the head is.
    #[serde(flatten)]
    pub uncertainty: Uncertainty,
    /// Cosine distance, when it was chosen, from the nearest image trained on or suggested before; `None` where images are ranked
    /// by uncertainty alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distance: Option<f32>,
}
