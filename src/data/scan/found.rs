//! What other processes found in files, so that a scan need not read them.

use crate::data::dataset::{ImageFile, Reason, Weight};
use crate::io::digest::Digest;
use crate::io::fs::FileIdentity;
use std::collections::HashMap;

/// What a file is, as another process read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundFile {
    /// Path relative to the folder of images.
    pub path: String,
    /// SHA-256 of the file's bytes; `None` if it could not be read.
    pub image_sha256: Option<Digest>,
    /// Width in pixels as stored; 0 if it cannot be used.
    pub width: u32,
    /// Height in pixels as stored; 0 if it cannot be used.
    pub height: u32,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// Modification time in nanoseconds since 1970; 0 if unknown.
    pub mtime_ns: i64,
    /// Why it cannot be used; `None` if it can.
    pub refused: Option<Reason>,
}

/// What files are, by path.
#[derive(Debug, Clone, Default)]
pub struct FoundFiles {
    by_path: HashMap<String, FoundFile>,
    /// What files were at other times, where they were read more than once.
    at_other_times: HashMap<String, Vec<FoundFile>>,
}

impl FoundFiles {
    /// Adds files. Those of one path stay beside one another: which of them a file is now, its size and time say.
    pub fn add(&mut self, files: Vec<FoundFile>) {
        for file in files {
            if let Some(other) = self.by_path.insert(file.path.clone(), file) {
                self.at_other_times.entry(other.path.clone()).or_default().push(other);
            }
        }
    }

    /// What the file at `path` was each time that it was read.
    pub(super) fn all(&self, path: &str) -> impl Iterator<Item = &FoundFile> {
        self.by_path.get(path).into_iter().chain(self.at_other_times.get(path).into_iter().flatten())
    }
}

impl FoundFile {
    /// A file that nobody can read.
    pub fn refused(path: String, reason: Reason) -> Self {
        Self { path, image_sha256: None, width: 0, height: 0, bytes: 0, mtime_ns: 0, refused: Some(reason) }
    }

    /// The file without its label, or why it cannot be used.
    pub(super) fn as_scanned(&self, identity: FileIdentity) -> Result<ImageFile, Reason> {
        match (&self.refused, self.image_sha256) {
            (None, Some(image_sha256)) => Ok(ImageFile {
                path: self.path.clone(),
                label: String::new(),
                labels: None,
                fixed_split: None,
                group: None,
                weight: Weight::default(),
                image_sha256,
                width: self.width,
                height: self.height,
                bytes: self.bytes,
                mtime_ns: self.mtime_ns,
                identity,
            }),
            (reason, _) => Err(reason.clone().unwrap_or(Reason::Unreadable("unknown".into()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::digest::sha256;

    #[test]
    fn a_file_that_was_read_twice_is_known_by_each_of_its_times() {
        let at = |mtime_ns| FoundFile {
            image_sha256: Some(sha256(b"x")),
            mtime_ns,
            ..FoundFile::refused("a".into(), Reason::Unreadable("x".into()))
        };
        let mut found = FoundFiles::default();
        found.add(vec![at(1)]);
        found.add(vec![at(2), at(3)]);
        let mut times: Vec<i64> = found.all("a").map(|file| file.mtime_ns).collect();
        times.sort_unstable();
        assert_eq!((times, found.all("b").count()), (vec![1, 2, 3], 0));
    }
}
