//! What a feature row is called: the image's digest and the variant.

use crate::augment::Variant;

/// The address of one feature row; unique over all parts of a cache. Ordered by digest, then variant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// SHA-256 of the image file's bytes, hexadecimal.
    pub image_sha256: String,
    /// Which variant of it.
    pub variant: Variant,
}
