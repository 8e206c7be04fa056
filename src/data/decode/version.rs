//! The version of the decoders, which the spec of a cache names, and what changed since earlier versions.

use super::kind::{self, Kind};
use super::orientation;

/// Version of the decoders, stored in the spec of a new cache. It changes whenever decoding gives other pixels; a test pins
/// one image of each lossy format.
pub const DECODE_VERSION: &str = "pillow-12/1";

/// What decides which files are refused: the version of the decoders and that of the program.
pub fn refused_by() -> String {
    format!("{DECODE_VERSION} of headstart {}", env!("CARGO_PKG_VERSION"))
}

/// The version of headstart 0.1.0: `image` for all formats.
const IMAGE_0_25: &str = "image-0.25/1";

/// Whether `version` is one whose differences from today's are known.
pub fn is_known_version(version: &str) -> bool {
    [DECODE_VERSION, IMAGE_0_25].contains(&version)
}

/// Whether the image in `bytes` may decode to other pixels now than by `version` of the decoders. Features of the two would
/// not be comparable. False for bytes of a kind that is refused.
pub fn pixels_changed_since(version: &str, bytes: &[u8]) -> bool {
    if version == DECODE_VERSION {
        return false;
    }
    let Ok(kind) = kind::of(bytes) else { return false };
    let has_other_levels = match kind {
        Kind::Jpeg | Kind::Tiff => true,
        // 16 bits of a colour are cut, no longer rounded; bit depth and colour type stand in the header.
        Kind::Png => matches!(bytes.get(24..26), Some([16, 2 | 4 | 6])),
        Kind::Bmp => bytes.get(28) == Some(&16),
        Kind::WebP | Kind::Gif => false,
    };
    version != IMAGE_0_25 || has_other_levels || orientation::of(bytes, kind) > 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::decode::{encode_jpeg, encode_png};
    use crate::data::pixels::Pixels;

    #[test]
    fn only_the_kinds_that_changed_differ_from_an_earlier_version() {
        let image = Pixels::new(2, 1, vec![10, 20, 30, 40, 50, 60]);
        let (png, jpeg) = (encode_png(&image), encode_jpeg(&image, 90));
        for bytes in [&png, &jpeg] {
            assert!(!pixels_changed_since(DECODE_VERSION, bytes));
            assert!(pixels_changed_since("of a later version", bytes));
        }
        assert!(!pixels_changed_since(IMAGE_0_25, &png) && pixels_changed_since(IMAGE_0_25, &jpeg));
        let mut deep = png.clone();
        (deep[24], deep[25]) = (16, 2);
        assert!(pixels_changed_since(IMAGE_0_25, &deep) && !pixels_changed_since(IMAGE_0_25, b"text"));
    }
}
