//! A download that is not complete yet: its bytes so far, and beside them where they come from.

use crate::error::{Error, Result};
use crate::io::fs::{self, append};
use crate::io::json;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// An incomplete file, `TARGET.part`, and its origin, `TARGET.part.json`.
#[derive(Debug)]
pub(super) struct Partial {
    path: PathBuf,
    record: PathBuf,
}

/// Where the bytes of an incomplete file come from.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Origin {
    pub address: String,
    /// Identifies this version of the file.
    pub validator: Option<String>,
}

impl Partial {
    /// The incomplete file that becomes `target`. It need not exist.
    pub fn of(target: &Path) -> Self {
        let beside = |suffix: &str| {
            let mut name = target.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        Self { path: beside(".part"), record: beside(".part.json") }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of bytes that are there.
    pub fn len(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |found| found.len())
    }

    /// Where the bytes come from; `None` when that is not recorded.
    pub fn origin(&self) -> Option<Origin> {
        serde_json::from_slice(&std::fs::read(&self.record).ok()?).ok()
    }

    /// Starts over with no bytes.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::error::Kind::Io) when the files cannot be written.
    pub fn start(&self, origin: &Origin) -> Result<()> {
        fs::write_atomic(&self.path, &[])?;
        fs::write_atomic(&self.record, &json::encode_pretty(origin))
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::error::Kind::Io) when they cannot be written.
    pub fn append(&self, bytes: &[u8]) -> Result<()> {
        append(&self.path, bytes)
    }

    /// Removes what is there.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::error::Kind::Io) when it cannot be removed.
    pub fn remove(&self) -> Result<()> {
        for path in [&self.path, &self.record] {
            let is_there = path.try_exists().map_err(|e| Error::io("look for", path, e))?;
            if is_there {
                fs::remove(path)?;
            }
        }
        Ok(())
    }

    /// Gives the complete file its name.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::error::Kind::Io) when it cannot be renamed.
    pub fn finish(&self, target: &Path) -> Result<()> {
        fs::sync_file(&self.path)?;
        fs::rename(&self.path, target)?;
        self.remove()
    }
}
