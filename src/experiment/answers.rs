//! Which rows a head answers correctly.

use crate::head::{Example, Head, Rows, argmax};

/// For each row, whether the class with the largest probability is its target.
pub(super) fn correct(head: &Head, rows: Rows) -> Vec<bool> {
    let answers = head.probabilities_of(rows);
    let is_correct = |(row, example): (&Vec<f32>, &Example)| argmax(row) == example.target as usize;
    answers.iter().zip(rows.examples).map(is_correct).collect()
}
