//! Reads TensorFlow.js layers models that are bundled as scripts (`model.min.js` and `group1-shardNofM.min.js`), as in
//! the npm package `nsfwjs`. The only user of `json5`.
//!
//! Each tensor is quantized to bytes: `w = q * scale + min`. Layers have Keras' default names: `conv2d_N` and
//! `batch_normalization_N` for the Nth convolution created, `dense_N` for the classifier.

use crate::backbone::inception_v3::{Conv, ConvWeights, DenseWeights, Weights};
use crate::error::{Error, Kind, Result};
use crate::io::base64::from_base64;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

/// The weights of a TensorFlow.js layers model.
#[derive(Debug)]
pub struct TfjsModel {
    tensors: HashMap<String, Tensor>,
    /// By batch norm layer.
    epsilon: HashMap<String, f64>,
}

#[derive(Debug)]
struct Tensor {
    shape: Vec<usize>,
    values: Vec<f32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ModelJson {
    model_topology: ModelTopology,
    weights_manifest: Vec<WeightsGroup>,
}

#[derive(Deserialize)]
struct ModelTopology {
    model_config: ModelConfig,
}

#[derive(Deserialize)]
struct ModelConfig {
    config: LayersConfig,
}

#[derive(Deserialize)]
struct LayersConfig {
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
struct Layer {
    class_name: String,
    name: String,
    config: LayerConfig,
}

#[derive(Deserialize)]
struct LayerConfig {
    epsilon: Option<f64>,
    scale: Option<bool>,
}

#[derive(Deserialize)]
struct WeightsGroup {
    paths: Vec<String>,
    weights: Vec<WeightsEntry>,
}

#[derive(Deserialize)]
struct WeightsEntry {
    name: String,
    shape: Vec<usize>,
    quantization: Quantization,
}

#[derive(Deserialize)]
struct Quantization {
    min: f64,
    scale: f64,
    dtype: String,
}

impl TfjsModel {
    /// Reads the scripts of a model folder. `files` maps file names to contents.
    ///
    /// # Errors
    /// [`Kind::Backbone`] when a script is missing or cannot be parsed, or when its length does not fit the manifest.
    pub fn read(files: &BTreeMap<String, Vec<u8>>) -> Result<Self> {
        let model: ModelJson = json5::from_str(&exported(files, "model.min.js", '{')?)
            .map_err(|e| fail("the model description cannot be parsed").because(e))?;
        let mut epsilon = HashMap::new();
        for layer in model.model_topology.model_config.config.layers {
            if layer.class_name == "BatchNormalization" {
                if layer.config.scale == Some(true) {
                    return Err(fail("a batch norm has a gamma, which this reader does not expect"));
                }
                epsilon.insert(layer.name, layer.config.epsilon.unwrap_or(0.001));
            }
        }
        let mut tensors = HashMap::new();
        for group in model.weights_manifest {
            read_group(files, group, &mut tensors)?;
        }
        Ok(Self { tensors, epsilon })
    }

    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let tensor = self.tensors.get(name).ok_or_else(|| fail(format!("it holds no {name}")))?;
        if tensor.shape != shape {
            return Err(fail(format!("{name} has the shape {:?}, not {shape:?}", tensor.shape)));
        }
        Ok(tensor.values.clone())
    }
}

impl Weights for TfjsModel {
    fn conv(&self, conv: &Conv) -> Result<ConvWeights> {
        let n = conv.filters;
        let norm = format!("batch_normalization_{}", conv.index);
        let shape = [conv.kernel.height, conv.kernel.width, conv.inputs, n];
        Ok(ConvWeights {
            kernel: self.tensor(&format!("conv2d_{}/kernel", conv.index), &shape)?,
            gamma: None,
            beta: self.tensor(&format!("{norm}/beta"), &[n])?,
            mean: self.tensor(&format!("{norm}/moving_mean"), &[n])?,
            variance: self.tensor(&format!("{norm}/moving_variance"), &[n])?,
            epsilon: *self.epsilon.get(&norm).ok_or_else(|| fail(format!("it has no layer {norm}")))?,
        })
    }

    fn classifier(&self, _inputs: usize) -> Result<Vec<DenseWeights>> {
        (1..)
            .map(|i| {
                (self.tensors.get(&format!("dense_{i}/kernel")), self.tensors.get(&format!("dense_{i}/bias")))
            })
            .map_while(|(kernel, bias)| kernel.zip(bias))
            .map(|(kernel, bias)| {
                Ok(DenseWeights { kernel: kernel.values.clone(), bias: bias.values.clone() })
            })
            .collect()
    }
}

/// Dequantizes the tensors of one group into `tensors`.
fn read_group(
    files: &BTreeMap<String, Vec<u8>>,
    group: WeightsGroup,
    tensors: &mut HashMap<String, Tensor>,
) -> Result<()> {
    let mut bytes = Vec::new();
    for path in &group.paths {
        let text = exported(files, &format!("{path}.min.js"), '"')?;
        let shard = from_base64(text.trim_matches('"'));
        bytes.extend(shard.map_err(|e| fail(format!("{path} is not base64")).because(e))?);
    }
    let mut rest = &bytes[..];
    for entry in group.weights {
        if entry.quantization.dtype != "uint8" {
            return Err(fail(format!("{} is stored as {}", entry.name, entry.quantization.dtype)));
        }
        // A product beyond all numbers is beyond the shards too.
        let n = entry.shape.iter().try_fold(1usize, |n, &side| n.checked_mul(side));
        let (quantized, following) = n
            .and_then(|n| rest.split_at_checked(n))
            .ok_or_else(|| fail(format!("the shards end inside {}", entry.name)))?;
        let Quantization { min, scale, .. } = entry.quantization;
        let values = quantized.iter().map(|&q| (f64::from(q) * scale + min) as f32).collect();
        tensors.insert(entry.name, Tensor { shape: entry.shape, values });
        rest = following;
    }
    if rest.is_empty() { Ok(()) } else { Err(fail(format!("the shards hold {} bytes too many", rest.len()))) }
}

/// Returns the value that a bundled script assigns to `exports`, as JSON5: the object or string that starts with `open`.
fn exported(files: &BTreeMap<String, Vec<u8>>, name: &str, open: char) -> Result<String> {
    let bytes = files.get(name).ok_or_else(|| fail(format!("it lacks {name}")))?;
    let text = std::str::from_utf8(bytes).map_err(|e| fail(format!("{name} is not text")).because(e))?;
    let marker = format!(".exports={open}");
    let start = text.find(&marker).map(|at| at + marker.len() - 1);
    start.and_then(|start| literal(&text[start..])).ok_or_else(|| fail(format!("{name} exports nothing")))
}

/// Most levels of objects and lists inside one another, since the parser calls itself for each. Models have 8.
const MAX_DEPTH: usize = 64;

/// Returns the JavaScript literal at the start of `text`, with `!0` and `!1` as `true` and `false`. `None` when the
/// literal does not end, or has more than [`MAX_DEPTH`] levels.
fn literal(text: &str) -> Option<String> {
    let (mut out, mut depth, mut in_string) = (String::new(), 0usize, false);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if in_string => {
                out.push(c);
                out.push(chars.next()?);
                continue;
            }
            '"' => in_string = !in_string,
            '{' | '[' if !in_string && depth == MAX_DEPTH => return None,
            '{' | '[' if !in_string => depth += 1,
            '}' | ']' if !in_string => depth = depth.checked_sub(1)?,
            '!' if !in_string => {
                out.push_str(if chars.next()? == '0' { "true" } else { "false" });
                continue;
            }
            _ => {}
        }
        out.push(c);
        if depth == 0 && !in_string {
            return Some(out);
        }
    }
    None
}

fn fail(why: impl Into<String>) -> Error {
    Error::new(Kind::Backbone, format!("not a usable TensorFlow.js model: {}", why.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(shard: &str) -> BTreeMap<String, Vec<u8>> {
        let model = r#"!function(a){a.exports=a()}(function(){return {1:[function(a,n,i){n.exports={modelTopology:{
            model_config:{config:{layers:[{name:"batch_normalization_1",class_name:"BatchNormalization",
            config:{trainable:!1,epsilon:.001,scale:!1,note:"a \" } !0"}}]}}},
            weightsManifest:[{paths:["s1"],weights:[{name:"dense_1/kernel",shape:[1,2],dtype:"float32",
            quantization:{min:-1.5,scale:.5,dtype:"uint8"}},{name:"dense_1/bias",shape:[2],dtype:"float32",
            quantization:{min:0,scale:1,dtype:"uint8"}}]}]}},{}]},{},[1])(1)});"#;
        let script = format!("!function(a){{a.exports=a()}}(function(){{n.exports=\"{shard}\"}});");
        BTreeMap::from([("model.min.js".into(), model.into()), ("s1.min.js".into(), script.into())])
    }

    #[test]
    fn tensors_are_dequantized_in_order() {
        // Bytes 3, 4, 7, 9.
        let classifier = TfjsModel::read(&bundle("AwQHCQ==")).unwrap().classifier(1).unwrap();
        assert_eq!(classifier, [DenseWeights { kernel: vec![0.0, 0.5], bias: vec![7.0, 9.0] }]);
    }

    #[test]
    fn a_damaged_bundle_is_refused_by_name() {
        let refuse = |files: &BTreeMap<String, Vec<u8>>| TfjsModel::read(files).unwrap_err().to_string();
        assert!(refuse(&bundle("AwQH")).contains("end inside dense_1/bias"));
        assert!(refuse(&bundle("AwQHCQEB")).contains("2 bytes too many"));
        assert!(refuse(&bundle("***")).contains("s1 is not base64"));
        let mut files = bundle("AwQHCQ==");
        files.remove("s1.min.js");
        assert!(refuse(&files).contains("lacks s1.min.js"));
        let mut cut = bundle("AwQHCQ==");
        cut.get_mut("model.min.js").unwrap().truncate(300);
        assert!(refuse(&cut).contains("exports nothing"));
        let deep = format!(".exports={{a:{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(refuse(&BTreeMap::from([("model.min.js".into(), deep.into())])).contains("exports nothing"));
        let mut vast = bundle("AwQHCQ==");
        let model = String::from_utf8(vast["model.min.js"].clone()).unwrap();
        let shape = format!("shape:[{},3]", usize::MAX / 2);
        vast.insert("model.min.js".into(), model.replace("shape:[1,2]", &shape).into());
        assert!(refuse(&vast).contains("end inside dense_1/kernel"));
    }
}
