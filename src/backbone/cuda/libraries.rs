//! The libraries of CUDA and cuDNN that the provider needs, where they are, and the order in which they are loaded.

use crate::backbone::registry::registry;
use crate::error::{Error, Kind, Result};
use crate::io::{fs, json, user_folders};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The libraries, each behind those that it uses.
#[cfg(not(windows))]
const NEEDED: [&str; 6] = [
    "libcudart.so.13",
    "libcublasLt.so.13",
    "libcublas.so.13",
    "libcurand.so.10",
    "libnvrtc.so.13",
    "libcudnn.so.9",
];
#[cfg(windows)]
const NEEDED: [&str; 6] = [
    "cudart64_13.dll",
    "cublasLt64_13.dll",
    "cublas64_13.dll",
    "curand64_10.dll",
    "nvrtc64_130_0.dll",
    "cudnn64_9.dll",
];
/// Starts of the names of libraries that those load by themselves, from where they are loaded already.
#[cfg(not(windows))]
const COMPANIONS: [&str; 2] = ["libnvrtc-builtins.so.13", "libcudnn_"];
#[cfg(windows)]
const COMPANIONS: [&str; 2] = ["nvrtc-builtins64_13", "cudnn_"];

/// Folders of folders that are looked into below a chosen one.
const DEPTH: usize = 4;
/// The file in the folder of runtimes that names the chosen folder.
const CHOSEN: &str = "cuda-libraries.json";

/// Content of [`CHOSEN`].
#[derive(Debug, Serialize, Deserialize)]
struct Chosen {
    folder: PathBuf,
}

/// Folders with libraries of CUDA, the first to be used first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LibraryFolders(Vec<PathBuf>);

/// A library that cannot be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingLibrary {
    /// Its file name.
    pub name: String,
    /// What the loader says about the file that is there.
    pub reason: Option<String>,
    /// A file of the same library in another version.
    pub other_version: Option<PathBuf>,
}

impl LibraryFolders {
    /// The folders of this machine: below the one that a person chose, then those that headstart installs.
    pub fn of_this_machine() -> Self {
        let chosen = chosen().map(|folder| Self::below(&folder)).unwrap_or_default();
        let installed = registry().cuda.wheels_for_this_system().into_iter().filter_map(|w| w.place().ok());
        Self(chosen.0.into_iter().chain(installed.filter(|folder| folder.is_dir())).collect())
    }

    /// The folders at and below `folder` that hold files.
    pub fn below(folder: &Path) -> Self {
        let mut found = BTreeSet::new();
        let mut level = vec![folder.to_path_buf()];
        for _ in 0..=DEPTH {
            let mut below = Vec::new();
            for folder in level {
                let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
                // A link to a folder counts: distributions make such.
                below.extend(entries.map(|entry| entry.path()).filter(|path| path.is_dir()));
                found.insert(folder);
            }
            level = below;
        }
        Self(found.into_iter().collect())
    }

    /// Returns the file called `name`.
    fn find(&self, name: &str) -> Option<PathBuf> {
        self.0.iter().map(|folder| folder.join(name)).find(|path| path.is_file())
    }

    /// The files whose name starts with `start`, in the order of their names.
    fn starting_with(&self, start: &str) -> Vec<PathBuf> {
        let entries =
            self.0.iter().flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten());
        let is_wanted = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start)) && path.is_file()
        };
        let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_wanted).collect();
        found.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
        found.dedup_by(|a, b| a.file_name() == b.file_name());
        found
    }

    /// A file of the library `name` in another version, such as `libcudnn.so.8` for `libcudnn.so.9`.
    fn other_version(&self, name: &str) -> Option<PathBuf> {
        let start = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let system = Self(system_folders());
        [self, &system].into_iter().flat_map(|folders| folders.starting_with(start)).find(|path| {
            let rest = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            // `libcudnn.so.9.1.0` is the file behind `libcudnn.so.9`.
            !rest.starts_with(name)
        })
    }
}

/// Where libraries of CUDA usually are on Linux.
fn system_folders() -> Vec<PathBuf> {
    let named = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let usual = ["/usr/local/cuda/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib"];
    std::env::split_paths(&named).chain(usual.map(PathBuf::from)).filter(|path| path.is_absolute()).collect()
}

fn chosen() -> Option<PathBuf> {
    let file = user_folders::runtime_folder().ok()?.join(CHOSEN);
    json::decode::<Chosen>(&std::fs::read(file).ok()?).ok().map(|chosen| chosen.folder)
}

/// Takes the libraries at and below `folder` from now on, where they fit.
///
/// # Errors
/// [`Kind::Usage`] when the folder holds none of them, [`Kind::Io`] when the choice cannot be kept.
pub fn use_libraries_in(folder: &Path) -> Result<()> {
    let folder = std::path::absolute(folder).map_err(|e| Error::io("find", folder, e))?;
    let found = LibraryFolders::below(&folder);
    if NEEDED.iter().all(|name| found.find(name).is_none()) {
        let message = "the folder holds none of the libraries that CUDA needs";
        return Err(Error::new(Kind::Usage, message).at(&folder).help(format!(
            "name the folder of {}, such as site-packages/nvidia of a Python, or leave `cuda_libs` out to install them",
            NEEDED.join(", ")
        )));
    }
    let base = user_folders::runtime_folder()?;
    fs::create_folder(&base)?;
    fs::write_atomic(&base.join(CHOSEN), &json::encode_pretty(&Chosen { folder }))
}

/// Loads what the provider needs with `load`, in order: each from the first of `folders` that has it, else from where the
/// system's loader finds it by its name. Whatever is loaded already is found by the provider, wherever it is.
///
/// # Errors
/// The first library that cannot be loaded.
pub(in crate::backbone) fn preload(
    folders: &LibraryFolders,
    load: &mut dyn FnMut(&Path) -> std::result::Result<(), String>,
) -> std::result::Result<(), MissingLibrary> {
    for name in NEEDED {
        let file = folders.find(name);
        let from_file = file.as_deref().map(&mut *load);
        if matches!(from_file, Some(Ok(()))) || load(Path::new(name)).is_ok() {
            continue;
        }
        let reason = from_file.and_then(std::result::Result::err);
        let other_version = if file.is_none() { folders.other_version(name) } else { None };
        return Err(MissingLibrary { name: name.into(), reason, other_version });
    }
    // Where one cannot be loaded, the library that wants it says so.
    let companions = COMPANIONS.iter().flat_map(|start| folders.starting_with(start));
    companions.for_each(|path| drop(load(&path)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Folders with empty files of these names, each `folder/name`.
    fn folders(files: &[&str]) -> (tempfile::TempDir, LibraryFolders) {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let found = LibraryFolders::below(dir.path());
        (dir, found)
    }

    /// As site-packages/nvidia lays them out.
    fn of_a_python() -> Vec<String> {
        let all = NEEDED.iter().map(|name| match name.contains("cudnn") {
            true => format!("cudnn/lib/{name}"),
            false => format!("cu13/lib/{name}"),
        });
        let companions = COMPANIONS
            .iter()
            .map(|start| format!("cudnn/lib/{start}{}", if start.ends_with('_') { "ops.so.9" } else { "" }));
        all.chain(companions).collect()
    }

    fn names(loaded: &[PathBuf]) -> Vec<String> {
        loaded.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn libraries_are_loaded_in_order_from_wherever_they_are() {
        let files = of_a_python();
        let (dir, folders) = folders(&files.iter().map(String::as_str).collect::<Vec<_>>());
        let mut loaded = Vec::new();
        let mut load = |path: &Path| {
            loaded.push(path.to_path_buf());
            Ok(())
        };
        preload(&folders, &mut load).unwrap();
        assert_eq!(names(&loaded)[..NEEDED.len()], NEEDED);
        assert_eq!(loaded.len(), NEEDED.len() + COMPANIONS.len());
        assert!(loaded.iter().all(|path| path.starts_with(dir.path())), "{loaded:?}");
    }

    #[test]
    fn what_no_folder_has_comes_from_the_system_and_what_is_nowhere_is_named() {
        let (_dir, folders) = folders(&[NEEDED[0]]);
        let mut loaded = Vec::new();
        let mut system = |path: &Path| match path == Path::new(NEEDED[5]) {
            true => Err("cannot open shared object file".to_string()),
            false => {
                loaded.push(path.to_path_buf());
                Ok(())
            }
        };
        let missing = preload(&folders, &mut system).unwrap_err();
        assert_eq!((missing.name.as_str(), missing.reason), (NEEDED[5], None));
        assert!(loaded[0].is_absolute() && names(&loaded) == NEEDED[..5], "{loaded:?}");
    }

    #[test]
    fn a_file_that_the_loader_refuses_is_named_with_its_reason() {
        let (_dir, folders) = folders(&[NEEDED[0]]);
        let missing = preload(&folders, &mut |_| Err("invalid ELF header".into())).unwrap_err();
        assert_eq!(
            (missing.name.as_str(), missing.reason.as_deref()),
            (NEEDED[0], Some("invalid ELF header"))
        );
    }

    #[cfg(not(windows))]
    #[test]
    fn another_version_of_a_library_is_found() {
        let (dir, folders) =
            folders(&["lib/libcudnn.so.8", "lib/libcudart.so.13.0.1", "lib/libcudart.so.13"]);
        assert_eq!(folders.other_version("libcudnn.so.9"), Some(dir.path().join("lib/libcudnn.so.8")));
        let of_runtime = folders.other_version("libcudart.so.13");
        assert!(of_runtime.is_none_or(|path| !path.starts_with(dir.path())));
    }
}
