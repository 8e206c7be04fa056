//! What a reader of published weights has to provide: one set of tensors per convolution, and the classifier. Also folds
//! batch norm into a convolution.

use crate::backbone::batch_norm::BatchNorm;
use crate::error::{Error, Kind, Result};

/// Size of a convolution kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KernelSize {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl KernelSize {
    /// Positions in the kernel: `height * width`.
    pub fn area(self) -> usize {
        self.height * self.width
    }
}

/// One convolution of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conv {
    /// TF-Slim's name below `InceptionV3/`, such as `Mixed_5b/Branch_1/Conv2d_0b_5x5`.
    pub name: String,
    /// Position in Keras' order of creation, from 1 to 94.
    pub index: usize,
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub filters: usize,
    /// Size of the kernel.
    pub kernel: KernelSize,
}

/// The weights of one convolution and of the batch norm after it.
#[derive(Debug, Clone, PartialEq)]
pub struct ConvWeights {
    /// The kernel as `[height, width, inputs, filters]`, TensorFlow's order.
    pub kernel: Vec<f32>,
    /// Scale of the batch norm, `[filters]`; `None` stands for ones.
    pub gamma: Option<Vec<f32>>,
    /// Offset of the batch norm, `[filters]`.
    pub beta: Vec<f32>,
    /// Moving mean of the batch norm, `[filters]`.
    pub mean: Vec<f32>,
    /// Moving variance of the batch norm, `[filters]`.
    pub variance: Vec<f32>,
    /// Added to the variance.
    pub epsilon: f64,
}

/// One fully connected layer of the source's own classifier. `relu` follows each layer but the last, softmax the last.
#[derive(Debug, Clone, PartialEq)]
pub struct DenseWeights {
    /// `[inputs, units]`.
    pub kernel: Vec<f32>,
    /// `[units]`.
    pub bias: Vec<f32>,
}

/// A source of weights for the Inception-v3 graph.
pub trait Weights {
    /// Returns the weights of one convolution.
    ///
    /// # Errors
    /// When the source lacks them or their shape differs from that of `conv`.
    fn conv(&self, conv: &Conv) -> Result<ConvWeights>;
    /// Returns the layers of the classifier after PreLogits, whose width is `inputs`, in order; empty when the source has
    /// none.
    ///
    /// # Errors
    /// When the source is damaged, or their shape does not fit.
    fn classifier(&self, inputs: usize) -> Result<Vec<DenseWeights>>;
}

/// A convolution with its batch norm folded in.
#[derive(Debug, PartialEq)]
pub(super) struct FoldedConv {
    /// `[filters, inputs, height, width]`, ONNX' order.
    pub kernel: Vec<f32>,
    /// `[filters]`.
    pub bias: Vec<f32>,
}

/// Folds the batch norm into kernel and bias, in float64.
///
/// # Errors
/// [`Kind::Backbone`] when the length of a tensor does not fit `conv`.
pub(super) fn fold_batch_norm(conv: &Conv, weights: &ConvWeights) -> Result<FoldedConv> {
    let (n, inputs, area) = (conv.filters, conv.inputs, conv.kernel.area());
    check_len(&conv.name, "kernel", weights.kernel.len(), area * inputs * n)?;
    let gamma = weights.gamma.as_ref().map(|gamma| ("gamma", gamma));
    let vectors = [("beta", &weights.beta), ("mean", &weights.mean), ("variance", &weights.variance)];
    for (what, values) in vectors.into_iter().chain(gamma) {
        check_len(&conv.name, what, values.len(), n)?;
    }
    let norm = BatchNorm {
        gamma: weights.gamma.as_deref(),
        beta: &weights.beta,
        mean: &weights.mean,
        variance: &weights.variance,
        epsilon: weights.epsilon,
    };
    let (factors, bias) = norm.factors_and_bias();
    let mut kernel = Vec::with_capacity(weights.kernel.len());
    for (f, factor) in factors.iter().enumerate() {
        for channel in 0..inputs {
            for position in 0..area {
                let value = weights.kernel[(position * inputs + channel) * n + f];
                kernel.push((f64::from(value) * factor) as f32);
            }
        }
    }
    Ok(FoldedConv { kernel, bias })
}

/// Compares the length of a tensor with the expected one.
///
/// # Errors
/// [`Kind::Backbone`] when they differ.
pub(super) fn check_len(layer: &str, tensor: &str, found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::new(Kind::Backbone, format!("the {tensor} of {layer} holds {found} values, not {expected}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batch_norm_is_folded_by_the_formula() {
        let kernel = KernelSize { height: 1, width: 1 };
        let conv = Conv { name: "c".into(), index: 1, inputs: 2, filters: 1, kernel };
        let weights = ConvWeights {
            kernel: vec![3.0, 5.0],
            gamma: Some(vec![2.0]),
            beta: vec![0.5],
            mean: vec![4.0],
            variance: vec![15.0],
            epsilon: 1.0,
        };
        let folded = FoldedConv { kernel: vec![1.5, 2.5], bias: vec![-1.5] };
        assert_eq!(fold_batch_norm(&conv, &weights).unwrap(), folded);
        let short = ConvWeights { mean: vec![], ..weights };
        let error = fold_batch_norm(&conv, &short).unwrap_err().to_string();
        assert!(error.contains("mean of c holds 0 values, not 1"), "{error}");
    }
}
