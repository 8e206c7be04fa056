//! The head itself: a linear layer, or two with a hidden layer of rectified units between them, followed by softmax.

use super::hidden_units::HiddenUnits;
use super::kernel::{Batch, Kernel};
use super::labelled_features::{Example, LabelledFeatures};
use super::layer::Layer;
use super::loss::exponentiate;
use crate::math::matrix::{Matrix, Probabilities};
use crate::math::random::Rng;

/// Streams of random numbers for initial weights.
const OUTPUT_WEIGHTS: u64 = 0;
const HIDDEN_WEIGHTS: u64 = 2;

/// Rows whose hidden units are computed together.
const CHUNK: usize = 256;

/// What turns features into class probabilities: `softmax(output(features))`, or with a hidden layer
/// `softmax(output(relu(hidden(features))))`.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// `None` where the output layer takes the features.
    pub(super) hidden: Option<Layer>,
    pub(super) output: Layer,
}

impl Head {
    /// Creates an untrained head without a hidden layer: Glorot uniform weights (Glorot and Bengio 2010, eq. 16) drawn from
    /// `seed`, zero bias.
    pub fn fresh(width: usize, classes: usize, seed: u64) -> Self {
        Self { hidden: None, output: glorot(width, classes, seed) }
    }

    /// Creates an untrained head with `units` hidden units, or without a hidden layer if `units` is 0. The weights of the
    /// hidden layer are He uniform (He et al. 2015, section 2.2), those of the output layer Glorot uniform.
    pub fn with_hidden(width: usize, units: usize, classes: usize, seed: u64) -> Self {
        if units == 0 {
            return Self::fresh(width, classes, seed);
        }
        let limit = (6.0 / width as f32).sqrt();
        let hidden = Layer::uniform(width, units, limit, Rng::new(seed, HIDDEN_WEIGHTS));
        Self { hidden: Some(hidden), output: glorot(units, classes, seed) }
    }

    /// Creates a head without a hidden layer from `weight`, `[classes, width]` row after row, and `bias`, `[classes]`.
    /// Returns `None` if the lengths do not fit together.
    pub fn from_parts(weight: Vec<f32>, bias: Vec<f32>) -> Option<Self> {
        Some(Self { hidden: None, output: Layer::from_parts(weight, bias)? })
    }

    /// Creates a head without a hidden layer. A constant is added to all biases, which changes no answer, so that their mean is 0.
    pub(super) fn with_centred_biases(weight: Matrix, bias: &[f64]) -> Self {
        let mean = bias.iter().sum::<f64>() / bias.len() as f64;
        let bias = bias.iter().map(|bias| (bias - mean) as f32).collect();
        Self { hidden: None, output: Layer { weight, bias } }
    }

    /// Creates a head from its layers. Returns `None` if the output layer does not take the hidden units.
    pub fn from_layers(hidden: Option<Layer>, output: Layer) -> Option<Self> {
        let fits = hidden.as_ref().is_none_or(|hidden| hidden.outputs() == output.inputs());
        fits.then_some(Self { hidden, output })
    }

    /// Returns the head extended by more classes: class `i` of this head becomes class `new_index[i]`; the other
    /// classes are those of `fresh`.
    ///
    /// # Panics
    /// If the output layer of `fresh` takes another number of inputs, or has too few classes.
    pub fn extended(&self, new_index: &[usize], fresh: Self) -> Self {
        let mut output = fresh.output;
        for (class, &index) in new_index.iter().enumerate() {
            output.weight.row_mut(index).copy_from_slice(self.output.weight.row(class));
            output.bias[index] = self.output.bias[class];
        }
        Self { hidden: self.hidden.clone(), output }
    }

    /// Number of features.
    pub fn width(&self) -> usize {
        self.hidden.as_ref().unwrap_or(&self.output).inputs()
    }

    /// Number of hidden units; 0 without a hidden layer.
    pub fn hidden_units(&self) -> usize {
        self.hidden.as_ref().map_or(0, Layer::outputs)
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.output.outputs()
    }

    /// The layer of hidden units, whose outputs below zero become zero; `None` where the output layer takes the features.
    pub fn hidden(&self) -> Option<&Layer> {
        self.hidden.as_ref()
    }

    /// The layer whose outputs are the logits.
    pub fn output(&self) -> &Layer {
        &self.output
    }

    /// The layer that takes the features.
    pub(super) fn first_mut(&mut self) -> &mut Layer {
        self.hidden.as_mut().unwrap_or(&mut self.output)
    }

    /// The logit of a class near `features` as a linear function: the weight of each feature, `[width]`, and a constant. A
    /// head with a hidden layer is linear in pieces. This is the piece at these features, where the units that are off stay
    /// off, and at the features themselves it gives the logit exactly.
    ///
    /// # Panics
    /// If there is no such class, or `features` has another length than the head's width.
    pub fn linear_piece(&self, features: &[f64], class: usize) -> (Vec<f64>, f64) {
        assert_eq!(features.len(), self.width(), "as many features as the head has");
        let as_f64 = |row: &[f32]| row.iter().map(|&w| f64::from(w)).collect::<Vec<f64>>();
        let (own, mut constant) = (self.output.weight_of(class), f64::from(self.output.bias[class]));
        let Some(hidden) = &self.hidden else { return (as_f64(own), constant) };
        let mut weight = vec![0.0; features.len()];
        for (unit, &factor) in own.iter().enumerate() {
            let (row, bias) = (as_f64(hidden.weight_of(unit)), f64::from(hidden.bias[unit]));
            let value = bias + row.iter().zip(features).map(|(w, x)| w * x).sum::<f64>();
            if value > 0.0 {
                let factor = f64::from(factor);
                weight.iter_mut().zip(&row).for_each(|(sum, w)| *sum += factor * w);
                constant += factor * bias;
            }
        }
        (weight, constant)
    }

    /// Computes the logits of `rows`, `[rows, classes]`.
    pub(super) fn logits(&self, kernel: Kernel, rows: LabelledFeatures, out: &mut [f32]) {
        let output = &self.output;
        let Some(hidden) = &self.hidden else {
            return kernel.logits(Batch::of(rows), output.weight.padded(), &output.bias, out);
        };
        let mut units = HiddenUnits::new(hidden.outputs(), CHUNK.min(rows.examples.len()));
        let chunks = out.chunks_mut((CHUNK * output.outputs()).max(1));
        for (examples, out) in rows.examples.chunks(CHUNK).zip(chunks) {
            let mut z = vec![0.0; examples.len() * hidden.outputs()];
            let batch = Batch::of(LabelledFeatures { examples, ..rows });
            kernel.logits(batch, hidden.weight.padded(), &hidden.bias, &mut z);
            units.rectify(&z, examples);
            kernel.logits(units.batch(), output.weight.padded(), &output.bias, out);
        }
    }

    /// Computes the class probabilities of feature rows, `[rows, width]` row after row. A row with a value that is not
    /// finite has probabilities of NaN.
    ///
    /// # Panics
    /// If `features` is not a whole number of rows.
    pub fn probabilities(&self, features: &[f32]) -> Probabilities {
        let features = Matrix::from_rows(self.width(), features);
        let examples: Vec<Example> =
            (0..features.rows() as u32).map(|row| Example { row, target: 0 }).collect();
        self.probabilities_of(LabelledFeatures { features: &features, examples: &examples })
    }

    /// Computes the class probabilities of some rows of a matrix, in the order of the examples. Their targets are not
    /// looked at.
    ///
    /// # Panics
    /// If the matrix has another width than the head, or a target is not one of the head's classes.
    pub fn probabilities_of(&self, rows: LabelledFeatures) -> Probabilities {
        assert_eq!(rows.features.width(), self.width(), "as many features as the head has");
        let kernel = Kernel::new();
        let mut z = vec![0.0; rows.examples.len() * self.classes()];
        self.logits(kernel, rows, &mut z);
        let mut totals = Vec::new();
        exponentiate(kernel, &mut z, rows.examples, &mut totals);
        for (row, total) in z.chunks_exact_mut(self.classes().max(1)).zip(totals) {
            row.iter_mut().for_each(|e| *e /= total);
        }
        Probabilities::from_values(self.classes(), z)
    }
}

fn glorot(inputs: usize, outputs: usize, seed: u64) -> Layer {
    let limit = (6.0 / (inputs + outputs) as f32).sqrt();
    Layer::uniform(inputs, outputs, limit, Rng::new(seed, OUTPUT_WEIGHTS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::matrix::argmax;

    #[test]
    fn probabilities_by_hand() {
        // Logits (1, 2) and bias (0, 1): softmax(1, 3).
        let head = Head::from_parts(vec![1.0, 0.0, 0.0, 1.0], vec![0.0, 1.0]).unwrap();
        let probabilities = head.probabilities(&[1.0, 2.0]);
        let row = probabilities.row(0);
        let expected = 1.0 / (1.0 + 2f32.exp());
        assert!((row[0] - expected).abs() < 1e-7, "{row:?}");
        assert_eq!(argmax(row), 1);
        assert_eq!(head.output().weight(), [1.0, 0.0, 0.0, 1.0]);
        assert!(Head::from_parts(vec![1.0; 5], vec![0.0; 2]).is_none());
    }

    #[test]
    fn a_hidden_layer_by_hand() {
        // Units relu(x - y) and relu(y - x + 1); logits are the first unit, and twice the second plus 1.
        let hidden = Layer::from_parts(vec![1.0, -1.0, -1.0, 1.0], vec![0.0, 1.0]).unwrap();
        let output = Layer::from_parts(vec![1.0, 0.0, 0.0, 2.0], vec![0.0, 1.0]).unwrap();
        let head = Head::from_layers(Some(hidden), output).unwrap();
        assert_eq!((head.width(), head.hidden_units(), head.classes()), (2, 2, 2));
        // At (5, 2) the units are 3 and 0, the logits 3 and 1; at (2, 2) they are 0 and 1, the logits 0 and 3.
        let probabilities = head.probabilities(&[5.0, 2.0, 2.0, 2.0]);
        for (row, difference) in [(0, 2f32), (1, -3.0)] {
            let expected = 1.0 / (1.0 + (-difference).exp());
            assert!((probabilities.row(row)[0] - expected).abs() < 1e-6, "{:?}", probabilities.row(row));
        }
        assert!(head.probabilities(&[f32::NAN, 0.0]).row(0)[0].is_nan());
        assert!(head.probabilities(&[f32::NEG_INFINITY, f32::INFINITY]).row(0)[0].is_nan());
        assert_eq!(head.linear_piece(&[5.0, 2.0], 0), (vec![1.0, -1.0], 0.0));
        assert_eq!(head.linear_piece(&[5.0, 2.0], 1), (vec![0.0, 0.0], 1.0));
        assert_eq!(head.linear_piece(&[2.0, 2.5], 1), (vec![-2.0, 2.0], 3.0));
        assert!(Head::from_layers(head.hidden.clone(), Layer::zeros(3, 2)).is_none());
    }

    #[test]
    fn rows_have_the_same_probabilities_together_and_alone() {
        let head = Head::with_hidden(70, 33, 5, 1);
        let rows: Vec<f32> = (0..600 * 70).map(|i| (i as f32).sin()).collect();
        let together = head.probabilities(&rows);
        for row in [0, 255, 256, 599] {
            assert_eq!(head.probabilities(&rows[row * 70..][..70]).row(0), together.row(row));
        }
    }

    #[test]
    fn fresh_weights_stay_within_their_bounds_and_follow_the_seed() {
        let head = Head::fresh(2048, 10, 7);
        let limit = (6.0f32 / 2058.0).sqrt();
        assert!(head.output().weight().iter().all(|w| w.abs() <= limit));
        assert!(head.output().weight().iter().any(|w| w.abs() > 0.99 * limit));
        assert_eq!(head, Head::fresh(2048, 10, 7));
        assert_ne!(head, Head::fresh(2048, 10, 8));
        let wide = Head::with_hidden(2048, 20, 10, 7);
        let limit = (6.0f32 / 2048.0).sqrt();
        assert!(wide.hidden().unwrap().weight().iter().all(|w| w.abs() <= limit));
        assert_ne!(wide, Head::with_hidden(2048, 20, 10, 8));
        assert_eq!(Head::with_hidden(2048, 0, 10, 7), head);
    }
}
