//! PNG, WebP, GIF and BMP through `image`, made equal to Pillow where it rounds otherwise. Also the encoders.

use super::deep::{DecodedFile, Levels, nearest_level, upper_byte};
use super::kind::Kind;
use crate::data::dataset::Reason;
use crate::data::pixels::Pixels;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use std::borrow::Cow;
use std::io::Cursor;

/// Memory for what a file holds besides pixels, such as colour profiles, which a small file can blow up.
const EXTRA: u64 = 16 << 20;

/// Width, height and the bytes of memory that decoding takes.
pub(super) fn header(bytes: &[u8], kind: Kind) -> Result<(u32, u32, u64), Reason> {
    let decoder = decoder(bytes, kind, EXTRA)?;
    let (width, height) = decoder.dimensions();
    // Beside the picture as stored, its conversion to RGB.
    let bytes_per_pixel = u64::from(decoder.color_type().bytes_per_pixel()) + 3;
    // WebP and GIF are composed on a canvas of their own.
    let canvas = if matches!(kind, Kind::WebP | Kind::Gif) { 8 } else { 0 };
    Ok((width, height, u64::from(width) * u64::from(height) * (bytes_per_pixel + canvas)))
}

/// Decodes to RGB. `memory` is what [`header`] said.
pub(super) fn decode(
    bytes: &[u8],
    kind: Kind,
    memory: u64,
    stretch_16bit: Option<u8>,
) -> Result<DecodedFile, Reason> {
    let damaged = |e: image::ImageError| failure(kind, &e);
    let bytes = &*with_end(bytes, kind);
    let image = DynamicImage::from_decoder(decoder(bytes, kind, memory + EXTRA)?).map_err(damaged)?;
    let (width, height) = (image.width() as usize, image.height() as usize);
    let (mut rgb, narrow) = rgb(image, stretch_16bit);
    if kind == Kind::Bmp
        && let Some(bits) = bits_of_bmp(bytes)
    {
        rgb.chunks_exact_mut(3).for_each(|pixel| {
            pixel.iter_mut().zip(bits).for_each(|(level, bits)| *level = of_few_bits(*level, bits));
        });
    }
    Ok(DecodedFile { pixels: Pixels::new(width, height, rgb), narrow })
}

/// A PNG whose pixels are all there though its last chunk is missing gets that chunk.
fn with_end(bytes: &[u8], kind: Kind) -> Cow<'_, [u8]> {
    const END: &[u8] = b"\0\0\0\0IEND\xae\x42\x60\x82";
    match kind == Kind::Png && !bytes.windows(END.len()).rev().any(|window| window == END) {
        true => Cow::Owned([bytes, END].concat()),
        false => Cow::Borrowed(bytes),
    }
}

/// Drops alpha and repeats grey. Of 16 bits of a colour the upper 8 are kept, as Pillow does; 16 bits of grey, which Pillow
/// clips to white, are rounded. Also returns the bits of an image that needs few of 16.
fn rgb(image: DynamicImage, stretch_16bit: Option<u8>) -> (Vec<u8>, Option<u8>) {
    let levels = |colours: &mut dyn Iterator<Item = u16>| Levels::of(colours, stretch_16bit);
    match image {
        DynamicImage::ImageRgb16(image) => {
            let levels = levels(&mut image.as_raw().iter().copied());
            (image.as_raw().iter().map(|&v| levels.level(v, upper_byte)).collect(), levels.narrow())
        }
        DynamicImage::ImageRgba16(image) => {
            let levels = levels(&mut image.pixels().flat_map(|p| [p[0], p[1], p[2]]));
            let rgb = image.pixels().flat_map(|p| [p[0], p[1], p[2]].map(|v| levels.level(v, upper_byte)));
            (rgb.collect(), levels.narrow())
        }
        DynamicImage::ImageLumaA16(image) => {
            let levels = levels(&mut image.pixels().map(|p| p[0]));
            (image.pixels().flat_map(|p| [levels.level(p[0], upper_byte); 3]).collect(), levels.narrow())
        }
        DynamicImage::ImageLuma16(image) => {
            let levels = levels(&mut image.as_raw().iter().copied());
            let rgb = image.as_raw().iter().flat_map(|&v| [levels.level(v, nearest_level); 3]);
            (rgb.collect(), levels.narrow())
        }
        other => (other.into_rgb8().into_raw(), None),
    }
}

fn decoder(bytes: &[u8], kind: Kind, memory: u64) -> Result<impl ImageDecoder + '_, Reason> {
    let format = match kind {
        Kind::Jpeg => ImageFormat::Jpeg,
        Kind::Png => ImageFormat::Png,
        Kind::WebP => ImageFormat::WebP,
        Kind::Gif => ImageFormat::Gif,
        Kind::Bmp => ImageFormat::Bmp,
        Kind::Tiff => ImageFormat::Tiff,
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(memory);
    reader.limits(limits);
    reader.into_decoder().map_err(|e| failure(kind, &e))
}

/// A failure in a sentence without the names of types.
fn failure(kind: Kind, error: &image::ImageError) -> Reason {
    let format = kind.name();
    match error {
        image::ImageError::Unsupported(_) => {
            Reason::Unsupported { format: format.into(), what: "a rare variant of the format".into() }
        }
        image::ImageError::Limits(_) => Reason::damaged(format, "it holds more than its picture needs"),
        image::ImageError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            Reason::damaged(format, "the file ends before the picture does")
        }
        other => Reason::damaged(format, sentence(&other.to_string())),
    }
}

/// What a decoder's message means to a person.
fn sentence(message: &str) -> &'static str {
    const MEANINGS: [(&[&str], &str); 6] = [
        (&["too large"], "a side is longer than 65535 pixels"),
        (
            &["unexpected end", "unexpectedeof", "not have enough data", "no more data"],
            "the file ends before the picture does",
        ),
        (&["crc", "checksum", "adler"], "a checksum is wrong"),
        (&["deflate", "inflate", "zlib", "corrupt", "huffman", "lzw"], "the compressed data are damaged"),
        (&["missing"], "a chunk is missing"),
        (&["palette"], "a colour is not in the palette"),
    ];
    let message = message.to_lowercase();
    let meaning = MEANINGS.iter().find(|(words, _)| words.iter().any(|word| message.contains(word)));
    meaning.map_or("a header or a chunk makes no sense", |(_, meaning)| meaning)
}

/// The bits of red, green and blue of a BMP of 16 bits a pixel.
fn bits_of_bmp(bytes: &[u8]) -> Option<[u32; 3]> {
    const BIT_FIELDS: u8 = 3;
    if bytes.get(28..30)? != [16, 0] || *bytes.get(14)? < 40 {
        return None;
    }
    if *bytes.get(30)? != BIT_FIELDS {
        return Some([5; 3]);
    }
    let mask = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?).count_ones());
    Some([mask(54)?, mask(58)?, mask(62)?])
}

/// Scales a value of 5 or 6 bits, which was scaled to 8 by rounding, as Pillow does, which rounds down.
fn of_few_bits(level: u8, bits: u32) -> u8 {
    let most = match bits {
        5 | 6 => (1u32 << bits) - 1,
        _ => return level,
    };
    let value = (u32::from(level) * most + 127) / 255;
    (value * 255 / most) as u8
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
