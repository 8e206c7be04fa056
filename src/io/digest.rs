//! SHA-256 and MD5 digests of bytes and files. The only user of the crates `sha2` and `md5`.

use crate::error::{Error, Kind, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;
use std::fmt;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

/// A SHA-256 digest: 32 bytes in memory, 64 lower-case hexadecimal digits as text. Both sort in the same order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// Computes the SHA-256 digest of `bytes`.
pub fn sha256(bytes: &[u8]) -> Digest {
    Digest(sha2::Sha256::digest(bytes).into())
}

/// A SHA-256 digest of bytes that come piece by piece.
#[derive(Debug, Clone, Default)]
pub struct Sha256(sha2::Sha256);

impl Sha256 {
    /// Appends bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the digest of all bytes.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

/// Computes the SHA-256 digest of a file, which is read in blocks of 1 MiB.
///
/// # Errors
/// [`Kind::Io`] when the file cannot be opened or read.
pub fn sha256_file(path: &Path) -> Result<Digest> {
    hash_file::<32, sha2::Sha256>(path).map(Digest)
}

/// An MD5 digest, as publishers of old files state it. It detects damage, not forgery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Md5([u8; 16]);

/// Computes the MD5 digest of a file.
///
/// # Errors
/// [`Kind::Io`] when the file cannot be opened or read.
pub fn md5_file(path: &Path) -> Result<Md5> {
    hash_file::<16, md5::Md5>(path).map(Md5)
}

/// Hashes a file in blocks of 1 MiB.
fn hash_file<const N: usize, H>(path: &Path) -> Result<[u8; N]>
where
    H: sha2::Digest,
    sha2::digest::Output<H>: Into<[u8; N]>,
{
    let mut file = std::fs::File::open(path).map_err(|e| Error::io("open", path, e))?;
    let mut hasher = H::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let n = file.read(&mut buffer).map_err(|e| Error::io("read", path, e))?;
        if n == 0 {
            return Ok(hasher.finalize().into());
        }
        hasher.update(&buffer[..n]);
    }
}

/// Parses `2 * N` lower-case hexadecimal digits.
fn parse_hexadecimal<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    let byte = |pair: &[u8]| Some(digit(pair[0])? << 4 | digit(pair[1])?);
    let bytes: Option<Vec<u8>> =
        (text.len() == 2 * N).then(|| text.as_bytes().chunks_exact(2).map(byte).collect())?;
    bytes?.try_into().ok()
}

impl fmt::Display for Md5 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Md5 {
    type Err = Error;

    /// Parses 32 lower-case hexadecimal digits; anything else is [`Kind::Input`].
    fn from_str(text: &str) -> Result<Self> {
        parse_hexadecimal(text)
            .map(Self)
            .ok_or_else(|| Error::new(Kind::Input, format!("{text:?} is not an MD5")))
    }
}

impl TryFrom<String> for Md5 {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl Digest {
    /// The 32 bytes of the digest.
    pub fn bytes(&self) -> [u8; 32] {
        self.0
    }

    /// The first 16 of the 64 hexadecimal digits.
    pub fn short(&self) -> String {
        self.0[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        f.pad(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = Error;

    /// Parses 64 lower-case hexadecimal digits; anything else is [`Kind::Input`].
    fn from_str(text: &str) -> Result<Self> {
        parse_hexadecimal(text)
            .map(Self)
            .ok_or_else(|| Error::new(Kind::Input, format!("{text:?} is not a SHA-256")))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_test_vector_is_reproduced() {
        // FIPS 180-2, appendix B.1.
        let digest = sha256(b"abc").to_string();
        assert_eq!(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(digest.parse::<Digest>().unwrap(), sha256(b"abc"));
        assert_eq!(sha256(b"abc").short(), digest[..16]);
        let mut pieces = Sha256::default();
        [&b"a"[..], b"", b"bc"].iter().for_each(|piece| pieces.update(piece));
        assert_eq!(pieces.finish(), sha256(b"abc"));
        for bad in [&digest[..62], &digest[..63], &format!("{digest}0"), &digest.replace('b', "x")] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
        assert!("é".repeat(32).parse::<Digest>().is_err());
    }

    #[test]
    fn the_md5_of_a_file_is_that_of_the_standard() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        // RFC 1321, appendix A.5.
        let expected: Md5 = "900150983cd24fb0d6963f7d28e17f72".parse().unwrap();
        assert_eq!(md5_file(&path).unwrap(), expected);
        assert_eq!(expected.to_string(), "900150983cd24fb0d6963f7d28e17f72");
        assert!("900150983cd24fb0d6963f7d28e17f7".parse::<Md5>().is_err());
    }

    #[test]
    fn digests_sort_as_their_texts_do() {
        let mut digests: Vec<Digest> = (0..50u8).map(|i| sha256(&[i])).collect();
        digests.sort();
        let texts: Vec<String> = digests.iter().map(Digest::to_string).collect();
        assert!(texts.is_sorted());
    }
}
