//! The machine as far as an installation depends on it: the system, the folders that are written, the programs that download,
//! and the variables that change any of these.

use crate::error::Result;
use crate::io::{fs, user_folders};
use crate::limits;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Variables whose value is shown: folders, and what the runtime reads.
const SHOWN: [&str; 9] = [
    "HEADSTART_HOME",
    "ORT_DYLIB_PATH",
    "XDG_CACHE_HOME",
    "XDG_DATA_HOME",
    "XDG_CONFIG_HOME",
    "LD_LIBRARY_PATH",
    "CUDA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
    "SSL_CERT_FILE",
];

/// Variables of which only their being set is shown: a value may hold a password.
const HIDDEN: [&str; 7] = [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "npm_config_registry",
];

/// Programs that `setup` downloads with.
const PROGRAMS: [&str; 6] = ["python3", "python", "pip3", "pip", "uv", "npm"];

/// What an installation depends on.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Machine {
    /// The operating system, such as `linux`.
    pub os: &'static str,
    /// The kind of processor, such as `x86_64`.
    pub arch: &'static str,
    /// Name and version of the distribution, where the system tells.
    pub release: Option<String>,
    /// Number of cores that this process may use.
    pub cores: usize,
    /// Memory of the machine in bytes, where the system tells.
    pub memory: Option<u64>,
    /// The narrowest limit on the memory of this process, in words.
    pub memory_limit: Option<String>,
    /// The folders that are written.
    pub folders: Vec<InstallFolder>,
    /// Programs that `setup` downloads with.
    pub programs: Vec<Program>,
    /// Variables that are set.
    pub variables: Vec<Variable>,
}

/// A folder, or a file, that an installation writes.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct InstallFolder {
    /// What is in it.
    pub what: &'static str,
    /// Where it is; `None` where no variable names a place.
    pub path: Option<PathBuf>,
    /// Whether it exists.
    pub exists: bool,
    /// Whether this user may write there.
    pub is_writable: bool,
    /// Free space in bytes, where the system tells.
    pub free: Option<u64>,
}

/// A program on the path.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// Where it is; `None` where it is not installed.
    pub path: Option<PathBuf>,
}

/// A variable of the environment.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Its value; `None` where it is not told, because it may hold a password.
    pub value: Option<String>,
}

impl Machine {
    /// Looks at this machine. `models` is the folder of built backbones. Nothing is written and no program is started.
    pub fn inspect(models: &Path) -> Self {
        Self {
            os: std::env::consts::OS,
            arch: std::env::consts::ARCH,
            release: release(Path::new("/etc/os-release")),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory: memory(Path::new("/proc/meminfo")),
            memory_limit: limits::memory().map(|limit| limit.to_string()),
            folders: vec![
                folder("ONNX Runtime", user_folders::runtime_folder()),
                folder("backbones", Ok(std::path::absolute(models).unwrap_or_else(|_| models.into()))),
                folder("settings", user_folders::config_file()),
            ],
            programs: PROGRAMS.map(|name| Program { name, path: on_path(name) }).into(),
            variables: variables(),
        }
    }

    /// Whether a program of one of these names is installed.
    pub fn has_any(&self, names: &[&str]) -> bool {
        self.programs.iter().any(|program| names.contains(&program.name) && program.path.is_some())
    }
}

/// Name and version of the distribution.
fn release(file: &Path) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(line.trim_matches('"').to_string())
}

/// Memory of the machine in bytes, which the system states in units of 1,024.
fn memory(file: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

fn folder(what: &'static str, path: Result<PathBuf>) -> InstallFolder {
    let path = path.ok();
    let existing = path.as_deref().and_then(|path| path.ancestors().find(|folder| folder.exists()));
    InstallFolder {
        what,
        exists: path.as_deref().is_some_and(Path::exists),
        is_writable: existing.is_some_and(fs::is_writable),
        free: existing.and_then(fs::free_space),
        path,
    }
}

/// Where a program is, as a shell finds it.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names =
        if cfg!(windows) { vec![format!("{name}.exe"), format!("{name}.cmd")] } else { vec![name.into()] };
    let places = |folder: PathBuf| names.iter().map(move |name| folder.join(name)).collect::<Vec<_>>();
    std::env::split_paths(&path).flat_map(places).find(|place| place.is_file())
}

fn variables() -> Vec<Variable> {
    let set = |name: &'static str| {
        std::env::var_os(name).filter(|value| !value.is_empty()).map(|value| (name, value))
    };
    let shown = SHOWN.into_iter().filter_map(set);
    let shown =
        shown.map(|(name, value)| Variable { name, value: Some(value.to_string_lossy().into_owned()) });
    shown.chain(HIDDEN.into_iter().filter_map(set).map(|(name, _)| Variable { name, value: None })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_tells_is_read_and_what_it_does_not_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            std::fs::write(dir.path().join(name), text).unwrap();
            dir.path().join(name)
        };
        let found = release(&file("os-release", "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n"));
        assert_eq!(found.as_deref(), Some("Debian GNU/Linux 12"));
        assert_eq!(memory(&file("meminfo", "MemFree: 3 kB\nMemTotal:       2048 kB\n")), Some(2 << 20));
        assert_eq!((release(&dir.path().join("none")), memory(&file("odd", "MemTotal: much"))), (None, None));
    }

    #[test]
    fn a_folder_that_is_not_there_has_the_space_of_the_one_above_it() {
        let dir = tempfile::tempdir().unwrap();
        let found = folder("backbones", Ok(dir.path().join("a/b")));
        assert!(!found.exists && found.is_writable && found.free.is_none_or(|free| free > 0), "{found:?}");
        assert!(
            folder("backbones", Err(crate::error::Error::new(crate::error::Kind::Runtime, "none")))
                .path
                .is_none()
        );
    }
}
