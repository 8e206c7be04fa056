//! Chooses example images of each class.

use crate::data::ImageFolder;
use crate::data::dataset::ImageFile;
use crate::io::digest::Digest;
use std::collections::BTreeMap;

/// Example images of one class.
#[derive(Debug, Clone)]
pub struct ClassExamples {
    /// The class.
    pub label: String,
    /// Number of usable files of the class.
    pub images: usize,
    /// At least one file.
    pub files: Vec<ExampleFile>,
}

/// An image file chosen as an example.
#[derive(Debug, Clone)]
pub struct ExampleFile {
    /// Relative to the folder of images.
    pub path: String,
    /// Digest of the file's bytes.
    pub image_sha256: Digest,
}

/// Examples of each class, if there are at most [`MOST_CLASSES_WITH_SEVERAL`] classes.
const PER_CLASS: usize = 8;
/// With more classes than this, each has a single example, since an example takes some 8 kB of the page.
pub(super) const MOST_CLASSES_WITH_SEVERAL: usize = 40;
/// Classes with examples at most.
const MOST_CLASSES: usize = 240;

/// Chooses examples of each class, the largest class first, evenly spread over the files of the class in order of path.
pub(super) fn select(images: &ImageFolder) -> Vec<ClassExamples> {
    let mut files: BTreeMap<&str, Vec<&ImageFile>> = BTreeMap::new();
    for file in &images.files {
        files.entry(&file.label).or_default().push(file);
    }
    let classes: Vec<&str> = images
        .stats
        .classes
        .iter()
        .filter(|class| class.images > 0)
        .map(|class| class.name.as_str())
        .collect();
    let per_class = if classes.len() > MOST_CLASSES_WITH_SEVERAL { 1 } else { PER_CLASS };
    let examples = |label: &str| {
        let own = &files[label];
        let n = per_class.min(own.len());
        let file = |i: usize| {
            let ImageFile { path, image_sha256, .. } = own[i * own.len() / n];
            ExampleFile { path: path.clone(), image_sha256: *image_sha256 }
        };
        ClassExamples { label: label.into(), images: own.len(), files: (0..n).map(file).collect() }
    };
    classes.into_iter().take(MOST_CLASSES).map(examples).collect()
}
