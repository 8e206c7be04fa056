//! Fills the Inception-v3 graph from named tensors, by the rules of one source.

use super::names::{Layout, Naming};
use super::tensors::{Tensors, fail};
use crate::backbone::inception_v3::{Conv, ConvWeights, DenseWeights, Weights};
use crate::backbone::registry::Published;
use crate::error::Result;
use std::cell::RefCell;

/// The tensors of a file that no one has asked for yet.
pub(super) struct NamedWeights<'a> {
    tensors: RefCell<Tensors>,
    naming: Naming,
    source: &'a Published,
}

impl<'a> NamedWeights<'a> {
    pub fn new(tensors: Tensors, naming: Naming, source: &'a Published) -> Self {
        Self { tensors: RefCell::new(tensors), naming, source }
    }

    /// Checks that nothing is left but what is known to play no part.
    ///
    /// # Errors
    /// [`Kind::Backbone`](crate::error::Kind::Backbone), naming a tensor that the network does not have.
    pub fn finish(self) -> Result<()> {
        let left = self.tensors.into_inner();
        let extra: Vec<&str> = left.names().filter(|name| !self.naming.is_unused(name)).collect();
        match extra[..] {
            [] => Ok(()),
            [first] => Err(fail(format!("it also holds {first}, which this network does not have"))),
            [first, ..] => Err(fail(format!(
                "it also holds {} tensors that this network does not have, such as {first}",
                extra.len()
            ))),
        }
    }

    fn take(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        self.tensors.borrow_mut().take(name, shape)
    }
}

impl Weights for NamedWeights<'_> {
    fn conv(&self, conv: &Conv) -> Result<ConvWeights> {
        let names = self.naming.conv(conv)?;
        let (n, inputs, area) = (conv.filters, conv.inputs, conv.kernel.area());
        let kernel = match self.naming.layout() {
            Layout::Tensorflow => {
                self.take(&names.kernel, &[conv.kernel.height, conv.kernel.width, inputs, n])?
            }
            Layout::Torch => transposed(
                &self.take(&names.kernel, &[n, inputs, conv.kernel.height, conv.kernel.width])?,
                n,
                inputs * area,
                |row| row % area * inputs + row / area,
            ),
        };
        let variance = self.take(&names.variance, &[n])?;
        if variance.iter().any(|value| *value < 0.0) {
            return Err(fail(format!("{} holds a negative variance", names.variance)));
        }
        Ok(ConvWeights {
            kernel,
            gamma: names.gamma.as_ref().map(|gamma| self.take(gamma, &[n])).transpose()?,
            beta: self.take(&names.beta, &[n])?,
            mean: self.take(&names.mean, &[n])?,
            variance,
            epsilon: self.source.epsilon,
        })
    }

    fn classifier(&self, inputs: usize) -> Result<Vec<DenseWeights>> {
        let [weights, biases] = self.naming.classifier();
        let is_there = |name| self.tensors.borrow().contains(name);
        // Only Keras publishes its weights without the classifier as well.
        if self.naming == Naming::Keras && !is_there(weights) && !is_there(biases) {
            return Ok(Vec::new());
        }
        let classes = self.source.classes;
        let kernel = match self.naming {
            Naming::Slim => self.take(weights, &[1, 1, inputs, classes])?,
            Naming::Keras | Naming::Graph2015 => self.take(weights, &[inputs, classes])?,
            Naming::Torch => transposed(&self.take(weights, &[classes, inputs])?, classes, inputs, |row| row),
        };
        Ok(vec![DenseWeights { kernel, bias: self.take(biases, &[classes])? }])
    }
}

/// Turns `[columns, rows]` into `[rows, columns]`, with row `i` at the place `row(i)`.
fn transposed(values: &[f32], columns: usize, rows: usize, row: impl Fn(usize) -> usize) -> Vec<f32> {
    let mut out = vec![0.0; values.len()];
    for column in 0..columns {
        for i in 0..rows {
            out[row(i) * columns + column] = values[column * rows + i];
        }
    }
    out
}
