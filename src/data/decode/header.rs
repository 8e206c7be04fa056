//! The size of an image and the memory that decoding it takes, from its header.

use super::kind::Kind;
use super::{jpeg, limits, raster, tif};
use crate::data::dataset::Reason;
use std::io::Cursor;

/// Width and height of an image in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dimensions {
    /// Pixels in a row.
    pub width: u32,
    /// Number of rows.
    pub height: u32,
}

/// Dimensions of an image, checked, and the bytes of memory that decoding it takes. `bytes` may be the first ones of a file
/// of `length` bytes.
pub(super) fn header(bytes: &[u8], kind: Kind, length: u64) -> Result<(Dimensions, u64), Reason> {
    let (width, height, memory) = match kind {
        Kind::Jpeg => jpeg::header(bytes)?,
        Kind::Tiff => tif::header(Cursor::new(bytes))?,
        Kind::Png | Kind::WebP | Kind::Gif | Kind::Bmp => raster::header(bytes, kind)?,
    };
    limits::check_size(width, height)?;
    // A blank page of a fax takes a bit a row, a lossless WebP of one colour no byte for its pixels.
    if kind != Kind::Tiff && !(kind == Kind::WebP && is_lossless(bytes)) {
        limits::check_density(width, height, length)?;
    }
    Ok((Dimensions { width, height }, memory))
}

/// Whether the first picture of a WebP is coded without loss.
fn is_lossless(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(12..).unwrap_or_default();
    while let [a, b, c, d, s0, s1, s2, s3, data @ ..] = rest {
        match &[*a, *b, *c, *d] {
            b"VP8L" => return true,
            b"VP8 " => return false,
            // The frame of an animation: its own chunks follow 16 bytes about its place.
            b"ANMF" => rest = data.get(16..).unwrap_or_default(),
            _ => {
                let size = u32::from_le_bytes([*s0, *s1, *s2, *s3]) as usize;
                rest = data.get(size.saturating_add(size % 2)..).unwrap_or_default();
            }
        }
    }
    false
}
