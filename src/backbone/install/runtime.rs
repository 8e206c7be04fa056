//! Finds or installs the ONNX Runtime that a device needs.

use super::consent::{InstallRequest, require_consent};
use crate::backbone::Device;
use crate::backbone::install::{Library, find_library, has_nvidia_driver, wheel};
use crate::backbone::registry::{Wheel, registry};
use crate::error::{Error, Kind, Result};
use crate::io::digest::sha256_file;
use crate::monitor::Monitor;
use std::path::Path;

/// Finds the ONNX Runtime for `device`, or installs it after asking. `wheel_file` is installed without asking.
///
/// # Errors
/// [`Kind::Device`] when CUDA is requested on a machine without an NVIDIA driver. [`Kind::Runtime`] without consent, when
/// no ONNX Runtime is known for this system, or when it cannot be downloaded or is not the pinned one.
pub fn find_or_install(device: Device, wheel_file: Option<&Path>, monitor: &dyn Monitor) -> Result<Library> {
    if let Device::Cuda(_) = device {
        require_driver(device)?;
    }
    let wants_cuda = match device {
        Device::Cpu => false,
        Device::Auto => has_nvidia_driver() && registry().wheel(true).is_some(),
        Device::Cuda(_) => true,
    };
    // A given wheel also repairs an install that `find_library` would report as damaged.
    if wheel_file.is_none() {
        if let Some(library) = find_library(wants_cuda)? {
            return Ok(library);
        }
        if let (Device::Auto, Some(library)) = (device, find_library(false)?) {
            monitor.warn("running on the CPU: `setup` with `device` cuda installs what the GPU needs");
            return Ok(library);
        }
    }
    let pinned = pinned_wheel(wants_cuda, wheel_file)?;
    if wheel_file.is_none() {
        let request = InstallRequest {
            what: "ONNX Runtime is not installed",
            terms: &terms(pinned),
            remedy: "run `setup`",
        };
        require_consent(&request, monitor)?;
    }
    let path = wheel::install(pinned, wheel_file, monitor)?;
    monitor.note(&format!("installed ONNX Runtime {} at {}", registry().runtime.version, path.display()));
    Ok(Library::installed(path, pinned.has_cuda()))
}

/// Returns the pinned wheel that `wheel_file` is a copy of, else the one for this system with or without CUDA.
fn pinned_wheel(wants_cuda: bool, wheel_file: Option<&Path>) -> Result<&'static Wheel> {
    let digest = wheel_file.map(sha256_file).transpose()?;
    let is_file = |wheel: &&Wheel| digest == Some(wheel.sha256) && wheel.is_for_this_system();
    let of_file = registry().runtime.wheels.iter().find(is_file);
    of_file.or(registry().wheel(wants_cuda)).ok_or_else(|| {
        Error::new(Kind::Runtime, "no ONNX Runtime is known for this system")
            .help("install ONNX Runtime 1.23 or later and set ORT_DYLIB_PATH to its library")
    })
}

fn require_driver(device: Device) -> Result<()> {
    if has_nvidia_driver() {
        return Ok(());
    }
    Err(Error::new(Kind::Device, format!("{device} cannot be used: this machine has no NVIDIA driver"))
        .help("install the driver of your GPU, or use `device` cpu"))
}

/// Describes what would be downloaded, its size and its licence.
fn terms(wheel: &Wheel) -> String {
    let version = &registry().runtime.version;
    let size = wheel.bytes / 1_000_000;
    let licence = match wheel.has_cuda() {
        true => "MIT, with NVIDIA components under NVIDIA's terms",
        false => registry().runtime.licence.as_str(),
    };
    format!("ONNX Runtime {version} ({} wheel, {size} MB, {licence})", wheel.package)
}
