//! Lists the backbones: the known ones, published weights, and what was imported besides, each with its cost and whether it
//! is installed.

use super::graph::{inspect, network_summary};
use super::import::onnx_path;
use super::inception_v3::{TRUNK_MULTIPLY_ADDS, TRUNK_PARAMETERS, TRUNK_WIDTH, layers};
use super::machine_default::default_backbone;
use super::registry::{KnownBackbone, Published, registry};
use crate::data::preprocess::Preprocessing;
use crate::error::{Error, Result};
use crate::io::digest::{Digest, sha256};
use crate::io::fs;
use serde::Serialize;
use std::path::Path;

/// Whether a backbone can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum State {
    /// Its ONNX file is there.
    Installed,
    /// Its ONNX file is not the one that was built, or no network.
    Damaged,
    /// It can be installed or fetched.
    Available,
}

/// A backbone, as far as it is known without running it.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ListedBackbone {
    /// Its name.
    pub name: String,
    /// A few words that describe it.
    pub title: String,
    /// Where it comes from; `None` for one of your own.
    pub about: Option<String>,
    /// What it is good for, where that was measured.
    pub advice: Option<String>,
    /// Licence of the weights.
    pub licence: Option<String>,
    /// Whether it can be used.
    pub state: State,
    /// Whether it is used where none is named.
    pub is_default: bool,
    /// Size of the ONNX file in bytes; `None` where there is none.
    pub bytes: Option<u64>,
    /// Size of the official file in bytes, where it is published.
    pub download_bytes: Option<u64>,
    /// Digest of the ONNX file, where it is there or pinned.
    pub sha256: Option<Digest>,
    /// How pixels enter it; `None` where its file does not say that.
    pub preprocessing: Option<Preprocessing>,
    /// Number of classes of its own classifier.
    pub classes: Option<usize>,
    /// Number of values of its weights, with batch norm folded into them.
    pub parameters: Option<u64>,
    /// Multiply-adds of one image.
    pub multiply_adds: Option<u64>,
    /// Published top-1 accuracy on ImageNet in percent.
    pub top1: Option<f64>,
    /// Where `top1` was published.
    pub top1_source: Option<String>,
    /// Values of `layer`, from the input on.
    pub layers: Vec<String>,
}

/// Lists all backbones: the known ones, published weights, then those of your own in the folder `models`, by name.
///
/// # Errors
/// Those of [`default_backbone`], and [`Kind::Io`](crate::error::Kind::Io) when a file cannot be read.
pub fn list_backbones(models: &Path) -> Result<Vec<ListedBackbone>> {
    let mut listed = Vec::new();
    for known in &registry().backbones {
        listed.push(of_known(known, &onnx_path(models, &known.name))?);
    }
    for published in &registry().published {
        listed.push(of_published(published, &onnx_path(models, &published.name))?);
    }
    let entries = if models.is_dir() { fs::list(models)? } else { Vec::new() };
    for entry in entries {
        let Some(name) = entry.name.strip_suffix(".onnx").filter(|name| !name.starts_with('.')) else {
            continue;
        };
        if listed.iter().all(|other| other.name != name) {
            listed.push(of_own(name, &entry.path)?);
        }
    }
    let default = default_backbone()?;
    listed.iter_mut().for_each(|backbone| backbone.is_default = backbone.name == default);
    Ok(listed)
}

/// An ONNX file that is there.
struct Built {
    bytes: Vec<u8>,
    sha256: Digest,
}

fn read_built(path: &Path) -> Result<Option<Built>> {
    let is_there = path.try_exists().map_err(|e| Error::io("look for the backbone", path, e))?;
    let built = |bytes: Vec<u8>| Built { sha256: sha256(&bytes), bytes };
    Ok(if is_there { Some(built(fs::read(path)?)) } else { None })
}

/// The state of a backbone whose file `is_right`.
fn state(built: Option<&Built>, is_right: impl Fn(&Built) -> bool) -> State {
    match built {
        None => State::Available,
        Some(built) if is_right(built) => State::Installed,
        Some(_) => State::Damaged,
    }
}

fn of_known(known: &KnownBackbone, path: &Path) -> Result<ListedBackbone> {
    let built = read_built(path)?;
    Ok(ListedBackbone {
        name: known.name.clone(),
        title: known.title.clone(),
        about: Some(known.about.clone()),
        advice: known.advice.clone(),
        licence: Some(known.licence.clone()),
        state: state(built.as_ref(), |built| built.sha256 == known.onnx_sha256),
        is_default: false,
        bytes: built.map(|built| built.bytes.len() as u64),
        download_bytes: Some(known.source.package_bytes()),
        sha256: Some(known.onnx_sha256),
        preprocessing: Some(known.preprocessing),
        classes: Some(known.class_count()),
        parameters: Some(known.parameters),
        multiply_adds: Some(known.multiply_adds),
        top1: known.top1,
        top1_source: known.top1_source.clone(),
        layers: known.layers(),
    })
}

fn of_published(published: &Published, path: &Path) -> Result<ListedBackbone> {
    let built = read_built(path)?;
    // Weights of your own can be imported under this name; the file says so.
    let info = built.as_ref().and_then(|built| inspect(&built.bytes).ok());
    let (classes, width) = (published.classes as u64, TRUNK_WIDTH);
    Ok(ListedBackbone {
        name: published.name.clone(),
        title: info.as_ref().and_then(|info| info.title.clone()).unwrap_or(published.title.clone()),
        about: Some(published.about.clone()),
        advice: None,
        licence: Some(published.licence.clone()),
        state: state(built.as_ref(), |_| info.is_some()),
        is_default: false,
        bytes: built.as_ref().map(|built| built.bytes.len() as u64),
        download_bytes: published.files.first().and_then(|file| file.bytes),
        sha256: built.map(|built| built.sha256),
        preprocessing: Some(published.preprocessing),
        classes: Some(published.classes),
        parameters: Some(TRUNK_PARAMETERS + (width + 1) * classes),
        multiply_adds: Some(TRUNK_MULTIPLY_ADDS + width * classes),
        top1: published.top1,
        top1_source: published.top1_source.clone(),
        layers: layers().into_iter().map(String::from).collect(),
    })
}

/// A network of your own in the folder of backbones.
fn of_own(name: &str, path: &Path) -> Result<ListedBackbone> {
    let bytes = fs::read(path)?;
    let info = inspect(&bytes);
    let own = info.as_ref().ok().and_then(|info| info.preprocessing.as_deref());
    let preprocessing: Option<Preprocessing> = own.and_then(|json| serde_json::from_str(json).ok());
    let side = info.as_ref().ok().and_then(|info| info.input_side).or(preprocessing.map(|steps| steps.size));
    let summary = side.and_then(|side| network_summary(&bytes, side).ok());
    let endpoints = summary.iter().flat_map(|summary| &summary.endpoints);
    let classifier = endpoints.clone().find(|endpoint| endpoint.name == "Logits");
    Ok(ListedBackbone {
        name: name.into(),
        title: match &info {
            Ok(info) => info.title.clone().unwrap_or_else(|| "a network of your own".into()),
            Err(e) => e.with_causes(),
        },
        about: None,
        advice: None,
        licence: info.as_ref().ok().and_then(|info| info.licence.clone()),
        state: if info.is_ok() { State::Installed } else { State::Damaged },
        is_default: false,
        bytes: Some(bytes.len() as u64),
        download_bytes: None,
        sha256: Some(sha256(&bytes)),
        preprocessing,
        classes: classifier.and_then(|endpoint| endpoint.shape.as_ref()?.last().copied()),
        parameters: summary.as_ref().map(|summary| summary.parameters),
        multiply_adds: summary.as_ref().map(|summary| summary.multiply_adds),
        top1: None,
        top1_source: None,
        layers: endpoints.map(|endpoint| endpoint.name.clone()).collect(),
    })
}
