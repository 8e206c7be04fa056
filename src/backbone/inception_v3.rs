//! The walk that turns the table of Inception-v3 and a source of weights into an ONNX graph. It refuses to know where
//! weights come from.

use super::graph::Builder;
use super::inception_table::Step::{self, AveragePool, Fork, MaxPool, Same, Valid};
use super::inception_table::{BLOCKS, STEM};
use crate::error::{Error, Kind, Result};

/// One convolution of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conv {
    /// TF-Slim's name below `InceptionV3/`, such as `Mixed_5b/Branch_1/Conv2d_0b_5x5`.
    pub name: String,
    /// Position in Keras' order of creation, from 1 to 94.
    pub index: usize,
    /// Channels in.
    pub inputs: usize,
    /// Channels out.
    pub filters: usize,
    /// Height and width of the kernel.
    pub kernel: (usize, usize),
}

/// What a source gives for one convolution, batch norm apart.
#[derive(Debug, Clone, PartialEq)]
pub struct ConvWeights {
    /// The kernel as `[height, width, inputs, filters]`, TensorFlow's order.
    pub kernel: Vec<f32>,
    /// Scale of the batch norm; `None` stands for ones.
    pub gamma: Option<Vec<f32>>,
    /// Shift of the batch norm.
    pub beta: Vec<f32>,
    /// Moving mean.
    pub mean: Vec<f32>,
    /// Moving variance.
    pub variance: Vec<f32>,
    /// Added to the variance.
    pub epsilon: f64,
}

/// One fully connected layer of the source's own classifier: `relu` between layers, softmax behind the last.
#[derive(Debug, Clone, PartialEq)]
pub struct DenseWeights {
    /// `[inputs, units]`.
    pub kernel: Vec<f32>,
    /// `[units]`.
    pub bias: Vec<f32>,
}

/// Fills the table.
pub trait Weights {
    /// The weights of one convolution.
    ///
    /// # Errors
    /// When the source lacks it or its shape is another.
    fn conv(&self, conv: &Conv) -> Result<ConvWeights>;
    /// The classifier behind PreLogits, first layer first; empty where the source has none.
    ///
    /// # Errors
    /// When the source is damaged.
    fn head(&self) -> Result<Vec<DenseWeights>>;
}

/// What a variant of the topology changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Topology {
    /// Multiplies every number of filters (TF-Slim's `depth_multiplier`).
    pub depth: f64,
    /// The least number of filters that remains (TF-Slim's `min_depth`).
    pub min_depth: usize,
    /// Side of the input, in pixels; at least 75.
    pub side: usize,
}

impl Default for Topology {
    fn default() -> Self {
        Self { depth: 1.0, min_depth: 16, side: 299 }
    }
}

/// Builds the ONNX file: input `input` (float32, `[batch, 3, side, side]`), every endpoint of TF-Slim as a value of
/// that name, outputs `PreLogits` and, where the source has a classifier, `Logits` and `Predictions`. Batch norm is
/// folded into kernel and bias in float64.
///
/// # Errors
/// Those of the source, and [`Kind::Backbone`] when a tensor's length does not fit the table.
pub fn build(topology: Topology, weights: &dyn Weights, metadata: &[(&str, &str)]) -> Result<Vec<u8>> {
    let graph = Builder::new("InceptionV3", topology.side);
    let mut walk = Walk { topology, weights, graph, convs: 0 };
    let mut at = Value { name: "input".into(), channels: 3 };
    for (name, step) in STEM {
        at = walk.step(&at, step, name, Some(name))?;
    }
    for (name, branches) in BLOCKS {
        let mut ends = Vec::new();
        for (i, steps) in branches.iter().enumerate() {
            let mut end = at.clone();
            for step in *steps {
                end = walk.step(&end, *step, &format!("{name}/Branch_{i}"), None)?;
            }
            ends.push(end);
        }
        at = walk.join(&ends, name);
    }
    walk.finish(&at)?;
    Ok(walk.graph.finish(metadata))
}

/// The layers of every Inception-v3 that is built here, from the input on.
pub fn layers() -> Vec<&'static str> {
    let inner = STEM.iter().map(|(name, _)| *name).chain(BLOCKS.iter().map(|(name, _)| *name));
    inner.chain([super::PRELOGITS]).collect()
}

#[derive(Debug, Clone)]
struct Value {
    name: String,
    channels: usize,
}

struct Walk<'a> {
    topology: Topology,
    weights: &'a dyn Weights,
    graph: Builder,
    convs: usize,
}

impl Walk<'_> {
    fn step(&mut self, from: &Value, step: Step, scope: &str, endpoint: Option<&str>) -> Result<Value> {
        let named = |name: &str| endpoint.map_or_else(|| format!("{scope}/{name}"), str::to_string);
        match step {
            Same(name, filters, h, w) => self.conv(from, named(name), filters, (h, w), 1, true),
            Valid(name, filters, side, stride) => {
                self.conv(from, named(name), filters, (side, side), stride, false)
            }
            AveragePool => {
                let name = named("AvgPool_0a_3x3");
                let pads: &[i64] = &[1, 1, 1, 1];
                let attributes: [(&str, &[i64]); 3] =
                    [("kernel_shape", &[3, 3]), ("pads", pads), ("count_include_pad", &[0])];
                self.graph.node("AveragePool", &[&from.name], &name, &attributes);
                Ok(Value { name, channels: from.channels })
            }
            MaxPool => {
                let name = named("MaxPool_1a_3x3");
                let attributes: [(&str, &[i64]); 2] = [("kernel_shape", &[3, 3]), ("strides", &[2, 2])];
                self.graph.node("MaxPool", &[&from.name], &name, &attributes);
                Ok(Value { name, channels: from.channels })
            }
            Fork(steps) => {
                let ends =
                    steps.iter().map(|s| self.step(from, *s, scope, None)).collect::<Result<Vec<_>>>()?;
                Ok(self.join(&ends, &format!("{}/fork", from.name)))
            }
        }
    }

    fn conv(
        &mut self,
        from: &Value,
        name: String,
        filters: usize,
        kernel: (usize, usize),
        stride: usize,
        same: bool,
    ) -> Result<Value> {
        self.convs += 1;
        let scaled = (filters as f64 * self.topology.depth) as usize;
        let filters = scaled.max(self.topology.min_depth.min(filters));
        let conv = Conv { name, index: self.convs, inputs: from.channels, filters, kernel };
        let (kernel, bias) = fold(&conv, &self.weights.conv(&conv)?)?;
        let (h, w) = conv.kernel;
        let (weights, biases) = (format!("{}/weights", conv.name), format!("{}/bias", conv.name));
        self.graph.weight(&weights, &[filters, conv.inputs, h, w], &kernel);
        self.graph.weight(&biases, &[filters], &bias);
        let (top, left) = if same { (h as i64 / 2, w as i64 / 2) } else { (0, 0) };
        let (before, stride) = (format!("{}/conv", conv.name), stride as i64);
        let attributes: [(&str, &[i64]); 3] = [
            ("kernel_shape", &[h as i64, w as i64]),
            ("pads", &[top, left, top, left]),
            ("strides", &[stride, stride]),
        ];
        self.graph.node("Conv", &[&from.name, &weights, &biases], &before, &attributes);
        self.graph.node("Relu", &[&before], &conv.name, &[]);
        Ok(Value { name: conv.name, channels: filters })
    }

    fn join(&mut self, ends: &[Value], name: &str) -> Value {
        let inputs: Vec<&str> = ends.iter().map(|end| end.name.as_str()).collect();
        self.graph.node("Concat", &inputs, name, &[("axis", &[1])]);
        Value { name: name.into(), channels: ends.iter().map(|end| end.channels).sum() }
    }

    /// Mean over positions, then the source's own classifier.
    fn finish(&mut self, last: &Value) -> Result<()> {
        self.graph.node("GlobalAveragePool", &[&last.name], "PreLogits/pool", &[]);
        self.graph.node("Flatten", &["PreLogits/pool"], "PreLogits", &[("axis", &[1])]);
        self.graph.output("PreLogits", last.channels);
        let layers = self.weights.head()?;
        let mut at = Value { name: "PreLogits".into(), channels: last.channels };
        for (i, dense) in layers.iter().enumerate() {
            let is_last = i + 1 == layers.len();
            let units = dense.bias.len();
            let name = if is_last { "Logits".into() } else { format!("Logits/dense_{}", i + 1) };
            check(&name, "kernel", dense.kernel.len(), at.channels * units)?;
            let (kernel, bias) = (format!("{name}/weights"), format!("{name}/bias"));
            self.graph.weight(&kernel, &[at.channels, units], &dense.kernel);
            self.graph.weight(&bias, &[units], &dense.bias);
            self.graph.node("Gemm", &[&at.name, &kernel, &bias], &name, &[]);
            at = Value { name: name.clone(), channels: units };
            if is_last {
                self.graph.node("Softmax", &[&name], "Predictions", &[("axis", &[1])]);
                self.graph.output("Logits", units);
                self.graph.output("Predictions", units);
            } else {
                at.name = format!("{name}/relu");
                self.graph.node("Relu", &[&name], &at.name, &[]);
            }
        }
        Ok(())
    }
}

fn check(name: &str, what: &str, found: usize, wanted: usize) -> Result<()> {
    if found == wanted {
        return Ok(());
    }
    Err(Error::new(Kind::Backbone, format!("the {what} of {name} holds {found} values, not {wanted}")))
}

/// Folds the batch norm `gamma (x - mean) / sqrt(variance + epsilon) + beta` (Ioffe and Szegedy 2015) into kernel and
/// bias, in float64, and turns the kernel to ONNX' order `[filters, inputs, height, width]`.
fn fold(conv: &Conv, weights: &ConvWeights) -> Result<(Vec<f32>, Vec<f32>)> {
    let (h, w) = conv.kernel;
    let (n, inputs) = (conv.filters, conv.inputs);
    check(&conv.name, "kernel", weights.kernel.len(), h * w * inputs * n)?;
    for (what, values) in [("beta", &weights.beta), ("mean", &weights.mean), ("variance", &weights.variance)]
    {
        check(&conv.name, what, values.len(), n)?;
    }
    let gamma = |f: usize| weights.gamma.as_ref().map_or(1.0, |gamma| f64::from(gamma[f]));
    let factor: Vec<f64> =
        (0..n).map(|f| gamma(f) / (f64::from(weights.variance[f]) + weights.epsilon).sqrt()).collect();
    let bias = (0..n)
        .map(|f| (f64::from(weights.beta[f]) - f64::from(weights.mean[f]) * factor[f]) as f32)
        .collect();
    let mut kernel = Vec::with_capacity(weights.kernel.len());
    for (f, factor) in factor.iter().enumerate() {
        for channel in 0..inputs {
            for position in 0..h * w {
                let value = weights.kernel[(position * inputs + channel) * n + f];
                kernel.push((f64::from(value) * factor) as f32);
            }
        }
    }
    Ok((kernel, bias))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    /// Notes what is asked for and gives ones.
    #[derive(Default)]
    struct Ones(RefCell<Vec<Conv>>);

    impl Weights for Ones {
        fn conv(&self, conv: &Conv) -> Result<ConvWeights> {
            self.0.borrow_mut().push(conv.clone());
            let ones = vec![1.0; conv.filters];
            Ok(ConvWeights {
                kernel: vec![1.0; conv.kernel.0 * conv.kernel.1 * conv.inputs * conv.filters],
                gamma: None,
                beta: ones.clone(),
                mean: ones.clone(),
                variance: ones,
                epsilon: 0.001,
            })
        }
        fn head(&self) -> Result<Vec<DenseWeights>> {
            Ok(Vec::new())
        }
    }

    #[test]
    fn the_table_has_the_published_size() {
        let ones = Ones::default();
        build(Topology::default(), &ones, &[]).unwrap();
        let convs = ones.0.into_inner();
        assert_eq!(convs.len(), 94);
        // 21,802,784 parameters without the top is what Keras counts for InceptionV3(include_top=False): kernels, and
        // beta, mean and variance of each filter.
        let size = |c: &Conv| c.kernel.0 * c.kernel.1 * c.inputs * c.filters + 3 * c.filters;
        assert_eq!(convs.iter().map(size).sum::<usize>(), 21_802_784);
        assert_eq!(convs[93].inputs, 2048);
        let mut names: Vec<_> = convs.iter().map(|c| &c.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 94);
    }

    #[test]
    fn batch_norm_is_folded_as_the_formula_says() {
        let conv = Conv { name: "c".into(), index: 1, inputs: 2, filters: 1, kernel: (1, 1) };
        let weights = ConvWeights {
            kernel: vec![3.0, 5.0],
            gamma: Some(vec![2.0]),
            beta: vec![0.5],
            mean: vec![4.0],
            variance: vec![15.0],
            epsilon: 1.0,
        };
        assert_eq!(fold(&conv, &weights).unwrap(), (vec![1.5, 2.5], vec![-1.5]));
        let short = ConvWeights { mean: vec![], ..weights };
        assert!(fold(&conv, &short).unwrap_err().to_string().contains("mean of c holds 0 values, not 1"));
    }
}
