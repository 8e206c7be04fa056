//! Finds or installs ONNX Runtime for browsers: two files of a pinned npm package.

use super::client::verify_download;
use super::consent::{InstallRequest, require_consent};
use super::npm::NpmPackage;
use super::staging::StagingFolder;
use crate::backbone::registry::{WebRuntimeSource, registry};
use crate::error::{Error, Kind, Result};
use crate::io::digest::sha256;
use crate::io::fs::{self, require_space};
use crate::io::{archive, user_folders};
use crate::monitor::Monitor;
use std::path::{Path, PathBuf};

/// ONNX Runtime for browsers.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WebRuntime {
    /// The package with its version.
    pub name: String,
    /// Its licence.
    pub licence: &'static str,
    /// The files that a page needs, as pairs of name and content.
    pub files: Vec<(&'static str, Vec<u8>)>,
}

/// Space that an installation needs, in multiples of the package: the package, its client's copy of it, the files.
const SPACE_FACTOR: u64 = 3;

/// Returns ONNX Runtime for browsers. Installs it after asking where it is missing or damaged; the npm package `tarball` is used
/// without asking.
///
/// # Errors
/// [`Kind::Runtime`] without consent, or when the package cannot be downloaded or is not the pinned one; [`Kind::Io`] when
/// files cannot be read or written.
pub fn web_runtime(tarball: Option<&Path>, monitor: &dyn Monitor) -> Result<WebRuntime> {
    let source = &registry().web_runtime;
    let parent = user_folders::runtime_folder()?;
    let folder = parent.join(format!("{}-{}", source.package, source.version));
    if let Some(found) = installed(source, &folder).filter(|_| tarball.is_none()) {
        return Ok(found);
    }
    if tarball.is_none() {
        ask(source, monitor)?;
    }
    let staging = StagingFolder::new(&parent, monitor)?;
    // Another process may have installed it meanwhile.
    if let Some(found) = installed(source, &folder).filter(|_| tarball.is_none()) {
        return Ok(found);
    }
    require_space(staging.path(), SPACE_FACTOR * source.bytes).map_err(|e| e.at(&parent))?;
    let package = fetched(source, tarball, &staging, monitor)?;
    let runtime = read(source, &package)?;
    staging.require_uninterrupted(monitor)?;
    fs::create_folder(&folder)?;
    for (name, content) in &runtime.files {
        fs::write_atomic(&folder.join(name), content)?;
    }
    Ok(runtime)
}

/// The files, if the pinned ones are there.
fn installed(source: &'static WebRuntimeSource, folder: &Path) -> Option<WebRuntime> {
    runtime(source, |name| fs::read(&folder.join(name)).ok())
}

fn runtime(
    source: &'static WebRuntimeSource,
    mut content: impl FnMut(&str) -> Option<Vec<u8>>,
) -> Option<WebRuntime> {
    let file = |file: &'static crate::backbone::registry::WebRuntimeFile| {
        let content = content(&file.name).filter(|content| sha256(content) == file.sha256)?;
        Some((file.name.as_str(), content))
    };
    let files = source.files.iter().map(file).collect::<Option<Vec<_>>>()?;
    Some(WebRuntime {
        name: format!("{} {}", source.package, source.version),
        licence: &source.licence,
        files,
    })
}

fn ask(source: &WebRuntimeSource, monitor: &dyn Monitor) -> Result<()> {
    let WebRuntimeSource { package, version, bytes, licence, .. } = source;
    let megabytes = bytes / 1_000_000;
    let request = InstallRequest {
        what: "ONNX Runtime for browsers is not installed",
        terms: &format!("ONNX Runtime for browsers ({package} {version}, {megabytes} MB, {licence})"),
        remedy: "run `export` in a terminal, which asks",
        elsewhere: &elsewhere(source),
    };
    require_consent(&request, monitor)
}

fn elsewhere(source: &WebRuntimeSource) -> String {
    let WebRuntimeSource { package, version, .. } = source;
    format!(
        "fetch {package}-{version}.tgz elsewhere, with `npm pack {package}@{version}`, and give it as `ort_web`"
    )
}

/// The tarball of the package, verified.
fn fetched(
    source: &WebRuntimeSource,
    tarball: Option<&Path>,
    staging: &StagingFolder,
    monitor: &dyn Monitor,
) -> Result<PathBuf> {
    let WebRuntimeSource { package, version, bytes, sha256, .. } = source;
    let path = match tarball {
        Some(given) => given.to_path_buf(),
        None => {
            let elsewhere = elsewhere(source);
            let package = NpmPackage { name: package, version, bytes: *bytes, elsewhere: &elsewhere };
            package.download(staging.path(), monitor)?
        }
    };
    verify_download(&path, *sha256, *bytes).map_err(|e| match tarball {
        Some(_) => e,
        None => e.at(format!("{package} {version}")),
    })?;
    Ok(path)
}

/// Reads the files from the tarball.
fn read(source: &'static WebRuntimeSource, package: &Path) -> Result<WebRuntime> {
    let mut content = |name: &str| {
        let files = archive::read_tgz(package, &format!("{}/{name}", source.folder)).ok()?;
        files.into_iter().find(|(rest, _)| rest.is_empty()).map(|(_, content)| content)
    };
    runtime(source, &mut content).ok_or_else(|| {
        Error::new(Kind::Runtime, "the package does not hold the files that it should")
            .at(package)
            .help("the package is the pinned one, so this is a fault of headstart: please report it")
    })
}
