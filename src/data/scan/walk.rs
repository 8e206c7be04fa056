//! Lists the files below a folder of images with their classes, without opening any file.

use crate::data::dataset::{Reason, Refused};
use crate::error::{Error, Kind, Result};
use crate::io::fs::{self, FolderEntry};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A file that may be an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Path relative to the folder of images, with `/` separators.
    pub path: String,
    /// Path of the file, absolute.
    pub file: PathBuf,
    /// Label of its class.
    pub label: String,
}

/// Everything below a folder of images.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The folder, absolute.
    pub root: PathBuf,
    /// The label of each class folder, also of empty ones.
    pub labels: Vec<String>,
    /// Files, by class folder, then by path.
    pub candidates: Vec<Candidate>,
    /// Folders that cannot be listed.
    pub refused: Vec<Refused>,
    /// Remarks about the folder for a person.
    pub notes: Vec<String>,
    /// Number of links that lead back to a folder above them.
    loops: usize,
}

/// Lists `IMAGES/<class>/**/<file>`. A folder directly below `images` is a class, and all files below it, at any depth,
/// belong to that class. Links are followed, except back to a folder above them. Ignored files are left out
/// ([`is_ignored`]).
///
/// # Errors
/// [`Kind::Input`] when there is no such folder.
pub(super) fn list(images: &Path) -> Result<Listing> {
    if let Some(obstacle) = fs::obstacle(images) {
        return Err(obstacle.of_kind(Kind::Input));
    }
    let root = std::fs::canonicalize(images).map_err(|e| {
        Error::new(Kind::Input, "no such folder of images")
            .at(images)
            .because(e)
            .help("give a folder that holds one folder of images for each class")
    })?;
    fs::require_utf8(&root)?;
    let (folders, stray): (Vec<_>, Vec<_>) = fs::list(&root)?
        .into_iter()
        .filter(|entry| !is_ignored(&entry.name))
        .partition(|entry| entry.path.is_dir());
    let names: Vec<String> = folders.iter().map(|folder| folder.name.clone()).collect();
    let mut listing = Listing { root: root.clone(), labels: class_labels(&names), ..Listing::default() };
    for (folder, label) in folders.iter().zip(listing.labels.clone()) {
        listing.descend(&folder.name, &folder.path, &label, &mut vec![root.clone()]);
    }
    listing.note(images, &names, stray.len());
    Ok(listing)
}

impl Listing {
    /// Adds the files below the folder `path`, whose path relative to the root is `name`. `above` holds the resolved folders
    /// that lead to it.
    fn descend(&mut self, name: &str, path: &Path, label: &str, above: &mut Vec<PathBuf>) {
        let refuse = |reason| Refused { path: name.into(), image_sha256: None, reason };
        let real = match std::fs::canonicalize(path) {
            Ok(real) => real,
            Err(e) => return self.refused.push(refuse(Reason::FolderNotFound(e.to_string()))),
        };
        if above.contains(&real) {
            self.loops += 1;
            return;
        }
        let entries = match fs::list(path) {
            Ok(entries) => entries,
            Err(e) => {
                let cause = std::error::Error::source(&e).map(ToString::to_string).unwrap_or_default();
                return self.refused.push(refuse(Reason::FolderNotListed(cause)));
            }
        };
        above.push(real);
        for FolderEntry { name: entry, path: file } in entries {
            if is_ignored(&entry) {
                continue;
            }
            let path = format!("{name}/{entry}");
            match file.is_dir() {
                true => self.descend(&path, &file, label, above),
                false => self.candidates.push(Candidate { path, file, label: label.into() }),
            }
        }
        above.pop();
    }

    /// Adds remarks about what is unusual in the folder.
    fn note(&mut self, images: &Path, folders: &[String], stray: usize) {
        if stray > 0 {
            self.notes.push(format!("files directly in {} belong to no class: {stray}", images.display()));
        }
        if self.loops > 0 {
            self.notes.push(format!("links back to a folder above them were not followed: {}", self.loops));
        }
        let mut by_label: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (label, folder) in self.labels.iter().zip(folders) {
            by_label.entry(label).or_default().push(folder);
        }
        for (label, folders) in by_label.into_iter().filter(|(_, folders)| folders.len() > 1) {
            let message = format!("the folders {} are one class, {label}", folders.join(", "));
            self.notes.push(message);
        }
        let splits = ["train", "training", "val", "valid", "validation", "test", "testing", "dev"];
        let is_split = |label: &String| splits.contains(&label.to_lowercase().as_str());
        if !self.labels.is_empty() && self.labels.iter().all(is_split) {
            self.notes.push(format!(
                "the classes are called {}: if these are splits, give the folder that holds the class folders",
                self.labels.join(", ")
            ));
        }
    }
}

/// Returns the labels of class folders. When the name of every folder starts with a number of three digits or more and a
/// space, as `select` writes them, that number is not part of the label.
fn class_labels(folders: &[String]) -> Vec<String> {
    let without_count = |name: &str| {
        let (count, label) = name.split_once(' ')?;
        let is_count = count.len() >= 3 && count.bytes().all(|b| b.is_ascii_digit());
        (is_count && !label.is_empty()).then(|| label.to_string())
    };
    match folders.iter().map(|name| without_count(name)).collect() {
        Some(labels) => labels,
        None => folders.to_vec(),
    }
}

/// Whether files and folders of this name are ignored: hidden ones, and those that Windows leaves in folders of images.
pub fn is_ignored(name: &str) -> bool {
    name.starts_with('.') || ["thumbs.db", "desktop.ini"].contains(&name.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        dir
    }

    fn paths(listing: &Listing) -> Vec<(&str, &str)> {
        listing.candidates.iter().map(|f| (f.path.as_str(), f.label.as_str())).collect()
    }

    #[test]
    fn counts_are_dropped_only_when_every_folder_has_one() {
        let labels =
            |names: &[&str]| class_labels(&names.iter().map(|name| name.to_string()).collect::<Vec<_>>());
        assert_eq!(labels(&["530 George W Bush", "077 Ariel"]), ["George W Bush", "Ariel"]);
        assert_eq!(labels(&["1530 Bush", "077 Ariel"]), ["Bush", "Ariel"]);
        assert_eq!(labels(&["530 Bush", "Ariel"]), ["530 Bush", "Ariel"]);
        assert_eq!(labels(&["53 Bush", "77 Ariel"]), ["53 Bush", "77 Ariel"]);
        assert_eq!(labels(&["éé a", "077 "]), ["éé a", "077 "]);
    }

    #[test]
    fn files_at_any_depth_belong_to_the_topmost_folder() {
        let dir =
            tree(&["a b/1.JPG", "a b/deep/er/2.jpg", "é'\"/3.png", "a b/.hidden/4.png", "é'\"/Thumbs.db"]);
        let listing = list(dir.path()).unwrap();
        assert_eq!(
            paths(&listing),
            [("a b/1.JPG", "a b"), ("a b/deep/er/2.jpg", "a b"), ("é'\"/3.png", "é'\"")]
        );
        assert!(listing.notes.is_empty(), "{:?}", listing.notes);
    }

    #[test]
    fn files_outside_classes_equal_labels_and_splits_as_classes_are_noted() {
        let dir = tree(&["001 Ann/1", "002 Ann/2", "010 Bo/3", "read.me"]);
        std::fs::create_dir(dir.path().join("000 Cy")).unwrap();
        let listing = list(dir.path()).unwrap();
        assert_eq!(listing.labels, ["Cy", "Ann", "Ann", "Bo"]);
        assert!(listing.notes[0].contains("belong to no class: 1"), "{:?}", listing.notes);
        assert_eq!(listing.notes[1], "the folders 001 Ann, 002 Ann are one class, Ann");
        let splits = tree(&["train/a/1", "Test/a/2"]);
        assert!(list(splits.path()).unwrap().notes[0].starts_with("the classes are called Test, train"));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_but_not_in_circles() {
        use std::os::unix::fs::symlink;
        let dir = tree(&["a/1", "a/sub/2"]);
        let elsewhere = tree(&["3"]);
        symlink(dir.path(), dir.path().join("a/sub/up")).unwrap();
        symlink(elsewhere.path(), dir.path().join("b")).unwrap();
        symlink("nowhere", dir.path().join("b/broken")).unwrap();
        let listing = list(dir.path()).unwrap();
        assert_eq!(paths(&listing), [("a/1", "a"), ("a/sub/2", "a"), ("b/3", "b"), ("b/broken", "b")]);
        assert!(listing.notes[0].contains("were not followed: 1"));
    }
}
