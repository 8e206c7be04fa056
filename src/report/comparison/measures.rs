//! Measures of an epoch that learning curves show.

use crate::head::Epoch;
use crate::report::plot::Unit;

/// A measure of each epoch.
pub(super) struct Measure {
    /// Its name in the JSON and in the CSV file.
    pub key: &'static str,
    pub title: &'static str,
    pub value: fn(&Epoch) -> f64,
    pub unit: Unit,
}

/// The measures that have a learning curve.
pub(super) const MEASURES: [Measure; 4] = [
    Measure {
        key: "validation_loss",
        title: "Validation loss",
        value: |epoch| epoch.validation_loss,
        unit: Unit::Plain(4),
    },
    Measure { key: "train_loss", title: "Train loss", value: |epoch| epoch.train_loss, unit: Unit::Plain(4) },
    Measure {
        key: "validation_accuracy",
        title: "Validation accuracy",
        value: |epoch| epoch.validation_accuracy,
        unit: Unit::Percent,
    },
    Measure {
        key: "train_accuracy",
        title: "Train accuracy",
        value: |epoch| epoch.train_accuracy,
        unit: Unit::Percent,
    },
];
