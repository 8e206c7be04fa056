//! Predictions for rows that a head was not trained on.

use super::feature_table::FeatureTable;
use super::split_rows::{HeldOutRows, SplitRows};
use super::training_set::TrainingSet;
use crate::cache::Key;
use crate::head::{Head, LabelledFeatures, argmax};
use crate::run::Prediction;

/// Predicts all held-out rows of `splits`, sorted by image and variant.
pub(crate) fn predict_all(
    head: &Head,
    set: &TrainingSet,
    splits: &SplitRows,
    table: &FeatureTable,
) -> Vec<Prediction> {
    let predict = |part: HeldOutRows| predict(head, set, part, table.select(part.rows).rows());
    sorted(splits.held_out().into_iter().flat_map(predict).collect())
}

/// Predicts one part of the held-out rows; `features` holds its rows in the same order.
pub(crate) fn predict(
    head: &Head,
    set: &TrainingSet,
    part: HeldOutRows,
    features: LabelledFeatures,
) -> Vec<Prediction> {
    let HeldOutRows { split, rows } = part;
    let probabilities = head.probabilities_of(features);
    let answers = rows.keys.iter().zip(&rows.targets).zip(&probabilities);
    let prediction = |((key, &target), probabilities): ((&Key, &u32), &[f32])| Prediction {
        path: set.path_of(&key.image_sha256).to_string(),
        image_sha256: key.image_sha256,
        variant: key.variant,
        group: set.group_of(&key.image_sha256),
        split,
        label: set.classes()[target as usize].clone(),
        predicted: set.classes()[argmax(probabilities)].clone(),
        probabilities: probabilities.to_vec(),
    };
    answers.map(prediction).collect()
}

/// Sorts predictions by image and variant, as they are stored.
pub(crate) fn sorted(mut predictions: Vec<Prediction>) -> Vec<Prediction> {
    predictions.sort_by_key(|row| (row.image_sha256, row.variant));
    predictions
}
