//! The image files of a chunk. Those in object storage are fetched into a temporary folder, and removed with it.

use crate::cache::plan::ChunkImage;
use crate::error::{Error, Result};
use crate::io::fs;
use crate::io::store::{Location, Store};
use crate::math::parallel::in_parallel;
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// Images that are fetched at a time: waiting for answers takes most of the time.
const AT_A_TIME: usize = 16;

/// A folder that holds the images of a chunk.
pub(super) struct ChunkFiles {
    root: PathBuf,
    is_temporary: bool,
}

impl ChunkFiles {
    /// The folder `root`, or a temporary one with the images that the URL `root` has. An image that is not there has no file.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::error::Kind::Io) when an image cannot be fetched or written.
    pub fn of(root: &Path, images: &[ChunkImage]) -> Result<Self> {
        if let Location::Folder(root) = Location::parse(root)? {
            return Ok(Self { root, is_temporary: false });
        }
        let store = Store::open(root, "")?;
        let random = RandomState::new().build_hasher().finish();
        let files = Self {
            root: std::env::temp_dir().join(format!("headstart-chunk-{random:016x}")),
            is_temporary: true,
        };
        fs::create_folder(&files.root)?;
        in_parallel(AT_A_TIME, images, |image| files.fetch(&store, &image.path))?;
        Ok(files)
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Writes an image with the time of its object, by which a plan knows it again.
    fn fetch(&self, store: &Store, name: &str) -> Result<()> {
        let Some((bytes, changed_ns)) = store.fetch(name)? else { return Ok(()) };
        let path = self.root.join(name);
        let fail = |e| Error::io("write", &path, e);
        path.parent().map_or(Ok(()), fs::create_folder)?;
        fs::write_unsynced(&path, &bytes)?;
        let time = UNIX_EPOCH + Duration::from_nanos(changed_ns.try_into().unwrap_or(0));
        File::options().write(true).open(&path).and_then(|file| file.set_modified(time)).map_err(fail)
    }
}

impl Drop for ChunkFiles {
    fn drop(&mut self) {
        if self.is_temporary {
            // Where it cannot be removed, it is in the system's folder for temporary files.
            let _ = fs::remove(&self.root);
        }
    }
}
