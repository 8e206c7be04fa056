//! The pictures of a page of predictions: the images themselves and their nearest cached images.

use crate::cache::near_images::Neighbour;
use crate::error::Result;
use crate::evaluate::predict::FilePrediction;
use crate::io::digest::Digest;
use crate::math::parallel;
use crate::report::page::{Picture, Thumbnail};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Thumbnails; `None` for a file that cannot be read or has changed.
pub(super) struct Pictures {
    /// In the order of the predictions.
    images: Vec<Option<Thumbnail>>,
    /// By path, relative to the folder of cached images.
    neighbours: BTreeMap<String, Option<Thumbnail>>,
}

/// A file that could be used.
pub(super) struct UsedFile<'a> {
    pub path: &'a Path,
    pub file: &'a FilePrediction,
}

impl Pictures {
    /// Loads the pictures of `used` and of their neighbours below `root`, each neighbour once.
    pub fn load(used: &[UsedFile], root: Option<&Path>) -> Result<Self> {
        let images: Vec<_> =
            used.iter().map(|used| Some((used.path.to_path_buf(), used.file.image_sha256?))).collect();
        let neighbours: BTreeMap<&str, Digest> = used
            .iter()
            .flat_map(|used| used.file.prediction.neighbours.iter().flatten())
            .map(|neighbour| (neighbour.path.as_str(), neighbour.image_sha256))
            .collect();
        let cached: Vec<_> =
            neighbours.iter().map(|(path, digest)| Some((root?.join(path), *digest))).collect();
        let paths = neighbours.keys().map(|path| path.to_string());
        Ok(Self { images: read(&images)?, neighbours: paths.zip(read(&cached)?).collect() })
    }

    /// The picture of the prediction at index `at`.
    pub fn image(&self, at: usize, path: &str) -> Picture {
        Picture { thumbnail: self.images.get(at).cloned().flatten(), alt: path.into() }
    }

    /// The picture of a cached image.
    pub fn neighbour(&self, neighbour: &Neighbour) -> Picture {
        let thumbnail = self.neighbours.get(&neighbour.path).cloned().flatten();
        Picture { thumbnail, alt: format!("{}, {}", neighbour.label, neighbour.path) }
    }
}

fn read(files: &[Option<(PathBuf, Digest)>]) -> Result<Vec<Option<Thumbnail>>> {
    let read = |file: &Option<(PathBuf, Digest)>| {
        Ok(file.as_ref().and_then(|(path, digest)| Thumbnail::read(path, *digest).ok()))
    };
    parallel::in_parallel(parallel::thread_count(0), files, read)
}
