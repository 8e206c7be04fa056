//! One particular network with its layer and preprocessing, and where its file may be. The file is known by its digest.

use super::install::known_backbone::{self, onnx_path, setup_remedy};
use super::install::runtime::{self, Runtime};
use crate::backbone::known_answer::{self, KnownAnswer};
use crate::backbone::onnx_runtime::OnnxBackbone;
use crate::backbone::registry::{DEFAULT_BACKBONE, KnownBackbone, registry};
use crate::backbone::{Backbone, Device, NetworkMemory, PRELOGITS, SessionOptions};
use crate::backbone::{import, model_file};
use crate::data::preprocess::Preprocessing;
use crate::error::{Error, Kind, Result};
use crate::io::digest::{Digest, sha256};
use crate::io::fs;
use crate::limits;
use crate::monitor::Monitor;
use std::path::{Path, PathBuf};

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
    pub known_answer: Option<KnownAnswer>,
    /// Folder of built backbones.
    pub models: PathBuf,
    /// Where the ONNX file may be, the likeliest file first; never empty.
    pub candidates: Vec<PathBuf>,
}

impl ResolvedBackbone {
    /// Resolves a network that was recorded with the features that it computed. A stored known answer replaces its own.
    ///
    /// # Errors
    /// [`Kind::Backbone`] when the known backbone of that name is another network now, [`Kind::Usage`] for a
    /// preprocessing that makes no sense.
    pub fn recorded(recorded: RecordedBackbone, search: BackboneSearch) -> Result<Self> {
        let RecordedBackbone { name, title, graph_sha256, layer, preprocessing, known_answer } = recorded;
        let known = registry().backbone(name).ok();
        if known.is_some_and(|known| known.onnx_sha256 != graph_sha256) && search.given.is_none() {
            let message = format!("the backbone {name} was another network when these features were made");
            return Err(Error::new(Kind::Backbone, message).help("extract and train again"));
        }
        let resolved = Self {
            name: name.into(),
            title: title.into(),
            graph_sha256,
            layer: layer.into(),
            preprocessing: preprocessing.checked()?,
            known_answer: known_answer.cloned(),
            models: search.models.to_path_buf(),
            candidates: search.candidates(name, graph_sha256),
        };
        let known_answer = resolved.stored_answer().or(resolved.known_answer.clone());
        Ok(Self { known_answer, ..resolved })
    }

    /// The stored known answer. It holds for PreLogits and the backbone's own preprocessing only.
    pub(crate) fn stored_answer(&self) -> Option<KnownAnswer> {
        let known = known(self.graph_sha256)?;
        let applies = self.layer == PRELOGITS && known.preprocessing == self.preprocessing;
        applies.then(|| known_answer::stored(&known.known_answer).map(KnownAnswer::of_cpu)).flatten()
    }

    /// The layer to try beside the default one, where measurements speak for it and the default one was chosen.
    pub fn better_layer(&self) -> Option<&'static str> {
        known(self.graph_sha256)?.better_layer.as_deref().filter(|_| self.layer == PRELOGITS)
    }

    /// Returns the title for use inside a sentence, with an article.
    pub fn article_and_title(&self) -> String {
        let vowel = self.title.starts_with(['A', 'E', 'I', 'O', 'U']);
        if vowel { format!("an {}", self.title) } else { self.title.clone() }
    }

    /// Installs ONNX Runtime and a known backbone after asking when they are missing, and proves that the runtime works.
    ///
    /// # Errors
    /// Errors of [`setup`](super::install::setup()), and [`Kind::Io`] when no file can be read.
    pub fn install_missing(&self, device: Device, monitor: &dyn Monitor) -> Result<Runtime> {
        if let Some(known) = self.missing() {
            known_backbone::check_place(known, &self.models, None)?;
        }
        let runtime = runtime::find_or_install(device, None, monitor)?;
        self.install(monitor)?;
        Ok(runtime)
    }

    /// Opens the network in one session or more, after [`ResolvedBackbone::install_missing`]. Does not run the
    /// known-answer test.
    ///
    /// # Errors
    /// Errors of [`ResolvedBackbone::install_missing`], [`ResolvedBackbone::read_model`] and [`OnnxBackbone::open`];
    /// [`Kind::Limit`] when the memory that the system grants is too little for one session.
    pub fn open(&self, options: SessionOptions, monitor: &dyn Monitor) -> Result<Vec<Box<dyn Backbone>>> {
        self.open_layers(&[&self.layer], options, monitor)
    }

    /// Opens the network as [`ResolvedBackbone::open`] does, at `layers` instead of its own layer.
    ///
    /// # Errors
    /// Those of [`ResolvedBackbone::open`].
    pub(crate) fn open_layers(
        &self,
        layers: &[&str],
        options: SessionOptions,
        monitor: &dyn Monitor,
    ) -> Result<Vec<Box<dyn Backbone>>> {
        let runtime = runtime::find_or_install(options.device, None, monitor)?;
        let memory = self.install(monitor)?;
        // On another device most of the memory is the device's own.
        if let (false, Some(limit)) = (options.device.is_cuda(), limits::memory()) {
            memory.require_least(&limit)?;
        }
        let library = &runtime.library.path;
        let FoundModel { path, bytes } = self.find_model()?;
        OnnxBackbone::open_layers(library, bytes, layers, &self.preprocessing, options, monitor)
            .map_err(|e| if e.path().is_none() { e.at(path) } else { e })
    }

    /// Installs a known backbone after asking when it is missing. Returns the memory that the network needs.
    ///
    /// # Errors
    /// Errors of [`setup`](super::install::setup()), and [`Kind::Io`] when no file can be read.
    pub fn install(&self, monitor: &dyn Monitor) -> Result<NetworkMemory> {
        if let Some(known) = self.missing() {
            known_backbone::find_or_install(known, &self.models, None, monitor)?;
        }
        let path = self.present().or(self.candidates.first()).map_or(Path::new(&self.name), PathBuf::as_path);
        Ok(NetworkMemory {
            model_bytes: model_file::size(path).map_err(|e| e.help(self.remedy()))?,
            input_bytes: self.preprocessing.input_bytes() as u64,
            // A network that is cut at an inner layer needs less.
            is_measured: known(self.graph_sha256).is_some_and(|known| known.name == DEFAULT_BACKBONE)
                && self.layer == PRELOGITS,
        })
    }

    /// The first place where there is a file.
    fn present(&self) -> Option<&PathBuf> {
        self.candidates.iter().find(|place| place.exists())
    }

    /// The known backbone that can be built for this, unless there is a file.
    fn missing(&self) -> Option<&'static KnownBackbone> {
        let may_be_built = |known: &&KnownBackbone| self.candidates.contains(&onnx_path(known, &self.models));
        known(self.graph_sha256).filter(may_be_built).filter(|_| self.present().is_none())
    }

    /// Reads the ONNX file and verifies its digest. Installs nothing.
    ///
    /// # Errors
    /// [`Kind::Io`] when no file can be read, [`Kind::Backbone`] when its digest is not
    /// [`ResolvedBackbone::graph_sha256`].
    pub fn read_model(&self) -> Result<Vec<u8>> {
        self.find_model().map(|found| found.bytes)
    }

    /// Finds the ONNX file with the right digest.
    ///
    /// # Errors
    /// Those of [`ResolvedBackbone::read_model`].
    pub fn locate(&self) -> Result<PathBuf> {
        self.find_model().map(|found| found.path)
    }

    /// Reads the first file with the right digest among the candidates.
    fn find_model(&self) -> Result<FoundModel> {
        let mut failure = None;
        for (number, path) in self.candidates.iter().enumerate() {
            if number > 0 && !path.exists() {
                continue;
            }
            match self.model_at(path) {
                Ok(bytes) => return Ok(FoundModel { path: path.clone(), bytes }),
                Err(e) => failure.get_or_insert(e),
            };
        }
        let none = || Error::new(Kind::Backbone, "the network is nowhere to be found").at(&self.name);
        let failure = failure.unwrap_or_else(none);
        // Such as that memory is missing, or a permission.
        Err(if failure.remedy().is_some() { failure } else { failure.help(self.remedy()) })
    }

    fn model_at(&self, path: &Path) -> Result<Vec<u8>> {
        // Most files are of the form that is run; their bytes need not be looked into.
        let plain = path.is_file().then(|| fs::read(path)).transpose()?;
        let digest = plain.as_deref().map(sha256);
        if let Some(model) = plain.filter(|_| digest == Some(self.graph_sha256)) {
            return Ok(model);
        }
        let (model, found) = match (model_file::read(path), digest) {
            (Ok(model), _) => {
                let found = sha256(&model);
                (model, found)
            }
            // Damaged so that it is no network any more.
            (Err(e), Some(digest)) if e.kind() == Kind::Backbone => (Vec::new(), digest),
            (Err(e), _) => return Err(e),
        };
        if found != self.graph_sha256 {
            let message =
                format!("the file was changed or damaged: its digest is {found}, not {}", self.graph_sha256);
            return Err(Error::new(Kind::Backbone, message).at(path));
        }
        Ok(model)
    }

    /// What to do when the ONNX file is missing or damaged.
    fn remedy(&self) -> String {
        match known(self.graph_sha256) {
            Some(known) => setup_remedy(known, &self.models),
            None => {
                "put the network that was used before back there, or set `backbone` to its ONNX file".into()
            }
        }
    }
}

/// An ONNX file with the right digest.
struct FoundModel {
    path: PathBuf,
    bytes: Vec<u8>,
}

/// A network as it was recorded with its features.
#[derive(Debug, Clone, Copy)]
pub struct RecordedBackbone<'a> {
    /// The known name, or the path that the ONNX file had then.
    pub name: &'a str,
    /// A few words that describe it.
    pub title: &'a str,
    /// Digest of the ONNX file.
    pub graph_sha256: Digest,
    /// The layer that was embedded.
    pub layer: &'a str,
    /// How images became the input of the network.
    pub preprocessing: Preprocessing,
    /// The features of the known-answer test, where they were stored.
    pub known_answer: Option<&'a KnownAnswer>,
}

/// Where to look for the file of a recorded network.
#[derive(Debug, Clone, Copy)]
pub struct BackboneSearch<'a> {
    /// Folder of built backbones.
    pub models: &'a Path,
    /// The file, where a person named it. Nothing else is tried then.
    pub given: Option<&'a Path>,
    /// The run or the cache that was made with the network. A project that was moved has it near there.
    pub near: &'a Path,
}

impl BackboneSearch<'_> {
    fn candidates(&self, name: &str, graph_sha256: Digest) -> Vec<PathBuf> {
        if let Some(given) = self.given {
            return vec![given.to_path_buf()];
        }
        let built = known(graph_sha256).map(|known| onnx_path(known, self.models));
        if registry().backbone(name).is_ok() {
            return built.into_iter().collect();
        }
        let stored = Path::new(name);
        if stored.extension().is_none_or(|end| end != "onnx") && !stored.is_absolute() {
            // A backbone that was imported is recorded by its name.
            return std::iter::once(import::onnx_path(self.models, name)).chain(built).collect();
        }
        let in_models = stored.file_name().map(|file| self.models.join(file));
        fs::places_after_a_move(stored, self.near).into_iter().chain(in_models).chain(built).collect()
    }
}

/// The known backbone whose ONNX file has this digest.
fn known(graph_sha256: Digest) -> Option<&'static KnownBackbone> {
    registry().backbones.iter().find(|known| known.onnx_sha256 == graph_sha256)
}
