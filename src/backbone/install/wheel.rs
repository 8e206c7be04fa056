//! Installs shared libraries into the user's folder of runtimes from a pinned Python wheel, downloaded or given as a file.

use super::client::verify_download;
use super::pip::{self, PinnedWheel};
use super::record::{Check, InstallRecord, Installed, look};
use super::staging::StagingFolder;
use crate::backbone::registry::{LibraryWheel, Wheel, registry};
use crate::error::{Error, Kind, Result};
use crate::io::archive;
use crate::io::fs::{self, require_space};
use crate::io::user_folders;
use crate::monitor::Monitor;
use std::path::{Path, PathBuf};

/// Space that an installation needs, in multiples of the wheel: the wheel, and its files unpacked.
const SPACE_FACTOR: u64 = 3;

/// A wheel with its place, and what is taken from it.
struct Libraries<'a> {
    wheel: PinnedWheel<'a>,
    /// The folder of its libraries on this machine.
    place: PathBuf,
    /// The folder of the libraries inside the wheel.
    inside: &'a str,
    /// A library that the wheel must hold.
    library: &'a str,
    /// Whether a file of that name is taken.
    is_wanted: &'a dyn Fn(&str) -> bool,
}

/// The folder of ONNX Runtime from `wheel`.
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
    Ok((look(&folder, wheel.sha256, Check::Digests)?, folder.join(&wheel.library)))
}

/// Installs ONNX Runtime from `wheel` and returns the path of its library. `file` is the wheel; without it pip downloads the
/// wheel, unless another process has installed it in the meantime.
///
/// # Errors
/// [`Kind::Runtime`] when the wheel cannot be downloaded or is not the pinned one. Nothing is installed then.
pub(super) fn install(wheel: &Wheel, file: Option<&Path>, monitor: &dyn Monitor) -> Result<PathBuf> {
    let elsewhere = pip::elsewhere(wheel);
    let is_wanted = |name: &str| {
        let is_provider = name.contains("onnxruntime_providers_");
        (is_provider || name == wheel.library) && !name.ends_with(".py")
    };
    let libraries = Libraries {
        wheel: PinnedWheel::of_runtime(wheel, &elsewhere),
        place: folder_of(wheel)?,
        inside: "onnxruntime/capi/",
        library: &wheel.library,
        is_wanted: &is_wanted,
    };
    libraries.install(file, monitor)?;
    Ok(libraries.place.join(&wheel.library))
}

/// Installs the libraries of `wheel`, which are fetched as `what`, unless they are there. `elsewhere` says how to do without
/// pip.
///
/// # Errors
/// Those of [`install`].
pub(super) fn install_libraries(
    wheel: &LibraryWheel,
    what: &str,
    elsewhere: &str,
    monitor: &dyn Monitor,
) -> Result<()> {
    let is_library = |name: &str| name.contains(".so") || name.ends_with(".dll") || name.ends_with(".json");
    let libraries = Libraries {
        wheel: PinnedWheel::of_libraries(wheel, what, elsewhere),
        place: wheel.place()?,
        inside: &wheel.folder,
        library: &wheel.library,
        is_wanted: &is_library,
    };
    libraries.install(None, monitor)
}

impl Libraries<'_> {
    fn install(&self, file: Option<&Path>, monitor: &dyn Monitor) -> Result<()> {
        let PinnedWheel { package, version, bytes, sha256, .. } = self.wheel;
        let base = user_folders::runtime_folder()?;
        let staging = StagingFolder::new(&base, monitor).map_err(|e| match e.kind() {
            Kind::Io => e.help("set HEADSTART_HOME to a folder that may be written"),
            _ => e,
        })?;
        let found = look(&self.place, sha256, Check::Digests)?;
        if file.is_none() && matches!(found, Installed::Complete { has_digests: true }) {
            return Ok(());
        }
        require_space(staging.path(), SPACE_FACTOR * bytes).map_err(|e| {
            e.at(&base).help("free some space there, or set HEADSTART_HOME to a folder with more")
        })?;
        let archive = match file {
            Some(file) => file.to_path_buf(),
            None => pip::download(&self.wheel, staging.path(), monitor)?,
        };
        verify_download(&archive, sha256, bytes).map_err(|e| match file {
            Some(_) => e,
            // The staging folder is about to be removed, so its path would not help.
            None => e.at(format!("{package} {version}")),
        })?;
        let unpacked = self.unpack(&archive, &staging)?;
        staging.require_uninterrupted(monitor)?;
        if fs::obstacle(&self.place).is_some() {
            // A file or a link in the place of our own folder.
            fs::remove(&self.place)?;
        }
        fs::replace_folder(&unpacked, &self.place)
    }

    /// Unpacks the libraries beside their record, in the staging folder.
    fn unpack(&self, archive: &Path, staging: &StagingFolder) -> Result<PathBuf> {
        let unpacked = staging.path().join("unpacked");
        fs::create_folder(&unpacked)?;
        let files = archive::extract_zip(archive, self.inside, self.is_wanted, &unpacked)?;
        if !files.contains_key(self.library) {
            return Err(Error::new(Kind::Runtime, format!("the wheel holds no {}", self.library)).at(archive));
        }
        InstallRecord::of(&unpacked, self.wheel.sha256, files)?.write(&unpacked)?;
        Ok(unpacked)
    }
}
