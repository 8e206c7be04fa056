//! Lists images in object storage: the objects below a URL, as the files below a folder are.

use super::labels::ClassFolder;
use super::passed_over::{self, count_as_passed_over};
use super::walk::{Candidate, Listing, ObjectTable};
use crate::data::dataset::{FolderLayout, LayoutChoice, UNLABELLED, Weight};
use crate::data::decode::FileFacts;
use crate::error::{Error, Kind, Result};
use crate::io::fs::FileIdentity;
use crate::io::store::Store;
use std::collections::BTreeMap;
use std::path::Path;

/// Asks for size and time of all objects below `url`.
///
/// # Errors
/// [`Kind::Io`] when they cannot be listed.
pub(super) fn table(url: &Path) -> Result<ObjectTable> {
    let facts = |bytes, mtime_ns| FileFacts { bytes, mtime_ns, identity: FileIdentity::default() };
    let objects = Store::open(url, "")?.objects("")?;
    Ok(objects.into_iter().map(|object| (object.name, facts(object.bytes, object.changed_ns))).collect())
}

/// Lists the class folders below `url` and all objects in them. Without a `choice`, folders that are called as splits are an error
/// if `must_choose`, else classes.
///
/// # Errors
/// Those of [`table`]; [`Kind::Input`] when there is no object; those of [`Listing::choose_layout`].
pub(super) fn list(url: &Path, choice: Option<LayoutChoice>, must_choose: bool) -> Result<Listing> {
    let objects = table(url)?;
    let mut names: Vec<&String> = objects.keys().collect();
    names.sort_unstable();
    if names.is_empty() {
        return Err(Error::new(Kind::Input, "no objects there")
            .at(url)
            .help("check the URL, and the endpoint in the environment; a manifest is a file, whose `root` may be a URL"));
    }
    let mut listing = Listing { root: url.to_path_buf(), ..Listing::default() };
    let mut folders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut stray = 0;
    for name in &names {
        let below = name.split_once('/');
        if count_as_passed_over(below.map_or(name.as_str(), |(folder, _)| folder), &mut listing.passed_over) {
            continue;
        }
        match below {
            Some((folder, file)) => folders.entry(folder).or_default().push(file),
            None => stray += 1,
        }
    }
    if stray > 0 {
        listing.notes.push(format!("files directly in {} belong to no class: {stray}", url.display()));
    }
    let unlabelled = folders.remove(UNLABELLED);
    let called: Vec<&str> = folders.keys().copied().collect();
    listing.choose_layout(url, &called, inside(&folders), choice, must_choose)?;
    for (folder, files) in &folders {
        match listing.layout {
            FolderLayout::SplitThenClass => listing.add_split_of_objects(folder, files),
            _ => listing.add_class_of_objects(folder, folder, files),
        }
    }
    listing.question_one_class(url, choice, must_choose)?;
    if let Some(files) = unlabelled {
        listing.add_class_of_objects(UNLABELLED, UNLABELLED, &files);
    }
    listing.notes.extend(passed_over::remark(&listing.passed_over));
    listing.objects = Some(objects);
    Ok(listing)
}

/// Returns the names in a folder, each with whether it is a folder. `folders` holds the names of the files below each.
fn inside(folders: &BTreeMap<&str, Vec<&str>>) -> impl Fn(&str) -> Vec<(String, bool)> {
    |name| folders[name].iter().map(|file| (top(file).to_string(), file.contains('/'))).collect()
}

/// The first part of a name.
fn top(name: &str) -> &str {
    name.split('/').next().unwrap_or(name)
}

impl Listing {
    /// Adds the class folders in the folder of a split; `files` are the names below it, sorted.
    fn add_split_of_objects(&mut self, split: &str, files: &[&str]) {
        let mut stray = 0;
        for class in files.chunk_by(|a, b| a.contains('/') && b.contains('/') && top(a) == top(b)) {
            if count_as_passed_over(top(class[0]), &mut self.passed_over) {
                continue;
            }
            let files: Vec<&str> = class.iter().filter_map(|file| Some(file.split_once('/')?.1)).collect();
            match files.is_empty() {
                true => stray += class.len(),
                false => {
                    self.add_class_of_objects(&format!("{split}/{}", top(class[0])), top(class[0]), &files)
                }
            }
        }
        if stray > 0 {
            self.notes.push(format!("files directly in {split} belong to no class: {stray}"));
        }
    }

    /// Adds a class folder and the objects in it; `files` are the names below it.
    fn add_class_of_objects(&mut self, path: &str, name: &str, files: &[&str]) {
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

#[cfg(test)]
mod tests {
    use super::super::layout;
    use super::*;

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
        let mut listing = Listing { layout: FolderLayout::SplitThenClass, ..Listing::default() };
        listing.add_split_of_objects("train", &["cat/1", "cat/deep/2", "dog/3", "dog/.x/4", "note"]);
        let found: Vec<_> = listing.candidates.iter().map(|c| (c.path.as_str(), c.folder)).collect();
        assert_eq!(found, [("train/cat/1", 0), ("train/cat/deep/2", 0), ("train/dog/3", 1)]);
        assert_eq!(listing.folders.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["cat", "dog"]);
        assert_eq!(listing.notes, ["files directly in train belong to no class: 1"]);
        assert_eq!(listing.passed_over.values().sum::<usize>(), 1);
        assert!(listing.candidates.iter().all(|c| c.split.is_some()));
    }
}
