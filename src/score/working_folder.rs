//! Where features are kept while images are classified: in a cache that was named, or in a folder beside the result that is
//! removed once that is finished.

use crate::error::{Error, Kind, Result};
use crate::io::fs;
use std::path::{Path, PathBuf};

/// A folder for features.
#[derive(Debug, Clone)]
pub(super) struct WorkingFolder {
    pub path: PathBuf,
    /// Whether a person has named it, so that it stays.
    is_kept: bool,
}

impl WorkingFolder {
    /// `cache`, or else `NAME.unfinished` beside the file or folder `NAME`.
    pub fn new(cache: Option<&Path>, beside: &Path) -> Self {
        match cache {
            Some(cache) => Self { path: cache.to_path_buf(), is_kept: true },
            None => {
                let mut name = beside.file_name().unwrap_or_default().to_os_string();
                name.push(".unfinished");
                Self { path: beside.with_file_name(name), is_kept: false }
            }
        }
    }

    /// Names a remedy for a folder that cannot be used and that nobody has named.
    pub fn explain(&self, error: Error) -> Error {
        match error.kind() {
            Kind::Cache if !self.is_kept => error.help("remove that folder, or name a `cache`"),
            _ => error,
        }
    }

    /// Removes a folder that nobody has named.
    ///
    /// # Errors
    /// [`Kind::Io`] when it cannot be removed.
    pub fn finish(&self) -> Result<()> {
        if self.is_kept || !self.path.exists() { Ok(()) } else { fs::remove(&self.path) }
    }
}
