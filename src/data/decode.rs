//! Decodes image files to pixels and encodes pixels as PNG and JPEG. An image that is cut short is refused, since its
//! features would look like any others.

pub use crate::data::dataset::Reason;

use crate::data::pixels::Pixels;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use std::io::Cursor;
use std::path::Path;

/// Version of the decoders, stored in the spec of a cache. It changes whenever decoding gives other pixels; a test pins one
/// image of each lossy format.
pub const DECODE_VERSION: &str = "image-0.25/1";

/// Largest number of pixels that is decoded; Pillow has the same limit.
const MAX_PIXELS: u64 = 178_956_970;

/// Longest side that is decoded, in pixels. Resizing an image one pixel wide and millions high would need more memory than
/// any machine has.
const MAX_SIDE: u32 = 65_535;

/// Largest file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 30;

/// Width and height of an image in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dimensions {
    /// Pixels in a row.
    pub width: u32,
    /// Number of rows.
    pub height: u32,
}

/// Reads the bytes of an image file.
///
/// # Errors
/// When the path is not a regular file of at most 1 GiB, or the file cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, Reason> {
    let unreadable = |e: std::io::Error| Reason::unreadable(&e);
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    match metadata.len() {
        _ if metadata.is_dir() => Err(Reason::Folder),
        _ if !metadata.is_file() => Err(Reason::NotRegularFile),
        bytes if bytes > MAX_BYTES => Err(Reason::TooManyBytes { bytes, limit: MAX_BYTES }),
        _ => std::fs::read(path).map_err(unreadable),
    }
}

/// Reads the dimensions of an image from its header. They are those stored in the file, before the EXIF orientation is
/// applied.
///
/// # Errors
/// When the bytes are not an image in a known format, or the image is too large to decode.
pub fn dimensions(bytes: &[u8]) -> Result<Dimensions, Reason> {
    catch_panics(|| {
        let (width, height) = decoder(bytes)?.dimensions();
        check_size(width, height)?;
        Ok(Dimensions { width, height })
    })
}

/// Decodes a JPEG, PNG, WebP, GIF (first frame), BMP or TIFF image to 8-bit RGB and applies its EXIF orientation.
///
/// The format follows from the content, not from the file name. An alpha channel is dropped, grey values are repeated in
/// all channels, and 16-bit values are rounded to 8 bits.
///
/// # Errors
/// When the bytes are not an image in a known format, are damaged or cut short, or the image is larger than 178,956,970
/// pixels or 65,535 pixels a side.
pub fn decode(bytes: &[u8]) -> Result<Pixels, Reason> {
    catch_panics(|| {
        let mut decoder = decoder(bytes)?;
        let (width, height) = decoder.dimensions();
        check_size(width, height)?;
        let orientation = decoder.orientation().map_err(decoder_error)?;
        let mut image = DynamicImage::from_decoder(decoder).map_err(decoder_error)?;
        if is_jpeg(bytes) && !jpeg_is_complete(bytes) {
            return Err(Reason::TruncatedJpeg);
        }
        image.apply_orientation(orientation);
        let rgb = image.into_rgb8();
        Ok(Pixels::new(rgb.width() as usize, rgb.height() as usize, rgb.into_raw()))
    })
}

/// Encodes an image as PNG.
#[expect(clippy::missing_panics_doc, reason = "writing to memory cannot fail")]
pub fn encode_png(image: &Pixels) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    buffer(image).write_to(&mut out, ImageFormat::Png).expect("writing to memory cannot fail");
    out.into_inner()
}

/// Encodes an image as JPEG with a quality from 1 to 100.
///
/// # Panics
/// When a side is longer than 65,535 pixels, the limit of the format.
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
        return Err(Reason::Empty);
    }
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(decoder_error)?;
    if reader.format().is_none() {
        return Err(Reason::UnknownFormat);
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_PIXELS * 8);
    reader.limits(limits);
    reader.into_decoder().map_err(decoder_error)
}

fn check_size(width: u32, height: u32) -> Result<(), Reason> {
    let side = width.max(height);
    match u64::from(width) * u64::from(height) {
        0 => Err(Reason::NoPixels),
        _ if side > MAX_SIDE => Err(Reason::SideTooLong { side, limit: MAX_SIDE }),
        1..=MAX_PIXELS => Ok(()),
        _ => Err(Reason::TooManyPixels { width, height, limit: MAX_PIXELS }),
    }
}

fn decoder_error(error: impl std::fmt::Display) -> Reason {
    error.to_string().into()
}

/// Turns a panic into a refusal, since a malformed file can make a decoder panic.
fn catch_panics<T>(work: impl FnOnce() -> Result<T, Reason>) -> Result<T, Reason> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(Err(Reason::DecoderPanic))
}

fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xFF, 0xD8])
}

/// Whether the marker segments of a JPEG reach its end-of-image marker (ITU-T T.81, annex B). The decoder does not tell: it
/// fills missing blocks with grey.
fn jpeg_is_complete(bytes: &[u8]) -> bool {
    const END_OF_IMAGE: u8 = 0xD9;
    const START_OF_SCAN: u8 = 0xDA;
    let mut at = 2;
    while let Some(&[prefix, code]) = bytes.get(at..at + 2) {
        match (prefix, code) {
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
            // Data of a scan, or stray bytes between segments: skip to the next marker.
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

    const FORMATS: [ImageFormat; 6] = [
        ImageFormat::Jpeg,
        ImageFormat::Png,
        ImageFormat::WebP,
        ImageFormat::Gif,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
    ];

    #[test]
    fn lossless_formats_keep_every_pixel() {
        for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Bmp, ImageFormat::Tiff] {
            assert_eq!(decode(&encode(&gradient(), format)).unwrap(), gradient(), "{format:?}");
        }
        assert_eq!(decode(&encode_png(&gradient())).unwrap(), gradient());
        assert_eq!(dimensions(&encode_png(&gradient())).unwrap(), Dimensions { width: 40, height: 30 });
    }

    #[test]
    fn a_truncated_file_is_refused_in_every_format() {
        for format in FORMATS {
            let whole = encode(&gradient(), format);
            assert!(decode(&whole).is_ok(), "{format:?}");
            for part in [3, whole.len() / 2, whole.len() * 9 / 10, whole.len() - 3] {
                let kept = &whole[..part];
                // Bytes without pixels, such as the padding of a WebP or the tags of a TIFF, may be missing.
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
    fn bytes_that_are_no_image_are_refused_with_a_reason() {
        assert_eq!(decode(b"").unwrap_err(), Reason::Empty);
        assert_eq!(decode(b"hello, I am a text").unwrap_err(), Reason::UnknownFormat);
        let mut damaged = encode_png(&gradient());
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0x55;
        assert!(decode(&damaged).is_err());
    }

    #[test]
    fn an_image_with_a_huge_size_in_its_header_is_refused_before_memory_is_allocated() {
        let mut bomb = encode(&gradient(), ImageFormat::Bmp);
        bomb[18..22].copy_from_slice(&30_000i32.to_le_bytes());
        bomb[22..26].copy_from_slice(&30_000i32.to_le_bytes());
        let limit = MAX_PIXELS;
        assert_eq!(
            decode(&bomb).unwrap_err(),
            Reason::TooManyPixels { width: 30_000, height: 30_000, limit }
        );
        bomb[18..22].copy_from_slice(&1i32.to_le_bytes());
        bomb[22..26].copy_from_slice(&70_000i32.to_le_bytes());
        assert!(decode(&bomb).unwrap_err().to_string().contains("65535"), "{:?}", decode(&bomb));
    }

    #[test]
    fn the_exif_orientation_is_applied() {
        let mut jpeg = encode(&gradient(), ImageFormat::Jpeg);
        // An APP1 segment with one tag: orientation (0x0112) = 6, a quarter turn clockwise.
        let exif: &[u8] =
            b"\xFF\xE1\x00\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        jpeg.splice(2..2, exif.iter().copied());
        assert_eq!(dimensions(&jpeg).unwrap(), Dimensions { width: 40, height: 30 });
        let upright = decode(&jpeg).unwrap();
        assert_eq!((upright.width(), upright.height()), (30, 40));
    }

    #[test]
    fn lossy_pixels_are_pinned() {
        // The spec of a cache names the decoders: when one of these digests changes, increase DECODE_VERSION.
        let pinned: [(&[u8], &str); 4] = [
            (include_bytes!("../../tests/fixtures/baseline.jpg"), "3c1cd84701aa6443"),
            (include_bytes!("../../tests/fixtures/progressive.jpg"), "3c1cd84701aa6443"),
            (include_bytes!("../../tests/fixtures/lossy.webp"), "1eaa4eb0ccc85bd9"),
            (include_bytes!("../../tests/fixtures/palette.gif"), "3368433a6f22b450"),
        ];
        for (i, (bytes, digest)) in pinned.into_iter().enumerate() {
            let pixels = decode(bytes).unwrap();
            assert_eq!((pixels.width(), pixels.height()), (64, 48));
            assert_eq!(crate::io::digest::sha256(pixels.data()).short(), digest, "fixture {i}");
        }
    }
}
