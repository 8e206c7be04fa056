//! SHA-256, the only door to `sha2`. Digests are lower-case hexadecimal text everywhere else.

use crate::error::{Error, Result};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::Path;

/// The SHA-256 of `bytes` as 64 lower-case hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The SHA-256 of a file's bytes, read in pieces.
///
/// # Errors
/// When the file cannot be opened or read.
pub fn sha256_file(path: &Path) -> Result<String> {
    let mut file = std::fs::File::open(path).map_err(|e| Error::io("open", path, e))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let n = file.read(&mut buffer).map_err(|e| Error::io("read", path, e))?;
        if n == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&buffer[..n]);
    }
}

/// The 32 bytes of a digest; `None` unless it is 64 hexadecimal digits.
pub fn bytes(digest: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = digest.chars().map(|c| Some(c.to_digit(16)? as u8)).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair.last().unwrap_or(&0)).collect();
    bytes.try_into().ok().filter(|_| digits.len() == 64)
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|b| [DIGITS[(b >> 4) as usize] as char, DIGITS[(b & 15) as usize] as char])
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_standard_test_vector() {
        // FIPS 180-2, appendix B.1.
        let digest = super::sha256(b"abc");
        assert_eq!(super::bytes(&digest).map(|bytes| super::hex(&bytes)), Some(digest.clone()));
        for bad in [&digest[..62], &digest[..63], &format!("{digest}0"), &digest.replace('b', "x")] {
            assert_eq!(super::bytes(bad), None, "{bad}");
        }
        assert_eq!(super::sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
