//! Files that may be images, as a folder, an archive or a manifest lists them, without classes.

use crate::data::dataset::Refused;
use std::path::PathBuf;

/// Files that may be images.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListedFiles {
    /// The files. One inside an archive has a path that leads into it, such as `photos.zip/1.jpg`.
    pub files: Vec<PathBuf>,
    /// Rows of manifests and entries of archives that are none.
    pub refused: Vec<Refused>,
}
