//! Which network a stage shall run: a known backbone by name, or any ONNX file by path, with its layer and
//! preprocessing settled before anything is opened.

use super::{library, onnx_path, setup_command};
use crate::backbone::onnx::{OnnxBackbone, inspect};
use crate::backbone::{Backbone, Opening, PRELOGITS, known};
use crate::digest::{Digest, sha256};
use crate::error::{Error, Kind, Result};
use crate::fs;
use crate::monitor::Monitor;
use crate::preprocess::Preprocessing;
use crate::registry::registry;
use crate::store::Spec;
use std::path::{Path, PathBuf};

/// What a person typed.
#[derive(Debug, Clone)]
pub struct BackboneChoice {
    /// A known name, or the path of an ONNX file.
    pub backbone: String,
    /// The layer to embed.
    pub layer: String,
    /// A named preprocessing instead of the backbone's own.
    pub preprocess: Option<String>,
    /// The centre part of each side to keep, instead of the backbone's own.
    pub crop: Option<f64>,
    /// Folder of built backbones.
    pub models: PathBuf,
}

/// A settled choice; nothing of it has to be installed yet.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// The known name, or the absolute path of the file.
    pub name: String,
    /// What it is, in a few words.
    pub title: String,
    /// Digest of the ONNX file.
    pub sha256: Digest,
    /// The layer to embed.
    pub layer: String,
    /// How pixels enter.
    pub preprocessing: Preprocessing,
    /// The answer to the known-answer image, where one is stored.
    pub known_answer: Option<Vec<f32>>,
    models: PathBuf,
}

/// Settles what is to be run.
///
/// # Errors
/// [`Kind::Usage`] for contradictions, [`Kind::Backbone`] for unknown names and unusable files.
pub fn choose(choice: &BackboneChoice) -> Result<Chosen> {
    let named = choice.preprocess.as_deref().map(Preprocessing::named).transpose()?;
    let mut chosen =
        if is_file(&choice.backbone) { from_file(choice, named)? } else { from_name(choice, named)? };
    if let Some(crop) = choice.crop {
        chosen.preprocessing = chosen.preprocessing.with_crop(crop)?;
    }
    chosen.known_answer = stored_answer(&chosen.name, &chosen.layer, &chosen.preprocessing);
    Ok(chosen)
}

/// The stored answer to the known-answer image; it was made for PreLogits and the backbone's own preprocessing.
fn stored_answer(name: &str, layer: &str, preprocessing: &Preprocessing) -> Option<Vec<f32>> {
    let known = registry().backbone(name).ok()?;
    let applies = layer == PRELOGITS && known.preprocessing == *preprocessing;
    applies.then(|| known::stored(&known.known_answer)).flatten()
}

fn is_file(backbone: &str) -> bool {
    Path::new(backbone).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx"))
}

fn from_name(choice: &BackboneChoice, named: Option<Preprocessing>) -> Result<Chosen> {
    let known = registry().backbone(&choice.backbone)?;
    Ok(Chosen {
        name: known.name.clone(),
        title: known.title.clone(),
        sha256: known.onnx_sha256,
        layer: choice.layer.clone(),
        preprocessing: named.unwrap_or(known.preprocessing),
        known_answer: None,
        models: choice.models.clone(),
    })
}

fn from_file(choice: &BackboneChoice, named: Option<Preprocessing>) -> Result<Chosen> {
    let path =
        std::path::absolute(&choice.backbone).map_err(|e| Error::io("find", choice.backbone.as_ref(), e))?;
    let known: Vec<&str> = registry().backbones.iter().map(|known| known.name.as_str()).collect();
    let remedy = format!("give the path of an ONNX file, or a known name: {}", known.join(", "));
    let bytes = fs::read(&path).map_err(|e| e.help(&remedy))?;
    let facts = inspect(&bytes).map_err(|e| match e.remedy() {
        Some(_) => e.at(&path),
        None => e.at(&path).help(&remedy),
    })?;
    let noted = facts.preprocessing.and_then(|text| serde_json::from_str(&text).ok());
    let preprocessing = named.or(noted).ok_or_else(|| {
        Error::new(Kind::Usage, "the file does not say how pixels enter it")
            .at(&path)
            .help("add --preprocess unit, inception or imagenet")
    })?;
    let size = facts.side.unwrap_or(preprocessing.size);
    Ok(Chosen {
        name: path.to_string_lossy().into_owned(),
        title: "a network of your own".into(),
        sha256: sha256(&bytes),
        layer: choice.layer.clone(),
        preprocessing: Preprocessing { size, ..preprocessing }.checked().map_err(|e| e.at(&path))?,
        known_answer: None,
        models: choice.models.clone(),
    })
}

impl Chosen {
    /// Its title as part of a sentence.
    pub fn article_and_title(&self) -> String {
        let vowel = self.title.starts_with(['A', 'E', 'I', 'O', 'U']);
        if vowel { format!("an {}", self.title) } else { self.title.clone() }
    }

    /// The network that made features of `spec`.
    ///
    /// # Errors
    /// [`Kind::Backbone`] when a known backbone of that name is another network by now.
    pub fn of_spec(spec: &Spec, models: &Path) -> Result<Self> {
        let name = spec.backbone.name.clone();
        let steps = spec.preprocessing.steps.checked()?;
        let sha256 = spec.backbone.graph_sha256;
        let known = registry().backbone(&spec.backbone.name).ok();
        if known.is_some_and(|known| known.onnx_sha256 != sha256) {
            let message = format!("the backbone {name} was another network when these features were made");
            return Err(Error::new(Kind::Backbone, message).help("extract and train again"));
        }
        Ok(Self {
            known_answer: stored_answer(&name, &spec.layer, &steps).or(spec.known_answer.clone()),
            name,
            title: spec.backbone.title.clone(),
            sha256,
            layer: spec.layer.clone(),
            preprocessing: steps,
            models: models.to_path_buf(),
        })
    }

    /// Opens the network in one session or more, installing what is missing with consent.
    ///
    /// # Errors
    /// As [`super::setup`], and those of [`OnnxBackbone::open`].
    pub fn open(&self, opening: Opening, monitor: &dyn Monitor) -> Result<Vec<Box<dyn Backbone>>> {
        let library = library(opening.device, None, monitor)?;
        let (path, remedy) = self.file();
        let known = registry().backbone(&self.name).ok();
        if let Some(known) = known.filter(|_| !path.exists()) {
            super::fetch::backbone(known, &self.models, None, monitor)?;
        }
        let model = self.read(&path, &remedy)?;
        OnnxBackbone::open(&library.path, model, &self.layer, &self.preprocessing, opening, monitor)
            .map_err(|e| if e.path().is_none() { e.at(path) } else { e })
    }

    /// The bytes of its ONNX file; nothing is installed.
    ///
    /// # Errors
    /// [`Kind::Io`] when it is not there, [`Kind::Backbone`] when it is another.
    pub fn model(&self) -> Result<Vec<u8>> {
        let (path, remedy) = self.file();
        self.read(&path, &remedy)
    }

    /// Where its ONNX file is or should be, and what to do where it is not.
    fn file(&self) -> (PathBuf, String) {
        match registry().backbone(&self.name) {
            Ok(known) => {
                (onnx_path(known, &self.models), format!("run `{}`", setup_command(known, &self.models)))
            }
            Err(_) => {
                (PathBuf::from(&self.name), "put the network that was used before back there".to_string())
            }
        }
    }

    fn read(&self, path: &Path, remedy: &str) -> Result<Vec<u8>> {
        let model = fs::read(path).map_err(|e| e.help(remedy))?;
        let found = sha256(&model);
        if found != self.sha256 {
            let message =
                format!("the file was changed or damaged: its digest is {found}, not {}", self.sha256);
            return Err(Error::new(Kind::Backbone, message).at(path).help(remedy));
        }
        Ok(model)
    }
}
