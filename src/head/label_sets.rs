//! Several labels of one row: sigmoid outputs and the binary cross entropy of each label, summed over the labels. Each label is
//! then a logistic regression of its own.

use super::adam::{TINY, without_tiny};
use super::kernel::Kernel;
use super::labelled_features::Example;
use super::running_loss::RunningLoss;

/// The labels that each target stands for. [`Example::target`](super::Example::target) is then the index of a set of labels.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelSets {
    labels: usize,
    /// `[sets, labels]`.
    members: Vec<bool>,
}

impl LabelSets {
    /// Creates sets of `labels` labels, each given as the indexes of its members.
    ///
    /// # Panics
    /// If an index is not below `labels`.
    pub fn new(labels: usize, sets: &[Vec<usize>]) -> Self {
        let mut members = vec![false; labels * sets.len()];
        for (set, own) in sets.iter().zip(members.chunks_exact_mut(labels.max(1))) {
            set.iter().for_each(|&label| own[label] = true);
        }
        Self { labels, members }
    }

    /// Number of labels.
    pub fn labels(&self) -> usize {
        self.labels
    }

    /// Whether each label is in the set `target`, `[labels]`.
    ///
    /// # Panics
    /// If there is no such set.
    pub fn of(&self, target: usize) -> &[bool] {
        &self.members[target * self.labels..(target + 1) * self.labels]
    }

    /// Replaces logits `z`, `[rows, labels]`, by probabilities. `plain` is a buffer. Returns the sum of the cross entropies, and the
    /// number of rows all of whose labels are on the right side of one half.
    pub(super) fn probabilities(
        &self,
        kernel: Kernel,
        z: &mut [f32],
        rows: &[Example],
        plain: &mut Vec<f32>,
    ) -> RunningLoss {
        let mut sum = RunningLoss::default();
        for (z, example) in z.chunks_exact(self.labels.max(1)).zip(rows) {
            let members = self.of(example.target as usize);
            sum.correct += usize::from(z.iter().zip(members).all(|(&z, &is_member)| (z > 0.0) == is_member));
            for (&z, &is_member) in z.iter().zip(members) {
                // Of a logit that is not finite the product is not a number.
                sum.loss += f64::from(z.max(0.0)) - f64::from(z) * f64::from(u8::from(is_member));
            }
        }
        sum.loss += sigmoid(kernel, z, plain);
        sum
    }

    /// Replaces logits `z`, `[rows, labels]`, by the gradient of the loss at them: weight of the label / rows * (sigmoid - smoothed
    /// target). Returns the loss of the rows, unweighted and unsmoothed.
    pub(super) fn gradient(
        &self,
        kernel: Kernel,
        z: &mut [f32],
        rows: &[Example],
        (weights, smoothing): (&[f32], f32),
        plain: &mut Vec<f32>,
    ) -> RunningLoss {
        let sum = self.probabilities(kernel, z, rows, plain);
        let share = 1.0 / rows.len() as f32;
        let targets = [0.5 * smoothing, 1.0 - 0.5 * smoothing];
        for (row, example) in z.chunks_exact_mut(self.labels.max(1)).zip(rows) {
            let members = self.of(example.target as usize);
            for ((p, &is_member), weight) in row.iter_mut().zip(members).zip(weights) {
                *p = (without_tiny(*p, TINY) - targets[usize::from(is_member)]) * weight * share;
            }
        }
        sum
    }
}

/// Replaces logits by their sigmoids, without overflow. `plain` is a buffer. Returns the sum of `ln(1 + exp(-|z|))`.
pub(super) fn sigmoid(kernel: Kernel, z: &mut [f32], plain: &mut Vec<f32>) -> f64 {
    plain.clear();
    plain.extend_from_slice(z);
    z.iter_mut().for_each(|z| *z = -z.abs());
    kernel.exp(z);
    let mut sum = 0.0;
    for (e, &z) in z.iter_mut().zip(&*plain) {
        sum += f64::from(*e).ln_1p();
        *e = if z >= 0.0 { 1.0 / (1.0 + *e) } else { *e / (1.0 + *e) };
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::{FitConfig, FitJob, InMemoryRows, LabelledFeatures, SharedInputs, fit_many};
    use crate::math::matrix::Matrix;
    use crate::math::random::Rng;

    fn rows(targets: &[u32]) -> Vec<Example> {
        targets.iter().map(|&target| Example { row: 0, target }).collect()
    }

    /// The documented loss of a row, in float64.
    fn loss(z: &[f32], members: &[bool]) -> f64 {
        let term = |(&z, &is_member): (&f32, &bool)| {
            let z = if is_member { -f64::from(z) } else { f64::from(z) };
            z.exp().ln_1p()
        };
        z.iter().zip(members).map(term).sum()
    }

    #[test]
    fn the_loss_is_that_of_each_label_and_the_gradient_agrees_with_differences() {
        let sets = LabelSets::new(3, &[vec![], vec![0, 2], vec![1]]);
        let z = [0.3f32, -1.2, 2.0, 0.7, 0.1, -0.4];
        let rows = rows(&[1, 2]);
        let expected = loss(&z[..3], sets.of(1)) + loss(&z[3..], sets.of(2));
        let kernel = Kernel::new();
        let mut p = z.to_vec();
        let sum = sets.probabilities(kernel, &mut p, &rows, &mut Vec::new());
        assert!((sum.loss - expected).abs() < 1e-6, "{} {expected}", sum.loss);
        // The second row has two labels too many.
        assert_eq!(sum.correct, 1);
        assert!((p[0] - 1.0 / (1.0 + (-0.3f32).exp())).abs() < 1e-6);
        let weights = [1.0, 2.0, 0.5];
        let mut gradient = z.to_vec();
        sets.gradient(kernel, &mut gradient, &rows, (&weights, 0.0), &mut Vec::new());
        for (i, gradient) in gradient.iter().enumerate() {
            let (row, label) = (i / 3, i % 3);
            let at = |h: f64| {
                let z = [(f64::from(z[i]) + h) as f32];
                loss(&z, &sets.of(rows[row].target as usize)[label..=label])
            };
            let difference = (at(1e-2) - at(-1e-2)) / 2e-2 * f64::from(weights[label]) / 2.0;
            assert!((f64::from(*gradient) - difference).abs() < 1e-4, "{i}: {gradient} {difference}");
        }
    }

    #[test]
    fn a_fit_comes_to_the_optimum_of_each_label() {
        // At the optimum of `sum over labels of the cross entropy / rows + l2 / 2 |w|^2` the gradient is zero.
        let (n, width, labels) = (60, 4, 3);
        let mut rng = Rng::new(5, 1);
        let features = Matrix::from_rows(width, &(0..n * width).map(|_| rng.normal()).collect::<Vec<f32>>());
        let sets = LabelSets::new(labels, &[vec![], vec![0, 2], vec![1], vec![0, 1, 2]]);
        let examples: Vec<Example> = (0..n as u32)
            .map(|row| {
                let x = features.row(row as usize);
                let target =
                    u32::from(x[0] + 0.5 * rng.normal() > 0.0) + 2 * u32::from(x[1] + rng.normal() > 0.0);
                Example { row, target }
            })
            .collect();
        let rows = LabelledFeatures { features: &features, examples: &examples };
        let config = FitConfig { l2: 0.05, batch: n, epochs: 3000, lr: 0.02, ..FitConfig::default() };
        let params = config.check().unwrap();
        let job = FitJob { start: None, class_weights: vec![1.0; labels], params: params.clone() };
        let shared = SharedInputs {
            width,
            validation: None,
            standardizer: None,
            label_sets: Some(&sets),
            row_weights: None,
            threads: 1,
        };
        let mut source = InMemoryRows::new(rows, params.settings());
        let fitted =
            fit_many(vec![job], &mut source, shared, &mut |_, _, _| {}).unwrap().pop().unwrap().unwrap();
        let head = fitted.head;
        let probabilities = head.label_probabilities_of(rows);
        for label in 0..labels {
            let residual = |i: usize| {
                let is_member = sets.of(examples[i].target as usize)[label];
                f64::from(probabilities.row(i)[label]) - f64::from(u8::from(is_member))
            };
            let bias: f64 = (0..n).map(residual).sum::<f64>() / n as f64;
            assert!(bias.abs() < 1e-3, "{label}: {bias}");
            for feature in 0..width {
                let sum: f64 = (0..n).map(|i| residual(i) * f64::from(features.row(i)[feature])).sum();
                let gradient = sum / n as f64 + 0.05 * f64::from(head.output().weight_of(label)[feature]);
                assert!(gradient.abs() < 1e-3, "{label} {feature}: {gradient}");
            }
        }
    }

    #[test]
    fn large_logits_do_not_overflow_and_others_that_are_not_finite_make_the_loss_nan() {
        let sets = LabelSets::new(2, &[vec![0]]);
        let of = |z: [f32; 2]| {
            let mut p = z.to_vec();
            let sum = sets.probabilities(Kernel::new(), &mut p, &rows(&[0]), &mut Vec::new());
            (sum.loss, p)
        };
        // The smallest exponential is that of the smallest normal number.
        let (loss, p) = of([1000.0, -1000.0]);
        assert!(loss < 1e-37 && p[0] == 1.0 && p[1] < 1e-37, "{loss} {p:?}");
        assert_eq!(of([-1000.0, 1000.0]).0, 2000.0);
        assert!(of([f32::NAN, 0.0]).0.is_nan() && of([0.0, f32::INFINITY]).0.is_nan());
    }
}
