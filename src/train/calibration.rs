//! The temperature that calibrates the probabilities of a head.

use crate::data::augment::Variant;
use crate::data::dataset::Split;
use crate::metrics::{self, Temperature};
use crate::run::Prediction;

/// Fits the temperature to the predictions for the validation images as they are (variant `none`), or for those of folds. `classes` holds the
/// sorted names of the classes. `None` where the images do not determine a temperature.
pub(super) fn temperature(predictions: &[Prediction], classes: &[String]) -> Option<Temperature> {
    let is_fitted_on = |row: &&Prediction| row.split == Split::Validation && row.variant == Variant::None;
    let (truth, probabilities): (Vec<usize>, Vec<Vec<f32>>) = predictions
        .iter()
        .filter(is_fitted_on)
        .filter_map(|row| Some((classes.binary_search(&row.label).ok()?, row.probabilities.clone())))
        .unzip();
    metrics::fit_temperature(&truth, &probabilities)
}
