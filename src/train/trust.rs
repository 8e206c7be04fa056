//! What a training adds so that its answers can be trusted: predictions for all held-out rows, the temperature of their
//! probabilities, and their distances from the classes. It refuses to touch the head.

use super::features::{Features, Selected};
use crate::augment::Variant;
use crate::dataset::Split;
use crate::head::reject::{Distance, Measured};
use crate::head::{Head, argmax};
use crate::metrics::{self, Temperature};
use crate::run::Prediction;

/// What `head` says of the validation and test images and of their variants, sorted by digest and variant.
pub(super) fn predictions(head: &Head, features: &Features) -> Vec<Prediction> {
    let parts = [
        (&features.validation, Split::Validation),
        (&features.validation_variants, Split::Validation),
        (&features.test, Split::Test),
        (&features.test_variants, Split::Test),
    ];
    let mut rows: Vec<Prediction> =
        parts.iter().flat_map(|(part, split)| predict_rows(head, &features.classes, part, *split)).collect();
    rows.sort_by_key(|row| (row.image_sha256, row.variant));
    rows
}

fn predict_rows(head: &Head, classes: &[String], part: &Selected, split: Split) -> Vec<Prediction> {
    let probabilities = head.probabilities(&part.features);
    let rows = part.keys.iter().zip(&part.targets).zip(&part.paths).zip(probabilities);
    rows.map(|(((key, &target), path), probabilities)| Prediction {
        path: path.clone(),
        image_sha256: key.image_sha256,
        variant: key.variant,
        split,
        label: classes[target].clone(),
        predicted: classes[argmax(&probabilities)].clone(),
        probabilities,
    })
    .collect()
}

/// The temperature that fits the validation images best, variant `none`; it follows from the predictions alone.
pub(super) fn temperature(predictions: &[Prediction], classes: &[String]) -> Option<Temperature> {
    let is_fitted_on = |row: &&Prediction| row.split == Split::Validation && row.variant == Variant::None;
    let (truth, probabilities): (Vec<usize>, Vec<Vec<f32>>) = predictions
        .iter()
        .filter(is_fitted_on)
        .filter_map(|row| Some((classes.binary_search(&row.label).ok()?, row.probabilities.clone())))
        .unzip();
    metrics::fit_temperature(&truth, &probabilities)
}

/// How far the held-out images, variant `none`, lie from the classes of the train images. These count as they are; their
/// variants only where the head was trained on nothing else.
pub(super) fn measured(features: &Features, width: usize) -> Measured {
    let train = &features.train;
    let rows = train.keys.iter().zip(train.features.chunks_exact(width.max(1))).zip(&train.targets);
    let mut rows: Vec<_> = rows.map(|((key, row), target)| (key.variant, (row, *target))).collect();
    if rows.iter().any(|(variant, _)| *variant == Variant::None) {
        rows.retain(|(variant, _)| *variant == Variant::None);
    }
    let rows: Vec<(&[f32], usize)> = rows.into_iter().map(|(_, row)| row).collect();
    let distance = Distance::fit(&rows, width, features.classes.len());
    let (validation, test) =
        (distance.of(&features.validation.features), distance.of(&features.test.features));
    Measured { distance, validation, test }
}
