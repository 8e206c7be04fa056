//! Adam (Kingma and Ba 2015, algorithm 1, as PyTorch computes it: epsilon stands beside the corrected root). The vectors
//! of weights take the same step in `kernel/mod.rs`.

use super::kernel::Rule;

pub(super) const BETA1: f32 = 0.9;
pub(super) const BETA2: f32 = 0.999;
pub(super) const EPSILON: f32 = 1e-8;

/// What step `step` (from 1) does at learning rate `lr`, with the penalty `l2` on weights.
pub(super) fn rule(lr: f64, l2: f64, step: usize) -> Rule {
    let correction = |beta: f32| 1.0 - f64::from(beta).powf(step as f64);
    Rule {
        rate: (lr / correction(BETA1)) as f32,
        root: (1.0 / correction(BETA2).sqrt()) as f32,
        l2: l2 as f32,
    }
}

/// Some of a head's bias with its moments, one number a class.
#[derive(Debug)]
pub(super) struct Bias<'a> {
    pub value: &'a mut [f32],
    pub first: &'a mut [f32],
    pub second: &'a mut [f32],
}

impl Bias<'_> {
    /// One step along the sum of `delta`'s rows, `[rows, classes]`; the penalty leaves the bias out.
    pub fn step(&mut self, delta: &[f32], rule: Rule) {
        let classes = self.value.len();
        for k in 0..classes {
            let g: f32 = delta.iter().skip(k).step_by(classes).sum();
            let (w, m, v) = (&mut self.value[k], &mut self.first[k], &mut self.second[k]);
            *m += (1.0 - BETA1) * (g - *m);
            *v += (1.0 - BETA2) * (g * g - *v);
            *w -= rule.rate * *m / (v.sqrt() * rule.root + EPSILON);
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
        let mut bias = Bias { value: &mut value, first: &mut first, second: &mut second };
        bias.step(&[0.2, -5.0, 0.3, -15.0], rule(0.01, 0.0, 1));
        assert!((value[0] - 0.99).abs() < 1e-6 && (value[1] - 1.01).abs() < 1e-6, "{value:?}");
    }
}
