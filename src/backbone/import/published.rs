//! Builds the ONNX file of a backbone from a published weights file, or from one of the same make.

use super::named_weights::NamedWeights;
use super::weights_file::WeightsFile;
use crate::backbone::graph::PREPROCESSING_KEY;
use crate::backbone::inception_v3::{Topology, build};
use crate::backbone::memory::require_for_build;
use crate::backbone::registry::{DEFAULT_BACKBONE, LastPool, Published, default_models, registry};
use crate::error::{Error, Kind, Result, did_you_mean};
use crate::io::digest::{Digest, md5_file, sha256};
use crate::io::{fs, json};
use crate::monitor::Monitor;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// A weights file to import.
///
/// | field | default | |
/// |---|---|---|
/// | `file` | | the weights file |
/// | `source` | | name of a published source, or of a family of them |
/// | `name` | that of the source | name of the new backbone |
/// | `models` | [`default_models`] | folder of built backbones |
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ImportConfig {
    /// The weights file.
    pub file: PathBuf,
    /// The name of a published source, such as `slim`, or of a family with several, such as `timm`.
    pub source: String,
    /// The name of the new backbone.
    pub name: Option<String>,
    /// Folder of built backbones.
    pub models: PathBuf,
}

impl ImportConfig {
    /// Imports `file` by the rules of `source`, everything else by default.
    pub fn new(file: impl Into<PathBuf>, source: impl Into<String>) -> Self {
        Self { file: file.into(), source: source.into(), name: None, models: default_models() }
    }
}

impl Default for ImportConfig {
    /// Names no file yet.
    fn default() -> Self {
        Self::new("", "slim")
    }
}

/// The backbone that [`import`] built.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ImportStats {
    /// Its name.
    pub name: String,
    /// A few words that describe it.
    pub title: String,
    /// Its ONNX file, an absolute path.
    pub onnx: PathBuf,
    /// Digest of the ONNX file.
    pub sha256: Digest,
    /// Digest of the weights file.
    pub source_sha256: Digest,
}

/// Imports a weights file: builds its ONNX file as `NAME.onnx` in the folder of backbones.
///
/// # Errors
/// [`Kind::Usage`] for an unknown source, a name that cannot be used, or a format that the source does not have.
/// [`Kind::Io`] when a file cannot be read or written. [`Kind::Backbone`] when the file is damaged, lacks a tensor, or has one
/// that the network does not have. [`Kind::Limit`] when the system grants too little memory, [`Kind::Interrupted`] when the
/// monitor asks to stop.
pub fn import(config: &ImportConfig, monitor: &dyn Monitor) -> Result<ImportStats> {
    let source = source(&config.source, config.name.as_deref())?;
    let name = config.name.as_deref().unwrap_or(&source.name);
    check_name(name, source)?;
    // Built networks are about as large as their weights.
    require_for_build(std::fs::metadata(&config.file).ok().map(|file| file.len()))?;
    let weights = WeightsFile::read(&config.file)?;
    require_uninterrupted(monitor)?;
    let source_sha256 = weights.sha256;
    let is_own = is_another(source, &config.file, source_sha256)?;
    if is_own && name == source.name {
        monitor.warn(&format!("{} is none of the published files of {name}", config.file.display()));
    }
    let title = match is_own || name != source.name {
        true => format!("Inception-v3 with weights of your own, built as {}", source.name),
        false => source.title.clone(),
    };
    let built =
        build_onnx(weights, source, Labels { name, title: &title }, 1.0).map_err(|e| match e.path() {
            None => e.at(&config.file),
            Some(_) => e,
        })?;
    require_uninterrupted(monitor)?;
    let onnx = onnx_path(&config.models, name);
    fs::create_folder(&config.models)?;
    fs::write_atomic(&onnx, &built)?;
    Ok(ImportStats {
        name: name.into(),
        title,
        onnx: std::path::absolute(&onnx).unwrap_or(onnx),
        sha256: sha256(&built),
        source_sha256,
    })
}

fn require_uninterrupted(monitor: &dyn Monitor) -> Result<()> {
    match monitor.is_interrupted() {
        true => Err(Error::new(Kind::Interrupted, "interrupted before the backbone was built")
            .help("nothing was written; import it again")),
        false => Ok(()),
    }
}

/// Returns the path of the ONNX file of an imported backbone. The file need not exist.
pub fn onnx_path(models: &Path, name: &str) -> PathBuf {
    models.join(format!("{name}.onnx"))
}

/// What an ONNX file says about itself.
#[derive(Debug, Clone, Copy)]
pub struct Labels<'a> {
    /// Name of the backbone.
    pub name: &'a str,
    /// A few words that describe it.
    pub title: &'a str,
}

/// Builds the bytes of an ONNX file by the rules of `source`. `depth_multiplier` is 1 for published weights.
///
/// # Errors
/// [`Kind::Usage`] for a format that the source does not have, [`Kind::Backbone`] when a tensor is missing, misshapen or not
/// of this network.
pub fn build_onnx(
    weights: WeightsFile,
    source: &Published,
    labels: Labels,
    depth_multiplier: f64,
) -> Result<Vec<u8>> {
    let naming = weights.naming(source.source)?;
    let preprocessing = json::encode(&source.preprocessing);
    let digest = weights.sha256.to_string();
    let metadata = [
        ("headstart.name", labels.name),
        ("headstart.title", labels.title),
        ("headstart.licence", source.licence.as_str()),
        ("headstart.source", source.name.as_str()),
        ("headstart.source_sha256", digest.as_str()),
        (PREPROCESSING_KEY, preprocessing.as_str()),
    ];
    let topology = Topology {
        depth_multiplier,
        min_depth: 1,
        input_side: source.preprocessing.size,
        counts_padding: source.counts_padding,
        last_pool_is_max: source.mixed_7c_pool == LastPool::Max,
    };
    let named = NamedWeights::new(weights.tensors, naming, source);
    let built = build(topology, &named, &metadata)?;
    named.finish()?;
    Ok(built)
}

/// The published source of this name. Where a family has several, `name` decides, else the first.
fn source(source: &str, name: Option<&str>) -> Result<&'static Published> {
    let published = &registry().published;
    let family = |entry: &&Published| entry.name.split('-').next() == Some(source);
    let named = published.iter().filter(family).find(|entry| Some(entry.name.as_str()) == name);
    let exact = published.iter().find(|entry| entry.name == source);
    exact.or(named).or_else(|| published.iter().find(family)).ok_or_else(|| {
        let names: Vec<&str> = published.iter().map(|entry| entry.name.as_str()).collect();
        Error::new(Kind::Usage, format!("{source:?} is not a source of weights")).help(format!(
            "{}set `source` to one of {}, {DEFAULT_BACKBONE}",
            did_you_mean(source, names.iter().copied()),
            names.join(", ")
        ))
    })
}

/// Checks that `name` can be that of a file, and is not that of other weights than those of `source`.
fn check_name(name: &str, source: &Published) -> Result<()> {
    if name == source.name { Ok(()) } else { check_new_name(name) }
}

/// Checks that `name` can be that of a file, and is not that of known or published weights.
///
/// # Errors
/// [`Kind::Usage`] with the reason.
pub fn check_new_name(name: &str) -> Result<()> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let fail =
        |why: &str| Err(Error::new(Kind::Usage, format!("a backbone cannot be called {name:?}: {why}")));
    if name.is_empty() || name.len() > 100 || name.starts_with(['.', '-']) || !name.chars().all(is_plain) {
        return fail("use letters, digits, - _ and .");
    }
    if Path::new(name).extension().is_some_and(|end| end.eq_ignore_ascii_case("onnx")) {
        return fail("a name that ends in .onnx would be taken for a file");
    }
    let is_taken =
        registry().backbone(name).is_ok() || registry().published.iter().any(|other| other.name == name);
    if is_taken { fail("that is the name of other weights") } else { Ok(()) }
}

/// Whether all official files of a source are known by a digest, and `file`, whose SHA-256 is given, is none of them.
fn is_another(source: &Published, file: &Path, sha256: Digest) -> Result<bool> {
    for official in &source.files {
        let is_it = match (official.sha256, &official.sha256_prefix, &official.md5) {
            (Some(known), ..) => sha256 == known,
            (None, Some(prefix), _) => sha256.to_string().starts_with(prefix.as_str()),
            (None, None, Some(md5)) => md5_file(file)? == md5.parse()?,
            (None, None, None) => true,
        };
        if is_it {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::registry::PublishedFile;

    #[test]
    fn a_family_has_a_source_and_no_name_hides_other_weights() {
        assert_eq!(source("timm", None).unwrap().name, "timm-tf_in1k");
        assert_eq!(source("timm", Some("timm-tv_in1k")).unwrap().name, "timm-tv_in1k");
        assert_eq!(source("timm-tv_in1k", None).unwrap().name, "timm-tv_in1k");
        assert!(source("nope", None).unwrap_err().remedy().unwrap().contains("torchvision"));
        let keras = source("keras", None).unwrap();
        for bad in ["", "a/b", "..", "-x", "x.onnx", "nsfwjs", "slim", "über"] {
            assert_eq!(check_name(bad, keras).unwrap_err().kind(), Kind::Usage, "{bad}");
        }
        check_name("keras", keras).unwrap();
        check_name("mine_2.1", keras).unwrap();
    }

    #[test]
    fn a_file_is_published_when_its_sha256_or_its_md5_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("weights.h5");
        std::fs::write(&path, b"x").unwrap();
        let is_own = |source: &Published| is_another(source, &path, sha256(b"x")).unwrap();
        for name in ["slim", "torchvision", "keras"] {
            let mut source = source(name, None).unwrap().clone();
            assert!(is_own(&source), "{name}");
            source.files[0] = PublishedFile {
                sha256: None,
                sha256_prefix: None,
                md5: Some(md5_file(&path).unwrap().to_string()),
                ..source.files[0].clone()
            };
            assert!(!is_own(&source), "{name}");
        }
        assert!(!is_own(source("timm", None).unwrap()), "no digest is published");
    }
}
