//! Finds libonnxruntime on this machine.

use super::record::Installed;
use super::wheel::installed;
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
    /// Whether its files were compared with the SHA-256 noted when headstart installed them.
    pub is_verified: bool,
}

/// What [`search`] found.
pub(super) enum Search {
    Found(Library),
    Missing,
    /// An installation of ours is damaged, and there is no other library; the error says what is wrong.
    Damaged(Error),
}

impl Library {
    /// The library that was installed from a wheel.
    pub(super) fn installed(path: PathBuf, has_cuda: bool, is_verified: bool) -> Self {
        Self { path, origin: INSTALLED, has_cuda, is_verified }
    }

    /// Whether headstart installed it.
    pub(super) fn is_ours(&self) -> bool {
        self.origin == INSTALLED
    }

    /// Whether headstart installed it, and noted no digests of its files.
    pub(super) fn is_unverified(&self) -> bool {
        self.is_ours() && !self.is_verified
    }

    /// Whether `ORT_DYLIB_PATH` names it.
    pub(super) fn is_chosen(&self) -> bool {
        self.origin == CHOSEN
    }
}

const INSTALLED: &str = "installed by headstart";
const CHOSEN: &str = "ORT_DYLIB_PATH";

/// Finds the library: `ORT_DYLIB_PATH`, then our own install, then a system library of the right version. With
/// `needs_cuda`, an install or a system library counts only when the CUDA provider is beside it. Returns `None` when
/// there is none. Loads nothing.
///
/// # Errors
/// [`Kind::Runtime`] when `ORT_DYLIB_PATH` names no file, or our own install is damaged. [`Kind::Io`] when our own install
/// may not be read.
pub fn find_library(needs_cuda: bool) -> Result<Option<Library>> {
    match search(needs_cuda)? {
        Search::Found(library) => Ok(Some(library)),
        Search::Missing => Ok(None),
        Search::Damaged(error) => Err(error),
    }
}

/// Finds the library as [`find_library`] does; a damaged installation is no error.
///
/// # Errors
/// Those of [`find_library`].
pub(super) fn search(needs_cuda: bool) -> Result<Search> {
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        return Ok(Search::Found(chosen(PathBuf::from(path))?));
    }
    let mut problem = None;
    for with_cuda in [true, false] {
        if needs_cuda && !with_cuda {
            continue;
        }
        let Some(wheel) = registry().wheel(with_cuda) else { continue };
        match installed(wheel) {
            Ok((Installed::Complete { has_digests }, path)) => {
                return Ok(Search::Found(Library::installed(path, with_cuda, has_digests)));
            }
            // A damaged CUDA install does not rule out the CPU install.
            Ok((Installed::Damaged(error), _)) => problem = Some(Ok(Search::Damaged(error))),
            Ok((Installed::Missing, _)) => {}
            // Without a folder of the user's there may still be a system library.
            Err(e) if e.kind() == Kind::Runtime => problem = Some(Err(e)),
            Err(e) => return Err(e),
        }
    }
    let system = registry().wheel(needs_cuda).and_then(system_library);
    let system = system.filter(|library| library.has_cuda || !needs_cuda);
    match (problem, system) {
        (Some(Ok(damaged)), _) => Ok(damaged),
        (_, Some(library)) => Ok(Search::Found(library)),
        (problem, None) => problem.unwrap_or(Ok(Search::Missing)),
    }
}

fn chosen(path: PathBuf) -> Result<Library> {
    let fail = |what: String| Error::new(Kind::Runtime, what).at(&path).help("correct it or unset it");
    match std::fs::metadata(&path) {
        Ok(found) if found.is_file() => {}
        Ok(found) if found.is_dir() => {
            return Err(fail("ORT_DYLIB_PATH names a folder, not a library".into()));
        }
        // A pipe or a device: reading one may wait for ever, or never end.
        Ok(_) => return Err(fail("ORT_DYLIB_PATH names no regular file".into())),
        Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
            return Err(fail("ORT_DYLIB_PATH names a file that may not be read".into()).because(e));
        }
        Err(_) => return Err(fail("ORT_DYLIB_PATH names no file".into())),
    }
    // The loader searches its own folders for a bare name.
    let path = std::path::absolute(&path).map_err(|e| Error::io("find", &path, e))?;
    Ok(Library { has_cuda: has_cuda(&path), path, origin: CHOSEN, is_verified: false })
}

fn system_library(wheel: &Wheel) -> Option<Library> {
    let arch = format!("/usr/lib/{}-linux-gnu", wheel.arch);
    let folders = ["/usr/local/lib", &arch, "/usr/lib64", "/usr/lib", "/opt/homebrew/lib"];
    let path =
        folders.iter().map(|folder| Path::new(folder).join(&wheel.library)).find(|path| path.is_file())?;
    Some(Library { has_cuda: has_cuda(&path), path, origin: "the system", is_verified: false })
}

fn has_cuda(library: &Path) -> bool {
    let name = match std::env::consts::OS {
        "windows" => "onnxruntime_providers_cuda.dll",
        _ => "libonnxruntime_providers_cuda.so",
    };
    library.with_file_name(name).is_file()
}
