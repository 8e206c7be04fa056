//! Decodes image files to 8-bit RGB as Pillow's `ImageOps.exif_transpose(im).convert("RGB")` does, or refuses them with a
//! reason. A picture that is not whole is refused, since its features would look like any others.

mod colour;
mod deep;
mod file;
mod header;
mod jpeg;
mod kind;
mod limits;
mod orientation;
mod raster;
mod tif;
mod version;

pub use crate::data::dataset::Reason;
pub use deep::DecodedFile;
pub use file::FileFacts;
pub use file::{FileBytes, read};
pub use header::Dimensions;
pub use limits::limit_memory;
pub use raster::{encode_jpeg, encode_png};
pub use version::{DECODE_VERSION, is_known_version, pixels_changed_since, refused_by};

use crate::data::pixels::Pixels;
use crate::io::panics::caught;
use header::header;
use kind::Kind;

/// Reads the dimensions of an image from its header. They are those stored in the file, before the EXIF orientation is
/// applied.
///
/// # Errors
/// When the bytes are not an image in a known format, or the image is too large to decode.
pub fn dimensions(bytes: &[u8]) -> Result<Dimensions, Reason> {
    let kind = kind::of(bytes)?;
    let header = caught(|| header(bytes, kind, bytes.len() as u64)).unwrap_or(Err(Reason::DecoderPanic));
    header.map(|(dimensions, _)| dimensions)
}

/// Decodes a JPEG, PNG, WebP, GIF (first frame), BMP or TIFF image to 8-bit RGB and applies its EXIF orientation.
///
/// The format follows from the content, not from the file name. An alpha channel is dropped and grey values are repeated in
/// all channels. Of 16-bit colours the upper byte is kept, 16-bit grey is rounded to 8 bits. All threads that decode share
/// a limit on memory ([`limit_memory`]); an image waits until its share is free.
///
/// # Errors
/// When the bytes are not an image in a known format, are damaged or cut short, or the image is larger than 178,956,970
/// pixels, 65,535 pixels a side, or the memory for decoding.
pub fn decode(bytes: &[u8]) -> Result<Pixels, Reason> {
    decode_stretched(bytes, None).map(|image| image.pixels)
}

/// Decodes as [`decode`] does, but takes `stretch_16bit` bits for the whole range of a 16-bit image that needs no more of
/// them, such as 12 for a camera of 12 bits. Each of its samples becomes the nearest of 256 levels.
///
/// # Errors
/// Those of [`decode`].
pub fn decode_stretched(bytes: &[u8], stretch_16bit: Option<u8>) -> Result<DecodedFile, Reason> {
    let kind = kind::of(bytes)?;
    let decode = || {
        let (_, memory) = header(bytes, kind, bytes.len() as u64)?;
        let turn = orientation::of(bytes, kind);
        // An upright copy is a second picture.
        let pixels = memory + if turn > 1 { memory } else { 0 };
        let _share = limits::MEMORY.take(pixels)?;
        let image = match kind {
            Kind::Jpeg => DecodedFile { pixels: rgb_of_jpeg(jpeg::decode(bytes)?), narrow: None },
            Kind::Tiff => tif::decode(bytes, memory, stretch_16bit)?,
            Kind::Png | Kind::WebP | Kind::Gif | Kind::Bmp => {
                raster::decode(bytes, kind, memory, stretch_16bit)?
            }
        };
        Ok(DecodedFile { pixels: orientation::apply(image.pixels, turn), ..image })
    };
    caught(decode).unwrap_or(Err(Reason::DecoderPanic))
}

fn rgb_of_jpeg(image: jpeg::JpegPixels) -> Pixels {
    let data = match image.channels {
        1 => image.data.iter().flat_map(|&grey| [grey; 3]).collect(),
        4 => {
            let inks = image.data.chunks_exact(4).map(|p| [255 - p[0], 255 - p[1], 255 - p[2], 255 - p[3]]);
            inks.flat_map(colour::cmyk_to_rgb).collect()
        }
        _ => image.data,
    };
    Pixels::new(image.width, image.height, data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::ImageFormat;
    use std::io::Cursor;

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
        let limit = limits::MAX_PIXELS;
        assert_eq!(
            decode(&bomb).unwrap_err(),
            Reason::TooManyPixels { width: 30_000, height: 30_000, limit }
        );
        bomb[18..22].copy_from_slice(&1i32.to_le_bytes());
        bomb[22..26].copy_from_slice(&70_000i32.to_le_bytes());
        assert!(decode(&bomb).unwrap_err().to_string().contains("65535"), "{:?}", decode(&bomb));
    }

    #[test]
    fn a_lossless_webp_may_be_small_for_its_size() {
        // A size that so few bytes hold where all pixels are one colour, in 14 bits a side behind the signature.
        let mut file = encode(&gradient(), ImageFormat::WebP);
        let size = u32::from_le_bytes(file[21..25].try_into().unwrap()) >> 28 << 28 | 8999 << 14 | 8999;
        file[21..25].copy_from_slice(&size.to_le_bytes());
        assert!(limits::check_density(9000, 9000, file.len() as u64).is_err());
        assert_eq!(dimensions(&file).unwrap(), Dimensions { width: 9000, height: 9000 });
    }

    #[test]
    fn reasons_of_a_damaged_png_are_sentences() {
        let whole = encode_png(&gradient());
        let at = |chunk: &[u8]| whole.windows(4).position(|window| window == chunk).unwrap();
        let mut wrong_sum = whole.clone();
        wrong_sum[at(b"IDAT") + 20] ^= 0x55;
        let without_data = [&whole[..at(b"IDAT") - 4], &whole[at(b"IEND") - 4..]].concat();
        let reason = |bytes: &[u8]| decode(bytes).unwrap_err();
        assert_eq!(reason(&without_data), Reason::damaged("PNG", "a chunk is missing"));
        for bytes in [wrong_sum, without_data] {
            let reason = reason(&bytes).to_string();
            assert!(!reason.contains(['{', '(', '"']), "{reason}");
        }
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
    fn few_bits_of_16_are_known_whatever_alpha_says_and_stretched() {
        use image::DynamicImage::{ImageLuma16, ImageLumaA16, ImageRgb16, ImageRgba16};
        let sample = |x: u32, y: u32| (x * 100 + y) as u16;
        let level = |sample: u16| (f64::from(sample) * 255.0 / 4095.0).round() as u8;
        let buffers = [
            ImageLuma16(image::ImageBuffer::from_fn(40, 9, |x, y| image::Luma([sample(x, y)]))),
            ImageLumaA16(image::ImageBuffer::from_fn(40, 9, |x, y| image::LumaA([sample(x, y), u16::MAX]))),
            ImageRgb16(image::ImageBuffer::from_fn(40, 9, |x, y| image::Rgb([sample(x, y); 3]))),
            ImageRgba16(image::ImageBuffer::from_fn(40, 9, |x, y| {
                let colour = sample(x, y);
                image::Rgba([colour, colour, colour, u16::MAX])
            })),
        ];
        let expected: Vec<u8> =
            (0..9).flat_map(|y| (0..40).flat_map(move |x| [level(sample(x, y)); 3])).collect();
        for buffer in buffers {
            let tiff = (buffer.color() != image::ColorType::La16).then_some(ImageFormat::Tiff);
            for format in [Some(ImageFormat::Png), tiff].into_iter().flatten() {
                let mut bytes = Cursor::new(Vec::new());
                buffer.write_to(&mut bytes, format).unwrap();
                let what = format!("{format:?} {:?}", buffer.color());
                let bytes = bytes.into_inner();
                let stretched = decode_stretched(&bytes, Some(12)).unwrap();
                assert_eq!((stretched.pixels.data(), stretched.narrow), (&expected[..], None), "{what}");
                let plain = decode_stretched(&bytes, None).unwrap();
                assert_eq!(plain.narrow, Some(12), "{what}");
                assert_eq!(plain.pixels, decode(&bytes).unwrap());
                // Of an image that needs more bits, all 16 count.
                assert_eq!(decode_stretched(&bytes, Some(11)).unwrap().pixels, plain.pixels, "{what}");
            }
        }
    }

    #[test]
    fn lossy_pixels_are_pinned() {
        // The spec of a cache names the decoders: when one of these digests changes, increase DECODE_VERSION.
        let pinned: [(&[u8], &str); 4] = [
            (include_bytes!("../../../tests/fixtures/baseline.jpg"), "bff50264ac482917"),
            (include_bytes!("../../../tests/fixtures/progressive.jpg"), "bff50264ac482917"),
            (include_bytes!("../../../tests/fixtures/lossy.webp"), "1eaa4eb0ccc85bd9"),
            (include_bytes!("../../../tests/fixtures/palette.gif"), "3368433a6f22b450"),
        ];
        for (i, (bytes, digest)) in pinned.into_iter().enumerate() {
            let pixels = decode(bytes).unwrap();
            assert_eq!((pixels.width(), pixels.height()), (64, 48));
            assert_eq!(crate::io::digest::sha256(pixels.data()).short(), digest, "fixture {i}");
        }
    }
}
