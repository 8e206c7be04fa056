//! How a picture is to be turned: found where Pillow's `exif_transpose` finds it, and applied as it does.

use super::kind::Kind;
use crate::data::pixels::Pixels;
use crate::io::archive::inflate;

/// Text and profiles are unpacked up to this size, as in Pillow.
const MAX_TEXT: usize = 1 << 20;

const ORIENTATION: u16 = 0x0112;
const XMP_IN_TIFF: u16 = 700;
const XMP_IN_JPEG: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

/// The EXIF block and the XMP packet of a file.
#[derive(Default)]
struct Metadata {
    exif: Option<Vec<u8>>,
    xmp: Option<Vec<u8>>,
}

/// Returns the EXIF orientation, 1 to 8; 1 where there is none or it makes no sense.
pub(super) fn of(bytes: &[u8], kind: Kind) -> u8 {
    let metadata = match kind {
        Kind::Jpeg => in_jpeg(bytes),
        Kind::Png => in_png(bytes),
        Kind::WebP => in_webp(bytes),
        Kind::Tiff => in_tiff(bytes),
        Kind::Gif | Kind::Bmp => Metadata::default(),
    };
    let exif = metadata.exif.as_deref().and_then(|exif| tag(without_prefix(exif), ORIENTATION));
    let found = exif.or_else(|| in_xmp(&metadata.xmp?)).unwrap_or(1);
    if (1..=8).contains(&found) { found as u8 } else { 1 }
}

/// Turns and mirrors a picture so that it is upright.
pub(super) fn apply(image: Pixels, orientation: u8) -> Pixels {
    let (width, height) = (image.width(), image.height());
    let swaps = orientation >= 5;
    let (out_width, out_height) = if swaps { (height, width) } else { (width, height) };
    let (right, bottom) = (width - 1, height - 1);
    let source = |x: usize, y: usize| match orientation {
        2 => (right - x, y),
        3 => (right - x, bottom - y),
        4 => (x, bottom - y),
        5 => (y, x),
        6 => (y, bottom - x),
        7 => (right - y, bottom - x),
        8 => (right - y, x),
        _ => (x, y),
    };
    if orientation <= 1 {
        return image;
    }
    let mut data = Vec::with_capacity(image.data().len());
    for y in 0..out_height {
        for x in 0..out_width {
            let (from_x, from_y) = source(x, y);
            data.extend_from_slice(&image.row(from_y)[from_x * 3..from_x * 3 + 3]);
        }
    }
    Pixels::new(out_width, out_height, data)
}

/// Pillow joins the EXIF segments, so that the first counts, and keeps the last XMP packet.
fn in_jpeg(bytes: &[u8]) -> Metadata {
    let mut found = Metadata::default();
    let mut at = 2;
    while let Some(&[prefix, code]) = bytes.get(at..at + 2) {
        if prefix != 0xFF || code == 0xFF || matches!(code, 0x00 | 0x01 | 0xD0..=0xD8) {
            at += if prefix == 0xFF && code != 0xFF { 2 } else { 1 };
            continue;
        }
        let Some(length) = bytes.get(at + 2..at + 4).map(|b| usize::from(b[0]) << 8 | usize::from(b[1]))
        else {
            break;
        };
        let Some(segment) = bytes.get(at + 4..at + 2 + length) else { break };
        match code {
            0xD9 | 0xDA => break,
            0xE1 if segment.starts_with(b"Exif\0\0") => {
                found.exif.get_or_insert_default().extend_from_slice(&segment[6..]);
            }
            0xE1 if segment.starts_with(XMP_IN_JPEG) => {
                found.xmp = Some(segment[XMP_IN_JPEG.len()..].to_vec())
            }
            _ => {}
        }
        at += 2 + length;
    }
    found
}

fn in_png(bytes: &[u8]) -> Metadata {
    let (mut found, mut raw) = (Metadata::default(), None);
    let mut at = 8;
    while let Some((length, name)) = number(bytes, at, 4, true).zip(bytes.get(at + 4..at + 8)) {
        let Some(data) = (length as usize).checked_add(at + 8).and_then(|end| bytes.get(at + 8..end)) else {
            break;
        };
        let keyword = data.split(|&byte| byte == 0).next().unwrap_or_default();
        match (name, keyword) {
            (b"eXIf", _) => found.exif = Some(data.to_vec()),
            (b"iTXt", b"XML:com.adobe.xmp") => found.xmp = international_text(data),
            (b"zTXt" | b"tEXt", b"Raw profile type exif") => {
                let text = data.get(keyword.len() + 1..).unwrap_or_default();
                raw = match name {
                    b"zTXt" => text.get(1..).and_then(|packed| inflate(packed, MAX_TEXT)),
                    _ => Some(text.to_vec()),
                };
            }
            _ => {}
        }
        at += 12 + length as usize;
    }
    found.exif = found.exif.or_else(|| hexadecimal(&raw?));
    found
}

/// The text of an `iTXt` chunk: keyword, packed or not, method, language, translated keyword, text.
fn international_text(data: &[u8]) -> Option<Vec<u8>> {
    let mut parts = data.splitn(2, |&byte| byte == 0);
    let rest = parts.nth(1)?;
    let packed = *rest.first()?;
    let text = rest.get(2..)?.splitn(3, |&byte| byte == 0).nth(2)?;
    if packed == 1 { inflate(text, MAX_TEXT) } else { Some(text.to_vec()) }
}

/// The bytes of an ImageMagick profile: three lines of name and length, then hexadecimal digits.
fn hexadecimal(text: &[u8]) -> Option<Vec<u8>> {
    let lines = text.split(|&byte| byte == b'\n').skip(3).flatten();
    let digits: Vec<u8> =
        lines.map(|&digit| (digit as char).to_digit(16).map(|d| d as u8)).collect::<Option<_>>()?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

fn in_webp(bytes: &[u8]) -> Metadata {
    let mut found = Metadata::default();
    let mut at = 12;
    while let Some((name, length)) = bytes.get(at..at + 4).zip(number(bytes, at + 4, 4, false)) {
        let Some(data) = (length as usize).checked_add(at + 8).and_then(|end| bytes.get(at + 8..end)) else {
            break;
        };
        match name {
            b"EXIF" => found.exif = Some(data.to_vec()),
            b"XMP " => found.xmp = Some(data.to_vec()),
            _ => {}
        }
        at += 8 + length as usize + length as usize % 2;
    }
    found
}

fn in_tiff(bytes: &[u8]) -> Metadata {
    let xmp = entry(bytes, XMP_IN_TIFF).and_then(|entry| {
        let start = entry.value as usize;
        bytes.get(start..start.checked_add(entry.count as usize)?)
    });
    // The file is its own EXIF block, of which only the directory is looked at.
    let exif = tag(bytes, ORIENTATION).map(|value| lone_tag(value as u8));
    Metadata { exif, xmp: xmp.map(<[u8]>::to_vec) }
}

/// An EXIF block with the orientation alone.
fn lone_tag(orientation: u8) -> Vec<u8> {
    [b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".as_slice(), &[orientation, 0, 0, 0, 0, 0, 0, 0]]
        .concat()
}

fn without_prefix(mut exif: &[u8]) -> &[u8] {
    while let Some(rest) = exif.strip_prefix(b"Exif\0\0") {
        exif = rest;
    }
    exif
}

/// `size` bytes at `at` as a number.
fn number(bytes: &[u8], at: usize, size: usize, big: bool) -> Option<u64> {
    let field = bytes.get(at..at.checked_add(size)?)?;
    let add = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
    Some(if big { field.iter().fold(0, add) } else { field.iter().rev().fold(0, add) })
}

/// A tag of a directory.
struct Entry {
    /// The type of its values.
    kind: u64,
    count: u64,
    /// Where the value stands in the file.
    at: usize,
    /// The value, or the offset of the values.
    value: u64,
}

/// Returns where the value of a tag in the first directory of a TIFF stands.
pub(super) fn value_offset(tiff: &[u8], wanted: u16) -> Option<usize> {
    entry(tiff, wanted).map(|entry| entry.at)
}

/// Finds a tag in the first directory of a TIFF or BigTIFF; of several, the last, as in Pillow.
fn entry(tiff: &[u8], wanted: u16) -> Option<Entry> {
    let big = match tiff.get(..2)? {
        b"II" => false,
        b"MM" => true,
        _ => return None,
    };
    let number = |at: usize, size: usize| number(tiff, at, size, big);
    // Sizes of the fields of BigTIFF.
    let is_large = number(2, 2)? == 43;
    let (at_offset, word, count_size) = if is_large { (8, 8, 8) } else { (4, 4, 2) };
    let directory = usize::try_from(number(at_offset, word)?).ok()?;
    let entries = number(directory, count_size)?;
    let length = 4 + 2 * word;
    let mut found = None;
    for i in 0..entries.min(65_536) as usize {
        let at = directory.checked_add(count_size)?.checked_add(i * length)?;
        let Some(tag) = number(at, 2) else { break };
        if tag == u64::from(wanted) {
            let (kind, count) = (number(at + 2, 2)?, number(at + 4, word)?);
            let size = match kind {
                1 | 6 if count == 1 => 1,
                3 | 8 if count == 1 => 2,
                4 | 9 if count == 1 => 4,
                _ => word,
            };
            found = Some(Entry { kind, count, at: at + 4 + word, value: number(at + 4 + word, size)? });
        }
    }
    found
}

/// The value of a tag that is one whole number.
fn tag(tiff: &[u8], wanted: u16) -> Option<u64> {
    let Entry { kind, count, value, .. } = entry(tiff, wanted)?;
    (matches!(kind, 1 | 3 | 4 | 6 | 8 | 9) && count == 1).then_some(value)
}

/// The digit behind `tiff:Orientation="` or `tiff:Orientation>`.
fn in_xmp(xmp: &[u8]) -> Option<u64> {
    let name = b"tiff:Orientation";
    let mut windows = xmp.windows(name.len()).enumerate().filter(|(_, window)| window == name);
    windows.find_map(|(at, _)| {
        let rest = &xmp[at + name.len()..];
        let digit = rest.strip_prefix(b"=\"").or_else(|| rest.strip_prefix(b">"))?.first()?;
        digit.is_ascii_digit().then(|| u64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_orientation_moves_the_corners() {
        // a b
        // c d
        // e f
        let letters: Vec<u8> = b"abcdef".iter().flat_map(|&b| [b; 3]).collect();
        let expected = ["abcdef", "badcfe", "fedcba", "efcdab", "acebdf", "ecafdb", "fdbeca", "bdface"];
        for (orientation, expected) in (1..).zip(expected) {
            let turned = apply(Pixels::new(2, 3, letters.clone()), orientation);
            let text: Vec<u8> = turned.data().iter().step_by(3).copied().collect();
            assert_eq!(String::from_utf8(text).unwrap(), expected, "{orientation}");
            assert_eq!(turned.width(), if orientation < 5 { 2 } else { 3 });
        }
    }

    #[test]
    fn metadata_that_end_early_or_make_no_sense_turn_nothing() {
        let whole = lone_tag(6);
        for kept in 0..whole.len() {
            let _ = tag(&whole[..kept], ORIENTATION);
        }
        assert_eq!(tag(&whole, ORIENTATION), Some(6));
        assert_eq!(in_xmp(b"<a tiff:Orientation='6' tiff:Orientation=\"8\""), Some(8));
        let jpeg = [b"\xff\xd8\xff\xe1\0\x10Exif\0\0".as_slice(), b"II*\0\xff\xff\xff\xff"].concat();
        assert_eq!(of(&jpeg, Kind::Jpeg), 1);
    }
}
