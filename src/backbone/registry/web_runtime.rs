//! Where ONNX Runtime for browsers comes from, and how its files are checked.

use crate::io::digest::Digest;
use serde::Deserialize;

/// Where ONNX Runtime for browsers comes from: an npm package.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct WebRuntimeSource {
    /// Package name.
    pub package: String,
    /// Exact version.
    pub version: String,
    /// Licence of the package.
    pub licence: String,
    /// Size of the tarball in bytes.
    pub bytes: u64,
    /// Digest of the tarball.
    pub sha256: Digest,
    /// Folder of the files in the tarball.
    pub folder: String,
    /// The files that a page needs.
    #[serde(rename = "file")]
    pub files: Vec<WebRuntimeFile>,
}

/// A file of ONNX Runtime for browsers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct WebRuntimeFile {
    /// Its name.
    pub name: String,
    /// Its digest.
    pub sha256: Digest,
}
