//! The results of predicting: class probabilities, open-set score and nearest images of an image.

use crate::cache::near_images::Neighbour;
use crate::data::dataset::Refused;
use crate::data::decode::Reason;
use crate::evaluate::explain::Explanation;
use crate::io::digest::Digest;
use serde::Serialize;
use std::path::Path;

/// What an image is called that is rejected.
pub const UNKNOWN: &str = "unknown";

/// The answer for an image where the rule of the run withholds one.
pub const UNSURE: &str = "unsure";

/// The answer for an image with none of the labels, where images have several.
pub const NONE: &str = "none";

/// The prediction for one image.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ImagePrediction {
    /// All classes, the most probable first.
    pub predictions: Vec<ClassProbability>,
    /// The answer where the run has a rule of decision: a class, [`UNSURE`], or [`UNKNOWN`] for an image that is rejected; where
    /// images have several labels, those answered, such as `cat|dog`, or [`NONE`]. `None` without a rule: then it is the most
    /// probable class.
    #[serde(rename = "answer", skip_serializing_if = "Option::is_none")]
    pub decided: Option<String>,
    /// Whether the image is of none of the classes; `None` without open-set rejection.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub open_set: Option<OpenSetScore>,
    /// The nearest images of the run's cache, nearest first; `None` if none were asked for or the cache cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub neighbours: Option<Vec<Neighbour>>,
}

/// The prediction for one image file.
#[derive(Debug, Clone, Serialize)]
pub struct FilePrediction {
    /// The path as given.
    pub path: String,
    /// Digest of the file's bytes; `None` for a file that cannot be used.
    #[serde(skip)]
    pub image_sha256: Option<Digest>,
    /// The prediction; without classes for a file that cannot be used.
    #[serde(flatten)]
    pub prediction: ImagePrediction,
    /// What each position of the picture adds to the most probable class; `None` if that was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation>,
    /// Why the file cannot be used; `None` if it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

/// A class and its probability.
#[derive(Debug, Clone, Serialize)]
pub struct ClassProbability {
    /// The class.
    pub label: String,
    /// 0 to 1, at the run's temperature if that differs significantly from 1.
    pub probability: f64,
}

/// How far an image is from the classes of the run.
#[derive(Debug, Clone, Serialize)]
pub struct OpenSetScore {
    /// Whether the image is rejected: it lies farther from every class than the validation images of the run allow.
    pub unknown: bool,
    /// Distance from the nearest class.
    pub score: f32,
    /// Split conformal p value: the fraction of known images that lie at least as far away.
    pub p_value: f64,
}

impl ImagePrediction {
    /// [`UNKNOWN`] for an image that is rejected, else what the rule of the run decides, or the most probable class; `None` for a
    /// file that cannot be used.
    pub fn answer(&self) -> Option<&str> {
        let first = self.predictions.first()?;
        Some(if self.is_unknown() { UNKNOWN } else { self.decided.as_ref().unwrap_or(&first.label) })
    }

    /// Whether the image is rejected.
    pub fn is_unknown(&self) -> bool {
        self.open_set.as_ref().is_some_and(|score| score.unknown)
    }
}

impl FilePrediction {
    /// A file that cannot be used.
    pub fn refused(Refused { path, reason, .. }: Refused) -> Self {
        Self { reason: Some(reason), ..Self::without_prediction(Path::new(&path)) }
    }

    pub(super) fn without_prediction(path: &Path) -> Self {
        let path = path.to_string_lossy().into_owned();
        Self {
            path,
            image_sha256: None,
            prediction: ImagePrediction::default(),
            explanation: None,
            reason: None,
        }
    }
}

pub(super) fn ranked(classes: &[String], probabilities: &[f64]) -> Vec<ClassProbability> {
    let pairs = classes.iter().zip(probabilities);
    let mut ranked: Vec<ClassProbability> =
        pairs.map(|(label, &probability)| ClassProbability { label: label.clone(), probability }).collect();
    ranked.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    ranked
}
