//! Which network to run: a known backbone by name or any ONNX file by path, with its layer and preprocessing.

use super::install::known_backbone::onnx_path;
use super::resolved::ResolvedBackbone;
use crate::backbone::PRELOGITS;
use crate::backbone::graph::{Pool, inspect};
use crate::backbone::import;
use crate::backbone::machine_default::default_backbone;
use crate::backbone::model_file;
use crate::backbone::registry::{default_models, registry};
use crate::data::preprocess::{Normalization, Preprocessing};
use crate::error::{Error, Kind, Result};
use crate::io::digest::sha256;
use crate::io::json;
use std::path::{Path, PathBuf};

/// The value of [`BackboneChoice::preprocess`] for the backbone's own preprocessing, where `None` means that of a cache.
pub const OWN: &str = "own";

/// The network to run, as requested. A cache that is there decides on `backbone`, `layer` and `preprocess` where they are
/// `None`; without one the defaults apply.
///
/// | field | default | |
/// |---|---|---|
/// | `backbone` | [`default_backbone`] | name of a known or imported backbone, or path of an ONNX file or of a folder with `model.onnx` |
/// | `layer` | [`PRELOGITS`] | layer to embed |
/// | `pool` | by the shape of the layer | how a layer with tokens becomes one row of features |
/// | `preprocess` | the backbone's own | named preprocessing, or `own` |
/// | `crop` | the backbone's own | centre part of each side to keep, in `(0, 1]` |
/// | `stretch_16bit` | all 16 | bits that count as the whole range of a 16-bit image that needs no more of them |
/// | `models` | [`default_models`] | folder of built backbones |
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BackboneChoice {
    /// The name of a known or an imported backbone, or the path of an ONNX file.
    pub backbone: Option<String>,
    /// The layer to embed; [`PRELOGITS`] stands for the default layer of a network that names one.
    pub layer: Option<String>,
    /// How the layer becomes one row of features, instead of by its shape.
    pub pool: Option<Pool>,
    /// The name of a [`Preprocessing`] to use instead of the backbone's own, or [`OWN`].
    pub preprocess: Option<String>,
    /// The centre part of each side to keep, in `(0, 1]`, instead of the crop of the preprocessing.
    pub crop: Option<f64>,
    /// Bits that count as the whole range of a 16-bit image that needs no more of them, from 1 to 15; `None` takes all 16.
    pub stretch_16bit: Option<u8>,
    /// Folder of built backbones.
    pub models: PathBuf,
}

impl BackboneChoice {
    /// Chooses `backbone`, a known name or the path of an ONNX file, everything else by default.
    pub fn new(backbone: impl Into<String>) -> Self {
        Self { backbone: Some(backbone.into()), ..Self::default() }
    }

    /// Resolves the choice to a network, its digest and its preprocessing. A known backbone need not be installed.
    ///
    /// # Errors
    /// [`Kind::Usage`] for an unknown preprocessing, a crop out of range or a file without preprocessing.
    /// [`Kind::Backbone`] for an unknown name or a file that is not a usable network, [`Kind::Io`] for a file that cannot
    /// be read. Those of [`default_backbone`].
    pub fn resolve(&self) -> Result<ResolvedBackbone> {
        self.resolve_or(None)
    }

    /// Resolves the choice as [`BackboneChoice::resolve`] does; a file that does not say how pixels enter it gets the
    /// preprocessing `fallback`.
    pub(crate) fn resolve_or(&self, fallback: Option<Preprocessing>) -> Result<ResolvedBackbone> {
        let named = self.preprocess.as_deref().filter(|name| *name != OWN);
        let preprocessing = named.map(Preprocessing::named).transpose()?;
        let backbone = self.backbone.clone().map_or_else(default_backbone, Ok)?;
        let mut resolved = match is_path(&backbone) {
            true => self.resolve_file(&backbone, preprocessing, fallback)?,
            false => self.resolve_name(&backbone, preprocessing)?,
        };
        if let Some(crop) = self.crop {
            resolved.preprocessing = resolved.preprocessing.with_crop(crop)?;
        }
        if self.stretch_16bit.is_some() {
            resolved.preprocessing = resolved.preprocessing.with_stretch_16bit(self.stretch_16bit)?;
        }
        resolved.layer = self.pooled(&resolved.layer);
        resolved.known_answer = resolved.stored_answer();
        Ok(resolved)
    }

    fn resolve_name(&self, name: &str, preprocessing: Option<Preprocessing>) -> Result<ResolvedBackbone> {
        let imported = import::onnx_path(&self.models, name);
        let known = match registry().backbone(name) {
            Err(_) if is_name(name) && imported.is_file() => {
                let resolved = self.resolve_file(&imported.to_string_lossy(), preprocessing, None)?;
                return Ok(ResolvedBackbone { name: name.into(), ..resolved });
            }
            known => known?,
        };
        Ok(ResolvedBackbone {
            name: known.name.clone(),
            title: known.title.clone(),
            graph_sha256: known.onnx_sha256,
            layer: self.layer(),
            preprocessing: preprocessing.unwrap_or(known.preprocessing),
            known_answer: None,
            models: self.models.clone(),
            candidates: vec![onnx_path(known, &self.models)],
        })
    }

    /// Returns `layer`, or several joined by `+`, pooled as chosen.
    pub(crate) fn pooled(&self, layer: &str) -> String {
        let pooled =
            |pool: Pool| layer.split('+').map(|layer| pool.of_layer(layer)).collect::<Vec<_>>().join("+");
        self.pool.map_or_else(|| layer.into(), pooled)
    }

    fn layer(&self) -> String {
        self.layer.clone().unwrap_or_else(|| PRELOGITS.into())
    }

    fn resolve_file(
        &self,
        file: &str,
        preprocessing: Option<Preprocessing>,
        fallback: Option<Preprocessing>,
    ) -> Result<ResolvedBackbone> {
        let path = std::path::absolute(file).map_err(|e| Error::io("find", file.as_ref(), e))?;
        let names: Vec<&str> = registry().backbones.iter().map(|known| known.name.as_str()).collect();
        let remedy = format!("give the path of an ONNX file, or a known name: {}", names.join(", "));
        let bytes =
            model_file::read(&path).map_err(|e| if e.remedy().is_none() { e.help(&remedy) } else { e })?;
        let info = inspect(&bytes).map_err(|e| match e.remedy() {
            Some(_) => e.at(&path),
            None => e.at(&path).help(&remedy),
        })?;
        let own = info.preprocessing.and_then(|text| json::decode(text.as_bytes()).ok());
        let preprocessing = preprocessing.or(own).or(fallback).ok_or_else(|| {
            Error::new(Kind::Usage, "the file does not say how pixels enter it")
                .at(&path)
                .help("set `preprocess` to unit, inception, imagenet, stretched or raw")
        })?;
        if info.takes_bytes && preprocessing.normalization != Normalization::None {
            let message =
                format!("the network takes bytes, which must not be {}", preprocessing.normalization);
            return Err(Error::new(Kind::Usage, message).at(&path).help("set `preprocess` to raw"));
        }
        let layer = match (self.layer(), info.layer) {
            (layer, Some(own)) if layer == PRELOGITS => own,
            (layer, _) => layer,
        };
        let size = info.input_side.unwrap_or(preprocessing.size);
        Ok(ResolvedBackbone {
            name: path.to_string_lossy().into_owned(),
            title: info.title.unwrap_or_else(|| "a network of your own".into()),
            graph_sha256: sha256(&bytes),
            layer,
            preprocessing: Preprocessing { size, ..preprocessing }.checked().map_err(|e| e.at(&path))?,
            known_answer: None,
            models: self.models.clone(),
            candidates: vec![path],
        })
    }
}

impl Default for BackboneChoice {
    fn default() -> Self {
        Self {
            backbone: None,
            layer: None,
            pool: None,
            preprocess: None,
            crop: None,
            stretch_16bit: None,
            models: default_models(),
        }
    }
}

/// Whether it is a name and not a path.
fn is_name(backbone: &str) -> bool {
    Path::new(backbone).components().count() == 1 && Path::new(backbone).file_name().is_some()
}

/// Whether it is the path of an ONNX file, or of a folder. A folder in the working folder is called `./NAME`.
fn is_path(backbone: &str) -> bool {
    let path = Path::new(backbone);
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx"))
        || path.is_dir() && (!is_name(backbone) || backbone.ends_with(std::path::is_separator))
}
