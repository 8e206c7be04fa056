//! Adam (Kingma and Ba 2015, algorithm 1; epsilon is added to the corrected root, as in PyTorch) with decoupled weight decay
//! (AdamW, Loshchilov and Hutter 2019, algorithm 2): its constants, the coefficients of a step, and the step of the bias. The
//! same step for the weights is in `kernel/weight_state.rs`.

pub(super) const BETA1: f32 = 0.9;
pub(super) const BETA2: f32 = 0.999;
pub(super) const EPSILON: f32 = 1e-8;

/// Gradients and probabilities below 2^-57 count as zero in a step. Their products and squares would be subnormal numbers, with
/// which some processors take a hundred times as long; beside [`EPSILON`] they move a weight by less than a billionth of the
/// learning rate.
pub(super) const TINY: f32 = 1.0 / (1u64 << 57) as f32;

/// Moments below 2^-114 count as zero, for the same reason: those of a gradient that stays zero shrink step by step.
pub(super) const TINY_MEAN: f32 = TINY * TINY;

/// Coefficients of one step: learning rate, bias correction of both moments, weight penalty and weight decay.
#[derive(Debug, Clone, Copy)]
pub(super) struct AdamStep {
    /// Learning rate / bias correction of the first moment.
    pub rate: f32,
    /// 1 / square root of the bias correction of the second moment.
    pub root: f32,
    /// L2 penalty of the weights.
    pub l2: f32,
    /// What a step multiplies each weight by: 1 - learning rate * weight decay.
    pub kept: f32,
}

impl AdamStep {
    /// Coefficients of step `step` (from 1) at learning rate `lr`.
    pub fn new(lr: f64, l2: f64, weight_decay: f64, step: usize) -> Self {
        let correction = |beta: f32| 1.0 - f64::from(beta).powf(step as f64);
        Self {
            rate: (lr / correction(BETA1)) as f32,
            root: (1.0 / correction(BETA2).sqrt()) as f32,
            l2: l2 as f32,
            kept: (1.0 - lr * weight_decay) as f32,
        }
    }
}

/// The bias of some classes with its moments, `[classes]` each.
#[derive(Debug)]
pub(super) struct BiasState<'a> {
    pub value: &'a mut [f32],
    pub first: &'a mut [f32],
    pub second: &'a mut [f32],
}

impl BiasState<'_> {
    /// Performs one step. `delta`, `[rows, classes]`, is the gradient at the logits; its sum over the rows is the
    /// gradient of the bias, which has neither penalty nor decay.
    pub fn step(&mut self, delta: &[f32], step: AdamStep) {
        let classes = self.value.len();
        for k in 0..classes {
            let sum: f32 = delta.iter().skip(k).step_by(classes).sum();
            let g = without_tiny(sum, TINY);
            let (w, m, v) = (&mut self.value[k], &mut self.first[k], &mut self.second[k]);
            *m = without_tiny(*m + (1.0 - BETA1) * (g - *m), TINY_MEAN);
            *v = without_tiny(*v + (1.0 - BETA2) * (g * g - *v), TINY_MEAN);
            *w -= step.rate * *m / (v.sqrt() * step.root + EPSILON);
        }
    }
}

/// Returns `value`, or zero where it is nearer to zero than `least`. NaN stays NaN.
pub(super) fn without_tiny(value: f32, least: f32) -> f32 {
    if value.abs() < least { 0.0 } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_step_is_the_learning_rate_against_the_sign() {
        // With m = (1-b1) g and v = (1-b2) g^2, the corrected step is lr * sign(g) up to epsilon.
        let (mut value, mut first, mut second) = ([1.0f32, 1.0], [0.0; 2], [0.0; 2]);
        let mut bias = BiasState { value: &mut value, first: &mut first, second: &mut second };
        bias.step(&[0.2, -5.0, 0.3, -15.0], AdamStep::new(0.01, 0.0, 0.0, 1));
        assert!((value[0] - 0.99).abs() < 1e-6 && (value[1] - 1.01).abs() < 1e-6, "{value:?}");
    }

    #[test]
    fn moments_of_a_gradient_that_stays_zero_become_zero() {
        let (mut value, mut first, mut second) = ([1.0f32], [0.1], [1e-36]);
        let mut bias = BiasState { value: &mut value, first: &mut first, second: &mut second };
        (1..2000).for_each(|step| bias.step(&[1e-30], AdamStep::new(0.01, 0.0, 0.0, step)));
        assert_eq!((first, second), ([0.0], [0.0]));
    }
}
