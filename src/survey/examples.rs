//! A few pictures of each class.

use crate::data::ImageFolder;
use crate::dataset::ImageFile;
use crate::monitor::{Monitor, Unit};
use crate::page::{Picture, Thumbnail, thumbnail};
use crate::threads::{self, in_parallel};
use std::collections::BTreeMap;

/// Pictures of one class.
pub(super) struct Examples {
    pub label: String,
    /// Usable files of the class.
    pub images: usize,
    pub pictures: Vec<Picture>,
}

/// Pictures of a class, where there are at most [`ROWS`] classes; of more, one each, for the largest [`CLASSES`]. Each takes
/// some 8 kB of the page.
const OF_CLASS: usize = 8;
/// Classes with a row of pictures each, at most.
pub(super) const ROWS: usize = 40;
const CLASSES: usize = 240;

/// Pictures of each class, the largest first, evenly spread over its files by path.
pub(super) fn of(looked: &ImageFolder, monitor: &dyn Monitor) -> Vec<Examples> {
    let mut files: BTreeMap<&str, Vec<&ImageFile>> = BTreeMap::new();
    for file in &looked.files {
        files.entry(&file.label).or_default().push(file);
    }
    let used: Vec<&str> = looked
        .stats
        .classes
        .iter()
        .filter(|class| class.images > 0)
        .map(|class| class.name.as_str())
        .collect();
    let each = if used.len() > ROWS { 1 } else { OF_CLASS };
    let mut shown: Vec<(&str, Vec<&ImageFile>)> = Vec::new();
    for label in used.into_iter().take(CLASSES) {
        let own = &files[label];
        let n = each.min(own.len());
        shown.push((label, (0..n).map(|i| own[i * own.len() / n]).collect()));
    }
    let wanted: Vec<&ImageFile> = shown.iter().flat_map(|(_, files)| files.iter().copied()).collect();
    let thumbnails = read(looked, &wanted, monitor);
    let mut thumbnails = wanted.iter().zip(thumbnails);
    let picture =
        |(file, thumbnail): (&&ImageFile, Option<Thumbnail>)| Picture { thumbnail, alt: file.path.clone() };
    shown
        .iter()
        .map(|(label, own)| Examples {
            label: (*label).into(),
            images: files[label].len(),
            pictures: thumbnails.by_ref().take(own.len()).map(picture).collect(),
        })
        .collect()
}

/// Makes files small, on all cores; nothing where a file can no longer be read.
pub(super) fn read(
    looked: &ImageFolder,
    files: &[&ImageFile],
    monitor: &dyn Monitor,
) -> Vec<Option<Thumbnail>> {
    let task = monitor.task("making pictures small", Some(files.len() as u64), Unit::Images);
    let one = |file: &&ImageFile| {
        let small = thumbnail(&looked.root.join(&file.path), file.image_sha256).ok();
        task.advance(1);
        Ok(small)
    };
    in_parallel(threads::number(0), files, one).unwrap_or_default()
}
