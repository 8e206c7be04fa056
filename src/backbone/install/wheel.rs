//! Installs libonnxruntime into the user's folder of runtimes from a pinned Python wheel, downloaded or given as a file.

use super::client::verify_download;
use super::pip::{self, PinnedWheel};
use super::record::{InstallRecord, Installed, look};
use super::staging::StagingFolder;
use crate::backbone::registry::{Wheel, registry};
use crate::error::{Error, Kind, Result};
use crate::io::archive;
use crate::io::fs::{self, require_space};
use crate::io::user_folders;
use crate::monitor::Monitor;
use std::path::{Path, PathBuf};

/// Space that an installation needs, in multiples of the wheel: the wheel, and its files unpacked.
const SPACE_FACTOR: u64 = 3;

/// The folder of `wheel`.
fn folder_of(wheel: &Wheel) -> Result<PathBuf> {
    let name = format!("{}-{}-{}-{}", wheel.package, registry().runtime.version, wheel.os, wheel.arch);
    Ok(user_folders::runtime_folder()?.join(name))
}

/// Compares an earlier installation of `wheel` with its record. Returns the path of the library too.
///
/// # Errors
/// [`Kind::Runtime`] without a folder to look in, [`Kind::Io`] when it may not be read.
pub(super) fn installed(wheel: &Wheel) -> Result<(Installed, PathBuf)> {
    let folder = folder_of(wheel)?;
    Ok((look(&folder, wheel.sha256)?, folder.join(&wheel.library)))
}

/// Installs the library of `wheel` and returns its path. `file` is the wheel; without it pip downloads the wheel, unless
/// another process has installed it in the meantime.
///
/// # Errors
/// [`Kind::Runtime`] when the wheel cannot be downloaded or is not the pinned one. Nothing is installed then.
pub(super) fn install(wheel: &Wheel, file: Option<&Path>, monitor: &dyn Monitor) -> Result<PathBuf> {
    let folder = folder_of(wheel)?;
    let path = folder.join(&wheel.library);
    let base = user_folders::runtime_folder()?;
    let staging = StagingFolder::new(&base, monitor).map_err(|e| match e.kind() {
        Kind::Io => e.help("set HEADSTART_HOME to a folder that may be written"),
        _ => e,
    })?;
    if file.is_none() && matches!(look(&folder, wheel.sha256)?, Installed::Complete { has_digests: true }) {
        return Ok(path);
    }
    require_space(staging.path(), SPACE_FACTOR * wheel.bytes).map_err(|e| {
        e.at(&base).help("free some space there, or set HEADSTART_HOME to a folder with more")
    })?;
    let archive = match file {
        Some(file) => file.to_path_buf(),
        None => {
            let elsewhere = pip::elsewhere(wheel);
            pip::download(&PinnedWheel::of_runtime(wheel, &elsewhere), staging.path(), monitor)?
        }
    };
    verify_download(&archive, wheel.sha256, wheel.bytes).map_err(|e| match file {
        Some(_) => e,
        // The staging folder is about to be removed, so its path would not help.
        None => e.at(format!("{} {}", wheel.package, registry().runtime.version)),
    })?;
    let unpacked = unpack(wheel, &archive, &staging)?;
    staging.require_uninterrupted(monitor)?;
    if fs::obstacle(&folder).is_some() {
        // A file or a link in the place of our own folder.
        fs::remove(&folder)?;
    }
    fs::replace_folder(&unpacked, &folder)?;
    Ok(path)
}

/// Unpacks the libraries of a wheel beside their record, in the staging folder.
fn unpack(wheel: &Wheel, archive: &Path, staging: &StagingFolder) -> Result<PathBuf> {
    let unpacked = staging.path().join("unpacked");
    fs::create_folder(&unpacked)?;
    let is_library = |name: &str| {
        let is_provider = name.contains("onnxruntime_providers_");
        (is_provider || name == wheel.library) && !name.ends_with(".py")
    };
    let files = archive::extract_zip(archive, "onnxruntime/capi/", is_library, &unpacked)?;
    if !files.contains_key(&wheel.library) {
        return Err(Error::new(Kind::Runtime, format!("the wheel holds no {}", wheel.library)).at(archive));
    }
    InstallRecord::of(&unpacked, wheel.sha256, files)?.write(&unpacked)?;
    Ok(unpacked)
}
