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
    /// The folder that holds all of them, relative to the folder of images; `None` where they are in several.
    pub folder: Option<String>,
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

/// Examples of each class where there are at most so many classes: `(classes, examples)`. An example takes some 8 kB of the page.
const PER_CLASS: [(usize, usize); 3] = [(4, 33), (12, 22), (MOST_CLASSES_WITH_SEVERAL, 11)];
/// With more classes than this, each has a single example.
pub(super) const MOST_CLASSES_WITH_SEVERAL: usize = 40;
/// Classes with examples at most.
const MOST_CLASSES: usize = 240;

/// Chooses examples of each class, the largest class first, evenly spread over the files of the class in order of path.
pub(super) fn select(images: &ImageFolder) -> Vec<ClassExamples> {
    let mut files: BTreeMap<&str, Vec<&ImageFile>> = BTreeMap::new();
    for file in &images.files {
        file.labels_or_class().iter().for_each(|label| files.entry(label).or_default().push(file));
    }
    let classes: Vec<&str> = images
        .stats
        .classes
        .iter()
        .filter(|class| class.images > 0)
        .map(|class| class.name.as_str())
        .collect();
    let several = PER_CLASS.iter().find(|(most, _)| classes.len() <= *most);
    let per_class = several.map_or(1, |(_, examples)| *examples);
    let examples = |label: &str| {
        let own = &files[label];
        let n = per_class.min(own.len());
        let file = |i: usize| {
            let ImageFile { path, image_sha256, .. } = own[i * own.len() / n];
            ExampleFile { path: path.clone(), image_sha256: *image_sha256 }
        };
        let folder = folder_of(own);
        ClassExamples { label: label.into(), images: own.len(), folder, files: (0..n).map(file).collect() }
    };
    classes.into_iter().take(MOST_CLASSES).map(examples).collect()
}

/// The folder that all files are in, or below.
fn folder_of(files: &[&ImageFile]) -> Option<String> {
    let folder = |file: &&ImageFile| file.path.split_once('/').map(|(folder, _)| folder.to_string());
    let first = files.first().and_then(folder)?;
    let is_there = |file: &&ImageFile| folder(file).as_deref() == Some(&first);
    // An absolute path of a manifest begins with an empty part.
    (!first.is_empty() && files.iter().all(is_there)).then_some(first)
}
