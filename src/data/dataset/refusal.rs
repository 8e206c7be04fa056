//! Files that cannot be used, and the reasons. A reason is stored as its text and read back from it.

use crate::error::Error;
use crate::io::digest::Digest;
use serde::{Serialize, Serializer};
use std::fmt;
use std::path::Path;

/// A file or folder that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Refused {
    /// Path relative to the folder of images, with `/` separators.
    pub path: String,
    /// SHA-256 of the file's bytes; `None` if they could not be read or are not the cause.
    #[serde(skip)]
    pub image_sha256: Option<Digest>,
    /// Why it cannot be used.
    pub reason: Reason,
}

/// Why a file or folder cannot be used.
///
/// `Display` gives one line of text. That text is also the serialised form, in JSON and in `refused.parquet`;
/// `Reason::from` reads it back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The file could not be opened or read; holds the message of the operating system.
    Unreadable(String),
    /// A folder was given where a file is expected.
    Folder,
    /// It is a device, a pipe or a socket.
    NotRegularFile,
    /// The file is larger than any image that is read.
    TooManyBytes {
        /// Size of the file in bytes.
        bytes: u64,
        /// Largest size that is read, in bytes.
        limit: u64,
    },
    /// The file holds no bytes.
    Empty,
    /// The bytes are not in an image format that can be decoded.
    UnknownFormat,
    /// Width or height is zero.
    NoPixels,
    /// Width or height is larger than what is decoded.
    SideTooLong {
        /// The longer side in pixels.
        side: u32,
        /// Longest side that is decoded, in pixels.
        limit: u32,
    },
    /// The image has more pixels than are decoded.
    TooManyPixels {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Largest number of pixels that is decoded.
        limit: u64,
    },
    /// The file has too few bytes for so many pixels: its header asks for far more memory than its picture.
    TooFewBytes {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Size of the file in bytes.
        bytes: u64,
    },
    /// Decoding the image takes more memory than all decoding threads may use together.
    TooMuchMemory {
        /// Bytes that decoding takes.
        bytes: u64,
        /// Bytes of memory for decoding.
        limit: u64,
    },
    /// The data of a JPEG file end before its last block.
    TruncatedJpeg,
    /// The file is of a known kind that is not decoded; holds its name and what to do.
    OtherKind(String),
    /// The file is of a kind that is decoded, but makes use of a feature that is not.
    Unsupported {
        /// Kind of image, such as `TIFF`.
        format: String,
        /// The feature.
        what: String,
    },
    /// The data of an image are damaged.
    Damaged {
        /// Kind of image, such as `PNG`.
        format: String,
        /// What is wrong with them.
        message: String,
    },
    /// The image decoder panicked.
    DecoderPanic,
    /// The file name is not valid UTF-8.
    NameNotUtf8,
    /// A folder could not be resolved; holds the message of the operating system.
    FolderNotFound(String),
    /// A folder could not be listed; holds the message of the operating system.
    FolderNotListed(String),
    /// Files of another class have the same bytes.
    ConflictingLabel {
        /// Path of one of those files.
        other: String,
    },
    /// The process that read the file ended, several times and with no other file.
    EndedWorker,
    /// The bytes changed between the scan of the folder and the decoding of the image.
    ChangedDuringRun,
    /// The file was there at the start of the run and is not any more.
    VanishedDuringRun,
    /// The network computed infinite or undefined features.
    NonFiniteFeatures {
        /// Variant of the image that was embedded.
        variant: String,
    },
    /// A row of a manifest cannot be used.
    Row {
        /// Its line in the manifest, or its number in a Parquet file, from 1.
        line: u64,
        /// What is wrong with it.
        fault: String,
    },
    /// Any other reason, such as the message of an image decoder or the text of another version.
    Other(String),
}

/// Reasons whose text holds no values.
const PLAIN: [Reason; 11] = [
    Reason::Folder,
    Reason::NotRegularFile,
    Reason::Empty,
    Reason::UnknownFormat,
    Reason::NoPixels,
    Reason::TruncatedJpeg,
    Reason::DecoderPanic,
    Reason::NameNotUtf8,
    Reason::EndedWorker,
    Reason::ChangedDuringRun,
    Reason::VanishedDuringRun,
];

impl Reason {
    /// Reason for the file `path`, which the operating system does not open or read. A link that leads nowhere is called
    /// that.
    pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        let is_broken = path.is_symlink() && path.metadata().is_err();
        let link =
            is_broken.then(|| Error::obstacle(path)).flatten().filter(|link| link.path() == Some(path));
        Self::Unreadable(link.map_or_else(|| error.to_string(), |link| link.message().to_string()))
    }

    /// Reason for an image whose data make no sense. Only the first line of `message` is kept.
    pub(crate) fn damaged(format: &str, message: impl fmt::Display) -> Self {
        let text = message.to_string();
        let message = text.lines().next().unwrap_or_default().trim().to_string();
        Self::Damaged { format: format.into(), message }
    }

    /// Parses the text of a reason that holds values.
    fn with_values(text: &str) -> Option<Self> {
        Self::with_texts(text).or_else(|| Self::with_numbers(text))
    }

    fn with_texts(text: &str) -> Option<Self> {
        let between = |start: &str, end: &str| text.strip_prefix(start)?.strip_suffix(end);
        if let Some(message) = between("could not be read: ", "") {
            return Some(Self::Unreadable(message.into()));
        }
        if let Some(message) = between("the folder could not be found: ", "") {
            return Some(Self::FolderNotFound(message.into()));
        }
        if let Some(message) = between("the folder could not be listed: ", "") {
            return Some(Self::FolderNotListed(message.into()));
        }
        if let Some(other) = between("same bytes as ", ", under another label") {
            return Some(Self::ConflictingLabel { other: other.into() });
        }
        if let Some(variant) = between("the network gave values that are no numbers (", ")") {
            return Some(Self::NonFiniteFeatures { variant: variant.into() });
        }
        if let Some((line, fault)) = between("line ", "").and_then(|text| text.split_once(": ")) {
            return Some(Self::Row { line: line.parse().ok()?, fault: fault.into() });
        }
        if let Some(what) = between("not an image that is read, but ", "") {
            return Some(Self::OtherKind(what.into()));
        }
        if let Some((format, what)) =
            between("", " is not supported").and_then(|text| text.split_once(" with "))
        {
            return Some(Self::Unsupported { format: format.into(), what: what.into() });
        }
        if let Some((format, message)) =
            between("the ", "").and_then(|text| text.split_once(" data are damaged: "))
        {
            return Some(Self::Damaged { format: format.into(), message: message.into() });
        }
        None
    }

    fn with_numbers(text: &str) -> Option<Self> {
        let between = |start: &str, end: &str| text.strip_prefix(start)?.strip_suffix(end);
        let limited = |start: &str, middle: &str| between(start, " allowed")?.split_once(middle);
        if let Some((bytes, limit)) = limited("its ", " bytes are more than the ") {
            return Some(Self::TooManyBytes { bytes: bytes.parse().ok()?, limit: limit.parse().ok()? });
        }
        if let Some((side, limit)) = limited("a side of ", " pixels is more than the ") {
            return Some(Self::SideTooLong { side: side.parse().ok()?, limit: limit.parse().ok()? });
        }
        if let Some((bytes, limit)) = limited("decoding takes ", " bytes of memory, more than the ") {
            return Some(Self::TooMuchMemory { bytes: bytes.parse().ok()?, limit: limit.parse().ok()? });
        }
        if let Some((size, bytes)) =
            between("", " bytes").and_then(|text| text.split_once(" pixels cannot come from "))
        {
            let (width, height) = parse_size(size)?;
            return Some(Self::TooFewBytes { width, height, bytes: bytes.parse().ok()? });
        }
        let (size, limit) = limited("", " pixels are more than the ")?;
        let (width, height) = parse_size(size)?;
        Some(Self::TooManyPixels { width, height, limit: limit.parse().ok()? })
    }
}

/// Parses `WIDTH x HEIGHT`.
fn parse_size(text: &str) -> Option<(u32, u32)> {
    let (width, height) = text.split_once(" x ")?;
    Some((width.parse().ok()?, height.parse().ok()?))
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // These texts are stored in caches: `with_values` reads them back.
        let text = match self {
            Self::Unreadable(message) => return write!(f, "could not be read: {message}"),
            Self::FolderNotFound(message) => return write!(f, "the folder could not be found: {message}"),
            Self::FolderNotListed(message) => return write!(f, "the folder could not be listed: {message}"),
            Self::ConflictingLabel { other } => {
                return write!(f, "same bytes as {other}, under another label");
            }
            Self::NonFiniteFeatures { variant } => {
                return write!(f, "the network gave values that are no numbers ({variant})");
            }
            Self::Row { line, fault } => return write!(f, "line {line}: {fault}"),
            Self::TooManyBytes { bytes, limit } => {
                return write!(f, "its {bytes} bytes are more than the {limit} allowed");
            }
            Self::SideTooLong { side, limit } => {
                return write!(f, "a side of {side} pixels is more than the {limit} allowed");
            }
            Self::TooManyPixels { width, height, limit } => {
                return write!(f, "{width} x {height} pixels are more than the {limit} allowed");
            }
            Self::TooFewBytes { width, height, bytes } => {
                return write!(f, "{width} x {height} pixels cannot come from {bytes} bytes");
            }
            Self::TooMuchMemory { bytes, limit } => {
                return write!(f, "decoding takes {bytes} bytes of memory, more than the {limit} allowed");
            }
            Self::OtherKind(what) => return write!(f, "not an image that is read, but {what}"),
            Self::Unsupported { format, what } => return write!(f, "{format} with {what} is not supported"),
            Self::Damaged { format, message } => {
                return write!(f, "the {format} data are damaged: {message}");
            }
            Self::Folder => "a folder, not an image file",
            Self::NotRegularFile => "not a regular file",
            Self::Empty => "the file is empty",
            Self::UnknownFormat => "not an image of a known kind (JPEG, PNG, WebP, GIF, BMP, TIFF)",
            Self::NoPixels => "the image has no pixels",
            Self::TruncatedJpeg => "the JPEG data end before the image does",
            Self::DecoderPanic => "the decoder gave up on this file",
            Self::NameNotUtf8 => "its name is not UTF-8",
            Self::EndedWorker => "the process that read it ended, each time",
            Self::ChangedDuringRun => "changed while the images were being read",
            Self::VanishedDuringRun => "vanished while the images were being read",
            Self::Other(text) => text,
        };
        f.write_str(text)
    }
}

impl std::error::Error for Reason {}

impl From<&str> for Reason {
    fn from(text: &str) -> Self {
        let plain = PLAIN.into_iter().find(|reason| reason.to_string() == text);
        let known = plain.or_else(|| Self::with_values(text).filter(|reason| reason.to_string() == text));
        known.unwrap_or_else(|| Self::Other(text.into()))
    }
}

impl From<String> for Reason {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> Self {
        reason.to_string()
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_read_back_from_its_text() {
        let message = || "No such file or directory (os error 2)".to_string();
        let with_values = [
            Reason::Unreadable(message()),
            Reason::FolderNotFound(message()),
            Reason::FolderNotListed(message()),
            Reason::ConflictingLabel { other: "a/b, under another label".into() },
            Reason::NonFiniteFeatures { variant: "shift:+30:+0".into() },
            Reason::TooManyBytes { bytes: 2_000_000_000, limit: 1 << 30 },
            Reason::SideTooLong { side: 70_000, limit: 65_535 },
            Reason::TooManyPixels { width: 30_000, height: 30_000, limit: 178_956_970 },
            Reason::TooFewBytes { width: 13_377, height: 13_377, bytes: 35 },
            Reason::TooMuchMemory { bytes: 3_000_000_000, limit: 1 << 30 },
            Reason::OtherKind("a HEIC image: save it as JPEG or PNG".into()),
            Reason::Unsupported { format: "TIFF".into(), what: "12 bits a sample".into() },
            Reason::damaged("PNG", "CRC error: expected 1\nhave 2"),
            Reason::Row { line: 17, fault: "it has no label: or so".into() },
            Reason::Other("invalid PNG signature".into()),
        ];
        for reason in PLAIN.into_iter().chain(with_values) {
            assert_eq!(Reason::from(reason.to_string()), reason);
        }
    }

    #[test]
    fn the_texts_of_caches_from_before_are_known() {
        let texts = [
            ("the file is empty", Reason::Empty),
            (
                "same bytes as a/1.png, under another label",
                Reason::ConflictingLabel { other: "a/1.png".into() },
            ),
            (
                "30000 x 20000 pixels are more than the 178956970 allowed",
                Reason::TooManyPixels { width: 30_000, height: 20_000, limit: 178_956_970 },
            ),
            ("could not be read: oh", Reason::Unreadable("oh".into())),
        ];
        for (text, reason) in texts {
            assert_eq!(Reason::from(text), reason);
            assert_eq!(serde_json::to_value(&reason).unwrap(), text);
        }
        for other in ["", "+1 x 2 pixels are more than the 3 allowed", "words of a later version"] {
            assert_eq!(Reason::from(other), Reason::Other(other.into()));
        }
    }
}
