//! Adam (Kingma and Ba 2015, algorithm 1; epsilon is added to the corrected root, as in PyTorch) with decoupled weight decay
//! (AdamW, Loshchilov and Hutter 2019, algorithm 2): its constants, the coefficients of a step, and the step of the bias. The
//! same step for the weights is in `kernel/step.rs`.

pub(super) const BETA1: f32 = 0.9;
pub(super) const BETA2: f32 = 0.999;
pub(super) const EPSILON: f32 = 1e-8;

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
            let g: f32 = delta.iter().skip(k).step_by(classes).sum();
            let (w, m, v) = (&mut self.value[k], &mut self.first[k], &mut self.second[k]);
            *m += (1.0 - BETA1) * (g - *m);
            *v += (1.0 - BETA2) * (g * g - *v);
            *w -= step.rate * *m / (v.sqrt() * step.root + EPSILON);
        }
    }
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
}
