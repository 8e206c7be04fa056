//! Finds libonnxruntime on this machine.

use super::wheel::{install_folder, installed};
use crate::backbone::registry::{Wheel, registry};
use crate::error::{Error, Kind, Result};
use std::path::{Path, PathBuf};

/// A libonnxruntime on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Library {
    /// The shared library.
    pub path: PathBuf,
    /// Where it was found, in a few words.
    pub origin: &'static str,
    /// Whether the CUDA provider is beside it.
    pub has_cuda: bool,
}

impl Library {
    /// The library that was installed from a wheel.
    pub(crate) fn installed(path: PathBuf, has_cuda: bool) -> Self {
        Self { path, origin: "installed by headstart", has_cuda }
    }
}

/// Finds the library: `ORT_DYLIB_PATH`, then our own install, then a system library of the right version. With
/// `needs_cuda`, an install or a system library counts only when the CUDA provider is beside it. Returns `None` when
/// there is none.
///
/// # Errors
/// [`Kind::Runtime`] when `ORT_DYLIB_PATH` names no file, or our own install is damaged.
pub fn find_library(needs_cuda: bool) -> Result<Option<Library>> {
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        let path = PathBuf::from(path);
        if !path.is_file() {
            return Err(Error::new(Kind::Runtime, "ORT_DYLIB_PATH names no file")
                .at(&path)
                .help("correct it or unset it"));
        }
        return Ok(Some(Library { has_cuda: has_cuda(&path), path, origin: "ORT_DYLIB_PATH" }));
    }
    for with_cuda in [true, false] {
        if needs_cuda && !with_cuda {
            continue;
        }
        let Some(wheel) = registry().wheel(with_cuda) else { continue };
        match installed(&install_folder()?, wheel) {
            Ok(Some(path)) => return Ok(Some(Library::installed(path, with_cuda))),
            // A damaged CUDA install does not rule out the CPU install.
            Err(e) if with_cuda == needs_cuda => return Err(e),
            _ => {}
        }
    }
    let system = registry().wheel(needs_cuda).and_then(system_library);
    Ok(system.filter(|library| library.has_cuda || !needs_cuda))
}

fn system_library(wheel: &Wheel) -> Option<Library> {
    let arch = format!("/usr/lib/{}-linux-gnu", wheel.arch);
    let folders = ["/usr/local/lib", &arch, "/usr/lib64", "/usr/lib", "/opt/homebrew/lib"];
    let path =
        folders.iter().map(|folder| Path::new(folder).join(&wheel.library)).find(|path| path.is_file())?;
    Some(Library { has_cuda: has_cuda(&path), path, origin: "the system" })
}

fn has_cuda(library: &Path) -> bool {
    let name = match std::env::consts::OS {
        "windows" => "onnxruntime_providers_cuda.dll",
        _ => "libonnxruntime_providers_cuda.so",
    };
    library.with_file_name(name).is_file()
}

/// Whether this machine has an NVIDIA driver.
pub fn has_nvidia_driver() -> bool {
    match std::env::consts::OS {
        // The last path is where the Windows Subsystem for Linux has the driver.
        "linux" => ["/proc/driver/nvidia/version", "/dev/nvidiactl", "/usr/lib/wsl/lib/libcuda.so.1"]
            .iter()
            .any(|path| Path::new(path).exists()),
        "windows" => Path::new("C:\\Windows\\System32\\nvcuda.dll").exists(),
        _ => false,
    }
}
