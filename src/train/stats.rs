//! What `train` reports about a finished run.

use super::split_rows::SplitRows;
use crate::data::augment::Variant;
use crate::data::dataset::Split;
use crate::head::decision::Decision;
use crate::head::{Convergence, SolverConfig};
use crate::metrics::Temperature;
use crate::run::{FoldScore, MultiLabel, Prediction, Record, SamePictures, Selection};
use serde::Serialize;

/// Loss and accuracy on the validation split.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ValidationScore {
    /// Mean cross entropy.
    pub loss: f64,
    /// Fraction of correct answers, 0 to 1.
    pub accuracy: f64,
}

/// Result of `train`.
#[derive(Debug, Clone, Serialize)]
pub struct TrainStats {
    /// Name and description of the network that the features came from.
    pub backbone: String,
    /// The solver: `adam`, `lbfgs` or `lbfgs-linfa`.
    pub solver: &'static str,
    /// Whether L-BFGS reached the optimum (weights within 1 %); `None` for Adam.
    pub converged: Option<bool>,
    /// How near the optimum L-BFGS came; `None` for Adam.
    pub convergence: Option<Convergence>,
    /// L2 penalty.
    pub l2: f64,
    /// Number of epochs; 1 for L-BFGS, whose whole search counts as one.
    pub epochs: usize,
    /// The epoch whose head was kept, from 1.
    pub best_epoch: usize,
    /// Whether the best epoch of Adam is among the last tenth of those that the settings allow, so that more may help.
    pub best_is_near_the_limit: bool,
    /// Validation score at that epoch; `None` where there are no validation images.
    pub validation: Option<ValidationScore>,
    /// Score over the folds within the train images that stood in for validation images.
    pub inner_folds: Option<FoldScore>,
    /// How the settings were chosen; `None` where they were given.
    pub selection: Option<Selection>,
    /// Fraction of correct answers on the test split, 0 to 1; `None` where there are no test images.
    pub test_accuracy: Option<f64>,
    /// Number of images in the test split.
    pub test_images: usize,
    /// Wall time of the fit in seconds, without reading the cache.
    pub seconds: f64,
    /// Mean wall time of an epoch in seconds, validation included.
    pub seconds_per_epoch: f64,
    /// Wall time of reading and verifying the features, in seconds.
    pub read_seconds: f64,
    /// Number of feature rows in the train split.
    pub train_rows: usize,
    /// Number of images in the validation split.
    pub validation_images: usize,
    /// Temperature that calibrates the probabilities; `None` where the validation images do not determine it.
    pub temperature: Option<Temperature>,
    /// Variants trained on.
    pub variants: Vec<String>,
    /// Number of classes.
    pub classes: usize,
    /// How labels are answered, where images have several; an answer is then correct where all labels are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_label: Option<MultiLabel>,
    /// How an answer is decided; `None` where it is the most probable class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// Pictures of validation and test that are in another split too.
    pub same_pictures: SamePictures,
}

/// Whether the best epoch is among the last tenth of those that are allowed.
pub(super) fn is_near_the_limit(best_epoch: usize, epochs: usize) -> bool {
    10 * best_epoch > 9 * epochs && epochs > 1
}

impl TrainStats {
    /// Summarises the record of a run.
    pub(super) fn of(
        record: &Record,
        splits: &SplitRows,
        predictions: &[Prediction],
        read_seconds: f64,
    ) -> Self {
        let is_tested = |row: &&Prediction| row.split == Split::Test && row.variant == Variant::None;
        let tested = || predictions.iter().filter(is_tested);
        let (correct, test_images) =
            (tested().filter(|row| row.label == row.predicted).count(), tested().count());
        let best = &record.history[record.best_epoch - 1];
        let epochs = record.history.len();
        Self {
            backbone: format!("{} ({})", record.spec.backbone.name, record.spec.backbone.title),
            solver: record.config.name(),
            converged: record.convergence.map(|convergence| convergence.is_optimum()),
            convergence: record.convergence,
            l2: record.config.l2(),
            epochs,
            best_epoch: record.best_epoch,
            best_is_near_the_limit: match &record.config {
                SolverConfig::Adam(config) => is_near_the_limit(record.best_epoch, config.epochs),
                SolverConfig::Lbfgs(_) | SolverConfig::Linfa(_) => false,
            },
            validation: (!splits.validation.keys.is_empty()).then_some(ValidationScore {
                loss: best.validation_loss,
                accuracy: best.validation_accuracy,
            }),
            inner_folds: record.inner_folds,
            selection: record.selection.clone(),
            test_accuracy: (test_images > 0).then(|| correct as f64 / test_images as f64),
            test_images,
            seconds: record.seconds,
            seconds_per_epoch: record.history.iter().map(|epoch| epoch.seconds).sum::<f64>() / epochs as f64,
            read_seconds,
            train_rows: record.train_rows,
            validation_images: splits.validation.keys.len(),
            temperature: record.temperature,
            variants: record.variants.clone(),
            classes: record.classes.len(),
            multi_label: record.multi_label.clone(),
            decision: record.decision.clone(),
            same_pictures: record.same_pictures.unwrap_or_default(),
        }
    }
}
