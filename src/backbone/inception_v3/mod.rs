//! Builds the ONNX graph of Inception-v3 from the table of its layers and a source of weights.

mod table;
mod weights;

pub use weights::{Conv, ConvWeights, DenseWeights, KernelSize, Weights};

use super::graph::{AttributeProto, GraphBuilder};
use crate::error::Result;
use table::Operation::{self, AveragePool, MaxPool, Parallel, Same, Valid};
use table::{BLOCKS, LAST_BLOCK, STEM};
use weights::{FoldedConv, check_len, fold_batch_norm};

/// Parameters of a variant of Inception-v3.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Topology {
    /// Factor on every number of filters, as in TF-Slim.
    pub depth_multiplier: f64,
    /// Lower limit on the number of filters that `depth_multiplier` leaves, as in TF-Slim.
    pub min_depth: usize,
    /// Side of the input in pixels, at least 75.
    pub input_side: usize,
    /// Whether the 3x3 average pools of the blocks count their padding as zeros.
    pub counts_padding: bool,
    /// Whether the last block takes the maximum where the others take the average.
    pub last_pool_is_max: bool,
}

impl Default for Topology {
    fn default() -> Self {
        Self {
            depth_multiplier: 1.0,
            min_depth: 16,
            input_side: 299,
            counts_padding: false,
            last_pool_is_max: false,
        }
    }
}

/// Builds the ONNX file, with `metadata` as pairs of key and value.
///
/// The input is `input` (float32, `[batch, 3, side, side]`, already preprocessed). Every endpoint of TF-Slim is a value
/// of that name. The outputs are `PreLogits` and, when the source has a classifier, `Logits` and `Predictions`. Batch
/// norm is folded into kernel and bias in float64.
///
/// # Errors
/// Errors of the source, and [`Kind::Backbone`](crate::error::Kind::Backbone) when the length of a tensor does not fit
/// the table.
pub fn build(topology: Topology, weights: &dyn Weights, metadata: &[(&str, &str)]) -> Result<Vec<u8>> {
    let graph = GraphBuilder::new("InceptionV3", topology.input_side);
    let mut inception = InceptionBuilder { topology, weights, graph, convs: 0 };
    let mut at = FeatureMap { name: "input".into(), channels: 3 };
    for (name, operation) in STEM {
        at = inception.operation(&at, operation, name, Some(name))?;
    }
    for (name, branches) in BLOCKS {
        let mut ends = Vec::new();
        for (i, operations) in branches.iter().enumerate() {
            let mut end = at.clone();
            for operation in *operations {
                end = inception.operation(&end, *operation, &format!("{name}/Branch_{i}"), None)?;
            }
            ends.push(end);
        }
        at = inception.concat(&ends, name);
    }
    inception.pool_and_classify(&at)?;
    Ok(inception.graph.finish(metadata))
}

/// Number of values of all kernels and biases up to PreLogits, at a depth multiplier of 1.
pub const TRUNK_PARAMETERS: u64 = 21_768_352;
/// Multiply-adds of one image of 299 x 299 pixels up to PreLogits, at a depth multiplier of 1.
pub const TRUNK_MULTIPLY_ADDS: u64 = 5_711_168_096;
/// Number of features of PreLogits at a depth multiplier of 1.
pub const TRUNK_WIDTH: u64 = 2048;

/// Returns the names of the layers that can be embedded, from the input on.
pub fn layers() -> Vec<&'static str> {
    let inner = STEM.iter().map(|(name, _)| *name).chain(BLOCKS.iter().map(|(name, _)| *name));
    inner.chain([super::PRELOGITS]).collect()
}

/// The output of a layer.
#[derive(Debug, Clone)]
struct FeatureMap {
    name: String,
    channels: usize,
}

/// Padding of a convolution, under TensorFlow's names.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Padding {
    Same,
    Valid,
}

/// One convolution as the table has it, before `depth_multiplier`.
struct ConvShape {
    filters: usize,
    kernel: KernelSize,
    stride: usize,
    padding: Padding,
}

/// A graph under construction.
struct InceptionBuilder<'a> {
    topology: Topology,
    weights: &'a dyn Weights,
    graph: GraphBuilder,
    /// Convolutions added so far.
    convs: usize,
}

impl InceptionBuilder<'_> {
    /// Adds an operation on `from`. Its name is `endpoint`, or the operation's own name below `scope`.
    fn operation(
        &mut self,
        from: &FeatureMap,
        operation: Operation,
        scope: &str,
        endpoint: Option<&str>,
    ) -> Result<FeatureMap> {
        let named = |name: &str| endpoint.map_or_else(|| format!("{scope}/{name}"), str::to_string);
        match operation {
            Same(name, filters, height, width) => {
                let kernel = KernelSize { height, width };
                let shape = ConvShape { filters, kernel, stride: 1, padding: Padding::Same };
                self.conv(from, named(name), &shape)
            }
            Valid(name, filters, side, stride) => {
                let kernel = KernelSize { height: side, width: side };
                self.conv(from, named(name), &ConvShape { filters, kernel, stride, padding: Padding::Valid })
            }
            AveragePool => {
                let mut attributes = vec![
                    AttributeProto::ints("kernel_shape", &[3, 3]),
                    AttributeProto::ints("pads", &[1, 1, 1, 1]),
                ];
                if self.topology.last_pool_is_max && scope.starts_with(LAST_BLOCK) {
                    return Ok(self.pool("MaxPool", from, named("MaxPool_0a_3x3"), attributes));
                }
                let counts_padding = i64::from(self.topology.counts_padding);
                attributes.push(AttributeProto::int("count_include_pad", counts_padding));
                Ok(self.pool("AveragePool", from, named("AvgPool_0a_3x3"), attributes))
            }
            MaxPool => {
                let attributes = vec![
                    AttributeProto::ints("kernel_shape", &[3, 3]),
                    AttributeProto::ints("strides", &[2, 2]),
                ];
                Ok(self.pool("MaxPool", from, named("MaxPool_1a_3x3"), attributes))
            }
            Parallel(operations) => {
                let ends: Vec<FeatureMap> = operations
                    .iter()
                    .map(|operation| self.operation(from, *operation, scope, None))
                    .collect::<Result<_>>()?;
                Ok(self.concat(&ends, &format!("{}/fork", from.name)))
            }
        }
    }

    fn conv(&mut self, from: &FeatureMap, name: String, shape: &ConvShape) -> Result<FeatureMap> {
        self.convs += 1;
        let scaled = (shape.filters as f64 * self.topology.depth_multiplier) as usize;
        let filters = scaled.max(self.topology.min_depth.min(shape.filters));
        let conv = Conv { name, index: self.convs, inputs: from.channels, filters, kernel: shape.kernel };
        let FoldedConv { kernel, bias } = fold_batch_norm(&conv, &self.weights.conv(&conv)?)?;
        let KernelSize { height, width } = conv.kernel;
        let (weights, biases) = (format!("{}/weights", conv.name), format!("{}/bias", conv.name));
        self.graph.weight(&weights, &[filters, conv.inputs, height, width], &kernel);
        self.graph.weight(&biases, &[filters], &bias);
        let (top, left) = match shape.padding {
            Padding::Same => (height as i64 / 2, width as i64 / 2),
            Padding::Valid => (0, 0),
        };
        let (output, stride) = (format!("{}/conv", conv.name), shape.stride as i64);
        let attributes = vec![
            AttributeProto::ints("kernel_shape", &[height as i64, width as i64]),
            AttributeProto::ints("pads", &[top, left, top, left]),
            AttributeProto::ints("strides", &[stride, stride]),
        ];
        self.graph.node("Conv", &[&from.name, &weights, &biases], &output, attributes);
        self.graph.node("Relu", &[&output], &conv.name, Vec::new());
        Ok(FeatureMap { name: conv.name, channels: filters })
    }

    fn pool(
        &mut self,
        op: &str,
        from: &FeatureMap,
        name: String,
        attributes: Vec<AttributeProto>,
    ) -> FeatureMap {
        self.graph.node(op, &[&from.name], &name, attributes);
        FeatureMap { name, channels: from.channels }
    }

    /// Concatenates the channels of `ends`.
    fn concat(&mut self, ends: &[FeatureMap], name: &str) -> FeatureMap {
        let inputs: Vec<&str> = ends.iter().map(|end| end.name.as_str()).collect();
        self.graph.node("Concat", &inputs, name, vec![AttributeProto::int("axis", 1)]);
        FeatureMap { name: name.into(), channels: ends.iter().map(|end| end.channels).sum() }
    }

    /// Adds the mean over positions, then the source's own classifier.
    fn pool_and_classify(&mut self, last: &FeatureMap) -> Result<()> {
        self.graph.node("GlobalAveragePool", &[&last.name], "PreLogits/pool", Vec::new());
        self.graph.node("Flatten", &["PreLogits/pool"], "PreLogits", vec![AttributeProto::int("axis", 1)]);
        self.graph.output("PreLogits", last.channels);
        let layers = self.weights.classifier(last.channels)?;
        let mut at = FeatureMap { name: "PreLogits".into(), channels: last.channels };
        for (i, dense) in layers.iter().enumerate() {
            let is_last = i + 1 == layers.len();
            let units = dense.bias.len();
            let name = if is_last { "Logits".into() } else { format!("Logits/dense_{}", i + 1) };
            check_len(&name, "kernel", dense.kernel.len(), at.channels * units)?;
            let (kernel, bias) = (format!("{name}/weights"), format!("{name}/bias"));
            self.graph.weight(&kernel, &[at.channels, units], &dense.kernel);
            self.graph.weight(&bias, &[units], &dense.bias);
            self.graph.node("Gemm", &[&at.name, &kernel, &bias], &name, Vec::new());
            at = FeatureMap { name: name.clone(), channels: units };
            if is_last {
                self.graph.node("Softmax", &[&name], "Predictions", vec![AttributeProto::int("axis", 1)]);
                self.graph.output("Logits", units);
                self.graph.output("Predictions", units);
            } else {
                at.name = format!("{name}/relu");
                self.graph.node("Relu", &[&name], &at.name, Vec::new());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::graph::network_summary;
    use std::cell::RefCell;

    /// Records every convolution that is requested and returns ones.
    #[derive(Default)]
    struct Ones(RefCell<Vec<Conv>>);

    impl Weights for Ones {
        fn conv(&self, conv: &Conv) -> Result<ConvWeights> {
            self.0.borrow_mut().push(conv.clone());
            let ones = vec![1.0; conv.filters];
            Ok(ConvWeights {
                kernel: vec![1.0; conv.kernel.area() * conv.inputs * conv.filters],
                gamma: None,
                beta: ones.clone(),
                mean: ones.clone(),
                variance: ones,
                epsilon: 0.001,
            })
        }
        fn classifier(&self, _inputs: usize) -> Result<Vec<DenseWeights>> {
            Ok(Vec::new())
        }
    }

    #[test]
    fn the_table_has_the_published_size() {
        let ones = Ones::default();
        let onnx = build(Topology::default(), &ones, &[]).unwrap();
        let summary = network_summary(&onnx, 299).unwrap();
        assert_eq!((summary.parameters, summary.multiply_adds), (TRUNK_PARAMETERS, TRUNK_MULTIPLY_ADDS));
        let last = summary.endpoints.last().unwrap();
        assert_eq!((last.name.as_str(), &last.shape), ("PreLogits", &Some(vec![TRUNK_WIDTH as usize])));
        let convs = ones.0.into_inner();
        assert_eq!(convs.len(), 94);
        // 21,802,784 parameters without the top is what Keras counts for InceptionV3(include_top=False): kernels, and
        // beta, mean and variance of each filter.
        let size = |c: &Conv| c.kernel.area() * c.inputs * c.filters + 3 * c.filters;
        assert_eq!(convs.iter().map(size).sum::<usize>(), 21_802_784);
        assert_eq!(convs[93].inputs, 2048);
        let mut names: Vec<_> = convs.iter().map(|c| &c.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 94);
    }
}
