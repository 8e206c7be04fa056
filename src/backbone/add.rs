//! Makes a network of one's own known by a name: checks it, runs it on the known-answer image, and keeps it in the folder of
//! backbones.

use super::choice::BackboneChoice;
use super::graph::{ModelSettings, inspect, standardize};
use super::import::{check_new_name, onnx_path};
use super::resolved::ResolvedBackbone;
use super::{Device, SessionOptions, known_answer};
use crate::error::{Error, Kind, Result};
use crate::io::digest::{Digest, sha256};
use crate::io::fs;
use crate::monitor::Monitor;
use serde::Serialize;
use std::path::PathBuf;

/// A network to add.
///
/// | field | default | |
/// |---|---|---|
/// | `choice` | | the folder or ONNX file, with its layer, pooling and folder of backbones |
/// | `name` | | name of the new backbone |
/// | `device` | [`Device::Auto`] | device to try it on |
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct AddConfig {
    /// The folder or the ONNX file. Its layer and pooling become the default of the new backbone.
    pub choice: BackboneChoice,
    /// The name of the new backbone.
    pub name: String,
    /// The device to try it on.
    pub device: Device,
}

impl AddConfig {
    /// Adds the network of `choice` as `name`, everything else by default.
    pub fn new(choice: BackboneChoice, name: impl Into<String>) -> Self {
        Self { choice, name: name.into(), device: Device::Auto }
    }
}

/// The backbone that [`add`] made known.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct AddStats {
    /// Its name.
    pub name: String,
    /// A few words that describe it.
    pub title: String,
    /// Its ONNX file, an absolute path.
    pub onnx: PathBuf,
    /// Digest of the ONNX file.
    pub sha256: Digest,
    /// Its default layer.
    pub layer: String,
    /// Number of features of that layer.
    pub width: usize,
    /// The provider that it was tried on.
    pub provider: String,
}

/// Adds a network to the folder of backbones under a name. One of that name is replaced.
///
/// # Errors
/// Errors of [`BackboneChoice::resolve`] and [`ResolvedBackbone::open`]; [`Kind::Usage`] for a name that cannot be used;
/// [`Kind::Backbone`] when the network does not give finite values for the known-answer image. Nothing is written then.
pub fn add(config: &AddConfig, monitor: &dyn Monitor) -> Result<AddStats> {
    let AddConfig { choice, name, device } = config;
    check_new_name(name)?;
    let resolved = choice.resolve()?;
    let (width, provider) = try_out(&resolved, *device, monitor)?;
    let mut bytes = resolved.read_model()?;
    if inspect(&bytes)?.layer.as_ref() != Some(&resolved.layer) {
        let settings = ModelSettings { layer: Some(resolved.layer.clone()), ..ModelSettings::default() };
        let no_weights = |file: &str| Err(Error::new(Kind::Backbone, format!("{file} was not read")));
        bytes = standardize(&bytes, &settings, &mut { no_weights })?.unwrap_or(bytes);
    }
    if inspect(&bytes)?.preprocessing.is_none() {
        return Err(Error::new(Kind::Usage, "the file does not say how pixels enter it")
            .at(&resolved.name)
            .help("give a folder with the file as model.onnx, and headstart.toml with `preprocessing`"));
    }
    let onnx = onnx_path(&choice.models, name);
    fs::create_folder(&choice.models)?;
    fs::write_atomic(&onnx, &bytes)?;
    Ok(AddStats {
        name: name.clone(),
        title: resolved.title,
        onnx: std::path::absolute(&onnx).unwrap_or(onnx),
        sha256: sha256(&bytes),
        layer: resolved.layer,
        width,
        provider,
    })
}

/// Runs the network on the known-answer image. Returns its width and the provider.
fn try_out(resolved: &ResolvedBackbone, device: Device, monitor: &dyn Monitor) -> Result<(usize, String)> {
    let mut backbone = resolved.open(SessionOptions::new(device), monitor)?.swap_remove(0);
    known_answer::compute(backbone.as_mut(), &resolved.preprocessing).map_err(|e| e.at(&resolved.name))?;
    Ok((backbone.width(), backbone.provider().to_string()))
}
