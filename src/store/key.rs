//! What a feature row is called: the image's digest and the variant.

use crate::augment::Variant;
use crate::digest::Digest;

/// The address of one feature row; unique over all parts of a cache. Ordered by digest, then variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Of the image file's bytes.
    pub image_sha256: Digest,
    /// Which variant of it.
    pub variant: Variant,
}
