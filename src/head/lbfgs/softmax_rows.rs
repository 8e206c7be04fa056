//! Loss, directional derivative and gradient over rows of logits along a line, without the features: logits are linear in the step.

use super::line_search::OnLine;
use crate::head::kernel::Kernel;
use crate::head::running_loss::RunningLoss;

/// Some rows of logits and of their change along a direction, `[rows, classes]` each.
#[derive(Debug, Clone, Copy)]
pub(super) struct LogitRows<'a> {
    pub logits: &'a [f64],
    /// `None` at the start of a line.
    pub change: Option<&'a [f64]>,
    /// Class indices, `[rows]`.
    pub targets: &'a [u32],
}

/// The weights of the loss.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowLoss<'a> {
    pub class_weights: &'a [f32],
    pub label_smoothing: f64,
    /// Rows of the whole loss, which is a mean over them.
    pub rows: usize,
}

/// The loss at one point, with what its gradient needs.
#[derive(Debug, Default)]
pub(super) struct Evaluation {
    /// Mean of the weighted and smoothed cross entropy; the penalty is added later.
    pub value: f64,
    /// Its derivative along the direction.
    pub directional_derivative: f64,
    /// Its gradient at the logits, `[rows, classes]`.
    pub delta: Vec<f32>,
    /// Its gradient at the biases, `[classes]`: the sum of that over the rows.
    pub bias_gradient: Vec<f64>,
    /// Mean of `p (1 - p)` times the class weight, per class: the curvature of the loss in its logit.
    pub curvature: Vec<f64>,
    /// Unweighted and unsmoothed.
    pub score: RunningLoss,
}

impl OnLine for Evaluation {
    fn value(&self) -> f64 {
        self.value
    }

    fn directional_derivative(&self) -> f64 {
        self.directional_derivative
    }
}

impl Evaluation {
    /// Appends the rows of `next`.
    pub fn append(&mut self, next: Self) {
        self.value += next.value;
        self.directional_derivative += next.directional_derivative;
        self.delta.extend(next.delta);
        for (sums, parts) in
            [(&mut self.curvature, next.curvature), (&mut self.bias_gradient, next.bias_gradient)]
        {
            sums.resize(parts.len(), 0.0);
            sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
        }
        self.score += next.score;
    }
}

impl RowLoss<'_> {
    /// Evaluates the loss of some rows at `logits + step * change`. The gradient at the target's logit is minus the sum of
    /// the others, which keeps the digits that `p - 1` would lose.
    pub fn evaluate(&self, kernel: Kernel, rows: LogitRows, step: f64) -> Evaluation {
        let classes = self.class_weights.len();
        let mut out = Evaluation {
            curvature: vec![0.0; classes],
            bias_gradient: vec![0.0; classes],
            ..Evaluation::default()
        };
        let mut z = rows.logits.to_vec();
        if let Some(change) = rows.change {
            z.iter_mut().zip(change).for_each(|(z, change)| *z += step * change);
        }
        let largest: Vec<usize> = z.chunks_exact(classes).map(first_largest).collect();
        for (row, &largest) in z.chunks_exact_mut(classes).zip(&largest) {
            let shift = row[largest];
            row.iter_mut().for_each(|z| *z -= shift);
        }
        out.delta = z.iter().map(|&z| z as f32).collect();
        kernel.exp(&mut out.delta);
        for (i, (row, &target)) in z.chunks_exact(classes).zip(rows.targets).enumerate() {
            let own = i * classes..(i + 1) * classes;
            let change = rows.change.map(|change| &change[own.clone()]);
            let mut delta = std::mem::take(&mut out.delta);
            self.row(&mut out, row, largest[i], target as usize, &mut delta[own], change);
            out.delta = delta;
        }
        out
    }

    /// Adds one row. `z` holds its logits, the largest of which is 0; `e` their exponentials, which become the gradient.
    fn row(
        &self,
        out: &mut Evaluation,
        z: &[f64],
        largest: usize,
        target: usize,
        e: &mut [f32],
        change: Option<&[f64]>,
    ) {
        let classes = z.len();
        let weight = f64::from(self.class_weights[target]) / self.rows as f64;
        // The exponential of the largest logit is 1.
        let others: f64 =
            e.iter().enumerate().filter(|(k, _)| *k != largest).map(|(_, &e)| f64::from(e)).sum();
        let (inverse, log_total) = (1.0 / (1.0 + others), others.ln_1p());
        let plain = log_total - z[target];
        out.score.loss += plain;
        out.score.correct += usize::from(largest == target);
        let even = self.label_smoothing / classes as f64;
        let smoothing: f64 = if even == 0.0 { 0.0 } else { even * z.iter().sum::<f64>() };
        out.value += weight * (log_total - (1.0 - self.label_smoothing) * z[target] - smoothing);
        let mut rest = 0.0;
        for (k, e) in e.iter_mut().enumerate() {
            let p = f64::from(*e) * inverse;
            out.curvature[k] += weight * p * (1.0 - p);
            *e = (weight * (p - even)) as f32;
            rest += if k == target { 0.0 } else { f64::from(*e) };
        }
        e[target] = -rest as f32;
        out.bias_gradient.iter_mut().zip(&*e).for_each(|(sum, &delta)| *sum += f64::from(delta));
        if let Some(change) = change {
            out.directional_derivative +=
                e.iter().zip(change).map(|(&e, change)| f64::from(e) * change).sum::<f64>();
        }
    }
}

/// Position of the largest value, the first of equals.
fn first_largest(row: &[f64]) -> usize {
    (1..row.len()).fold(0, |best, k| if row[k] > row[best] { k } else { best })
}
