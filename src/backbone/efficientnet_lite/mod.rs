//! Builds the ONNX graph of EfficientNet-Lite (Tan and Le 2019, without squeeze-and-excitation and with ReLU6) from the table of
//! its stages and the tensors of a state dict.

mod table;

use super::batch_norm::BatchNorm;
use super::graph::{AttributeProto, GraphBuilder};
use crate::error::Result;
use serde::Deserialize;
use table::{CLASSES, EPSILON, HEAD_FILTERS, STAGES, STEM_FILTERS, Stage, scaled_blocks, scaled_filters};

/// A size of the network.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scaling {
    /// Factor on the channels.
    pub width: f64,
    /// Factor on the blocks of a stage.
    pub depth: f64,
}

/// Takes a tensor of the state dict by its name and shape.
pub type TakeTensor<'a> = dyn FnMut(&str, &[usize]) -> Result<Vec<f32>> + 'a;

/// Builds the ONNX file, with `metadata` as pairs of key and value.
///
/// The input is `input` (float32, `[batch, 3, side, side]`, already preprocessed). Endpoints are `stem`, `blocks_0` and so on,
/// `head`, and the outputs `PreLogits` (1280 features), `Logits` and `Predictions`. Convolutions are padded as TensorFlow's
/// `SAME`. Batch norm is folded in float64. `take` gets the names that the PyTorch port uses.
///
/// # Errors
/// Errors of `take`.
pub fn build(
    scaling: Scaling,
    side: usize,
    take: &mut TakeTensor<'_>,
    metadata: &[(&str, &str)],
) -> Result<Vec<u8>> {
    let mut graph = GraphBuilder::new("EfficientNetLite", side);
    graph.weight("relu6/low", &[], &[0.0]);
    graph.weight("relu6/high", &[], &[6.0]);
    let mut net = LiteBuilder { graph, take };
    let input = FeatureMap { name: "input".into(), channels: 3, side };
    let stem = Conv { filters: STEM_FILTERS, kernel: 3, stride: 2, is_depthwise: false };
    let mut at = net.conv_relu6(&input, "stem", ["_conv_stem", "_bn0"], stem)?;
    for (number, (stage, is_first)) in blocks(scaling).into_iter().enumerate() {
        let stride = if is_first { stage.stride } else { 1 };
        at = net.block(&at, number, Stage { stride, ..stage })?;
    }
    let head = Conv { filters: HEAD_FILTERS, kernel: 1, stride: 1, is_depthwise: false };
    let head = net.conv_relu6(&at, "head", ["_conv_head", "_bn1"], head)?;
    net.pool_and_classify(&head)?;
    Ok(net.graph.finish(metadata))
}

/// Returns the names of the layers that can be embedded, from the input on.
pub fn layers(scaling: Scaling) -> Vec<String> {
    let blocks = (0..blocks(scaling).len()).map(|number| format!("blocks_{number}"));
    std::iter::once("stem".to_string())
        .chain(blocks)
        .chain(["head".into(), super::PRELOGITS.into()])
        .collect()
}

/// The blocks in order: their stage with scaled channels, and whether they are the first of it.
fn blocks(scaling: Scaling) -> Vec<(Stage, bool)> {
    let stage = |number: usize| {
        let filters = scaled_filters(STAGES[number].filters, scaling.width);
        let stage = Stage { filters, ..STAGES[number] };
        (0..scaled_blocks(number, scaling.depth)).map(move |block| (stage, block == 0))
    };
    (0..STAGES.len()).flat_map(stage).collect()
}

/// The output of a layer.
#[derive(Debug, Clone)]
struct FeatureMap {
    name: String,
    channels: usize,
    side: usize,
}

/// A convolution with batch norm.
#[derive(Debug, Clone, Copy)]
struct Conv {
    filters: usize,
    kernel: usize,
    stride: usize,
    /// Whether each channel has a filter of its own.
    is_depthwise: bool,
}

/// A graph under construction.
struct LiteBuilder<'a, 'b> {
    graph: GraphBuilder,
    take: &'a mut TakeTensor<'b>,
}

impl LiteBuilder<'_, '_> {
    /// Adds an inverted bottleneck block: expansion, depthwise convolution, linear projection, and the shortcut where the shape
    /// stays.
    fn block(&mut self, from: &FeatureMap, number: usize, stage: Stage) -> Result<FeatureMap> {
        let (name, stored) = (format!("blocks_{number}"), format!("_blocks.{number}."));
        let [expand, expand_norm, depthwise, depthwise_norm, project, project_norm] =
            ["_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_project_conv", "_bn2"]
                .map(|part| format!("{stored}{part}"));
        let wide = from.channels * stage.expansion;
        let mut at = from.clone();
        if stage.expansion > 1 {
            let conv = Conv { filters: wide, kernel: 1, stride: 1, is_depthwise: false };
            at = self.conv_relu6(&at, &format!("{name}/expand"), [&expand, &expand_norm], conv)?;
        }
        let Stage { kernel, stride, filters, .. } = stage;
        let conv = Conv { filters: wide, kernel, stride, is_depthwise: true };
        at = self.conv_relu6(&at, &format!("{name}/depthwise"), [&depthwise, &depthwise_norm], conv)?;
        let conv = Conv { filters, kernel: 1, stride: 1, is_depthwise: false };
        let has_shortcut = stride == 1 && filters == from.channels;
        let projected = if has_shortcut { format!("{name}/project") } else { name.clone() };
        at = self.conv(&at, &projected, [&project, &project_norm], conv)?;
        if has_shortcut {
            self.graph.node("Add", &[&at.name, &from.name], &name, Vec::new());
        }
        Ok(FeatureMap { name, ..at })
    }

    fn conv_relu6(
        &mut self,
        from: &FeatureMap,
        name: &str,
        stored: [&str; 2],
        conv: Conv,
    ) -> Result<FeatureMap> {
        let inner = self.conv(from, &format!("{name}/conv"), stored, conv)?;
        self.graph.node("Clip", &[&inner.name, "relu6/low", "relu6/high"], name, Vec::new());
        Ok(FeatureMap { name: name.into(), ..inner })
    }

    /// Adds a convolution with its batch norm folded in. `stored` names both in the state dict.
    fn conv(&mut self, from: &FeatureMap, name: &str, stored: [&str; 2], conv: Conv) -> Result<FeatureMap> {
        let Conv { filters, kernel, stride, is_depthwise } = conv;
        let dims = [filters, if is_depthwise { 1 } else { from.channels }, kernel, kernel];
        let [values, bias] = self.folded(stored, &dims)?;
        let (weights, biases) = (format!("{name}/weights"), format!("{name}/bias"));
        self.graph.weight(&weights, &dims, &values);
        self.graph.weight(&biases, &[filters], &bias);
        let groups = if is_depthwise { filters } else { 1 };
        let (before, after) = same_padding(from.side, kernel, stride);
        let attributes = vec![
            AttributeProto::int("group", groups as i64),
            AttributeProto::ints("kernel_shape", &[kernel as i64; 2]),
            AttributeProto::ints("pads", &[before, before, after, after]),
            AttributeProto::ints("strides", &[stride as i64; 2]),
        ];
        self.graph.node("Conv", &[&from.name, &weights, &biases], name, attributes);
        Ok(FeatureMap { name: name.into(), channels: filters, side: from.side.div_ceil(stride) })
    }

    /// The kernel `dims` and the bias of a convolution and its batch norm.
    fn folded(&mut self, [conv, norm]: [&str; 2], dims: &[usize; 4]) -> Result<[Vec<f32>; 2]> {
        let kernel = (self.take)(&format!("{conv}.weight"), dims)?;
        let mut vector = |part: &str| (self.take)(&format!("{norm}.{part}"), &dims[..1]);
        let (gamma, beta) = (vector("weight")?, vector("bias")?);
        let (mean, variance) = (vector("running_mean")?, vector("running_var")?);
        let norm = BatchNorm {
            gamma: Some(&gamma),
            beta: &beta,
            mean: &mean,
            variance: &variance,
            epsilon: EPSILON,
        };
        let (factors, bias) = norm.factors_and_bias();
        let filters = kernel.chunks_exact(kernel.len() / dims[0]).zip(factors);
        let scaled = |(filter, factor): (&[f32], f64)| -> Vec<f32> {
            filter.iter().map(|&value| (f64::from(value) * factor) as f32).collect()
        };
        Ok([filters.flat_map(scaled).collect(), bias])
    }

    /// Adds the mean over positions and the classifier.
    fn pool_and_classify(&mut self, head: &FeatureMap) -> Result<()> {
        let axis = || vec![AttributeProto::int("axis", 1)];
        self.graph.node("GlobalAveragePool", &[&head.name], "PreLogits/pool", Vec::new());
        self.graph.node("Flatten", &["PreLogits/pool"], "PreLogits", axis());
        self.graph.output("PreLogits", head.channels);
        let kernel = (self.take)("_fc.weight", &[CLASSES, head.channels])?;
        let bias = (self.take)("_fc.bias", &[CLASSES])?;
        self.graph.weight("Logits/weights", &[CLASSES, head.channels], &kernel);
        self.graph.weight("Logits/bias", &[CLASSES], &bias);
        let transposed = vec![AttributeProto::int("transB", 1)];
        self.graph.node("Gemm", &["PreLogits", "Logits/weights", "Logits/bias"], "Logits", transposed);
        self.graph.node("Softmax", &["Logits"], "Predictions", axis());
        self.graph.output("Logits", CLASSES);
        self.graph.output("Predictions", CLASSES);
        Ok(())
    }
}

/// Padding before and after a side, as TensorFlow's `SAME`: the odd pixel comes after.
fn same_padding(side: usize, kernel: usize, stride: usize) -> (i64, i64) {
    let needed = ((side.div_ceil(stride) - 1) * stride + kernel).saturating_sub(side);
    ((needed / 2) as i64, needed.div_ceil(2) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::graph::network_summary;
    use crate::backbone::registry::{Source, registry};

    /// Name, parameters as timm counts them for `tf_NAME`, means of batch norm, and published millions of multiply-adds.
    const SIZES: [(&str, usize, usize, u64); 3] = [
        ("efficientnet-lite0", 4_652_008, 21_008, 407),
        ("efficientnet-lite1", 5_416_680, 26_832, 631),
        ("efficientnet-lite2", 6_092_072, 29_048, 899),
    ];

    #[test]
    fn the_table_has_the_published_sizes() {
        for (name, parameters, means, millions) in SIZES {
            let known = registry().backbone(name).unwrap();
            let Source::EfficientnetLiteWheel { scaling, .. } = known.source else {
                panic!("{name} comes from elsewhere")
            };
            let side = known.preprocessing.size;
            assert_eq!(known.preprocessing.shorter_side, Some(side + 32), "Google crops 32 pixels");
            let mut values = 0;
            let mut take = |_: &str, shape: &[usize]| {
                values += shape.iter().product::<usize>();
                Ok(vec![1.0; shape.iter().product()])
            };
            let built = build(scaling, side, &mut take, &[]).unwrap();
            // Beside the parameters a mean and a variance for each channel.
            assert_eq!(values, parameters + 2 * means, "{name}");
            let summary = network_summary(&built, side).unwrap();
            let names: Vec<&str> = summary.endpoints.iter().map(|e| e.name.as_str()).collect();
            assert_eq!(names[..names.len() - 2], layers(scaling));
            let shape =
                |layer: &str| summary.endpoints.iter().find(|e| e.name == layer).unwrap().shape.clone();
            assert_eq!(shape("stem"), Some(vec![side.div_ceil(2), side.div_ceil(2), 32]));
            assert_eq!(shape("head"), Some(vec![side.div_ceil(32), side.div_ceil(32), 1280]));
            assert_eq!(shape("Logits"), Some(vec![1000]));
            // Batch norm is folded: of its four vectors the bias is left.
            assert_eq!(summary.parameters as usize, parameters - means, "{name}");
            let of_registry = (known.parameters, known.multiply_adds);
            assert_eq!(
                (summary.parameters, summary.multiply_adds),
                of_registry,
                "{name} as the registry says"
            );
            let share = summary.multiply_adds as f64 / (millions * 1_000_000) as f64;
            assert!((0.94..=1.0).contains(&share), "{name}: {}", summary.multiply_adds);
        }
    }

    #[test]
    fn padding_and_scaling_follow_tensorflow() {
        assert_eq!(same_padding(224, 3, 2), (0, 1));
        assert_eq!(same_padding(56, 5, 2), (1, 2));
        assert_eq!(same_padding(7, 3, 1), (1, 1));
        assert_eq!(same_padding(14, 1, 1), (0, 0));
        let filters: Vec<usize> = STAGES.iter().map(|s| scaled_filters(s.filters, 1.1)).collect();
        assert_eq!(filters, [16, 24, 48, 88, 120, 208, 352], "EfficientNet-Lite2");
        let depth: Vec<usize> = (0..7).map(|stage| scaled_blocks(stage, 1.2)).collect();
        assert_eq!(depth, [1, 3, 3, 4, 4, 5, 1]);
    }
}
