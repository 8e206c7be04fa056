//! What follows the hidden layer of a head while it is fitted: rectified units, dropout, and the output layer with its step.

use super::adam::{AdamStep, BiasState};
use super::dropout::Dropout;
use super::hidden_units::HiddenUnits;
use super::kernel::{Batch, Kernel, WeightState};
use super::labelled_features::{Example, LabelledFeatures};
use super::layer::Layer;
use super::loss::CrossEntropy;
use super::running_loss::RunningLoss;
use super::schedule::StepPosition;

/// A layer with its moments.
#[derive(Debug, Clone)]
pub(super) struct LayerState {
    pub layer: Layer,
    /// First and second moments of weight and bias.
    pub moments: [Layer; 2],
}

impl LayerState {
    pub fn new(layer: Layer) -> Self {
        let moments = [layer.zeroed(), layer.zeroed()];
        Self { layer, moments }
    }

    /// Performs one step along `delta`, `[rows, outputs]`, the gradient at the outputs for the inputs of `batch`.
    fn step(&mut self, kernel: Kernel, batch: Batch, delta: &[f32], step: AdamStep) {
        let [first, second] = &mut self.moments;
        let [w, m, v] = [&mut self.layer, first, second].map(Layer::parts_mut);
        kernel.step(batch, delta, WeightState { weight: w.0, first: m.0, second: v.0 }, step);
        BiasState { value: w.1, first: m.1, second: v.1 }.step(delta, step);
    }
}

/// The output layer behind hidden units. It is small beside the hidden layer, so each thread of a block keeps a copy, and
/// all copies take the same steps.
#[derive(Debug, Clone)]
pub(super) struct OutputState {
    pub state: LayerState,
    pub dropout: Dropout,
}

/// Buffers that are reused in each step.
#[derive(Debug)]
pub(super) struct OutputBuffers {
    units: HiddenUnits,
    /// Logits, then the gradient at them: `[rows, classes]`.
    z: Vec<f32>,
    /// The same, `[classes, rows]`.
    transposed: Vec<f32>,
    /// The gradient at the units: `[rows, stride]`.
    gradient: Vec<f64>,
    /// The rows of the output layer's weight.
    classes: Vec<Example>,
}

impl OutputState {
    /// Buffers for batches of up to `rows` rows.
    pub fn buffers(&self, rows: usize) -> OutputBuffers {
        let layer = &self.state.layer;
        let class = |row| Example { row, target: 0 };
        OutputBuffers {
            units: HiddenUnits::new(layer.inputs(), rows),
            z: Vec::new(),
            transposed: Vec::new(),
            gradient: Vec::new(),
            classes: (0..layer.outputs() as u32).map(class).collect(),
        }
    }

    /// Takes the outputs of the hidden layer `a`, `[rows, units]`, replaces them by the gradient of the loss at them, and
    /// performs a step of the output layer. Returns the loss before the step.
    pub fn step(
        &mut self,
        kernel: Kernel,
        loss: &CrossEntropy,
        (a, examples): (&mut [f32], &[Example]),
        position: StepPosition,
        buffers: &mut OutputBuffers,
        totals: &mut Vec<f32>,
    ) -> RunningLoss {
        let OutputBuffers { units, z, .. } = buffers;
        units.rectify(a, examples);
        for row in 0..units.rows() {
            self.dropout.apply(position.number, row, units.row_mut(row));
        }
        let layer = &self.state.layer;
        z.resize(examples.len() * layer.outputs(), 0.0);
        kernel.logits(units.batch(), layer.weight.padded(), &layer.bias, z);
        let sum = loss.gradient(kernel, z, examples, totals);
        self.gradient_at_units(kernel, a, buffers);
        self.state.step(kernel, buffers.units.batch(), &buffers.z, position.adam);
        sum
    }

    /// Computes the gradient at the outputs of the hidden layer, `[rows, units]`: that at the logits times the output layer's
    /// weight, for the units that are on.
    fn gradient_at_units(&self, kernel: Kernel, out: &mut [f32], buffers: &mut OutputBuffers) {
        let OutputBuffers { units, z, transposed, gradient, classes } = buffers;
        let weight = &self.state.layer.weight;
        let (rows, stride) = (units.rows(), weight.stride());
        transposed.clear();
        for class in 0..classes.len() {
            transposed.extend(z.iter().skip(class).step_by(classes.len()));
        }
        gradient.clear();
        gradient.resize(rows * stride, 0.0);
        // The classes take the place of the rows, and the rows that of the classes.
        let batch = Batch::of(LabelledFeatures { features: weight, examples: classes });
        kernel.gradient(batch, transposed, 0..stride, gradient);
        let scale = self.dropout.scale();
        let out = out.chunks_exact_mut(weight.width().max(1));
        for (row, (out, gradient)) in out.zip(gradient.chunks_exact(stride.max(1))).enumerate() {
            for ((out, &gradient), &value) in out.iter_mut().zip(gradient).zip(units.row(row)) {
                *out = if value > 0.0 { gradient as f32 * scale } else { 0.0 };
            }
        }
    }
}
