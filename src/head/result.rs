//! What a fit returns: the head and its history, epoch by epoch.

use super::softmax_head::Head;
use serde::{Deserialize, Serialize};

/// Loss and accuracy of one epoch. Accuracies are 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Number of the epoch, from 1.
    pub epoch: usize,
    /// Mean cross entropy over the train rows, each measured before the step of its batch. Class weights, label smoothing
    /// and the L2 penalty are left out.
    pub train_loss: f64,
    /// Accuracy over the train rows, each measured before the step of its batch.
    pub train_accuracy: f64,
    /// Mean cross entropy of the validation rows after the epoch; 0 if there are none.
    pub validation_loss: f64,
    /// Accuracy on the validation rows after the epoch; 0 if there are none.
    pub validation_accuracy: f64,
    /// Wall time of the epoch and its validation, in seconds. Heads that are fitted together share it.
    pub seconds: f64,
}

impl Epoch {
    /// Whether both losses are finite.
    pub(super) fn is_finite(&self) -> bool {
        self.train_loss.is_finite() && self.validation_loss.is_finite()
    }
}

/// A fitted head with its history.
#[derive(Debug, Clone)]
pub struct FitResult {
    /// The head after its best epoch. It takes features as the cache holds them, even if it was fitted to standardized
    /// ones.
    pub head: Head,
    /// The epoch with the smallest validation loss, or the largest accuracy, from 1; the last epoch if there was no
    /// validation.
    pub best_epoch: usize,
    /// All epochs that ran, in order.
    pub history: Vec<Epoch>,
}
