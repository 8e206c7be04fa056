//! The file of a head, `head.safetensors`: `weight` `[classes, width]` and `bias` `[classes]` in float32. A head with a hidden
//! layer has a file of version `head-v2`: `hidden.weight` `[units, width]`, `hidden.bias`, `output.weight` `[classes, units]` and
//! `output.bias`. The metadata hold the class names, the spec of the features and, of that version, its name.

use super::layer::Layer;
use super::softmax_head::Head;
use crate::error::{Error, Kind, Result};
use crate::io::safetensors::{FloatTensor, Tensor, TensorData, TensorFile, decode_tensors, encode_tensors};
use crate::io::{fs, json};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;

/// A head as it is read from its file.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedHead {
    /// The head.
    pub head: Head,
    /// Class names, in the order of the head's classes; names of labels where rows have several.
    pub classes: Vec<String>,
    /// Whether each class has a probability of its own.
    pub is_multi_label: bool,
    /// The spec of the features that the head takes; null if the file names none.
    pub spec: serde_json::Value,
}

/// The version of the file of a head with a hidden layer. Files of heads without one name no version.
const WITH_HIDDEN: &str = "head-v2";

#[derive(Serialize, Deserialize)]
struct Metadata {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    classes: Option<Vec<String>>,
    /// In place of the classes, so that a reader of these alone refuses the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    labels: Option<Vec<String>>,
    spec: serde_json::Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schema: Option<String>,
}

/// A layer as it is written.
struct StoredLayer<'a> {
    /// Names of weight and bias.
    names: [&'static str; 2],
    layer: &'a Layer,
    weight: Vec<f32>,
}

impl<'a> StoredLayer<'a> {
    fn new(names: [&'static str; 2], layer: &'a Layer) -> Self {
        Self { names, layer, weight: layer.weight() }
    }

    fn tensors(&self) -> [Tensor<'_>; 2] {
        let Self { names: [weight, bias], layer, .. } = self;
        let (outputs, inputs) = (layer.outputs(), layer.inputs());
        [
            Tensor { name: bias, shape: vec![outputs], values: TensorData::Float32(layer.bias()) },
            Tensor { name: weight, shape: vec![outputs, inputs], values: TensorData::Float32(&self.weight) },
        ]
    }
}

const PLAIN: [&str; 2] = ["weight", "bias"];
const HIDDEN: [&str; 2] = ["hidden.weight", "hidden.bias"];
const OUTPUT: [&str; 2] = ["output.weight", "output.bias"];

/// Writes a head with its class names and the spec of its features, atomically.
///
/// # Errors
/// [`Kind::Io`] if the file cannot be written.
pub fn save(path: &Path, head: &Head, classes: &[String], spec: serde_json::Value) -> Result<()> {
    write(path, head, Some(classes.to_vec()), None, spec)
}

/// Writes a head whose classes are labels with a probability each, as [`save`] does.
///
/// # Errors
/// [`Kind::Io`] if the file cannot be written.
pub fn save_multi_label(path: &Path, head: &Head, labels: &[String], spec: serde_json::Value) -> Result<()> {
    write(path, head, None, Some(labels.to_vec()), spec)
}

fn write(
    path: &Path,
    head: &Head,
    classes: Option<Vec<String>>,
    labels: Option<Vec<String>>,
    spec: serde_json::Value,
) -> Result<()> {
    let layers = match head.hidden() {
        Some(hidden) => vec![StoredLayer::new(HIDDEN, hidden), StoredLayer::new(OUTPUT, head.output())],
        None => vec![StoredLayer::new(PLAIN, head.output())],
    };
    let tensors: Vec<Tensor> = layers.iter().flat_map(StoredLayer::tensors).collect();
    let schema = head.hidden().map(|_| WITH_HIDDEN.to_string());
    let metadata = json::encode(&Metadata { classes, labels, spec, schema });
    fs::write_atomic(path, &encode_tensors(&tensors, metadata))
}

/// Reads the file that [`save`] writes.
///
/// # Errors
/// [`Kind::Io`] if the file cannot be read, [`Kind::Run`] if it is damaged or does not hold a head.
pub fn load(path: &Path) -> Result<SavedHead> {
    decode(&fs::read(path)?, path)
}

/// Decodes the bytes of such a file; `path` is for messages.
///
/// # Errors
/// [`Kind::Run`] if they are damaged or are not a head.
pub fn decode(bytes: &[u8], path: &Path) -> Result<SavedHead> {
    let damaged =
        |why: String| Error::new(Kind::Run, "not a head file").at(path).because(why).help("train again");
    let TensorFile { tensors: mut arrays, metadata } = decode_tensors(bytes).map_err(damaged)?;
    let Metadata { classes, labels, spec, schema } =
        json::decode(metadata.as_bytes()).map_err(|e| damaged(e.to_string()))?;
    let is_multi_label = labels.is_some();
    let classes = classes.or(labels).ok_or_else(|| damaged("it names no classes".into()))?;
    let count = Some(classes.len());
    let head = match schema.as_deref() {
        None => layer(&mut arrays, PLAIN, count).map(|output| Head::from_layers(None, output)),
        Some(WITH_HIDDEN) => layer(&mut arrays, HIDDEN, None).and_then(|hidden| {
            let output = layer(&mut arrays, OUTPUT, count)?;
            Ok(Head::from_layers(Some(hidden), output))
        }),
        Some(other) => Err(format!("it is of version {other:?}, which this program does not know")),
    };
    let head = head.map_err(damaged)?.filter(|head| head.classes() == classes.len());
    let head = head.ok_or_else(|| damaged("its layers and classes do not fit together".into()))?;
    Ok(SavedHead { head, classes, is_multi_label, spec })
}

/// Takes a layer from the arrays of a file, or says what is wrong with it. `classes` is the number of its outputs, where these are
/// classes.
fn layer(
    arrays: &mut HashMap<String, FloatTensor>,
    [weight, bias]: [&str; 2],
    classes: Option<usize>,
) -> std::result::Result<Layer, String> {
    let mut floats = |name: &str, rank: usize| match arrays.remove(name) {
        Some(array) if !array.values.iter().all(|value| value.is_finite()) => {
            Err(format!("{name} holds numbers that are not finite"))
        }
        Some(array) if array.shape.len() == rank && classes.is_none_or(|count| array.shape[0] == count) => {
            Ok(array.values)
        }
        Some(array) => {
            let of = classes.map_or(String::new(), |count| format!(" for {count} classes"));
            Err(format!("{name} has the shape {:?}{of}", array.shape))
        }
        None => Err(format!("it holds no float32 {name}")),
    };
    Layer::from_parts(floats(weight, 2)?, floats(bias, 1)?)
        .ok_or_else(|| format!("{weight} and {bias} do not fit together"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_written_and_gives_the_same_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        let classes = ["x".to_string(), "é\"y".to_string()];
        for head in [Head::fresh(5, 2, 1), Head::with_hidden(5, 3, 2, 1)] {
            for path in [&a, &b] {
                save(path, &head, &classes, serde_json::json!({"k": 1})).unwrap();
            }
            let spec = serde_json::json!({"k": 1});
            assert_eq!(
                load(&a).unwrap(),
                SavedHead { head, classes: classes.to_vec(), is_multi_label: false, spec }
            );
            assert_eq!(std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap());
        }
    }

    #[test]
    fn a_damaged_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("head.safetensors");
        save(&path, &Head::fresh(5, 2, 1), &["x".into(), "y".into()], serde_json::json!({})).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for cut in [0, 7, 40, whole.len() - 4] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert_eq!(load(&path).unwrap_err().kind(), Kind::Run, "{cut} bytes");
        }
        save(&path, &Head::fresh(5, 2, 1), &["x".into()], serde_json::json!({})).unwrap();
        assert!(load(&path).unwrap_err().with_causes().contains("weight has the shape [2, 5] for 1 classes"));
    }
    #[test]
    fn a_file_of_a_hidden_layer_is_no_head_to_a_reader_that_knows_none_and_its_layers_must_fit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("head.safetensors");
        let classes = ["x".to_string(), "y".into()];
        save(&path, &Head::with_hidden(5, 3, 2, 1), &classes, serde_json::json!({})).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let names: Vec<String> = decode_tensors(&bytes).unwrap().tensors.into_keys().collect();
        assert!(names.iter().all(|name| !PLAIN.contains(&name.as_str())), "{names:?}");
        std::fs::write(&path, replaced(&bytes, b"head-v2", b"head-v9")).unwrap();
        assert!(load(&path).unwrap_err().with_causes().contains("of version \"head-v9\""));
        let (hidden, output) = (Layer::zeros(5, 4), Layer::zeros(3, 2));
        let layers = [StoredLayer::new(HIDDEN, &hidden), StoredLayer::new(OUTPUT, &output)];
        let tensors: Vec<Tensor> = layers.iter().flat_map(StoredLayer::tensors).collect();
        let metadata = Metadata {
            classes: Some(classes.to_vec()),
            labels: None,
            spec: serde_json::json!({}),
            schema: Some(WITH_HIDDEN.into()),
        };
        std::fs::write(&path, encode_tensors(&tensors, json::encode(&metadata))).unwrap();
        assert!(
            load(&path).unwrap_err().with_causes().contains("its layers and classes do not fit together")
        );
    }

    fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
        let at = bytes.windows(from.len()).position(|part| part == from).unwrap();
        [&bytes[..at], to, &bytes[at + from.len()..]].concat()
    }
}
