//! Free space of a file system, and whether this user may write to it.

use crate::error::{Error, Kind, Result};
use std::path::Path;

/// Checks that the file system of `folder`, which exists, has room for `bytes` more. Passes where the system does not
/// tell.
///
/// # Errors
/// [`Kind::Io`] with the space that is needed and the space that is free.
pub fn require_space(folder: &Path, bytes: u64) -> Result<()> {
    require(folder, bytes, free_space(folder))
}

fn require(folder: &Path, bytes: u64, available: Option<u64>) -> Result<()> {
    let Some(free) = available.filter(|free| *free < bytes) else { return Ok(()) };
    let megabytes = |bytes: u64| bytes.div_ceil(1_000_000);
    let message = format!("{} MB are needed, {} MB are free", megabytes(bytes), free / 1_000_000);
    Err(Error::new(Kind::Io, message).at(folder).help("free some space there or choose another place"))
}

/// Returns the number of bytes that this user may still write to the file system of `folder`; `None` where the system does not
/// tell.
#[cfg(unix)]
pub fn free_space(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Returns `None`: this system does not tell.
#[cfg(not(unix))]
pub fn free_space(_: &Path) -> Option<u64> {
    None
}

/// Whether this user may write to a file or into a folder, as far as its permissions tell.
#[cfg(unix)]
pub fn is_writable(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok()
}

/// Whether a file or folder may be written, as far as its permissions tell.
#[cfg(not(unix))]
pub fn is_writable(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| !found.permissions().readonly())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_space_is_said_with_both_numbers() {
        let folder = tempfile::tempdir().unwrap();
        require_space(folder.path(), 1).unwrap();
        let error = require_space(folder.path(), u64::MAX).unwrap_err().to_string();
        assert!(!cfg!(unix) || error.contains("18446744073710 MB are needed, "), "{error}");
        let error = require(folder.path(), 75_000_000, Some(3_999_999)).unwrap_err().to_string();
        assert!(error.ends_with(": 75 MB are needed, 3 MB are free"), "{error}");
        require(folder.path(), 75_000_000, None).unwrap();
    }
}
