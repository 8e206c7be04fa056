//! What a caller asks of an export.

use crate::backbone::graph::ClassifierInput;
use crate::backbone::registry::default_models;
use std::path::PathBuf;

/// Settings of [`export`](super::export()).
///
/// | field | default | |
/// |---|---|---|
/// | `run` | | the run |
/// | `onnx` | none | file to write |
/// | `triton` | none | model repository to write to |
/// | `web` | none | folder of the page to write |
/// | `ort_web` | none | npm package of ONNX Runtime for browsers, instead of downloading it |
/// | `pictures` | false | whether the page shows train pictures |
/// | `input` | uint8 | what the input takes |
/// | `reject` | none | share of known images that may be called unknown |
/// | `confidence` | none | confidence with which `reject` bounds that share |
/// | `backbone` | where it was | the ONNX file of the backbone |
/// | `models` | the user's | folder of built backbones |
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ExportConfig {
    /// The run.
    pub run: PathBuf,
    /// The ONNX file to write.
    pub onnx: Option<PathBuf>,
    /// The model repository of Triton to write to.
    pub triton: Option<PathBuf>,
    /// The folder of the page that classifies in the browser.
    pub web: Option<PathBuf>,
    /// The npm package of ONNX Runtime for browsers, to use instead of downloading it.
    pub ort_web: Option<PathBuf>,
    /// Whether the page shows the nearest train picture of the class that it answers. Anyone who sees the page can see them.
    pub pictures: bool,
    /// What the input of the ONNX file takes; that of the page takes resized pictures.
    pub input: ClassifierInput,
    /// Fraction of images of the known classes that may be called unknown, above 0 and below 1; `None` leaves the distance out.
    pub reject: Option<f64>,
    /// Confidence, above 0 and below 1, with which `reject` bounds that fraction; `None` bounds it on average over validation
    /// images.
    pub confidence: Option<f64>,
    /// The ONNX file of the backbone; `None` looks where it was, near the run and in `models`.
    pub backbone: Option<PathBuf>,
    /// Folder of built backbones.
    pub models: PathBuf,
}

impl ExportConfig {
    /// Exports `run`, everything else by default.
    pub fn new(run: impl Into<PathBuf>) -> Self {
        Self { run: run.into(), ..Self::default() }
    }
}

impl Default for ExportConfig {
    fn default() -> Self {
        Self {
            run: PathBuf::new(),
            onnx: None,
            triton: None,
            web: None,
            ort_web: None,
            pictures: false,
            input: ClassifierInput::default(),
            reject: None,
            confidence: None,
            backbone: None,
            models: default_models(),
        }
    }
}
