//! Differences between two descriptions of a data set.

use super::{Sample, Split};
use crate::io::digest::Digest;
use std::collections::HashMap;
use std::fmt;

/// Counts of what differs between two descriptions of a data set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changes {
    /// Files with a new path and new content.
    pub added: usize,
    /// Files whose path and content are both gone.
    pub removed: usize,
    /// Files with a new path and known content.
    pub moved: usize,
    /// Files with a known path and other content than before.
    pub edited: usize,
    /// Files with a known path and content, and another label than before.
    pub relabelled: usize,
    /// Distinct images in another split than before.
    pub resplit: usize,
}

impl Changes {
    /// Compares the description `after` with an earlier one.
    pub fn between(before: &[Sample], after: &[Sample]) -> Self {
        let (old_paths, new_paths) = (digests_by_path(before), digests_by_path(after));
        let old_labels: HashMap<&str, &str> = before.iter().map(path_and_label).collect();
        let (old_splits, new_splits) = (splits_by_digest(before), splits_by_digest(after));
        let mut changes = Self::default();
        for (path, digest) in &new_paths {
            match old_paths.get(path) {
                Some(old) if old == digest => {}
                Some(_) => changes.edited += 1,
                None if old_splits.contains_key(digest) => changes.moved += 1,
                None => changes.added += 1,
            }
        }
        let is_gone = |(path, digest): &(&&str, &Digest)| {
            !new_paths.contains_key(**path) && !new_splits.contains_key(*digest)
        };
        changes.removed = old_paths.iter().filter(is_gone).count();
        let is_resplit =
            |(digest, split): &(&Digest, &Split)| new_splits.get(*digest).is_some_and(|new| new != *split);
        let is_relabelled = |sample: &&Sample| {
            let (path, label) = path_and_label(sample);
            old_paths.get(path) == Some(&sample.file.image_sha256) && old_labels[path] != label
        };
        changes.relabelled = after.iter().filter(is_relabelled).count();
        changes.resplit = old_splits.iter().filter(is_resplit).count();
        changes
    }

    /// Whether the two descriptions list the same files in the same splits.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn path_and_label(sample: &Sample) -> (&str, &str) {
    (&sample.file.path, &sample.file.label)
}

fn digests_by_path(samples: &[Sample]) -> HashMap<&str, Digest> {
    samples.iter().map(|sample| (sample.file.path.as_str(), sample.file.image_sha256)).collect()
}

fn splits_by_digest(samples: &[Sample]) -> HashMap<Digest, Split> {
    samples.iter().map(|sample| (sample.file.image_sha256, sample.split)).collect()
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.added, "added"),
            (self.removed, "removed"),
            (self.moved, "moved"),
            (self.edited, "edited"),
            (self.relabelled, "with another label"),
            (self.resplit, "in another split"),
        ];
        let named: Vec<String> =
            counts.iter().filter(|(n, _)| *n > 0).map(|(n, change)| format!("{n} {change}")).collect();
        if named.is_empty() { f.write_str("nothing changed") } else { f.write_str(&named.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{class, file};
    use super::super::{Fractions, assign_splits};
    use super::*;

    #[test]
    fn another_seed_moves_images_and_one_more_image_moves_few() {
        let before = assign_splits(class("a", 200), 0, Fractions::default());
        let other = assign_splits(class("a", 200), 1, Fractions::default());
        assert!(Changes::between(&before, &other).resplit > 50);
        let grown = assign_splits(class("a", 201), 0, Fractions::default());
        assert!(Changes::between(&before, &grown).resplit <= 2);
    }

    #[test]
    fn files_are_told_apart_by_path_and_content() {
        let split = |files| assign_splits(files, 0, "100/0/0".parse().unwrap());
        let before = split(vec![file("a/1", "1"), file("a/2", "2"), file("a/3", "3"), file("a/4", "4")]);
        let after = split(vec![file("a/1", "1"), file("a/2", "other"), file("b/3", "3"), file("a/5", "5")]);
        let changes = Changes::between(&before, &after);
        assert_eq!(changes, Changes { added: 1, removed: 1, moved: 1, edited: 1, relabelled: 0, resplit: 0 });
        assert_eq!(changes.to_string(), "1 added, 1 removed, 1 moved, 1 edited");
        let mut renamed = before.clone();
        renamed[0].file.label = "b".into();
        assert_eq!(Changes::between(&before, &renamed).to_string(), "1 with another label");
        assert!(Changes::between(&before, &before).is_empty());
    }
}
