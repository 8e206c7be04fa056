//! TIFF: the colour models that photos, scans and screenshots come in. Scientific samples whose range is unknown are refused,
//! since any scaling of them would be a guess.

use super::colour::{cmyk_to_rgb, ycbcr_to_rgb};
use super::deep::{DecodedFile, Levels, nearest_level, upper_byte};
use super::kind::RAW;
use super::limits;
use crate::data::dataset::Reason;
use crate::data::pixels::Pixels;
use std::io::{Cursor, Read, Seek};
use tiff::TiffError;
use tiff::decoder::{Decoder, DecodingResult};
use tiff::tags::{PhotometricInterpretation, Tag};

type Tiff<'a> = Decoder<Cursor<&'a [u8]>>;

/// What the samples of a pixel mean.
#[derive(Clone, Copy, PartialEq)]
enum Colours {
    Grey,
    Rgb,
    Cmyk,
    YCbCr,
    Palette,
}

const CFA: u16 = 32_803;
const LINEAR_RAW: u16 = 34_892;
const SUB_DIRECTORIES: u16 = 330;
const DNG_VERSION: u16 = 50_706;

/// Width, height and the bytes of memory that decoding takes.
pub(super) fn header(file: impl Read + Seek) -> Result<(u32, u32, u64), Reason> {
    let mut tiff = Decoder::new(file).map_err(|e| failure(&e))?;
    let (width, height) = tiff.dimensions().map_err(|e| failure(&e))?;
    let bits: Vec<u16> = tiff.find_tag_unsigned_vec(Tag::BitsPerSample).ok().flatten().unwrap_or_default();
    // Samples as stored, samples as 8 bits, RGB.
    let stored: u64 = bits.iter().map(|&bits| u64::from(bits.div_ceil(8))).sum::<u64>().max(1);
    Ok((width, height, u64::from(width) * u64::from(height) * (stored + bits.len() as u64 + 3)))
}

/// Decodes the first image of a TIFF.
pub(super) fn decode(bytes: &[u8], memory: u64, stretch_16bit: Option<u8>) -> Result<DecodedFile, Reason> {
    let mut tiff = open(bytes)?;
    let (width, height) = tiff.dimensions().map_err(|e| failure(&e))?;
    limits::check_size(width, height)?;
    let colours = colours(&mut tiff)?;
    let palette = match colours {
        Colours::Palette => tiff.find_tag_unsigned_vec::<u16>(Tag::ColorMap).ok().flatten(),
        _ => None,
    };
    let patched;
    if colours == Colours::Palette {
        // The indexes of a palette are read as if they were grey.
        patched = as_grey(bytes).ok_or_else(|| Reason::damaged("TIFF", "its directory makes no sense"))?;
        tiff = open(&patched)?;
    }
    let mut tiff_limits = tiff::decoder::Limits::default();
    tiff_limits.decoding_buffer_size = usize::try_from(memory).unwrap_or(usize::MAX);
    tiff_limits.intermediate_buffer_size = tiff_limits.decoding_buffer_size;
    let mut tiff = tiff.with_limits(tiff_limits);
    let pixels = (width as usize, height as usize);
    let bits = bits(&mut tiff)?;
    let planar = tiff.find_tag_unsigned::<u16>(Tag::PlanarConfiguration).ok().flatten() == Some(2);
    let mut decoded = DecodingResult::U8(Vec::new());
    tiff.read_image_to_buffer(&mut decoded).map_err(|e| failure(&e))?;
    let layout = Layout { colours, pixels: pixels.0 * pixels.1, planar };
    let levels = match &decoded {
        DecodingResult::U16(values) => layout.levels(values, stretch_16bit),
        _ => None,
    };
    let samples = bytes_of(decoded, colours, bits, pixels, levels.as_ref())?;
    let rgb = to_rgb(&samples, &layout, palette.as_deref())?;
    let narrow = levels.and_then(|levels| levels.narrow());
    Ok(DecodedFile { pixels: Pixels::new(pixels.0, pixels.1, rgb), narrow })
}

fn open(bytes: &[u8]) -> Result<Tiff<'_>, Reason> {
    Decoder::new(Cursor::new(bytes)).map_err(|e| failure(&e))
}

fn unsupported(what: impl Into<String>) -> Reason {
    Reason::Unsupported { format: "TIFF".into(), what: what.into() }
}

fn failure(error: &TiffError) -> Reason {
    match error {
        TiffError::UnsupportedError(_) => unsupported("a rare compression or layout"),
        TiffError::LimitsExceeded => Reason::damaged("TIFF", "it holds more than its picture needs"),
        TiffError::IoError(_) => Reason::damaged("TIFF", "the file ends before the picture does"),
        _ => Reason::damaged("TIFF", "a tag or a strip makes no sense"),
    }
}

/// Finds out the colour model, and refuses those that are not decoded, by name.
fn colours(tiff: &mut Tiff) -> Result<Colours, Reason> {
    let mut has = |tag: u16| tiff.find_tag(Tag::Unknown(tag)).ok().flatten().is_some();
    let is_dng = has(DNG_VERSION);
    let has_more = tiff.find_tag(Tag::from_u16_exhaustive(SUB_DIRECTORIES)).ok().flatten().is_some();
    let mut number = |tag: Tag| tiff.find_tag_unsigned::<u32>(tag).ok().flatten();
    // A thumbnail before a directory of its own for the picture is how cameras write their RAW files.
    let is_thumbnail = number(Tag::NewSubfileType).is_some_and(|kind| kind & 1 == 1) && has_more;
    let photometric = number(Tag::PhotometricInterpretation).unwrap_or(1) as u16;
    if is_dng || is_thumbnail || [CFA, LINEAR_RAW].contains(&photometric) {
        return Err(Reason::OtherKind(RAW.into()));
    }
    let formats: Vec<u16> = tiff.find_tag_unsigned_vec(Tag::SampleFormat).ok().flatten().unwrap_or_default();
    if formats.iter().any(|&format| format != 1 && format != 3) {
        return Err(unsupported("samples that are signed or complex numbers, whose range is unknown"));
    }
    match PhotometricInterpretation::from_u16(photometric) {
        Some(PhotometricInterpretation::WhiteIsZero | PhotometricInterpretation::BlackIsZero) => {
            Ok(Colours::Grey)
        }
        Some(PhotometricInterpretation::RGB) => Ok(Colours::Rgb),
        Some(PhotometricInterpretation::RGBPalette) => Ok(Colours::Palette),
        Some(PhotometricInterpretation::CMYK) => Ok(Colours::Cmyk),
        Some(PhotometricInterpretation::YCbCr) => Ok(Colours::YCbCr),
        Some(PhotometricInterpretation::TransparencyMask) => Err(unsupported("a mask in place of a picture")),
        _ => Err(unsupported("CIELab or another rare colour model")),
    }
}

/// Bits of a sample.
fn bits(tiff: &mut Tiff) -> Result<u8, Reason> {
    match tiff.colortype() {
        Ok(colour) => match colour.bit_depth() {
            bits @ (1 | 2 | 4 | 8 | 16 | 32 | 64) => Ok(bits),
            bits => Err(unsupported(format!("{bits} bits a sample"))),
        },
        Err(error) => Err(failure(&error)),
    }
}

/// Turns samples of any type into bytes, row by row.
fn bytes_of(
    decoded: DecodingResult,
    colours: Colours,
    bits: u8,
    (width, height): (usize, usize),
    levels: Option<&Levels>,
) -> Result<Vec<u8>, Reason> {
    let level = |sample: u16, whole: fn(u16) -> u8| match levels {
        Some(levels) => levels.level(sample, whole),
        None => whole(sample),
    };
    let unit = |values: &mut dyn Iterator<Item = f64>| -> Result<Vec<u8>, Reason> {
        let byte = |value: f64| match (0.0..=1.0).contains(&value) {
            true => Ok((value * 255.0).round() as u8),
            false => Err(unsupported("floating-point samples outside 0 to 1")),
        };
        values.map(byte).collect()
    };
    match decoded {
        DecodingResult::U8(packed) if bits < 8 => Ok(unpack(&packed, colours, bits, width, height)),
        DecodingResult::U8(bytes) => Ok(bytes),
        DecodingResult::U16(values) => Ok(match colours {
            Colours::Grey => values.into_iter().map(|value| level(value, nearest_level)).collect(),
            Colours::Palette => return Err(unsupported("a palette of 16 bits")),
            _ => values.into_iter().map(|value| level(value, upper_byte)).collect(),
        }),
        DecodingResult::F32(values) => unit(&mut values.into_iter().map(f64::from)),
        DecodingResult::F64(values) => unit(&mut values.into_iter()),
        _ => Err(unsupported("samples of 32 bits, whose range is unknown")),
    }
}

/// Unpacks samples of 1, 2 or 4 bits. Each row starts with a byte. Grey is scaled to 0 to 255.
fn unpack(packed: &[u8], colours: Colours, bits: u8, width: usize, height: usize) -> Vec<u8> {
    let most = (1u16 << bits) - 1;
    let scale = if colours == Colours::Palette { 1 } else { (255 / most) as u8 };
    let row_bytes = packed.len() / height.max(1);
    let samples = row_bytes * 8 / usize::from(bits) / width.max(1) * width;
    let mut out = Vec::with_capacity(samples * height);
    for row in packed.chunks_exact(row_bytes.max(1)) {
        out.extend((0..samples).map(|i| {
            let at = i * usize::from(bits);
            let shift = 8 - usize::from(bits) - at % 8;
            (row[at / 8] >> shift & most as u8) * scale
        }));
    }
    out
}

/// The order of the samples of an image.
struct Layout {
    colours: Colours,
    /// Number of pixels.
    pixels: usize,
    /// Whether all samples of a channel come before those of the next.
    planar: bool,
}

impl Layout {
    /// Channels that hold colours. Others may follow them.
    fn channels(&self) -> usize {
        match self.colours {
            Colours::Grey | Colours::Palette => 1,
            Colours::Rgb | Colours::YCbCr => 3,
            Colours::Cmyk => 4,
        }
    }

    /// How samples of 16 bits become levels; `None` for colours that are not light.
    fn levels(&self, values: &[u16], stretch_16bit: Option<u8>) -> Option<Levels> {
        let (number, channels) = (values.len() / self.pixels.max(1), self.channels());
        if number < channels || !matches!(self.colours, Colours::Grey | Colours::Rgb) {
            return None;
        }
        let colours: &mut dyn Iterator<Item = u16> = match self.planar {
            true => &mut values[..channels * self.pixels].iter().copied(),
            false => &mut values.chunks_exact(number).flat_map(|pixel| pixel[..channels].iter().copied()),
        };
        Some(Levels::of(colours, stretch_16bit))
    }
}

/// Converts samples, whose number a pixel follows from their length.
fn to_rgb(samples: &[u8], layout: &Layout, palette: Option<&[u16]>) -> Result<Vec<u8>, Reason> {
    let Layout { colours, pixels, planar } = *layout;
    let number = samples.len() / pixels.max(1);
    if number < layout.channels() || samples.len() != pixels * number {
        return Err(unsupported("a layout of samples that is not decoded"));
    }
    let sample = |pixel: usize, channel: usize| match planar {
        true => samples[channel * pixels + pixel],
        false => samples[pixel * number + channel],
    };
    let mut rgb = Vec::with_capacity(pixels * 3);
    for pixel in 0..pixels {
        let of = |channel| sample(pixel, channel);
        rgb.extend_from_slice(&match colours {
            Colours::Grey => [of(0); 3],
            Colours::Rgb => [of(0), of(1), of(2)],
            Colours::Cmyk => cmyk_to_rgb([of(0), of(1), of(2), of(3)]),
            Colours::YCbCr => ycbcr_to_rgb([of(0), of(1), of(2)]),
            Colours::Palette => colour_of(palette, of(0))?,
        });
    }
    Ok(rgb)
}

/// The upper bytes of a colour of a palette: all reds, all greens, all blues.
fn colour_of(palette: Option<&[u16]>, index: u8) -> Result<[u8; 3], Reason> {
    let palette = palette.ok_or_else(|| Reason::damaged("TIFF", "its palette is missing"))?;
    let colours = palette.len() / 3;
    match usize::from(index) < colours {
        true => Ok([0, 1, 2].map(|channel| (palette[channel * colours + usize::from(index)] >> 8) as u8)),
        false => Err(Reason::damaged("TIFF", "a pixel has no colour in the palette")),
    }
}

/// A copy of the file whose photometric interpretation is grey.
fn as_grey(bytes: &[u8]) -> Option<Vec<u8>> {
    const PHOTOMETRIC: u16 = 262;
    let at = super::orientation::value_offset(bytes, PHOTOMETRIC)?;
    let mut copy = bytes.to_vec();
    let value = if bytes.starts_with(b"II") { [1, 0] } else { [0, 1] };
    copy.get_mut(at..at + 2)?.copy_from_slice(&value);
    Some(copy)
}
