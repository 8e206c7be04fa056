//! Which network to run: a known backbone by name or any ONNX file by path, with its layer and preprocessing.

use super::install::known_backbone::{self, onnx_path, setup_remedy};
use super::install::runtime::{self, Runtime};
use crate::backbone::graph::inspect;
use crate::backbone::onnx_runtime::OnnxBackbone;
use crate::backbone::registry::{DEFAULT_BACKBONE, default_models, registry};
use crate::backbone::{Backbone, Device, PRELOGITS, SessionOptions, known_answer};
use crate::data::preprocess::Preprocessing;
use crate::error::{Error, Kind, Result};
use crate::io::digest::{Digest, sha256};
use crate::io::fs;
use crate::monitor::Monitor;
use std::path::{Path, PathBuf};

/// The network to run, as requested.
///
/// | field | default | |
/// |---|---|---|
/// | `backbone` | `nsfwjs` | known name, or path of an ONNX file |
/// | `layer` | [`PRELOGITS`] | layer to embed |
/// | `preprocess` | the backbone's own | named preprocessing |
/// | `crop` | the backbone's own | centre part of each side to keep, in `(0, 1]` |
/// | `models` | [`default_models`] | folder of built backbones |
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BackboneChoice {
    /// A known name, or the path of an ONNX file.
    pub backbone: String,
    /// The layer to embed.
    pub layer: String,
    /// The name of a [`Preprocessing`] to use instead of the backbone's own.
    pub preprocess: Option<String>,
    /// The centre part of each side to keep, in `(0, 1]`, instead of the crop of the preprocessing.
    pub crop: Option<f64>,
    /// Folder of built backbones.
    pub models: PathBuf,
}

impl BackboneChoice {
    /// Chooses `backbone`, a known name or the path of an ONNX file, everything else by default.
    pub fn new(backbone: impl Into<String>) -> Self {
        Self {
            backbone: backbone.into(),
            layer: PRELOGITS.into(),
            preprocess: None,
            crop: None,
            models: default_models(),
        }
    }

    /// Resolves the choice to a network, its digest and its preprocessing. A known backbone need not be installed.
    ///
    /// # Errors
    /// [`Kind::Usage`] for an unknown preprocessing, a crop out of range or a file without preprocessing.
    /// [`Kind::Backbone`] for an unknown name or a file that is not a usable network, [`Kind::Io`] for a file that cannot
    /// be read.
    pub fn resolve(&self) -> Result<ResolvedBackbone> {
        let preprocessing = self.preprocess.as_deref().map(Preprocessing::named).transpose()?;
        let mut resolved = match is_onnx_file(&self.backbone) {
            true => self.resolve_file(preprocessing)?,
            false => self.resolve_name(preprocessing)?,
        };
        if let Some(crop) = self.crop {
            resolved.preprocessing = resolved.preprocessing.with_crop(crop)?;
        }
        resolved.known_answer = resolved.stored_answer();
        Ok(resolved)
    }

    fn resolve_name(&self, preprocessing: Option<Preprocessing>) -> Result<ResolvedBackbone> {
        let known = registry().backbone(&self.backbone)?;
        Ok(ResolvedBackbone {
            name: known.name.clone(),
            title: known.title.clone(),
            graph_sha256: known.onnx_sha256,
            layer: self.layer.clone(),
            preprocessing: preprocessing.unwrap_or(known.preprocessing),
            known_answer: None,
            models: self.models.clone(),
        })
    }

    fn resolve_file(&self, preprocessing: Option<Preprocessing>) -> Result<ResolvedBackbone> {
        let path =
            std::path::absolute(&self.backbone).map_err(|e| Error::io("find", self.backbone.as_ref(), e))?;
        let names: Vec<&str> = registry().backbones.iter().map(|known| known.name.as_str()).collect();
        let remedy = format!("give the path of an ONNX file, or a known name: {}", names.join(", "));
        let bytes = fs::read(&path).map_err(|e| e.help(&remedy))?;
        let info = inspect(&bytes).map_err(|e| match e.remedy() {
            Some(_) => e.at(&path),
            None => e.at(&path).help(&remedy),
        })?;
        let own = info.preprocessing.and_then(|json| serde_json::from_str(&json).ok());
        let preprocessing = preprocessing.or(own).ok_or_else(|| {
            Error::new(Kind::Usage, "the file does not say how pixels enter it")
                .at(&path)
                .help("set `preprocess` to unit, inception, imagenet or stretched")
        })?;
        let size = info.input_side.unwrap_or(preprocessing.size);
        Ok(ResolvedBackbone {
            name: path.to_string_lossy().into_owned(),
            title: "a network of your own".into(),
            graph_sha256: sha256(&bytes),
            layer: self.layer.clone(),
            preprocessing: Preprocessing { size, ..preprocessing }.checked().map_err(|e| e.at(&path))?,
            known_answer: None,
            models: self.models.clone(),
        })
    }
}

impl Default for BackboneChoice {
    fn default() -> Self {
        Self::new(DEFAULT_BACKBONE)
    }
}

fn is_onnx_file(backbone: &str) -> bool {
    Path::new(backbone).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx"))
}

/// One particular network, layer and preprocessing: what determines the features. It need not be installed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ResolvedBackbone {
    /// The known name, or the absolute path of the ONNX file.
    pub name: String,
    /// A few words that describe it.
    pub title: String,
    /// Digest of the ONNX file.
    pub graph_sha256: Digest,
    /// The layer to embed.
    pub layer: String,
    /// How images become the input of the network.
    pub preprocessing: Preprocessing,
    /// The expected features of [`known_answer::probe_image`], `[width]`, where they are known.
    pub known_answer: Option<Vec<f32>>,
    /// Folder of built backbones.
    pub models: PathBuf,
}

impl ResolvedBackbone {
    /// Checks a network that was resolved earlier and recorded in a file. A stored known answer replaces its own.
    ///
    /// # Errors
    /// [`Kind::Backbone`] when the known backbone of that name is another network now, [`Kind::Usage`] for a
    /// preprocessing that makes no sense.
    pub fn checked(self) -> Result<Self> {
        let preprocessing = self.preprocessing.checked()?;
        let known = registry().backbone(&self.name).ok();
        if known.is_some_and(|known| known.onnx_sha256 != self.graph_sha256) {
            let message =
                format!("the backbone {} was another network when these features were made", self.name);
            return Err(Error::new(Kind::Backbone, message).help("extract and train again"));
        }
        let known_answer = self.stored_answer().or(self.known_answer);
        Ok(Self { preprocessing, known_answer, ..self })
    }

    /// The stored known answer. It holds for PreLogits and the backbone's own preprocessing only.
    fn stored_answer(&self) -> Option<Vec<f32>> {
        let known = registry().backbone(&self.name).ok()?;
        let applies = self.layer == PRELOGITS && known.preprocessing == self.preprocessing;
        applies.then(|| known_answer::stored(&known.known_answer)).flatten()
    }

    /// Returns the title for use inside a sentence, with an article.
    pub fn article_and_title(&self) -> String {
        let vowel = self.title.starts_with(['A', 'E', 'I', 'O', 'U']);
        if vowel { format!("an {}", self.title) } else { self.title.clone() }
    }

    /// Installs ONNX Runtime and a known backbone after asking when they are missing, and proves that the runtime works.
    ///
    /// # Errors
    /// Errors of [`super::setup`].
    pub fn install_missing(&self, device: Device, monitor: &dyn Monitor) -> Result<Runtime> {
        let runtime = runtime::find_or_install(device, None, monitor)?;
        if let Ok(known) = registry().backbone(&self.name)
            && !known_backbone::is_there(known, &self.models)?
        {
            known_backbone::find_or_install(known, &self.models, None, monitor)?;
        }
        Ok(runtime)
    }

    /// Opens the network in one session or more, after [`ResolvedBackbone::install_missing`]. Does not run the
    /// known-answer test.
    ///
    /// # Errors
    /// Errors of [`ResolvedBackbone::install_missing`], [`ResolvedBackbone::read_model`] and [`OnnxBackbone::open`].
    pub fn open(&self, options: SessionOptions, monitor: &dyn Monitor) -> Result<Vec<Box<dyn Backbone>>> {
        let runtime = self.install_missing(options.device, monitor)?;
        let library = &runtime.library.path;
        let model = self.read_model()?;
        OnnxBackbone::open(library, model, &self.layer, &self.preprocessing, options, monitor)
            .map_err(|e| if e.path().is_none() { e.at(self.path()) } else { e })
    }

    /// Reads the ONNX file and verifies its digest. Installs nothing.
    ///
    /// # Errors
    /// [`Kind::Io`] when the file cannot be read, [`Kind::Backbone`] when its digest is not
    /// [`ResolvedBackbone::graph_sha256`].
    pub fn read_model(&self) -> Result<Vec<u8>> {
        let path = self.path();
        let model = fs::read(&path).map_err(|e| e.help(self.remedy()))?;
        let found = sha256(&model);
        if found != self.graph_sha256 {
            let message =
                format!("the file was changed or damaged: its digest is {found}, not {}", self.graph_sha256);
            return Err(Error::new(Kind::Backbone, message).at(path).help(self.remedy()));
        }
        Ok(model)
    }

    /// Path of the ONNX file, whether or not it exists.
    fn path(&self) -> PathBuf {
        match registry().backbone(&self.name) {
            Ok(known) => onnx_path(known, &self.models),
            Err(_) => PathBuf::from(&self.name),
        }
    }

    /// What to do when the ONNX file is missing or damaged.
    fn remedy(&self) -> String {
        match registry().backbone(&self.name) {
            Ok(known) => setup_remedy(known, &self.models),
            Err(_) => "put the network that was used before back there".to_string(),
        }
    }
}
