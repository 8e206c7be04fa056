//! The files to classify, with the digests of their bytes. Files that are no images are found here, before the network is
//! opened.

use crate::data::dataset::Reason;
use crate::data::decode;
use crate::error::{Error, Kind, Result};
use crate::extract::ImageToEmbed;
use crate::io::digest::{Digest, sha256};
use crate::math::parallel::{in_parallel, thread_count};
use crate::monitor::{Monitor, Unit};
use std::path::{Path, PathBuf};

/// A file to classify.
#[derive(Debug)]
pub(super) struct ImageFile {
    /// The path as given.
    pub path: String,
    /// Digest of its bytes, or why it cannot be used.
    pub image_sha256: std::result::Result<Digest, Reason>,
    /// Whether it decodes to other pixels now than by the decoders asked about.
    is_decoded_otherwise: bool,
}

impl ImageFile {
    /// The image to embed, where the file can be used.
    pub fn usable(&self) -> Option<ImageToEmbed> {
        let image_sha256 = *self.image_sha256.as_ref().ok()?;
        Some(ImageToEmbed { path: self.path.clone(), image_sha256 })
    }

    fn read(path: &Path, decoder: &str) -> Self {
        let Some(text) = path.to_str() else {
            let (path, image_sha256) = (path.to_string_lossy().into_owned(), Err(Reason::NameNotUtf8));
            return Self { path, image_sha256, is_decoded_otherwise: false };
        };
        let read = decode::read(path).and_then(|bytes| decode::dimensions(&bytes).map(|_| bytes));
        let is_decoded_otherwise =
            read.as_ref().is_ok_and(|bytes| decode::pixels_changed_since(decoder, bytes));
        Self { path: text.into(), image_sha256: read.map(|bytes| sha256(&bytes)), is_decoded_otherwise }
    }
}

/// Reads `paths` on `threads` threads, or on all cores for 0.
///
/// # Errors
/// [`Kind::Interrupted`] when the monitor asks to stop.
pub(super) fn read(
    paths: &[PathBuf],
    decoder: &str,
    threads: usize,
    monitor: &dyn Monitor,
) -> Result<Vec<ImageFile>> {
    let task = monitor.task("reading", Some(paths.len() as u64), Unit::Images);
    in_parallel(thread_count(threads), paths, |path| {
        if monitor.is_interrupted() {
            return Err(Error::new(Kind::Interrupted, "interrupted while the files were read"));
        }
        let file = ImageFile::read(path, decoder);
        task.advance(1);
        Ok(file)
    })
}

/// Number of `files` that decode to other pixels now than by the decoders that they were read for.
pub(super) fn decoded_otherwise(files: &[ImageFile]) -> usize {
    files.iter().filter(|file| file.is_decoded_otherwise).count()
}
