//! Classifies image files with the own classifier of a backbone, such as that of ImageNet.

use crate::backbone::graph::{ModelInfo, inspect};
use crate::backbone::install::imagenet_names;
use crate::backbone::registry::{KnownBackbone, registry};
use crate::backbone::{BackboneChoice, Device, ImageEmbedder, ResolvedBackbone, SessionOptions};
use crate::data::dataset::Refused;
use crate::data::decode::Reason;
use crate::error::{Error, Kind, Result};
use crate::io::fs;
use crate::monitor::{Monitor, Unit};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// The output of a network that [`classify`] reads.
const PREDICTIONS: &str = "Predictions";
/// The name of a class that is none of ImageNet's.
const BACKGROUND: &str = "background";

/// Configuration of [`classify`].
///
/// | field | default | |
/// |---|---|---|
/// | `images` | | image files |
/// | `backbone` | that of this machine | name of a backbone, or path of an ONNX file |
/// | `preprocess` | the backbone's own | named preprocessing |
/// | `names` | those of the network | text file with the name of each class in a line |
/// | `top` | 5 | classes to keep for each image |
/// | `device` | [`Device::Auto`] | where the network runs |
/// | `models` | [`default_models`](crate::backbone::registry::default_models) | folder of built backbones |
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClassifyConfig {
    /// Image files.
    pub images: Vec<PathBuf>,
    /// The name of a known or an imported backbone, or the path of an ONNX file.
    pub backbone: Option<String>,
    /// The name of a preprocessing to use instead of the backbone's own.
    pub preprocess: Option<String>,
    /// A text file with the name of each class in a line, instead of the names that the network is known to have.
    pub names: Option<PathBuf>,
    /// Number of classes to keep for each image, the most probable ones.
    pub top: usize,
    /// Where the network runs.
    pub device: Device,
    /// Folder of built backbones.
    pub models: PathBuf,
}

impl ClassifyConfig {
    /// Classifies `images` with `backbone`, everything else by default.
    pub fn new(images: Vec<PathBuf>, backbone: impl Into<String>) -> Self {
        Self { images, backbone: Some(backbone.into()), ..Self::default() }
    }
}

impl Default for ClassifyConfig {
    fn default() -> Self {
        let BackboneChoice { models, .. } = BackboneChoice::default();
        let (images, device) = (Vec::new(), Device::Auto);
        Self { images, backbone: None, preprocess: None, names: None, top: 5, device, models }
    }
}

/// Result of [`classify`].
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ClassifyStats {
    /// Name of the backbone.
    pub backbone: String,
    /// A few words that describe it.
    pub title: String,
    /// Number of its classes.
    pub classes: usize,
    /// The answers, in the order of the images given.
    pub images: Vec<ClassifiedFile>,
}

/// The answer for one image file.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ClassifiedFile {
    /// The path as given.
    pub path: String,
    /// The most probable classes, the most probable first; empty for a file that cannot be used.
    pub predictions: Vec<RankedClass>,
    /// Why the file cannot be used; `None` if it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

/// A class of a network's own, and its probability.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RankedClass {
    /// Its number, from 0, among the outputs of the network.
    pub index: usize,
    /// Its name.
    pub label: String,
    /// Its probability, 0 to 1.
    pub probability: f32,
}

impl ClassifyStats {
    /// The files that could not be used, as other stages report them.
    pub fn refused(&self) -> Vec<Refused> {
        let refusal = |file: &ClassifiedFile| {
            let reason = file.reason.clone()?;
            Some(Refused { path: file.path.clone(), image_sha256: None, reason })
        };
        self.images.iter().filter_map(refusal).collect()
    }
}

/// Classifies image files with the own classifier of a backbone. Installs what is missing after asking.
///
/// # Errors
/// Those of [`BackboneChoice::resolve`] and of opening the backbone. [`Kind::Usage`] when `top` is 0, the network has no
/// classifier, its classes have no known names, or `names` has another number of them. [`Kind::Interrupted`] when the
/// monitor asks to stop.
pub fn classify(config: &ClassifyConfig, monitor: &dyn Monitor) -> Result<ClassifyStats> {
    if config.top == 0 {
        return Err(Error::new(Kind::Usage, "`top` must be at least 1"));
    }
    let choice = BackboneChoice {
        backbone: config.backbone.clone(),
        preprocess: config.preprocess.clone(),
        models: config.models.clone(),
        ..BackboneChoice::default()
    };
    let resolved = choice.resolve()?;
    resolved.install_missing(config.device, monitor)?;
    let info = inspect(&resolved.read_model()?).map_err(|e| e.at(&resolved.name))?;
    let mut classifier = Classifier::open(config, resolved, &info, monitor)?;
    let mut images = Vec::new();
    let task = monitor.task("classifying", Some(config.images.len() as u64), Unit::Images);
    for path in &config.images {
        if monitor.is_interrupted() {
            return Err(Error::new(Kind::Interrupted, "interrupted before the last image was classified"));
        }
        let (predictions, reason) = match classifier.rank(path, config.top)? {
            Ok(predictions) => (predictions, None),
            Err(reason) => (Vec::new(), Some(reason)),
        };
        images.push(ClassifiedFile { path: path.to_string_lossy().into_owned(), predictions, reason });
        task.advance(1);
    }
    let Classifier { names, resolved, .. } = classifier;
    Ok(ClassifyStats { backbone: resolved.name, title: resolved.title, classes: names.len(), images })
}

/// A network that is cut after its classifier, and the names of its classes.
struct Classifier {
    resolved: ResolvedBackbone,
    embedder: ImageEmbedder,
    names: Vec<String>,
}

impl Classifier {
    fn open(
        config: &ClassifyConfig,
        resolved: ResolvedBackbone,
        info: &ModelInfo,
        monitor: &dyn Monitor,
    ) -> Result<Self> {
        if !info.has_classifier {
            return Err(Error::new(Kind::Usage, format!("{} has no classifier of its own", resolved.name))
                .help("use another `backbone`, or train a head on its features with `extract` and `train`"));
        }
        let names = match &config.names {
            Some(file) => names_of_file(file)?,
            None => known_names(&resolved, info, monitor)?,
        };
        // The stored answer is of another layer.
        let resolved = ResolvedBackbone { layer: PREDICTIONS.into(), known_answer: None, ..resolved };
        let embedder = ImageEmbedder::open_resolved(&resolved, SessionOptions::new(config.device), monitor)?;
        if embedder.width() != names.len() {
            let message = format!("{} has {} classes, not {}", resolved.name, embedder.width(), names.len());
            let error =
                Error::new(Kind::Usage, message).help("give a file with the name of each class as `names`");
            return Err(config.names.iter().fold(error, |error, file| error.at(file)));
        }
        Ok(Self { resolved, embedder, names })
    }

    /// The most probable classes of an image file, or why it cannot be used.
    fn rank(&mut self, path: &Path, top: usize) -> Result<std::result::Result<Vec<RankedClass>, Reason>> {
        let probabilities = match self.embedder.embed_file(path)? {
            Ok(probabilities) => probabilities,
            Err(reason) => return Ok(Err(reason)),
        };
        let mut ranked: Vec<(usize, f32)> = probabilities.into_iter().enumerate().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        let class =
            |(index, probability)| RankedClass { index, label: self.names[index].clone(), probability };
        Ok(Ok(ranked.into_iter().take(top).map(class).collect()))
    }
}

/// The names that the network itself, or its published source, has for its classes.
fn known_names(resolved: &ResolvedBackbone, info: &ModelInfo, monitor: &dyn Monitor) -> Result<Vec<String>> {
    let own: Option<Vec<String>> = info.classes.as_deref().and_then(|json| serde_json::from_str(json).ok());
    if let Some(own) = own {
        return Ok(own);
    }
    let known = registry().backbones.iter().find(|known| known.onnx_sha256 == resolved.graph_sha256);
    if known.is_some_and(KnownBackbone::is_imagenet) {
        return imagenet_names(monitor);
    }
    let source = registry().published.iter().find(|source| Some(&source.name) == info.source.as_ref());
    match source.filter(|source| source.is_imagenet) {
        Some(source) => Ok(with_background(source.background, imagenet_names(monitor)?)),
        None => Err(Error::new(
            Kind::Usage,
            format!("what the classes of {} are called is not known", resolved.name),
        )
        .help("give a text file with the name of each class in a line, in their order, as `names`")),
    }
}

/// The names of the classes of a network whose first class may be none of ImageNet's.
fn with_background(background: bool, imagenet: Vec<String>) -> Vec<String> {
    background.then(|| BACKGROUND.to_string()).into_iter().chain(imagenet).collect()
}

/// The lines of a text file.
fn names_of_file(file: &Path) -> Result<Vec<String>> {
    let text = String::from_utf8(fs::read(file)?)
        .map_err(|_| Error::new(Kind::Input, "not a text file in UTF-8").at(file))?;
    Ok(text.lines().map(|line| line.trim().to_string()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imagenets_classes_keep_their_names_behind_a_background_class() {
        let imagenet = || (0..1000).map(|class| class.to_string()).collect::<Vec<_>>();
        let [plain, shifted] = [false, true].map(|background| with_background(background, imagenet()));
        assert_eq!((plain.len(), plain[347].as_str()), (1000, "347"));
        assert_eq!((shifted.len(), shifted[0].as_str(), shifted[348].as_str()), (1001, "background", "347"));
        for source in registry().published.iter().filter(|source| source.is_imagenet) {
            assert_eq!(
                with_background(source.background, imagenet()).len(),
                source.classes,
                "{}",
                source.name
            );
        }
    }
}
