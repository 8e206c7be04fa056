//! Softmax and cross entropy over rows of logits: in float32 for the loop of a fit, in float64 for L-BFGS.

use super::kernel::{Example, Kernel};
use ndarray::{Array2, NdFloat};

/// How right some logits were.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Tally {
    /// Sum over rows of `-log p(target)`. NaN in, NaN out.
    pub loss: f64,
    /// Rows whose largest logit, the first of equals, is the target's.
    pub hits: usize,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.loss += other.loss;
        self.hits += other.hits;
    }
}

/// Replaces each row of logits `z`, `[rows, classes]`, by its exponentials, shifted by the row's maximum so that
/// nothing overflows, and puts their sums into `totals`.
pub(super) fn tally(kernel: Kernel, z: &mut [f32], rows: &[Example], totals: &mut Vec<f32>) -> Tally {
    let classes = z.len() / rows.len().max(1);
    let mut told = Tally::default();
    totals.clear();
    for (row, example) in z.chunks_exact_mut(classes.max(1)).zip(rows) {
        let largest = row.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
        row.iter_mut().for_each(|z| *z -= largest);
        let target = example.target as usize;
        told.loss -= f64::from(row[target]);
        told.hits += usize::from(row[target] == 0.0 && row[..target].iter().all(|&z| z < 0.0));
    }
    kernel.exp(z);
    for row in z.chunks_exact(classes.max(1)) {
        let total: f32 = row.iter().sum();
        told.loss += f64::from(total).ln();
        totals.push(total);
    }
    told
}

/// Replaces each row of logits by its softmax, shifted by the row's maximum so that nothing overflows.
pub(super) fn softmax_in_place<F: NdFloat>(logits: &mut Array2<F>) {
    for mut row in logits.rows_mut() {
        let largest = row.fold(F::neg_infinity(), |a, &b| a.max(b));
        row.mapv_inplace(|z| (z - largest).exp());
        let total = row.sum();
        row.mapv_inplace(|e| e / total);
    }
}

/// Replaces logits by the slope of the mean cross entropy at them: (softmax - onehot) / rows.
pub(super) fn slope_in_place<F: NdFloat>(logits: &mut Array2<F>, targets: &[usize]) {
    softmax_in_place(logits);
    for (mut row, &target) in logits.rows_mut().into_iter().zip(targets) {
        row[target] -= F::one();
    }
    *logits /= F::from(targets.len()).expect("a count is a number");
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn told(z: &[f32], targets: &[u32]) -> Tally {
        let rows: Vec<Example> = targets.iter().map(|&target| Example { row: 0, target }).collect();
        tally(Kernel::new(), &mut z.to_vec(), &rows, &mut Vec::new())
    }

    #[test]
    fn large_logits_do_not_overflow() {
        let logits = [1000.0f32, 0.0, 0.0, 0.0];
        assert!((told(&logits, &[0, 1]).loss - 2f64.ln()).abs() < 1e-6);
        assert!((told(&logits, &[1, 1]).loss - (1000.0 + 2f64.ln())).abs() < 1e-6);
        let mut p = array![[1000.0f32, 0.0], [0.0, 0.0]];
        softmax_in_place(&mut p);
        assert_eq!(p, array![[1.0, 0.0], [0.5, 0.5]]);
    }

    #[test]
    fn the_first_of_equals_is_the_answer() {
        let hits = |target| told(&[1.0, 3.0, 3.0], &[target]).hits;
        assert_eq!([0, 1, 2].map(hits), [0, 1, 0]);
    }

    #[test]
    fn a_logit_that_is_no_number_shows() {
        assert!(told(&[f32::NAN, 0.0], &[1]).loss.is_nan());
        assert!(told(&[f32::INFINITY, 0.0], &[1]).loss.is_nan());
    }
}
