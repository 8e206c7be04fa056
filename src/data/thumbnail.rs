//! Pictures to look at: reads an image file that is known by its digest, and scales a picture down to a thumbnail.

use crate::data::decode::{self, Reason};
use crate::data::pixels::Pixels;
use crate::data::preprocess::resize_bilinear;
use crate::io::digest::{Digest, sha256};
use std::path::Path;

/// Reads and decodes the image file at `path`, which must still have the bytes of `digest`. `stretch_16bit` is that of
/// [`decode::decode_stretched`].
///
/// # Errors
/// The reason why it cannot be shown, also when its bytes have another digest.
pub fn read_verified(path: &Path, digest: Digest, stretch_16bit: Option<u8>) -> Result<Pixels, Reason> {
    let bytes = decode::read(path)?;
    match sha256(&bytes) == digest {
        true => decode::decode_stretched(&bytes, stretch_16bit).map(|image| image.pixels),
        false => Err("changed since its features were computed".into()),
    }
}

/// Scales a picture, up or down, so that its longer side is `side` pixels. The shorter one keeps the proportion, rounded
/// up to at least 1 pixel.
///
/// # Panics
/// When `side` is 0.
pub fn fit(image: &Pixels, side: usize) -> Pixels {
    let longer = image.width().max(image.height());
    let scaled = |length: usize| (length * side).div_ceil(longer).clamp(1, side);
    resize_bilinear(image, scaled(image.width()), scaled(image.height()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::decode::encode_png;

    #[test]
    fn a_thumbnail_keeps_the_proportions() {
        let size = |width, height| {
            let small = fit(&Pixels::new(width, height, vec![0; width * height * 3]), 64);
            (small.width(), small.height())
        };
        assert_eq!([size(300, 150), size(3000, 1), size(8, 4)], [(64, 32), (64, 1), (64, 32)]);
    }

    #[test]
    fn a_file_with_other_bytes_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let image = Pixels::new(2, 1, vec![10, 20, 30, 40, 50, 60]);
        let bytes = encode_png(&image);
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(read_verified(&path, sha256(&bytes), None).unwrap(), image);
        assert!(
            read_verified(&path, sha256(b"other"), None).unwrap_err().to_string().contains("changed since")
        );
        assert!(read_verified(&folder.path().join("none.png"), sha256(&bytes), None).is_err());
    }
}
