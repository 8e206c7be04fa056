//! Cross entropy of softmax outputs: its value and its gradient over rows of logits, in float32.

use super::adam::{TINY, without_tiny};
use super::kernel::Kernel;
use super::label_sets::LabelSets;
use super::labelled_features::Example;
use super::running_loss::RunningLoss;
use std::sync::Arc;

/// Replaces each row of logits `z`, `[rows, classes]`, by its exponentials and stores their sums in `totals`, `[rows]`.
/// Each row is shifted by its maximum first, so that nothing overflows. Returns the loss of the rows.
pub(super) fn exponentiate(
    kernel: Kernel,
    z: &mut [f32],
    rows: &[Example],
    totals: &mut Vec<f32>,
) -> RunningLoss {
    let classes = z.len() / rows.len().max(1);
    let mut sum = RunningLoss::default();
    totals.clear();
    for (row, example) in z.chunks_exact_mut(classes.max(1)).zip(rows) {
        let largest = row.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
        row.iter_mut().for_each(|z| *z -= largest);
        let target = example.target as usize;
        sum.loss -= f64::from(row[target]);
        sum.correct += usize::from(row[target] == 0.0 && row[..target].iter().all(|&z| z < 0.0));
    }
    kernel.exp(z);
    for row in z.chunks_exact(classes.max(1)) {
        let total: f32 = row.iter().sum();
        sum.loss += f64::from(total).ln();
        totals.push(total);
    }
    sum
}

/// The loss of a fit: the mean over a batch of each row's cross entropy with its smoothed target, times the weight of its
/// class and its own; of rows with several labels the sum over the labels. The L2 penalty is added by the optimizer step.
#[derive(Debug)]
pub(super) struct CrossEntropy {
    /// `[classes]`.
    class_weights: Vec<f32>,
    /// The share of each target that is spread evenly over all classes.
    label_smoothing: f64,
    /// The labels of each target, where rows have several; `None` where targets are classes.
    label_sets: Option<LabelSets>,
    /// The weight of each row of the features; `None` where all are 1.
    row_weights: Option<Arc<[f32]>>,
}

impl CrossEntropy {
    pub fn new(
        class_weights: Vec<f32>,
        label_smoothing: f64,
        label_sets: Option<LabelSets>,
        row_weights: Option<Arc<[f32]>>,
    ) -> Self {
        Self { class_weights, label_smoothing, label_sets, row_weights }
    }

    pub fn classes(&self) -> usize {
        self.class_weights.len()
    }

    /// Replaces logits `z`, `[rows, classes]`, by the gradient of the loss at them:
    /// class weight / rows * (softmax - smoothed target). Returns the loss of the rows, unweighted and unsmoothed.
    pub fn gradient(
        &self,
        kernel: Kernel,
        z: &mut [f32],
        rows: &[Example],
        totals: &mut Vec<f32>,
    ) -> RunningLoss {
        if let Some(sets) = &self.label_sets {
            let weights = (&self.class_weights[..], self.label_smoothing as f32);
            let sum = sets.gradient(kernel, z, rows, weights, totals);
            self.weigh(z, rows);
            return sum;
        }
        let classes = self.classes();
        let sum = exponentiate(kernel, z, rows, totals);
        let smoothing = self.label_smoothing as f32;
        let off_target = smoothing / classes as f32;
        let share = 1.0 / rows.len() as f32;
        for ((row, example), total) in z.chunks_exact_mut(classes).zip(rows).zip(totals) {
            let target = example.target as usize;
            let factor = self.class_weights[target] * share;
            let inverse = 1.0 / *total;
            for p in row.iter_mut() {
                *p = (without_tiny(*p, TINY) * inverse - off_target) * factor;
            }
            row[target] -= (1.0 - smoothing) * factor;
        }
        self.weigh(z, rows);
        sum
    }

    /// Multiplies the gradient of each row, `[rows, classes]`, by its weight.
    fn weigh(&self, z: &mut [f32], rows: &[Example]) {
        let Some(weights) = &self.row_weights else { return };
        for (row, example) in z.chunks_exact_mut(self.classes().max(1)).zip(rows) {
            row.iter_mut().for_each(|value| *value *= weights[example.row as usize]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(z: &[f32], targets: &[u32]) -> RunningLoss {
        let rows: Vec<Example> = targets.iter().map(|&target| Example { row: 0, target }).collect();
        exponentiate(Kernel::new(), &mut z.to_vec(), &rows, &mut Vec::new())
    }

    #[test]
    fn large_logits_do_not_overflow() {
        let logits = [1000.0f32, 0.0, 0.0, 0.0];
        assert!((sums(&logits, &[0, 1]).loss - 2f64.ln()).abs() < 1e-6);
        assert!((sums(&logits, &[1, 1]).loss - (1000.0 + 2f64.ln())).abs() < 1e-6);
    }

    #[test]
    fn the_first_of_equal_logits_is_the_answer() {
        let correct = |target| sums(&[1.0, 3.0, 3.0], &[target]).correct;
        assert_eq!([0, 1, 2].map(correct), [0, 1, 0]);
    }

    #[test]
    fn the_gradient_has_no_subnormal_numbers() {
        let mut z: Vec<f32> = (0..200).map(|i| -0.5 * i as f32).collect();
        let rows = [Example { row: 0, target: 1 }];
        let loss = CrossEntropy::new(vec![1.0; 200], 0.0, None, None);
        loss.gradient(Kernel::new(), &mut z, &rows, &mut Vec::new());
        assert!(z.iter().all(|&z| z == 0.0 || z.abs() > 1e-20) && z[70] > 0.0 && z[90] == 0.0);
    }

    #[test]
    fn a_logit_that_is_not_finite_makes_the_loss_nan() {
        assert!(sums(&[f32::NAN, 0.0], &[1]).loss.is_nan());
        assert!(sums(&[f32::INFINITY, 0.0], &[1]).loss.is_nan());
    }
}
