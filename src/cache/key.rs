//! The key of a feature row.

use crate::data::augment::Variant;
use crate::io::digest::Digest;

/// Key of a feature row, unique over all parts of a cache. Ordered by digest, then by variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// SHA-256 of the image file's bytes.
    pub image_sha256: Digest,
    /// The augmentation of the image.
    pub variant: Variant,
}
