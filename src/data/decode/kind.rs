//! The kind of a file by its first bytes. Kinds that are not read are named, so that a person knows what to do about them.

use crate::data::dataset::Reason;

/// Bytes from the start of a file by which its kind is known.
pub(super) const PREFIX: usize = 4096;

/// A kind of image that is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Jpeg,
    Png,
    WebP,
    Gif,
    Bmp,
    Tiff,
}

impl Kind {
    /// The name of the format.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::WebP => "WebP",
            Self::Gif => "GIF",
            Self::Bmp => "BMP",
            Self::Tiff => "TIFF",
        }
    }
}

/// Kinds of other files that start with fixed bytes at an offset.
const FOREIGN: [(usize, &[u8], &str); 43] = [
    (0, b"\0\0\0\x0cJXL ", JPEG_XL),
    (0, b"\xff\x0a", JPEG_XL),
    (0, b"\0\0\0\x0cjP  ", JPEG_2000),
    (0, b"\xff\x4f\xff\x51", JPEG_2000),
    (0, b"FUJIFILMCCD-RAW", RAW),
    (0, b"IIRO", RAW),
    (0, b"IIU\0", RAW),
    (8, b"CR\x02", RAW),
    (0, b"\x1a\x45\xdf\xa3", VIDEO),
    (0, b"\0\0\x01\xba", VIDEO),
    (0, b"\0\0\x01\xb3", VIDEO),
    (0, b"FLV\x01", VIDEO),
    (0, b"OggS", VIDEO),
    (4, b"ftyp", VIDEO),
    (4, b"moov", VIDEO),
    (4, b"mdat", VIDEO),
    (4, b"wide", VIDEO),
    (8, b"AVI ", VIDEO),
    (0, b"%PDF-", "a PDF document: save its pages as PNG"),
    (0, b"8BPS", "a Photoshop document: save it as PNG"),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR image: save it as PNG"),
    (128, b"DICM", "a DICOM file: save its image as PNG"),
    (0, b"\0\0\x01\0", "an icon (ICO): save it as PNG"),
    (0, b"icns", "an icon (ICNS): save it as PNG"),
    (0, b"PK\x03\x04", "a ZIP archive: unpack it"),
    (0, b"\x1f\x8b", "a gzip archive: unpack it"),
    (0, b"Rar!", "a RAR archive: unpack it"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive: unpack it"),
    (0, b"\0\x05\x16\x07", "the metadata of another file (AppleDouble)"),
    (0, b"bplist00", "a property list of Apple's"),
    (
        0,
        b"version https://git-lfs.github.com/spec/",
        "a Git LFS pointer: fetch the image itself with git lfs pull",
    ),
    (0, b"II\xbc\x01", "a JPEG XR image: save it as JPEG or PNG"),
    (0, b"#?RADIANCE", "a Radiance image (HDR): save it as PNG"),
    (0, b"#?RGBE", "a Radiance image (HDR): save it as PNG"),
    (0, b"DDS ", "a DDS texture: save it as PNG"),
    (0, b"%!PS", "a PostScript drawing (EPS): save it as PNG"),
    (0, b"\xc5\xd0\xd3\xc6", "a PostScript drawing (EPS): save it as PNG"),
    (0, b"qoif", "a QOI image: save it as PNG"),
    (0, b"/annex/objects/", ANNEX),
    (0, b".git/annex/objects/", ANNEX),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", VIDEO),
    (0, b"ID3", VIDEO),
    (0, b"\xff\xfb", VIDEO),
];

const HEIC: &str = "a HEIC image: save it as JPEG or PNG";
const AVIF: &str = "an AVIF image: save it as JPEG or PNG";
const JPEG_XL: &str = "a JPEG XL image: save it as JPEG or PNG";
const JPEG_2000: &str = "a JPEG 2000 image: save it as JPEG or PNG";
/// Also the kind of a TIFF whose tags are those of a camera.
pub(super) const RAW: &str = "a RAW photo of a camera: develop it to JPEG or PNG";
const ANNEX: &str = "a git-annex pointer: fetch the image itself with git annex get";
const PNM: &str = "a PPM, PGM or PBM image: save it as PNG";
const TGA: &str = "a TGA image: save it as PNG";
const VIDEO: &str = "a video or sound: save frames as JPEG or PNG";

/// Returns the kind of a file that starts with `bytes`: all of it, or at least [`PREFIX`] bytes.
///
/// # Errors
/// [`Reason::Empty`], [`Reason::OtherKind`] with a name, or [`Reason::UnknownFormat`].
pub(super) fn of(bytes: &[u8]) -> Result<Kind, Reason> {
    let at = |offset: usize, magic: &[u8]| bytes.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    if bytes.is_empty() {
        return Err(Reason::Empty);
    }
    // CR2 photos start as a TIFF does.
    let known = match bytes {
        [0xFF, 0xD8, 0xFF, ..] => Some(Kind::Jpeg),
        _ if at(0, b"\x89PNG\r\n\x1a\n") => Some(Kind::Png),
        _ if at(0, b"RIFF") && at(8, b"WEBP") => Some(Kind::WebP),
        _ if at(0, b"GIF87a") || at(0, b"GIF89a") => Some(Kind::Gif),
        _ if at(0, b"BM") && bytes.len() > 14 => Some(Kind::Bmp),
        _ if is_tiff(bytes) && !at(8, b"CR\x02") => Some(Kind::Tiff),
        _ => None,
    };
    if let Some(kind) = known {
        return Ok(kind);
    }
    let fixed = FOREIGN.iter().find(|(offset, magic, _)| at(*offset, magic)).map(|(_, _, name)| *name);
    let name = brand(bytes).or(fixed).or_else(|| text(bytes)).or_else(|| zeros(bytes));
    let name = name.or_else(|| without_magic(bytes));
    Err(name.map_or(Reason::UnknownFormat, |name| Reason::OtherKind(name.into())))
}

fn is_tiff(bytes: &[u8]) -> bool {
    let magics: [&[u8]; 4] = [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"];
    magics.iter().any(|magic| bytes.starts_with(magic))
}

/// Still images in the container of MP4, by their brand (ISO/IEC 23008-12, AV1 image file format).
fn brand(bytes: &[u8]) -> Option<&'static str> {
    match (bytes.get(4..8)?, bytes.get(8..12)?) {
        (b"ftyp", b"avif" | b"avis") => Some(AVIF),
        (b"ftyp", b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1") => {
            Some(HEIC)
        }
        (b"ftyp", b"crx ") => Some(RAW),
        _ => None,
    }
}

/// Kinds that do not start with fixed bytes: numbers in a plausible header, or packets of a fixed length.
fn without_magic(bytes: &[u8]) -> Option<&'static str> {
    const PACKET: usize = 188;
    match bytes {
        [b'P', b'1'..=b'7', b' ' | b'\n' | b'\r' | b'\t' | b'#', ..] => Some(PNM),
        [0x47, ..] if bytes.get(PACKET) == Some(&0x47) && bytes.get(2 * PACKET) == Some(&0x47) => Some(VIDEO),
        // No colour map, RGB or grey, plain or run lengths; an origin at zero; a depth that occurs.
        [_, 0, 2 | 3 | 10 | 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, _, _, _, _, 8 | 16 | 24 | 32, _, ..] => Some(TGA),
        _ => None,
    }
}

fn text(bytes: &[u8]) -> Option<&'static str> {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(PREFIX)]).to_lowercase();
    let start = start.trim_start_matches('\u{feff}').trim_start();
    match start {
        _ if start.starts_with("<!doctype html") || start.starts_with("<html") => {
            Some("a web page (HTML), such as the answer of a server in place of the image: fetch it again")
        }
        _ if start.starts_with("<svg") || (start.starts_with('<') && start.contains("<svg")) => {
            Some("an SVG drawing: save it as PNG")
        }
        _ if start.starts_with("<?xml") => Some("an XML file"),
        _ if start.starts_with("{\"") || start.starts_with("[{") => Some("a JSON file"),
        _ => None,
    }
}

/// What a broken copy or a full disk leaves.
fn zeros(bytes: &[u8]) -> Option<&'static str> {
    let first = &bytes[..bytes.len().min(PREFIX)];
    (first.len() > 16 && first.iter().all(|&byte| byte == 0))
        .then_some("zeros, as a broken copy leaves them: copy it again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_kinds_are_named() {
        let packets: Vec<u8> = (0..3).flat_map(|_| [&[0x47][..], &[1; 187]].concat()).collect();
        let cases: [(&[u8], &str); 23] = [
            (b"\0\0\0\x18ftypheic", "HEIC"),
            (b"\0\0\0\x18ftypavif", "AVIF"),
            (b"\0\0\0\x18ftypmp42", "video"),
            (b"\0\0\0\x14ftypqt  ", "video"),
            (b"\0\0\0\x0cJXL \r\n", "JPEG XL"),
            (b"\0\0\0\x0cjP  \r\n", "JPEG 2000"),
            (b"\xef\xbb\xbf\n<!DOCTYPE HTML><html>", "web page"),
            (b"<?xml version='1.0'?><svg/>", "SVG"),
            (b"<?xml version='1.0'?><!DOCTYPE plist>", "XML"),
            (b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS"),
            (b"II*\0\x10\0\0\0CR\x02\0", "RAW"),
            (&[0; 100], "zeros"),
            (b"II\xbc\x01\x08\0\0\0", "JPEG XR"),
            (b"#?RADIANCE\n", "Radiance"),
            (b"P6\n2 2\n255\n", "PPM"),
            (b"\0\0\x02\0\0\0\0\0\0\0\0\0\x02\0\x02\0\x18\0", "TGA"),
            (b"DDS |\0\0\0", "DDS"),
            (b"%!PS-Adobe-3.0 EPSF-3.0", "EPS"),
            (b"qoif\0\0\0\x02", "QOI"),
            (b"/annex/objects/SHA256E-s4--00.jpg\n", "git-annex"),
            (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video"),
            (&packets, "video"),
            (b"ID3\x04", "sound"),
        ];
        for (bytes, name) in cases {
            let reason = of(bytes).unwrap_err();
            assert!(reason.to_string().contains(name), "{reason}");
            assert_eq!(Reason::from(reason.to_string()), reason);
        }
        assert_eq!(of(b"hello, I am a text"), Err(Reason::UnknownFormat));
        assert_eq!(of(b"II+\0"), Ok(Kind::Tiff));
    }
}
