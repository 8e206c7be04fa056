//! Results of earlier scans: unchanged files are not read again, and refused files stay refused.

use crate::data::dataset::{ImageFile, Reason, Refused, Sample};
use crate::io::digest::Digest;
use std::collections::HashMap;
use std::path::Path;

/// The result of an earlier scan. A file with the size, modification time and identity of then is not read again.
#[derive(Debug, Clone, Copy)]
pub struct EarlierScan<'a> {
    /// The folder that was scanned, absolute. The files of another folder are all read.
    pub root: &'a Path,
    /// The usable files that were found.
    pub samples: &'a [Sample],
    /// Those without a label.
    pub unlabelled: &'a [ImageFile],
}

/// Files that were refused before, so that they are refused again without another look.
#[derive(Debug, Clone, Default)]
pub struct RefusedFiles {
    by_content: HashMap<Digest, Reason>,
    by_path: HashMap<String, Reason>,
}

impl RefusedFiles {
    /// Takes the refusals of earlier runs. Only those for the content of a file hold: after an I/O error the file is
    /// tried again, conflicting labels depend on the other files, and memory on the machine.
    pub fn of_earlier_runs(refused: &[Refused]) -> Self {
        let may_pass = |reason: &Reason| {
            matches!(
                reason,
                Reason::ConflictingLabel { .. } | Reason::TooMuchMemory { .. } | Reason::Row { .. }
            )
        };
        let by_content = refused
            .iter()
            .filter(|refused| !may_pass(&refused.reason))
            .filter_map(|refused| Some((refused.image_sha256?, refused.reason.clone())))
            .collect();
        Self { by_content, by_path: HashMap::new() }
    }

    /// Adds refusals of the present run: by content where the digest is known, else by path.
    pub fn add(&mut self, refused: Vec<Refused>) {
        for Refused { path, image_sha256, reason } in refused {
            match image_sha256 {
                Some(digest) => self.by_content.insert(digest, reason),
                None => self.by_path.insert(path, reason),
            };
        }
    }

    /// Returns the reason why the file at `path`, relative to the folder of images, was refused in the present run.
    pub(super) fn path(&self, path: &str) -> Option<&Reason> {
        self.by_path.get(path)
    }

    /// Returns the reason why a file with these bytes was refused.
    pub(super) fn content(&self, image_sha256: &Digest) -> Option<&Reason> {
        self.by_content.get(image_sha256)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::digest::sha256;

    #[test]
    fn refusals_for_the_content_alone_outlive_a_run() {
        let refused = |content: Option<&[u8]>, reason: &str| Refused {
            path: "a/1".into(),
            image_sha256: content.map(sha256),
            reason: reason.into(),
        };
        let stored = [
            refused(Some(b"empty"), "the file is empty"),
            refused(Some(b"two"), "same bytes as b/1, under another label"),
            refused(Some(b"large"), "decoding takes 9 bytes of memory, more than the 8 allowed"),
            refused(None, "could not be read: disk on fire"),
            refused(Some(b"old"), "a reason of another version"),
        ];
        let mut files = RefusedFiles::of_earlier_runs(&stored);
        assert_eq!(files.content(&sha256(b"empty")), Some(&Reason::Empty));
        assert!(files.content(&sha256(b"old")).is_some());
        assert_eq!((files.content(&sha256(b"two")), files.path("a/1")), (None, None));
        assert_eq!(files.content(&sha256(b"large")), None);
        files.add(vec![refused(None, "changed while the images were being read")]);
        assert_eq!(files.path("a/1"), Some(&Reason::ChangedDuringRun));
    }
}
