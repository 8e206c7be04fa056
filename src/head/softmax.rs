//! Softmax and the gradient of cross entropy over `ndarray` rows, for L-BFGS.

use ndarray::{Array2, NdFloat};

/// Replaces each row of logits by its softmax. Each row is shifted by its maximum first, so that nothing overflows.
fn softmax_in_place<F: NdFloat>(logits: &mut Array2<F>) {
    for mut row in logits.rows_mut() {
        let largest = row.fold(F::neg_infinity(), |a, &b| a.max(b));
        row.mapv_inplace(|z| (z - largest).exp());
        let total = row.sum();
        row.mapv_inplace(|e| e / total);
    }
}

/// Replaces logits, `[rows, classes]`, by the gradient of the mean cross entropy at them: (softmax - one-hot) / rows.
pub(super) fn gradient_in_place<F: NdFloat>(logits: &mut Array2<F>, targets: &[usize]) {
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

    #[test]
    fn large_logits_do_not_overflow() {
        let mut p = array![[1000.0f32, 0.0], [0.0, 0.0]];
        softmax_in_place(&mut p);
        assert_eq!(p, array![[1.0, 0.0], [0.5, 0.5]]);
    }
}
