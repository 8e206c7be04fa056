//! The known backbones and the pinned ONNX Runtime, with their sources and digests: `models/registry.toml`, embedded in
//! the binary.

mod libraries;
mod source;
mod web_runtime;

pub use libraries::{CudaSource, LibraryWheel, OpenVinoSource};
pub use source::Source;
pub use web_runtime::{WebRuntimeFile, WebRuntimeSource};

use super::efficientnet_lite;
use super::inception_v3;
use crate::data::preprocess::Preprocessing;
use crate::error::{Error, Kind, Result, did_you_mean};
use crate::io::digest::Digest;
use crate::io::toml::parse_toml;
use crate::io::user_folders;
use serde::Deserialize;
use std::path::PathBuf;
use std::sync::LazyLock;

/// The name of the default backbone.
pub const DEFAULT_BACKBONE: &str = "nsfwjs";

/// Number of classes of ImageNet's challenge of 2012.
const IMAGENET_CLASSES: usize = 1000;

/// Returns the default folder of built backbones: `models` in the current folder if it holds an ONNX file, else the
/// user's folder, which all projects share.
pub fn default_models() -> PathBuf {
    let here = PathBuf::from("models");
    let is_onnx = |entry: std::fs::DirEntry| entry.path().extension().is_some_and(|found| found == "onnx");
    match std::fs::read_dir(&here).is_ok_and(|entries| entries.flatten().any(is_onnx)) {
        true => here,
        // A folder that cannot be found is reported when the runtime is looked for.
        false => user_folders::models_folder().unwrap_or(here),
    }
}

/// The content of `models/registry.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Registry {
    /// The known backbones.
    #[serde(rename = "backbone")]
    pub backbones: Vec<KnownBackbone>,
    /// Published weights of Inception-v3 that can be imported.
    pub published: Vec<Published>,
    /// The names of ImageNet's classes.
    pub class_names: ClassNamesSource,
    /// Where ONNX Runtime for browsers comes from.
    pub web_runtime: WebRuntimeSource,
    /// The pinned ONNX Runtime.
    pub runtime: KnownRuntime,
    /// The libraries that the CUDA provider loads.
    pub cuda: CudaSource,
    /// The OpenVINO provider.
    pub openvino: OpenVinoSource,
}

/// Where the names of ImageNet's classes come from: a wheel with a list of names in JSON.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ClassNamesSource {
    /// Package name.
    pub package: String,
    /// Exact version.
    pub version: String,
    /// Licence of the package.
    pub licence: String,
    /// Size of the wheel in bytes.
    pub bytes: u64,
    /// Digest of the wheel.
    pub sha256: Digest,
    /// Folder of the list in the wheel.
    pub folder: String,
    /// File name of the list.
    pub file: String,
    /// Digest of the list.
    pub file_sha256: Digest,
}

/// A backbone that can be chosen by name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct KnownBackbone {
    /// The name to choose it by.
    pub name: String,
    /// A few words that describe it; shown beside the name.
    pub title: String,
    /// How its weights were trained, and what that means for its features.
    pub about: String,
    /// What it is good for, by measurements on several kinds of images.
    pub advice: Option<String>,
    /// A layer to try beside the default one, by measurements, where there is one.
    pub better_layer: Option<String>,
    /// Licence of the weights.
    pub licence: String,
    /// Number of values of its weights.
    pub parameters: u64,
    /// Multiply-adds of one image.
    pub multiply_adds: u64,
    /// Published top-1 accuracy on ImageNet, in percent.
    pub top1: Option<f64>,
    /// Where it was published.
    pub top1_source: Option<String>,
    /// The classes of its own classifier, in order of their index; empty where they are the 1000 of ImageNet.
    #[serde(default)]
    pub classes: Vec<String>,
    /// Digest of the ONNX file that the importer builds from the source.
    pub onnx_sha256: Digest,
    /// The name under which its features of the known-answer image are stored.
    pub known_answer: String,
    /// The preprocessing that it was trained with.
    pub preprocessing: Preprocessing,
    /// Where the weights come from.
    pub source: Source,
}

impl KnownBackbone {
    /// Whether the classes of its own classifier are the 1000 of ImageNet.
    pub fn is_imagenet(&self) -> bool {
        self.classes.is_empty()
    }

    /// Returns the number of classes of its own classifier.
    pub fn class_count(&self) -> usize {
        if self.is_imagenet() { IMAGENET_CLASSES } else { self.classes.len() }
    }

    /// Returns the names of the layers that can be embedded, from the input on.
    pub fn layers(&self) -> Vec<String> {
        match &self.source {
            Source::TfjsNpm { .. } => inception_v3::layers().into_iter().map(String::from).collect(),
            Source::EfficientnetLiteWheel { scaling, .. } => efficientnet_lite::layers(*scaling),
        }
    }
}

/// Published weights of Inception-v3, and all in which their source differs from the others.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Published {
    /// The name of the backbone that is built from them.
    pub name: String,
    /// A few words that describe it; shown beside the name.
    pub title: String,
    /// Where the weights come from, and what that means for their features.
    pub about: String,
    /// Licence of the weights.
    pub licence: String,
    /// The family whose file formats and tensor names apply.
    pub source: SourceFamily,
    /// Published top-1 accuracy on ImageNet, in percent.
    pub top1: Option<f64>,
    /// Where it was published.
    pub top1_source: Option<String>,
    /// Number of classes of the classifier.
    pub classes: usize,
    /// Whether class 0 is none of ImageNet's 1000 classes.
    pub background: bool,
    /// Whether the classes are ImageNet's, in the usual order.
    pub is_imagenet: bool,
    /// Added to the variance in batch norm.
    pub epsilon: f64,
    /// Whether the 3x3 average pools of the blocks count their padding as zeros.
    pub counts_padding: bool,
    /// Pool of the last block.
    pub mixed_7c_pool: LastPool,
    /// The preprocessing that goes with the weights.
    pub preprocessing: Preprocessing,
    /// The official files. The first is the one to fetch.
    #[serde(rename = "file")]
    pub files: Vec<PublishedFile>,
}

/// A family of sources whose files hold the same tensors under the same names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SourceFamily {
    /// TF-Slim: checkpoints and frozen graphs.
    Slim,
    /// torchvision: PyTorch files and safetensors.
    Torchvision,
    /// timm: safetensors and PyTorch files.
    Timm,
    /// Keras: HDF5 files.
    Keras,
    /// The network of 2015-12-05: its frozen graph, and torch-fidelity's PyTorch file.
    Fid,
}

/// Pool in the pooling branch of the last block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LastPool {
    /// Average, as in the other blocks.
    Average,
    /// Maximum.
    Max,
}

/// An official file of published weights, with what is known of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PublishedFile {
    /// What the file holds, in a few words.
    pub what: String,
    /// The official address.
    pub address: String,
    /// Size in bytes.
    pub bytes: Option<u64>,
    /// SHA-256 of the file.
    pub sha256: Option<Digest>,
    /// The first hexadecimal digits of its SHA-256.
    pub sha256_prefix: Option<String>,
    /// MD5 of the file, as hexadecimal digits.
    pub md5: Option<String>,
}

/// The pinned ONNX Runtime.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct KnownRuntime {
    /// Version of the release.
    pub version: String,
    /// Licence of the library.
    pub licence: String,
    /// The wheels that contain the library, one per system and package.
    #[serde(rename = "wheel")]
    pub wheels: Vec<Wheel>,
}

/// A Python wheel that contains libonnxruntime.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Wheel {
    /// Operating system, as in `std::env::consts::OS`.
    pub os: String,
    /// Processor architecture, as in `std::env::consts::ARCH`.
    pub arch: String,
    /// Package name; a package that ends in `-gpu` contains the CUDA provider.
    pub package: String,
    /// Platform tag of the wheel.
    pub platform: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Digest of the wheel.
    pub sha256: Digest,
    /// File name of the library inside `onnxruntime/capi`.
    pub library: String,
}

impl Wheel {
    /// Whether the wheel is built for the system that this program runs on.
    pub fn is_for_this_system(&self) -> bool {
        (self.os.as_str(), self.arch.as_str()) == (std::env::consts::OS, std::env::consts::ARCH)
    }

    /// Whether the wheel contains the CUDA provider.
    pub fn has_cuda(&self) -> bool {
        self.package.ends_with("-gpu")
    }
}

/// Returns the registry of this program.
pub fn registry() -> &'static Registry {
    static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
        parse_toml(include_str!("../../models/registry.toml")).expect("a test reads the embedded registry")
    });
    &REGISTRY
}

impl Registry {
    /// Returns the backbone called `name`.
    ///
    /// # Errors
    /// [`Kind::Backbone`] when there is none; the remedy lists the known names, or says how published weights are fetched.
    pub fn backbone(&self, name: &str) -> Result<&KnownBackbone> {
        self.backbones.iter().find(|known| known.name == name).ok_or_else(|| {
            if self.published.iter().any(|published| published.name == name) {
                return Error::new(Kind::Backbone, format!("the backbone {name} is not installed")).help(
                    format!("run `backbone fetch` {name}, or name the folder that holds it as `models`"),
                );
            }
            let names: Vec<&str> = self.backbones.iter().map(|known| known.name.as_str()).collect();
            let published = self.published.iter().map(|published| published.name.as_str());
            let meant = did_you_mean(name, names.iter().copied().chain(published));
            Error::new(Kind::Backbone, format!("no backbone is called {name:?}"))
                .help(format!("{meant}use {}, or give the path of a FILE.onnx", names.join(", ")))
        })
    }

    /// Returns the wheel for this system, with or without the CUDA provider.
    pub fn wheel(&self, cuda: bool) -> Option<&Wheel> {
        self.runtime.wheels.iter().find(|wheel| wheel.is_for_this_system() && wheel.has_cuda() == cuda)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_registry_is_complete() {
        let known = registry();
        for wheel in &known.runtime.wheels {
            assert!(wheel.library.contains("onnxruntime"), "{}", wheel.library);
        }
        assert!(known.wheel(false).is_some(), "no runtime for this system");
        for known in &known.backbones {
            assert!(known.preprocessing.checked().is_ok(), "{}", known.name);
            assert!(super::super::known_answer::stored(&known.known_answer).is_some(), "{}", known.name);
        }
        assert!(known.backbone("nope").unwrap_err().remedy().unwrap().contains("nsfwjs"));
    }
}
