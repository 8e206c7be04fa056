//! A linear layer: weights and biases, and how they are drawn before a fit.

use crate::math::matrix::Matrix;
use crate::math::random::Rng;

/// A linear layer, `weight · inputs + bias`.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// `[outputs, inputs]`.
    pub(super) weight: Matrix,
    /// `[outputs]`.
    pub(super) bias: Vec<f32>,
}

impl Layer {
    pub(super) fn zeros(inputs: usize, outputs: usize) -> Self {
        Self { weight: Matrix::zeros(outputs, inputs), bias: vec![0.0; outputs] }
    }

    /// A layer of zeros of the same shape.
    pub(super) fn zeroed(&self) -> Self {
        Self::zeros(self.inputs(), self.outputs())
    }

    /// Draws weights uniformly from `-limit` to `limit`, input by input; the bias is zero.
    pub(super) fn uniform(inputs: usize, outputs: usize, limit: f32, mut rng: Rng) -> Self {
        let mut layer = Self::zeros(inputs, outputs);
        for input in 0..inputs {
            for output in 0..outputs {
                layer.weight.row_mut(output)[input] = rng.uniform(-limit, limit);
            }
        }
        layer
    }

    /// Weight, `[outputs, stride]` with its padding, and bias, for writing. The padding must stay zero.
    pub(super) fn parts_mut(&mut self) -> (&mut [f32], &mut [f32]) {
        let outputs = self.outputs();
        (self.weight.padded_mut(0..outputs), &mut self.bias)
    }

    /// Creates a layer from `weight`, `[outputs, inputs]` row after row, and `bias`, `[outputs]`. Returns `None` if the
    /// lengths do not fit together.
    pub fn from_parts(weight: Vec<f32>, bias: Vec<f32>) -> Option<Self> {
        let inputs = weight.len().checked_div(bias.len())?;
        (inputs * bias.len() == weight.len())
            .then(|| Self { weight: Matrix::from_rows(inputs, &weight), bias })
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.weight.width()
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// A copy of the weight, `[outputs, inputs]` row after row.
    pub fn weight(&self) -> Vec<f32> {
        self.weight.values().collect()
    }

    /// The weight of one output, `[inputs]`.
    ///
    /// # Panics
    /// If there is no such output.
    pub fn weight_of(&self, output: usize) -> &[f32] {
        self.weight.row(output)
    }

    /// The bias, `[outputs]`.
    pub fn bias(&self) -> &[f32] {
        &self.bias
    }
}
