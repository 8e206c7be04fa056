//! Adam (Kingma and Ba 2015, algorithm 1, in the efficient order of their section 2: the bias corrections go into the
//! step size, and epsilon stands beside the uncorrected root).

use ndarray::{ArrayBase, DataMut, Dimension};

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/// The moments of one group of parameters.
#[derive(Debug, Clone)]
pub(super) struct Moments {
    first: Vec<f32>,
    second: Vec<f32>,
}

/// Step size after `step` steps (from 1) at learning rate `lr`.
pub(super) fn step_size(lr: f64, step: i32) -> f32 {
    let correction = (1.0 - f64::from(BETA2).powi(step)).sqrt() / (1.0 - f64::from(BETA1).powi(step));
    (lr * correction) as f32
}

impl Moments {
    pub(super) fn zeros(n: usize) -> Self {
        Self { first: vec![0.0; n], second: vec![0.0; n] }
    }

    /// The running mean of gradients.
    #[cfg(test)]
    pub(super) fn first(&self) -> &[f32] {
        &self.first
    }

    /// One step on `parameters` along `gradient`, both in standard layout.
    pub(super) fn step<P, G, D>(
        &mut self,
        parameters: &mut ArrayBase<P, D>,
        gradient: &ArrayBase<G, D>,
        size: f32,
    ) where
        P: DataMut<Elem = f32>,
        G: ndarray::Data<Elem = f32>,
        D: Dimension,
    {
        let parameters = parameters.as_slice_mut().expect("parameters in standard layout");
        let gradient = gradient.as_slice().expect("a gradient in standard layout");
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((w, &g), (m, v)) in parameters.iter_mut().zip(gradient).zip(moments) {
            *m += (1.0 - BETA1) * (g - *m);
            *v += (1.0 - BETA2) * (g * g - *v);
            *w -= size * *m / (v.sqrt() + EPSILON);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn the_first_step_is_the_learning_rate_against_the_sign() {
        // With m = (1-b1) g and v = (1-b2) g^2, the corrected step is lr * sign(g) up to epsilon.
        let mut w = array![1.0f32, 1.0];
        Moments::zeros(2).step(&mut w, &array![0.5, -20.0], step_size(0.01, 1));
        assert!((w[0] - 0.99).abs() < 1e-6 && (w[1] - 1.01).abs() < 1e-6, "{w}");
    }
}
