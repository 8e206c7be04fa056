//! What is known of a file on the net, and whether a file on this machine is that one.

use crate::error::{Error, Kind, Result};
use crate::io::digest::{Digest, Md5, md5_file, sha256_file};
use std::path::Path;

/// A file on the net, and what is known of it. Everything that is known is checked.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RemoteFile {
    /// Where it is, the official address first.
    pub addresses: Vec<String>,
    /// Its size in bytes.
    pub bytes: Option<u64>,
    /// Its SHA-256.
    pub sha256: Option<Digest>,
    /// The first hexadecimal digits of its SHA-256.
    pub sha256_prefix: Option<String>,
    /// Its MD5.
    pub md5: Option<Md5>,
}

impl RemoteFile {
    /// A file at these addresses, of which nothing else is known.
    pub fn new(addresses: impl IntoIterator<Item = String>) -> Self {
        Self { addresses: addresses.into_iter().collect(), ..Self::default() }
    }

    /// Whether a digest identifies the file.
    pub fn has_digest(&self) -> bool {
        self.sha256.is_some() || self.sha256_prefix.is_some() || self.md5.is_some()
    }

    /// Checks that `path` is this file, as far as it is known. Returns the SHA-256 of `path`.
    ///
    /// # Errors
    /// [`Kind::Input`] with what differs, [`Kind::Io`] when it cannot be read.
    pub fn check(&self, path: &Path) -> Result<Digest> {
        let refuse = |what: String| Err(Error::new(Kind::Input, what).at(path));
        let size = std::fs::metadata(path).map_err(|e| Error::io("read", path, e))?.len();
        match self.bytes {
            Some(expected) if size < expected => {
                return refuse(format!("the file is cut short: it has {size} of {expected} bytes"));
            }
            Some(expected) if size > expected => {
                return refuse(format!("it is another file: it has {size} bytes, not {expected}"));
            }
            _ => {}
        }
        let found = sha256_file(path)?;
        let expected = self.sha256.map(|digest| digest.to_string()).or(self.sha256_prefix.clone());
        if let Some(expected) = expected.filter(|expected| !found.to_string().starts_with(expected.as_str()))
        {
            return refuse(format!("it is another file: its SHA-256 is {found}, not {expected}"));
        }
        if let Some(expected) = self.md5 {
            let found = md5_file(path)?;
            if found != expected {
                return refuse(format!("it is another file: its MD5 is {found}, not {expected}"));
            }
        }
        Ok(found)
    }
}
