//! Image files to pixels and back, the only door to `image`. It refuses what cannot be decoded whole: half a picture
//! is worse than none, since its features look like any others.

use crate::pixels::Pixels;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use std::io::Cursor;
use std::path::Path;

/// Names the decoders in a cache's spec. Bumped whenever the pixels of an image change; a test pins one image of
/// each lossy kind.
pub const DECODE_VERSION: &str = "image-0.25/1";

/// The largest picture that is decoded, in pixels; Pillow refuses beyond the same number.
const MAX_PIXELS: u64 = 178_956_970;

/// The longest side. A picture one pixel wide and millions high would take more memory on its way into a network than
/// any machine has.
const MAX_SIDE: u32 = 65_535;

/// The largest file that is read; anything beyond is no picture.
const MAX_BYTES: u64 = 1 << 30;

/// Why a file cannot be used, in one line.
pub type Reason = String;

/// Reads the bytes of an image file.
///
/// # Errors
/// When it is not a regular file of at most 1 GiB, or cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, Reason> {
    let unread = |e: std::io::Error| format!("could not be read: {e}");
    let metadata = std::fs::metadata(path).map_err(unread)?;
    match metadata.len() {
        _ if metadata.is_dir() => Err("a folder, not an image file".into()),
        _ if !metadata.is_file() => Err("not a regular file".into()),
        size if size > MAX_BYTES => Err(format!("its {size} bytes are more than the {MAX_BYTES} allowed")),
        _ => std::fs::read(path).map_err(unread),
    }
}

/// Width and height as stored, from the header alone.
///
/// # Errors
/// When the bytes are not an image of a known kind, or one too large to decode.
pub fn dimensions(bytes: &[u8]) -> Result<(u32, u32), Reason> {
    guarded(|| {
        let (width, height) = decoder(bytes)?.dimensions();
        check_size(width, height)?;
        Ok((width, height))
    })
}

/// Decodes JPEG, PNG, WebP, GIF (first frame), BMP or TIFF, by content rather than by name, upright as its EXIF
/// orientation says, as 8-bit RGB; an alpha channel is dropped, grey is repeated, 16 bits are rounded to 8.
///
/// # Errors
/// When the bytes are not an image, are damaged or cut short, or the picture is too large.
pub fn decode(bytes: &[u8]) -> Result<Pixels, Reason> {
    guarded(|| {
        let mut decoder = decoder(bytes)?;
        let (width, height) = decoder.dimensions();
        check_size(width, height)?;
        let orientation = decoder.orientation().map_err(|e| e.to_string())?;
        let mut image = DynamicImage::from_decoder(decoder).map_err(|e| e.to_string())?;
        if is_jpeg(bytes) && !jpeg_is_complete(bytes) {
            return Err("the JPEG data end before the image does".into());
        }
        image.apply_orientation(orientation);
        let rgb = image.into_rgb8();
        Ok(Pixels::new(rgb.width() as usize, rgb.height() as usize, rgb.into_raw()))
    })
}

/// Encodes as PNG.
pub fn encode_png(image: &Pixels) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    buffer(image).write_to(&mut out, ImageFormat::Png).expect("writing to memory cannot fail");
    out.into_inner()
}

/// Encodes as JPEG of a quality from 1 to 100.
///
/// # Panics
/// When a side is longer than the 65,535 pixels that a JPEG can have.
pub fn encode_jpeg(image: &Pixels, quality: u8) -> Vec<u8> {
    let mut out = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut out, quality);
    buffer(image).write_with_encoder(encoder).expect("writing to memory cannot fail");
    out
}

fn buffer(image: &Pixels) -> image::RgbImage {
    let buffer =
        image::RgbImage::from_raw(image.width() as u32, image.height() as u32, image.data().to_vec());
    buffer.expect("Pixels holds width * height * 3 bytes")
}

fn decoder(bytes: &[u8]) -> Result<impl ImageDecoder + '_, Reason> {
    if bytes.is_empty() {
        return Err("the file is empty".into());
    }
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|e| e.to_string())?;
    if reader.format().is_none() {
        return Err("not an image of a known kind (JPEG, PNG, WebP, GIF, BMP, TIFF)".into());
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_PIXELS * 8);
    reader.limits(limits);
    reader.into_decoder().map_err(|e| e.to_string())
}

fn check_size(width: u32, height: u32) -> Result<(), Reason> {
    let pixels = u64::from(width) * u64::from(height);
    match pixels {
        0 => Err("the image has no pixels".into()),
        _ if width.max(height) > MAX_SIDE => {
            Err(format!("a side of {} pixels is more than the {MAX_SIDE} allowed", width.max(height)))
        }
        1..=MAX_PIXELS => Ok(()),
        _ => Err(format!("{width} x {height} pixels are more than the {MAX_PIXELS} allowed")),
    }
}

/// A hostile file may make a decoder panic; that is one refused file, not the end of the run.
fn guarded<T>(work: impl FnOnce() -> Result<T, Reason>) -> Result<T, Reason> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err("the decoder gave up on this file".into()))
}

fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xFF, 0xD8])
}

/// Whether the marker segments of a JPEG reach its end-of-image marker (ITU-T T.81, annex B). The decoder itself
/// fills what is missing with grey.
fn jpeg_is_complete(bytes: &[u8]) -> bool {
    const END_OF_IMAGE: u8 = 0xD9;
    const START_OF_SCAN: u8 = 0xDA;
    let mut at = 2;
    while let Some(&[mark, code]) = bytes.get(at..at + 2) {
        match (mark, code) {
            (0xFF, END_OF_IMAGE) => return true,
            // Fill bytes, stuffed zeros, restart and temporary markers carry no length.
            (0xFF, 0xFF) => at += 1,
            (0xFF, 0x00 | 0x01 | 0xD0..=0xD8) => at += 2,
            (0xFF, _) => {
                let Some(&[high, low]) = bytes.get(at + 2..at + 4) else { return false };
                at += 2 + usize::from(u16::from_be_bytes([high, low]));
                if code == START_OF_SCAN {
                    at += bytes[at.min(bytes.len())..].iter().position(|&b| b == 0xFF).unwrap_or(0);
                }
            }
            // Inside a scan, or stray bytes between segments: on to the next marker.
            _ => match bytes[at..].iter().position(|&b| b == 0xFF) {
                Some(skip) => at += skip,
                None => return false,
            },
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient() -> Pixels {
        let data = (0..40 * 30).flat_map(|i| [(i % 40 * 6) as u8, (i / 40 * 8) as u8, 90]).collect();
        Pixels::new(40, 30, data)
    }

    fn encode(image: &Pixels, format: ImageFormat) -> Vec<u8> {
        let rgb = image::RgbImage::from_raw(40, 30, image.data().to_vec()).unwrap();
        let mut out = Cursor::new(Vec::new());
        rgb.write_to(&mut out, format).unwrap();
        out.into_inner()
    }

    const KINDS: [ImageFormat; 6] = [
        ImageFormat::Jpeg,
        ImageFormat::Png,
        ImageFormat::WebP,
        ImageFormat::Gif,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
    ];

    #[test]
    fn lossless_kinds_come_back_as_they_were() {
        for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Bmp, ImageFormat::Tiff] {
            assert_eq!(decode(&encode(&gradient(), format)).unwrap(), gradient(), "{format:?}");
        }
        assert_eq!(decode(&encode_png(&gradient())).unwrap(), gradient());
        assert_eq!(dimensions(&encode_png(&gradient())).unwrap(), (40, 30));
    }

    #[test]
    fn a_file_cut_short_is_refused_whatever_its_kind() {
        for format in KINDS {
            let whole = encode(&gradient(), format);
            assert!(decode(&whole).is_ok(), "{format:?}");
            for part in [3, whole.len() / 2, whole.len() * 9 / 10, whole.len() - 3] {
                let kept = &whole[..part];
                // Bytes that carry no pixels (a WebP's padding, a TIFF's tags) may be missing without harm.
                if let Ok(decoded) = decode(kept) {
                    assert!(
                        part > whole.len() * 9 / 10,
                        "{format:?} cut to {part} of {} was taken",
                        whole.len()
                    );
                    assert_eq!(decoded, decode(&whole).unwrap(), "{format:?} cut to {part}");
                }
            }
        }
    }

    #[test]
    fn rubbish_is_refused_with_a_reason() {
        assert_eq!(decode(b"").unwrap_err(), "the file is empty");
        assert!(decode(b"hello, I am a text").unwrap_err().starts_with("not an image"));
        let mut damaged = encode_png(&gradient());
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0x55;
        assert!(decode(&damaged).is_err());
    }

    #[test]
    fn a_picture_that_claims_to_be_huge_is_refused_before_memory_is_taken() {
        let mut bomb = encode(&gradient(), ImageFormat::Bmp);
        bomb[18..22].copy_from_slice(&30_000i32.to_le_bytes());
        bomb[22..26].copy_from_slice(&30_000i32.to_le_bytes());
        assert!(decode(&bomb).unwrap_err().contains("30000 x 30000"), "{:?}", decode(&bomb));
        bomb[18..22].copy_from_slice(&1i32.to_le_bytes());
        bomb[22..26].copy_from_slice(&70_000i32.to_le_bytes());
        assert!(decode(&bomb).unwrap_err().contains("65535"), "{:?}", decode(&bomb));
    }

    #[test]
    fn the_exif_orientation_is_applied() {
        let mut jpeg = encode(&gradient(), ImageFormat::Jpeg);
        // An APP1 segment with one tag: orientation (0x0112) = 6, a quarter turn clockwise.
        let exif: &[u8] =
            b"\xFF\xE1\x00\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        jpeg.splice(2..2, exif.iter().copied());
        assert_eq!(dimensions(&jpeg).unwrap(), (40, 30));
        let upright = decode(&jpeg).unwrap();
        assert_eq!((upright.width(), upright.height()), (30, 40));
    }

    #[test]
    fn lossy_pixels_are_pinned() {
        // The decoder is part of a cache's spec: when one of these digests changes, bump DECODE_VERSION.
        let pinned: [(&[u8], &str); 4] = [
            (include_bytes!("../tests/fixtures/baseline.jpg"), "3c1cd84701aa6443"),
            (include_bytes!("../tests/fixtures/progressive.jpg"), "3c1cd84701aa6443"),
            (include_bytes!("../tests/fixtures/lossy.webp"), "1eaa4eb0ccc85bd9"),
            (include_bytes!("../tests/fixtures/palette.gif"), "3368433a6f22b450"),
        ];
        for (i, (bytes, digest)) in pinned.into_iter().enumerate() {
            let pixels = decode(bytes).unwrap();
            assert_eq!((pixels.width(), pixels.height()), (64, 48));
            assert_eq!(crate::digest::sha256(pixels.data()).short(), digest, "fixture {i}");
        }
    }
}
