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
}

impl FoundFiles {
    /// Adds files; a later one of a path replaces an earlier one.
    pub fn add(&mut self, files: Vec<FoundFile>) {
        self.by_path.extend(files.into_iter().map(|file| (file.path.clone(), file)));
    }

    /// What the file at `path` is.
    pub(super) fn get(&self, path: &str) -> Option<&FoundFile> {
        self.by_path.get(path)
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
