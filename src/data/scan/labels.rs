//! Labels of class folders: counts that `select` put before a name, labels that a cache knows, names that look the
//! same. The only user of the `unicode_normalization` crate.

use crate::data::dataset::{FolderLayout, Sample, UNLABELLED, number_and_names};
use std::collections::{BTreeMap, BTreeSet};
use unicode_normalization::UnicodeNormalization;

/// A folder whose name is that of a class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ClassFolder {
    /// Path relative to the folder of images, with `/` separators.
    pub path: String,
    /// Its own name.
    pub name: String,
}

impl ClassFolder {
    /// Whether its images have no label yet.
    fn is_unlabelled(&self) -> bool {
        self.name == UNLABELLED
    }
}

/// Number of files of a class folder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct FileCount {
    /// Files that can be used.
    pub usable: usize,
    /// All files.
    pub all: usize,
}

/// Labels of class folders, and remarks about them for a person.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Labels {
    /// The label of each folder; empty for the folder of images without one.
    pub labels: Vec<String>,
    pub notes: Vec<String>,
}

/// Determines the label of each folder.
///
/// A folder's label is its name. Where each name begins with the number of images in the folder, as `select` writes
/// them, that number is not part of the label. A label that the cache of these images knows for a folder stays, even
/// when images or folders were added since: `known` holds the samples of that cache.
pub(super) fn of_folders(
    folders: &[ClassFolder],
    counts: &[FileCount],
    layout: FolderLayout,
    known: &[Sample],
) -> Labels {
    let classes = folders.iter().zip(counts).filter(|(folder, _)| !folder.is_unlabelled());
    let names: Vec<Name> = classes.map(|(folder, count)| Name::of(folder, *count)).collect();
    let known = known_labels(&names, layout, known);
    let is_counted = |name: &Name| match known.get(name.path) {
        Some(label) => name.without_count == Some(label),
        None => name.has_its_count,
    };
    let all_counted = names.iter().all(is_counted);
    let by_rule = |name: &Name| match name.without_count {
        Some(label) if all_counted => label.to_string(),
        _ => name.whole.to_string(),
    };
    let label = |name: &Name| known.get(name.path).map_or_else(|| by_rule(name), |label| label.to_string());
    let labels: Vec<String> = names.iter().map(label).collect();
    let notes = notes(&names, &labels);
    let mut labels = labels.into_iter();
    let label = |folder: &ClassFolder| match folder.is_unlabelled() {
        true => String::new(),
        false => labels.next().expect("a label for each class"),
    };
    Labels { labels: folders.iter().map(label).collect(), notes }
}

/// The labels of a manifest, which are what they are.
pub(super) fn as_named(classes: &[ClassFolder]) -> Labels {
    let labels = classes.iter().map(|class| class.name.clone()).collect();
    Labels { notes: look_alikes(classes.iter().map(|class| class.name.as_str())), labels }
}

/// The name of a folder, with and without a leading number.
struct Name<'a> {
    path: &'a str,
    whole: &'a str,
    without_count: Option<&'a str>,
    /// Whether the leading number is the number of its images. Files that cannot be used may be counted or not.
    has_its_count: bool,
}

impl<'a> Name<'a> {
    fn of(folder: &'a ClassFolder, count: FileCount) -> Self {
        let parts = folder.name.split_once(' ').filter(|(number, label)| {
            number.len() >= 3 && number.bytes().all(|b| b.is_ascii_digit()) && !label.is_empty()
        });
        let number = parts.and_then(|(number, _)| number.parse().ok());
        Self {
            path: &folder.path,
            whole: &folder.name,
            without_count: parts.map(|(_, label)| label),
            has_its_count: number.is_some_and(|number| (count.usable..=count.all).contains(&number)),
        }
    }
}

/// Returns the labels that the cache knows, by folder, as far as they are the folder's name with or without a number.
/// Names without their numbers are not taken where that made one class of several folders whose numbers are no counts.
fn known_labels<'a>(names: &[Name], layout: FolderLayout, known: &'a [Sample]) -> BTreeMap<&'a str, &'a str> {
    let of_samples: BTreeMap<&str, &str> =
        known.iter().map(|s| (layout.class_folder(&s.file.path), s.file.label.as_str())).collect();
    let stored = |name: &Name| of_samples.get_key_value(name.path).map(|(path, label)| (*path, *label));
    let mut merged: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for name in names.iter().filter(|name| !name.has_its_count) {
        if let Some(label) = name.without_count {
            merged.entry(label).or_default().insert(name.whole);
        }
    }
    let is_merged = |label: &str| merged.get(label).is_some_and(|wholes| wholes.len() > 1);
    let was_merged = names.iter().filter_map(stored).any(|(_, label)| is_merged(label));
    let stays = |name: &&Name| {
        let label = stored(name).map(|(_, label)| label);
        label == Some(name.whole) || (!was_merged && label.is_some() && label == name.without_count)
    };
    names.iter().filter(stays).filter_map(stored).collect()
}

fn notes(names: &[Name], labels: &[String]) -> Vec<String> {
    let mut notes = Vec::new();
    let all_have_counts = names.iter().all(|name| name.has_its_count);
    let stay = |(name, label): (&Name, &String)| {
        (name.without_count == Some(label) && !all_have_counts).then(|| format!("{label} for {}", name.whole))
    };
    let staying: Vec<String> = names.iter().zip(labels).filter_map(stay).collect();
    if !staying.is_empty() {
        let staying: Vec<&str> = staying.iter().map(String::as_str).collect();
        notes.push(format!(
            "labels stay as the cache has them, though not every folder's name begins with its number of images: {}",
            number_and_names(&staying)
        ));
    }
    let mut by_label: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (label, name) in labels.iter().zip(names) {
        by_label.entry(label).or_default().insert(name.whole);
    }
    for (label, folders) in by_label.iter().filter(|(_, folders)| folders.len() > 1) {
        let folders: Vec<&str> = folders.iter().copied().collect();
        notes.push(format!("the folders {} are one class, {label}", folders.join(", ")));
    }
    notes.extend(look_alikes(by_label.into_keys()));
    notes
}

/// Returns a note for each group of labels that a person takes for one: they differ in Unicode form, case or spaces.
fn look_alikes<'a>(labels: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for label in labels {
        let folded = label.nfkc().collect::<String>().to_lowercase();
        let words: Vec<&str> = folded.split_whitespace().collect();
        groups.entry(words.join(" ").nfkc().collect()).or_default().push(label);
    }
    let groups = groups.into_values().filter(|labels| labels.len() > 1);
    groups
        .map(|labels| {
            let labels: Vec<String> = labels.into_iter().map(distinguishable).collect();
            format!("class names that look the same are different classes: {}", labels.join(", "))
        })
        .collect()
}

/// Formats a label so that spaces at its ends and the form of its letters are seen: `"e\u{301}"`.
fn distinguishable(label: &str) -> String {
    let escaped =
        |c: char| if c.is_ascii() { c.escape_debug().to_string() } else { c.escape_unicode().to_string() };
    format!("\"{}\"", label.chars().map(escaped).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::{Split, tests::file};

    /// Folders with their numbers of usable files and of all files.
    fn labels(folders: &[(&str, usize, usize)], known: &[(&str, &str)]) -> Labels {
        let counts: Vec<FileCount> =
            folders.iter().map(|(_, usable, all)| FileCount { usable: *usable, all: *all }).collect();
        let folders: Vec<ClassFolder> = folders
            .iter()
            .map(|(name, ..)| ClassFolder { path: name.to_string(), name: name.to_string() })
            .collect();
        let sample = |(folder, label): &(&str, &str)| {
            let mut file = file(&format!("{folder}/1.png"), folder);
            file.label = label.to_string();
            Sample { file, split: Split::Train }
        };
        let known: Vec<Sample> = known.iter().map(sample).collect();
        of_folders(&folders, &counts, FolderLayout::Classes, &known)
    }

    #[test]
    fn a_number_is_dropped_only_where_it_counts_the_images_of_every_folder() {
        let plain = |folders: &[(&str, usize, usize)]| labels(folders, &[]).labels;
        assert_eq!(
            plain(&[("530 George W Bush", 530, 530), ("077 Ariel", 77, 77)]),
            ["George W Bush", "Ariel"]
        );
        assert_eq!(plain(&[("1530 Bush", 1530, 1530), ("000 Cy", 0, 0)]), ["Bush", "Cy"]);
        // Files that cannot be used are counted or not.
        assert_eq!(plain(&[("010 a", 9, 10), ("003 b", 3, 5)]), ["a", "b"]);
        let notes = ["1000 won", "5000 won", "10000 won", "50000 won"];
        assert_eq!(plain(&notes.map(|name| (name, 6, 6))), notes);
        assert_eq!(plain(&[("530 Bush", 530, 530), ("Ariel", 7, 7)]), ["530 Bush", "Ariel"]);
        assert_eq!(plain(&[("053 Bush", 53, 53), ("077 Ariel", 78, 78)]), ["053 Bush", "077 Ariel"]);
        assert_eq!(plain(&[("53 Bush", 53, 53), ("77 Ariel", 77, 77)]), ["53 Bush", "77 Ariel"]);
        assert_eq!(plain(&[("éé a", 1, 1), ("077 ", 77, 77)]), ["éé a", "077 "]);
    }

    #[test]
    fn labels_that_the_cache_knows_stay_and_it_is_noted() {
        let known = [("239 watch", "watch"), ("435 Faces", "Faces")];
        let both = [("239 watch", 239, 239), ("435 Faces", 435, 435)];
        assert_eq!(
            labels(&both, &known),
            Labels { labels: vec!["watch".into(), "Faces".into()], notes: vec![] }
        );
        let beside = labels(&[&both[..], &[("zebra", 5, 5)]].concat(), &known);
        assert_eq!(beside.labels, ["watch", "Faces", "zebra"]);
        assert!(
            beside.notes[0].contains("2 (watch for 239 watch, Faces for 435 Faces)"),
            "{:?}",
            beside.notes
        );
        let grown = labels(&[("239 watch", 240, 240), both[1]], &known);
        assert_eq!((grown.labels, grown.notes.len()), (vec!["watch".into(), "Faces".into()], 1));
        // A folder that `select` wrote comes beside them.
        assert_eq!(
            labels(&[&both[..], &[("005 dog", 5, 5)]].concat(), &known).labels,
            ["watch", "Faces", "dog"]
        );
        // Nor does a number go away by itself.
        assert_eq!(labels(&both, &[("239 watch", "239 watch")]).labels, ["239 watch", "435 Faces"]);
        // The cache is one of other images.
        assert_eq!(labels(&both, &[("239 watch", "clock")]).labels, ["watch", "Faces"]);
    }

    #[test]
    fn classes_that_an_older_cache_merged_wrongly_come_apart() {
        let notes = ["100 dollar", "100 euro", "500 euro"];
        let known = [("100 dollar", "dollar"), ("100 euro", "euro"), ("500 euro", "euro")];
        assert_eq!(labels(&notes.map(|name| (name, 6, 6)), &known).labels, notes);
        let counted =
            labels(&[("001 Ann", 1, 1), ("002 Ann", 2, 2)], &[("001 Ann", "Ann"), ("002 Ann", "Ann")]);
        assert_eq!(counted.labels, ["Ann", "Ann"]);
        assert_eq!(counted.notes, ["the folders 001 Ann, 002 Ann are one class, Ann"]);
    }

    #[test]
    fn names_that_look_the_same_are_noted() {
        let of = |names: &[&str]| look_alikes(names.iter().copied());
        let note = "class names that look the same are different classes: ";
        assert_eq!(of(&["Cat", "cat ", "dog"]), [format!("{note}\"Cat\", \"cat \"")]);
        assert_eq!(of(&["e\u{301}", "\u{e9}"]), [format!("{note}\"e\\u{{301}}\", \"\\u{{e9}}\"")]);
        assert_eq!(of(&["a  b", "a b", "A\u{a0}B"]).len(), 1);
        assert!(of(&["cat", "cats", "日本", "本日"]).is_empty());
    }
}
