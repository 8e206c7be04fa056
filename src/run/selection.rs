//! How the settings of a head were chosen among others, as a run records it.

use crate::metrics::ResampledMean;
use serde::{Deserialize, Serialize};

/// A choice among candidates by folds within the train images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Selection {
    /// Number of folds of one repeat.
    pub folds: usize,
    /// How often the train images were dealt to folds.
    pub repeats: usize,
    /// Number of train images.
    pub images: usize,
    /// Position of the chosen candidate in `tried`.
    pub chosen: usize,
    /// All candidates that were fitted, the simplest first.
    pub tried: Vec<Candidate>,
    /// Those that were not.
    pub left_out: Vec<LeftOut>,
    /// Accuracy of the choice on folds that had no part in it; `None` for fewer than three folds.
    pub nested: Option<ResampledMean>,
    /// Seconds that the search was given; `None` without a limit.
    pub budget: Option<f64>,
    /// Wall time of the search in seconds.
    pub seconds: f64,
}

/// A feature set of a cache, and the loss that is fitted to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CandidateFeatures {
    /// The cache, as it was given.
    pub cache: String,
    /// Layer of its features.
    pub layer: String,
    /// Names of the variants, such as `none+flip`.
    #[serde(rename = "use")]
    pub variants: String,
    /// Whether features are standardized.
    pub standardize: bool,
    /// Share of each label that is spread over all classes.
    #[serde(default)]
    pub label_smoothing: f64,
}

/// A candidate and its scores over the folds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its features.
    #[serde(flatten)]
    pub features: CandidateFeatures,
    /// L2 penalty.
    pub l2: f64,
    /// Mean cross entropy; `None` if a fit failed.
    pub loss: Option<f64>,
    /// Fraction of correct answers, 0 to 1; `None` if a fit failed.
    pub accuracy: Option<f64>,
    /// How much larger its loss is than that of the chosen one.
    pub difference: Option<f64>,
    /// Standard error of the difference, which allows for train images that folds share.
    pub standard_error: Option<f64>,
}

/// Candidates that were not fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Their features.
    #[serde(flatten)]
    pub features: CandidateFeatures,
    /// Why.
    pub reason: LeftOutReason,
}

/// Why candidates were not fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LeftOutReason {
    /// The budget was used up.
    Budget,
    /// The same features were clearly worse with fewer variants.
    Worse,
}
