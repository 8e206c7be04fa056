//! Predictions for rows that a head was not trained on.

use super::feature_table::FeatureTable;
use super::split_rows::{HeldOutRows, SplitRows};
use super::training_set::TrainingSet;
use crate::cache::Key;
use crate::head::{Head, LabelledFeatures, argmax};
use crate::math::matrix::Probabilities;
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
    let answer = |probabilities: &[f32]| set.classes()[argmax(probabilities)].clone();
    predictions(set, part, &head.probabilities_of(features), answer)
}

/// The predictions for one part of the held-out rows, from their probabilities. `answer` names what is predicted by some.
pub(super) fn predictions(
    set: &TrainingSet,
    HeldOutRows { split, rows }: HeldOutRows,
    probabilities: &Probabilities,
    answer: impl Fn(&[f32]) -> String,
) -> Vec<Prediction> {
    let answers = rows.keys.iter().zip(&rows.targets).zip(probabilities);
    let prediction = |((key, &target), probabilities): ((&Key, &u32), &[f32])| Prediction {
        path: set.path_of(&key.image_sha256).to_string(),
        image_sha256: key.image_sha256,
        variant: key.variant,
        group: set.group_of(&key.image_sha256),
        split,
        label: set.classes()[target as usize].clone(),
        predicted: answer(probabilities),
        probabilities: probabilities.to_vec(),
    };
    answers.map(prediction).collect()
}

/// Sorts predictions by image and variant, as they are stored.
pub(crate) fn sorted(mut predictions: Vec<Prediction>) -> Vec<Prediction> {
    predictions.sort_by_key(|row| (row.image_sha256, row.variant));
    predictions
}
