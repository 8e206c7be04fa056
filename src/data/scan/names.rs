//! Lists class folders by the names of files alone: those of objects in object storage, and those in an archive.

use super::labels::ClassFolder;
use super::passed_over::{self, count_as_passed_over};
use super::walk::{Candidate, Listing};
use crate::data::dataset::{FolderLayout, LayoutChoice, UNLABELLED, Weight};
use crate::error::Result;
use std::collections::BTreeMap;
use std::path::Path;

impl Listing {
    /// Adds the class folders of `images` and the files in them. `names` are those of all files, sorted, with `/` separators.
    /// Without a `choice`, folders that are called as splits are an error if `must_choose`, else classes.
    ///
    /// # Errors
    /// Those of [`Listing::choose_layout`] and [`Listing::question_one_class`].
    pub(super) fn add_names<'a>(
        &mut self,
        images: &Path,
        names: impl Iterator<Item = &'a str>,
        choice: Option<LayoutChoice>,
        must_choose: bool,
    ) -> Result<()> {
        let mut folders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut stray = 0;
        for name in names {
            let below = name.split_once('/');
            if count_as_passed_over(below.map_or(name, |(folder, _)| folder), &mut self.passed_over) {
                continue;
            }
            match below {
                Some((folder, file)) => folders.entry(folder).or_default().push(file),
                None => stray += 1,
            }
        }
        self.note_stray(&images.display().to_string(), stray);
        let unlabelled = folders.remove(UNLABELLED);
        let called: Vec<&str> = folders.keys().copied().collect();
        self.choose_layout(images, &called, inside(&folders), choice, must_choose)?;
        for (folder, files) in &folders {
            match self.layout {
                FolderLayout::SplitThenClass => self.add_split_of_names(folder, files),
                _ => self.add_class_of_names(folder, folder, files),
            }
        }
        if let Some(files) = unlabelled {
            self.add_class_of_names(UNLABELLED, UNLABELLED, &files);
        }
        self.notes.extend(passed_over::remark(&self.passed_over));
        self.question_one_class(images, choice, must_choose)
    }

    /// Adds the class folders in the folder of a split; `files` are the names below it, sorted.
    fn add_split_of_names(&mut self, split: &str, files: &[&str]) {
        let mut stray = 0;
        for class in files.chunk_by(|a, b| a.contains('/') && b.contains('/') && top(a) == top(b)) {
            if count_as_passed_over(top(class[0]), &mut self.passed_over) {
                continue;
            }
            let files: Vec<&str> = class.iter().filter_map(|file| Some(file.split_once('/')?.1)).collect();
            match files.is_empty() {
                true => stray += class.len(),
                false => {
                    self.add_class_of_names(&format!("{split}/{}", top(class[0])), top(class[0]), &files)
                }
            }
        }
        self.note_stray(split, stray);
    }

    /// Adds a class folder and the files in it; `files` are the names below it.
    fn add_class_of_names(&mut self, path: &str, name: &str, files: &[&str]) {
        self.folders.push(ClassFolder { path: path.into(), name: name.into() });
        for file in files {
            let mut parts = file.split('/');
            if parts.any(|part| count_as_passed_over(part, &mut self.passed_over)) {
                continue;
            }
            let path = format!("{path}/{file}");
            let split = self.layout.split(&path);
            let folder = self.folders.len() - 1;
            let weight = Weight::default();
            self.candidates.push(Candidate { path, folder, line: None, split, group: None, weight });
        }
    }
}

/// Returns the names in a folder, each with whether it is a folder. `folders` holds the names of the files below each.
fn inside(folders: &BTreeMap<&str, Vec<&str>>) -> impl Fn(&str) -> Vec<(String, bool)> {
    |name| folders[name].iter().map(|file| (top(file).to_string(), file.contains('/'))).collect()
}

/// The first part of a name.
fn top(name: &str) -> &str {
    name.split('/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::super::layout;
    use super::*;
    use crate::error::Kind;

    fn listed(names: &[&str], choice: Option<LayoutChoice>) -> Result<Listing> {
        let mut listing = Listing::default();
        listing.add_names("photos".as_ref(), names.iter().copied(), choice, true).map(|()| listing)
    }

    #[test]
    fn layouts_are_recognised_by_names() {
        let of = |names: &[&'static str]| {
            let mut folders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for name in names {
                let (folder, file) = name.split_once('/').unwrap();
                folders.entry(folder).or_default().push(file);
            }
            layout::recognise(&folders.keys().copied().collect::<Vec<_>>(), inside(&folders))
        };
        assert_eq!(of(&["cat/1", "dog/train/1"]), FolderLayout::Classes);
        assert_eq!(of(&["train/cat/1", "val/cat/2"]), FolderLayout::SplitThenClass);
        assert_eq!(of(&["cat/train/1", "dog/test/1", "dog/.hidden"]), FolderLayout::ClassThenSplit);
        assert_eq!(of(&["cat/train/1", "dog/test"]), FolderLayout::Classes);
    }

    #[test]
    fn classes_of_a_split_are_its_folders() {
        let names = [
            "_unlabelled/9",
            "train/cat/1",
            "train/cat/deep/2",
            "train/dog/.x/4",
            "train/dog/3",
            "train/note",
        ];
        let listing = listed(&names, Some(LayoutChoice::SplitFolders)).unwrap();
        let found: Vec<_> = listing.candidates.iter().map(|c| (c.path.as_str(), c.folder)).collect();
        assert_eq!(
            found,
            [("train/cat/1", 0), ("train/cat/deep/2", 0), ("train/dog/3", 1), ("_unlabelled/9", 2)]
        );
        let folders: Vec<_> = listing.folders.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(folders, ["cat", "dog", UNLABELLED]);
        let notes = [
            "files directly in train belong to no class: 1",
            "passed over, numbers of files: hidden files 1",
        ];
        assert_eq!(listing.notes, notes);
        assert!(listing.candidates[..3].iter().all(|c| c.split.is_some()));
    }

    #[test]
    fn one_folder_around_the_classes_is_asked_about_beside_images_without_a_label_too() {
        for names in [&["p/bird/1", "p/cat/2"][..], &["_unlabelled/3", "p/bird/1", "p/cat/2"]] {
            let error = listed(names, None).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage);
            assert!(error.to_string().contains("its only folder, p, holds nothing but folders"), "{error}");
            assert!(listed(names, Some(LayoutChoice::AsClasses)).is_ok());
        }
    }
}
