//! Files with the same bytes under different labels.

use super::{ImageFile, Reason, Refused};
use crate::io::digest::Digest;
use std::collections::HashMap;

/// Files of a data set, separated by whether their label is unambiguous.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelConflicts {
    /// Files whose bytes have one label, in the order given.
    pub kept: Vec<ImageFile>,
    /// Files whose bytes have more than one label, in the order given.
    pub conflicting: Vec<ImageFile>,
    /// Why each conflicting file is refused, by path.
    pub refused: Vec<Refused>,
}

/// Separates the files whose bytes occur under more than one label. All copies are refused, since nothing shows which
/// label is right.
pub fn separate_conflicts(files: Vec<ImageFile>) -> LabelConflicts {
    let mut by_digest: Vec<&ImageFile> = files.iter().collect();
    by_digest.sort_by_key(|file| file.image_sha256);
    let mut refused = Vec::new();
    for copies in by_digest.chunk_by(|a, b| a.image_sha256 == b.image_sha256) {
        for file in copies {
            if let Some(other) = copies.iter().find(|other| other.label != file.label) {
                refused.push(Refused {
                    path: file.path.clone(),
                    image_sha256: Some(file.image_sha256),
                    reason: Reason::ConflictingLabel { other: other.path.clone() },
                });
            }
        }
    }
    refused.sort();
    let is_refused = |file: &ImageFile| refused.binary_search_by(|r| r.path.as_str().cmp(&file.path)).is_ok();
    let (conflicting, kept) = files.into_iter().partition(is_refused);
    LabelConflicts { kept, conflicting, refused }
}

/// The files of `unlabelled` whose bytes have no label among `labelled`, or several, in the order given. The others have that label.
pub fn still_unlabelled<'a>(unlabelled: &'a [ImageFile], labelled: &[ImageFile]) -> Vec<&'a ImageFile> {
    let mut known: HashMap<Digest, Option<&str>> = HashMap::new();
    if !unlabelled.is_empty() {
        for file in labelled {
            let label = known.entry(file.image_sha256).or_insert(Some(&file.label));
            *label = label.filter(|label| *label == file.label);
        }
    }
    let has_label = |file: &ImageFile| known.get(&file.image_sha256).is_some_and(Option::is_some);
    unlabelled.iter().filter(|file| !has_label(file)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    #[test]
    fn the_same_bytes_under_two_labels_are_refused_everywhere() {
        let files = vec![file("a/1", "x"), file("a/2", "x"), file("b/1", "x"), file("b/2", "y")];
        let LabelConflicts { kept, conflicting, refused } = separate_conflicts(files);
        assert_eq!(kept.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(), ["b/2"]);
        assert_eq!((conflicting.len(), refused.len()), (3, 3));
        assert_eq!(refused[0].reason.to_string(), "same bytes as b/1, under another label");
    }

    #[test]
    fn a_file_whose_bytes_have_one_label_elsewhere_is_not_without() {
        let labelled = [file("a/1", "x"), file("a/2", "x"), file("b/1", "y"), file("c/1", "y")];
        let unlabelled = [file("u/1", "x"), file("u/2", "y"), file("u/3", "z")];
        let left = still_unlabelled(&unlabelled, &labelled);
        assert_eq!(left.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["u/2", "u/3"]);
    }
}
