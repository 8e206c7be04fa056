//! Tells a folder or a file from another one that had the same path before.

use std::fs::Metadata;
use std::path::Path;

/// What distinguishes a file from others of the same path, size and modification time. Programs can set a modification
/// time as they like, but none of these. All are 0 where the system does not have them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FileIdentity {
    /// Number of the device that the file is on.
    pub device: u64,
    /// Number of the file on its device.
    pub inode: u64,
    /// Time of the latest change to content, name or attributes, in nanoseconds since 1970.
    pub changed_ns: i64,
}

impl FileIdentity {
    /// Takes the identity from the metadata of a file.
    pub fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let changed_ns =
                metadata.ctime().saturating_mul(1_000_000_000).saturating_add(metadata.ctime_nsec());
            Self { device: metadata.dev(), inode: metadata.ino(), changed_ns }
        }
        #[cfg(not(unix))]
        {
            let _ = metadata;
            Self::default()
        }
    }
}

/// Identity of a folder: device and inode number, and time of creation, since an inode number is given out again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FolderIdentity {
    device_and_inode: (u64, u64),
    created: Option<std::time::SystemTime>,
}

/// Identity of the folder at `folder`; `None` where there is none, and on systems where folders are never swapped.
pub fn identity(folder: &Path) -> Option<FolderIdentity> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let metadata = std::fs::metadata(folder).ok()?;
        let device_and_inode = (metadata.dev(), metadata.ino());
        Some(FolderIdentity { device_and_inode, created: metadata.created().ok() })
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::super::files::{create_folder, remove};
    use super::*;

    #[test]
    fn a_folder_that_reuses_an_inode_number_has_another_identity() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("folder");
        let create = || {
            create_folder(&folder).unwrap();
            (identity(&folder).unwrap(), std::fs::metadata(&folder).unwrap().created().ok())
        };
        let (first, when) = create();
        assert_eq!(identity(&folder), Some(first));
        // Clocks of file systems tick some hundred times a second.
        let other = std::iter::repeat_with(|| {
            remove(&folder).unwrap();
            create()
        })
        .find(|(_, then)| then.is_none() || *then != when);
        assert_ne!(other.map(|(other, _)| other), Some(first));
    }
}
