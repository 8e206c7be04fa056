//! Which rows a head answers correctly.

use crate::head::{Head, LabelledFeatures};

/// For each row, whether the class with the largest probability is its target.
pub(super) fn correct(head: &Head, rows: LabelledFeatures) -> Vec<bool> {
    let answers = head.probabilities_of(rows);
    answers.predicted().zip(rows.targets()).map(|(predicted, target)| predicted == target).collect()
}
