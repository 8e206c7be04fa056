//! Softmax and cross entropy over rows of logits.

use ndarray::{Array2, NdFloat};

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

/// Sum over rows of `-log p(target)`, in float64, from logits. NaN in, NaN out.
pub(super) fn cross_entropy_sum(logits: &Array2<f32>, targets: &[usize]) -> f64 {
    let mut sum = 0.0;
    for (row, &target) in logits.rows().into_iter().zip(targets) {
        let largest = f64::from(row.fold(f32::NEG_INFINITY, |a, &b| a.max(b)));
        let total: f64 = row.iter().map(|&z| (f64::from(z) - largest).exp()).sum();
        sum += total.ln() + largest - f64::from(row[target]);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn large_logits_do_not_overflow() {
        let logits = array![[1000.0f32, 0.0], [0.0, 0.0]];
        assert!((cross_entropy_sum(&logits, &[0, 1]) - 2f64.ln()).abs() < 1e-12);
        assert_eq!(cross_entropy_sum(&logits, &[1, 1]), 1000.0 + 2f64.ln());
        let mut p = logits;
        softmax_in_place(&mut p);
        assert_eq!(p, array![[1.0, 0.0], [0.5, 0.5]]);
    }

    #[test]
    fn a_logit_that_is_no_number_shows() {
        assert!(cross_entropy_sum(&array![[f32::NAN, 0.0]], &[1]).is_nan());
    }
}
