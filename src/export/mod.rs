//! Takes the classifier of a run out of the house: backbone, head, temperature and softmax as one ONNX file, on its own, in a
//! model repository for Triton Inference Server, or in a page that classifies in the browser. What is written was run before,
//! and answered as the run does.

mod built;
mod config;
mod metadata;
mod onnx;
mod train_pictures;
mod triton;
mod web;

pub use crate::backbone::graph::ClassifierInput;
pub use config::ExportConfig;

use crate::backbone::install::{WebRuntime, web_runtime};
use crate::error::{Error, Kind, Result};
use crate::monitor::Monitor;
use crate::run::StoredRun;
use built::BuiltClassifier;
use serde::Serialize;
use std::path::{Path, PathBuf};
use train_pictures::TrainPictures;

/// Result of [`export`].
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ExportStats {
    /// The ONNX file.
    pub onnx: Option<PathBuf>,
    /// The folder of the model in the repository of Triton.
    pub triton: Option<PathBuf>,
    /// The folder of the page.
    pub web: Option<PathBuf>,
    /// Size of the ONNX file in bytes.
    pub bytes: usize,
    /// Number of classes; of labels, where images have several.
    pub classes: usize,
    /// Whether images have several labels.
    #[serde(skip)]
    pub several_labels: bool,
    /// What the input takes.
    pub input: ClassifierInput,
    /// The names of the outputs.
    pub outputs: Vec<&'static str>,
    /// Largest difference between a probability of the file and one of the run, over two fixed images.
    pub difference: f64,
}

/// Writes the classifier of a run as `config` says. Before that it is run in ONNX Runtime, on the CPU, and must answer for two
/// fixed images as the run does.
///
/// # Errors
/// [`Kind::Usage`] where nothing is to be written, for a value of `reject` that the run does not allow, and for an input that the
/// preprocessing of the run does not allow; [`Kind::Run`] when the run is missing or damaged; [`Kind::Input`] where another file
/// is in the way; [`Kind::Backbone`] when the classifier answers otherwise than the run; those of opening a backbone.
pub fn export(config: &ExportConfig, monitor: &dyn Monitor) -> Result<ExportStats> {
    let ExportConfig { run, onnx, triton, web, input, .. } = config;
    if onnx.is_none() && triton.is_none() && web.is_none() {
        return Err(Error::new(Kind::Usage, "nothing is to be written")
            .help("name a file as `onnx`, a model repository as `triton`, or a folder as `web`"));
    }
    // Both are about one class an image.
    for (field, _) in [("triton", triton), ("web", web)].iter().filter(|(_, place)| place.is_some()) {
        StoredRun::open_for(run, field)?;
    }
    onnx.as_deref().map_or(Ok(()), onnx::check)?;
    web.as_deref().map_or(Ok(()), web::check)?;
    let model = triton.as_deref().map(|folder| triton::check(folder, run)).transpose()?;
    let is_file = onnx.is_some() || model.is_some();
    // Before long work, since it may ask.
    let page = web.as_deref().map(|folder| Page::prepare(folder, config, monitor)).transpose()?;
    let built =
        BuiltClassifier::new(config, if is_file { *input } else { ClassifierInput::Resized }, monitor)?;
    onnx.as_deref().map_or(Ok(()), |path| onnx::write(path, &built))?;
    model.as_ref().map_or(Ok(()), |model| triton::write(model, &built))?;
    if let Some(page) = page {
        match built.input {
            ClassifierInput::Resized => page.write(config, &built)?,
            _ => page.write(config, &BuiltClassifier::new(config, ClassifierInput::Resized, monitor)?)?,
        }
    }
    Ok(ExportStats {
        onnx: onnx.clone(),
        triton: model.map(|model| model.folder),
        web: web.clone(),
        bytes: built.bytes.len(),
        classes: built.classes.len(),
        several_labels: StoredRun::open_any(run)?.record().multi_label.is_some(),
        input: built.input,
        outputs: built.outputs(),
        difference: built.difference,
    })
}

/// What a page needs besides the classifier.
struct Page<'a> {
    folder: &'a Path,
    runtime: WebRuntime,
    pictures: Option<TrainPictures>,
}

impl<'a> Page<'a> {
    fn prepare(folder: &'a Path, config: &ExportConfig, monitor: &dyn Monitor) -> Result<Self> {
        let stored = StoredRun::open(&config.run)?;
        let pictures = match config.pictures {
            true => Some(TrainPictures::read(&stored, &stored.head()?.classes)?),
            false => None,
        };
        Ok(Self { folder, runtime: web_runtime(config.ort_web.as_deref(), monitor)?, pictures })
    }

    fn write(&self, config: &ExportConfig, built: &BuiltClassifier) -> Result<()> {
        let name = config.run.file_name().unwrap_or(config.run.as_os_str()).to_string_lossy();
        web::write(self.folder, &name, built, &self.runtime, self.pictures.as_ref())
    }
}
