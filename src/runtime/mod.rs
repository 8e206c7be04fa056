//! Finds libonnxruntime or installs it. It refuses to load it: that is `backbone::onnx`'s work.

pub mod install;

use crate::error::{Error, Kind, Result};
use crate::registry::{Wheel, registry};
use etcetera::BaseStrategy;
use std::path::{Path, PathBuf};

/// A libonnxruntime on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// The shared library.
    pub path: PathBuf,
    /// Where it came from, in a few words.
    pub origin: &'static str,
    /// Whether the CUDA provider stands beside it.
    pub has_cuda: bool,
}

/// The folder of this user's cache that holds what headstart installs.
///
/// # Errors
/// [`Kind::Runtime`] when the user has no home folder.
pub fn install_folder() -> Result<PathBuf> {
    let base = etcetera::choose_base_strategy()
        .map_err(|e| Error::new(Kind::Runtime, "no home folder to install into").because(e))?;
    Ok(base.cache_dir().join("headstart"))
}

/// Looks for the library: `ORT_DYLIB_PATH`, then our own install, then the system's library of the right version.
/// With `cuda` only one that has the CUDA provider will do. `None` when there is none.
///
/// # Errors
/// [`Kind::Runtime`] when `ORT_DYLIB_PATH` names no file, or our own install is damaged.
pub fn find(cuda: bool) -> Result<Option<Library>> {
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
        if cuda && !with_cuda {
            continue;
        }
        let Some(wheel) = registry().wheel(with_cuda) else { continue };
        match install::installed(&install_folder()?, wheel) {
            Ok(Some(path)) => {
                return Ok(Some(Library { path, origin: "installed by headstart", has_cuda: with_cuda }));
            }
            // A damaged CUDA install is no reason against the CPU's.
            Err(e) if with_cuda == cuda => return Err(e),
            _ => {}
        }
    }
    Ok(registry().wheel(cuda).and_then(system_library).filter(|library| library.has_cuda || !cuda))
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

/// Whether an NVIDIA driver is loaded.
pub fn has_nvidia_driver() -> bool {
    match std::env::consts::OS {
        // The last one is how Windows' Linux subsystem shows its GPU.
        "linux" => ["/proc/driver/nvidia/version", "/dev/nvidiactl", "/usr/lib/wsl/lib/libcuda.so.1"]
            .iter()
            .any(|path| Path::new(path).exists()),
        "windows" => Path::new("C:\\Windows\\System32\\nvcuda.dll").exists(),
        _ => false,
    }
}
