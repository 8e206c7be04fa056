//! Named objects that are the files of a folder.

use crate::error::{Error, Kind, Result};
use crate::io::fs;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone)]
pub(super) struct Folder {
    root: PathBuf,
    /// Name of the folder for unfinished objects.
    staging: &'static str,
}

impl Folder {
    pub fn new(root: &Path, staging: &'static str) -> Self {
        Self { root: root.to_path_buf(), staging }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub fn exists(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    pub fn read_if_any(&self, name: &str) -> Result<Option<Vec<u8>>> {
        match std::fs::read(self.path(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::io("read", &self.path(name), e)),
        }
    }

    pub fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<bool> {
        let (path, staging) = (self.path(name), self.path(self.staging));
        path.parent().map_or(Ok(()), fs::create_folder)?;
        fs::create_folder(&staging)?;
        fs::write_if_absent(&path, bytes, &staging)
    }

    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path(name);
        path.parent().map_or(Ok(()), fs::create_folder)?;
        fs::write_atomic(&path, bytes)
    }

    pub fn list(&self, folder: &str, prefix: &str) -> Result<Vec<String>> {
        let path = self.path(folder);
        if !path.is_dir() {
            return Ok(Vec::new());
        }
        let names = fs::list(&path)?.into_iter().map(|entry| entry.name);
        let is_object = |name: &String| {
            name.starts_with(prefix) && name.len() > prefix.len() && !name.starts_with(fs::TEMPORARY_PREFIX)
        };
        Ok(names.filter(is_object).collect())
    }

    pub fn remove(&self, name: &str) -> Result<()> {
        let path = self.path(name);
        match fs::remove(&path) {
            Err(e) if path.symlink_metadata().is_ok() || e.kind() != Kind::Io => Err(e),
            _ => Ok(()),
        }
    }

    pub fn rename(&self, from: &str, to: &str) -> Result<()> {
        let target = self.path(to);
        target.parent().map_or(Ok(()), fs::create_folder)?;
        fs::rename(&self.path(from), &target)
    }
}
