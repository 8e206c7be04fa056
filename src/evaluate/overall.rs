//! Scores of all classes together that allow for chance or for the frequencies of the classes.

use super::held_out::HeldOutPrediction;
use crate::metrics::{self, BrierScore, LabelledPrediction};
use crate::run::ClassCount;
use serde::Serialize;

/// Scores of all classes together; undefined ones are `None`.
#[derive(Debug, Clone, Serialize)]
pub struct OverallScores {
    /// The 95 % interval of macro F1, by the delta method.
    pub macro_f1_interval: Option<[f64; 2]>,
    /// Mean recall over the classes that have images.
    pub balanced_accuracy: Option<f64>,
    /// Matthews' correlation, -1 to 1; 0 is chance.
    pub matthews_correlation: Option<f64>,
    /// Cohen's kappa, at most 1; 0 is chance.
    pub cohens_kappa: Option<f64>,
    /// Brier score of the head's own probabilities, with its parts.
    pub brier: Option<BrierScore>,
    /// Mean cross entropy, in nats, of always giving the frequencies of the train images: what the loss of a head has to beat.
    pub frequencies_loss: Option<f64>,
}

impl OverallScores {
    /// Scores images by their predicted classes. `confusion` counts the same images; `classes` holds the numbers of train
    /// images.
    pub(super) fn measure(
        images: &[HeldOutPrediction],
        predicted: &[usize],
        confusion: &[Vec<usize>],
        classes: &[ClassCount],
    ) -> Self {
        let truth: Vec<usize> = images.iter().map(|image| image.truth).collect();
        let pairs = truth.iter().zip(predicted);
        let rows: Vec<LabelledPrediction> =
            pairs.map(|(&truth, &predicted)| LabelledPrediction { truth, predicted }).collect();
        Self {
            macro_f1_interval: metrics::macro_f1_interval(&rows, classes.len()),
            balanced_accuracy: metrics::balanced_accuracy(confusion),
            matthews_correlation: metrics::matthews_correlation(confusion),
            cohens_kappa: metrics::cohens_kappa(confusion),
            brier: metrics::brier_score(&truth, images.iter().map(probabilities)),
            frequencies_loss: frequencies_loss(classes, &truth),
        }
    }
}

/// The probabilities of an image in double precision.
fn probabilities(image: &HeldOutPrediction) -> Vec<f64> {
    image.probabilities.iter().map(|&p| f64::from(p)).collect()
}

/// The loss of always giving the frequencies of the train images. `None` where a label has none of them, which makes it
/// infinite.
fn frequencies_loss(classes: &[ClassCount], truth: &[usize]) -> Option<f64> {
    let total: usize = classes.iter().map(|class| class.train).sum();
    let frequencies: Vec<f64> = classes.iter().map(|class| class.train as f64 / total as f64).collect();
    let occurs = truth.iter().all(|&class| classes[class].train > 0);
    metrics::log_loss(truth, truth.iter().map(|_| &frequencies)).filter(|_| occurs)
}
