//! Writes a model repository for Triton Inference Server: the classifier, its configuration and its labels.

use super::built::BuiltClassifier;
use crate::backbone::graph::{
    ClassifierInput, DISTANCE, FEATURES, INPUT, IS_KNOWN, LABEL_INDEX, PROBABILITIES,
};
use crate::data::preprocess::ValueType;
use crate::error::{Error, Kind, Result};
use crate::io::fs;
use std::path::{Path, PathBuf};

/// First line of the configuration, by which a folder is recognised as one that may be replaced.
const MADE_BY: &str = "# Made by headstart ";

const CONFIG: &str = "config.pbtxt";
const LABELS: &str = "labels.txt";

/// Images of one request at most; the server joins requests up to it.
const MAX_BATCH: usize = 32;

/// A model in a repository.
#[derive(Debug)]
pub(super) struct Model {
    /// Its folder.
    pub folder: PathBuf,
    name: String,
}

/// Checks, before long work, that the model of `run` may be written to the repository: nothing, or an earlier one of this
/// program is there.
///
/// # Errors
/// [`Kind::Input`] where another folder or file is in the way.
pub(super) fn check(repository: &Path, run: &Path) -> Result<Model> {
    fs::check_place(repository)?;
    let name = model_name(&run.file_name().unwrap_or(run.as_os_str()).to_string_lossy());
    let folder = repository.join(&name);
    fs::check_place(&folder)?;
    let is_own = || fs::read(&folder.join(CONFIG)).is_ok_and(|config| config.starts_with(MADE_BY.as_bytes()));
    let is_free = !folder.exists() || folder.is_dir() && (fs::list(&folder)?.is_empty() || is_own());
    match is_free {
        true => Ok(Model { folder, name }),
        false => Err(Error::new(Kind::Input, "the model belongs here, but something else is in the way")
            .at(folder)
            .help("move it away, or choose another folder as `triton`")),
    }
}

/// A name of letters, digits, `_`, `-` and `.`, as clients put it into addresses.
fn model_name(run: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let name: String = run.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    if name.trim_matches(['.', '_']).is_empty() { "classifier".into() } else { name }
}

/// Writes the folder of the model, whole or not at all.
pub(super) fn write(model: &Model, built: &BuiltClassifier) -> Result<()> {
    if let Some(repository) = model.folder.parent() {
        fs::create_folder(repository)?;
    }
    fs::write_folder(&model.folder, |folder| {
        fs::create_folder(&folder.join("1"))?;
        fs::write_atomic(&folder.join("1/model.onnx"), &built.bytes)?;
        fs::write_atomic(&folder.join(LABELS), labels(&built.classes).as_bytes())?;
        fs::write_atomic(&folder.join(CONFIG), config(&model.name, built).as_bytes())
    })
}

/// One label a line, in the order of the classes. The server splits the file at line feeds.
fn labels(classes: &[String]) -> String {
    classes.iter().map(|class| format!("{}\n", class.replace(['\n', '\r'], " "))).collect()
}

/// The configuration in the text format of Triton's `ModelConfig`.
fn config(name: &str, built: &BuiltClassifier) -> String {
    let steps = &built.spec.preprocessing.steps;
    let size = steps.size as i64;
    let (kind, dims) = match (built.input, steps.value_type()) {
        (ClassifierInput::Float, _) => ("TYPE_FP32", [3, size, size]),
        (ClassifierInput::Resized, ValueType::Uint8) => ("TYPE_UINT8", [size, size, 3]),
        (ClassifierInput::Resized, _) => ("TYPE_FP32", [size, size, 3]),
        _ => ("TYPE_UINT8", [-1, -1, 3]),
    };
    let value =
        |name: &str, kind: &str, dims: &[i64], more: &str| tensor(name, kind, dims, built.batch, more);
    let labels = format!("\n    label_filename: \"{LABELS}\"");
    let mut outputs = vec![
        value(LABEL_INDEX, "TYPE_INT64", &[], ""),
        value(PROBABILITIES, "TYPE_FP32", &[built.classes.len() as i64], &labels),
        value(FEATURES, "TYPE_FP32", &[built.spec.width as i64], ""),
    ];
    if built.threshold.is_some() {
        outputs.extend([value(DISTANCE, "TYPE_FP32", &[], ""), value(IS_KNOWN, "TYPE_BOOL", &[], "")]);
    }
    let (most, batching) =
        if built.batch.is_some() { (0, "") } else { (MAX_BATCH, "dynamic_batching { }\n") };
    format!(
        "{MADE_BY}{}\nname: \"{name}\"\nbackend: \"onnxruntime\"\nmax_batch_size: {most}\ninput [\n{}\n]\noutput [\n{}\n]\n{batching}",
        env!("CARGO_PKG_VERSION"),
        value(INPUT, kind, &dims, ""),
        outputs.join(",\n"),
    )
}

/// An input or output. The server adds the dimension of the batch, unless the file fixes it; a value without any other needs
/// one all the same.
fn tensor(name: &str, kind: &str, dims: &[i64], batch: Option<usize>, more: &str) -> String {
    let listed = |dims: &[i64]| dims.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    let (dims, reshape) = match batch {
        Some(batch) => (listed(&[&[batch as i64], dims].concat()), ""),
        None if dims.is_empty() => ("1".into(), "\n    reshape { shape: [ ] }"),
        None => (listed(dims), ""),
    };
    format!("  {{\n    name: \"{name}\"\n    data_type: {kind}\n    dims: [ {dims} ]{reshape}{more}\n  }}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_models_can_stand_in_an_address() {
        assert_eq!(model_name("pets-2"), "pets-2");
        assert_eq!(model_name("my run/é"), "my_run__");
        assert_eq!([model_name(".."), model_name("é"), model_name("")], ["classifier"; 3]);
        assert_eq!(labels(&["a".into(), "b\nc".into()]), "a\nb c\n");
    }
}
