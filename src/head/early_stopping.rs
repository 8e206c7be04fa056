//! Early stopping: which epoch is the best on the validation rows, and when to stop waiting for a better one.

use super::result::Epoch;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The measure on the validation rows that decides which epoch is the best and when to stop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum StopOn {
    /// The mean cross entropy, which must fall.
    #[default]
    Loss,
    /// The accuracy, which must rise.
    Accuracy,
}

impl FromStr for StopOn {
    type Err = Error;

    /// Parses `loss` or `accuracy`.
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "loss" => Ok(Self::Loss),
            "accuracy" => Ok(Self::Accuracy),
            _ => Err(Error::not_one_of(text, "a measure to stop on", &["loss", "accuracy"])),
        }
    }
}

impl fmt::Display for StopOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Loss => "loss",
            Self::Accuracy => "accuracy",
        })
    }
}

/// Compares the epochs of a fit and counts those without an improvement.
#[derive(Debug)]
pub(super) struct EarlyStopping {
    stop_on: StopOn,
    /// An epoch must be better than the best by more than this.
    min_delta: f64,
    patience: usize,
    patience_resets: bool,
    best: Option<Epoch>,
    /// Epochs without an improvement: in a row if the patience resets, else in all.
    without_improvement: usize,
}

impl EarlyStopping {
    pub fn new(stop_on: StopOn, min_delta: f64, patience: usize, patience_resets: bool) -> Self {
        Self { stop_on, min_delta, patience, patience_resets, best: None, without_improvement: 0 }
    }

    /// Takes the next epoch and returns whether it is the best so far.
    pub fn observe(&mut self, epoch: &Epoch) -> bool {
        let improves = self.best.is_none_or(|best| self.improves(epoch, &best));
        if improves {
            self.best = Some(*epoch);
            self.without_improvement = if self.patience_resets { 0 } else { self.without_improvement };
        } else {
            self.without_improvement += 1;
        }
        improves
    }

    /// Whether the patience is used up.
    pub fn is_exhausted(&self) -> bool {
        self.without_improvement >= self.patience
    }

    fn improves(&self, epoch: &Epoch, best: &Epoch) -> bool {
        match self.stop_on {
            StopOn::Loss => epoch.validation_loss < best.validation_loss - self.min_delta,
            StopOn::Accuracy => epoch.validation_accuracy > best.validation_accuracy + self.min_delta,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_are_parsed_and_printed_by_name() {
        for stop_on in [StopOn::Loss, StopOn::Accuracy] {
            assert_eq!(stop_on.to_string().parse::<StopOn>().unwrap(), stop_on);
        }
        assert!("f1".parse::<StopOn>().is_err());
    }
}
