//! Scans one file: what it is, from an earlier scan, from another process, or from its own bytes.

use super::found::{FoundFile, FoundFiles};
use super::known::RefusedFiles;
use super::options::{ScanDepth, ScanOptions};
use super::walk::{Candidate, ObjectTable};
use crate::data::dataset::{ImageFile, Reason, Refused, Weight};
use crate::data::decode::{self, FileFacts};
use crate::data::narrow::NarrowImages;
use crate::data::perceptual::PerceptualHashes;
use crate::io::digest::{Digest, sha256};
use std::collections::HashMap;
use std::path::Path;

/// A file without its label, or why it cannot be used.
pub(super) type ScannedFile = std::result::Result<ImageFile, Refused>;

/// Scans single files.
pub(super) struct Scanner<'a> {
    /// Files of the earlier scan, by path.
    unchanged: HashMap<&'a str, &'a ImageFile>,
    /// What other processes found.
    found: Option<&'a FoundFiles>,
    refused: Option<&'a RefusedFiles>,
    depth: ScanDepth,
    /// The folder that paths start from.
    root: &'a Path,
    /// The objects there, if it is a URL.
    objects: Option<&'a ObjectTable>,
    /// Images that use a small part of their range, where pixels are examined.
    pub narrow: NarrowImages,
    hashes: Option<&'a PerceptualHashes>,
}

/// A file that cannot be used; the path is that of the candidate.
pub(super) struct Refusal {
    image_sha256: Option<Digest>,
    reason: Reason,
}

impl Refusal {
    /// The refusal of a candidate. A file that is not there is a fault of its row in a manifest.
    pub fn of(self, candidate: &Candidate) -> Refused {
        let Self { image_sha256, reason } = self;
        let reason = match (candidate.line, image_sha256) {
            (Some(line), None) => Reason::Row { line, fault: reason.to_string() },
            _ => reason,
        };
        Refused { path: candidate.path.clone(), image_sha256, reason }
    }
}

impl From<Reason> for Refusal {
    /// A refusal that does not depend on the content.
    fn from(reason: Reason) -> Self {
        Self { image_sha256: None, reason }
    }
}

impl<'a> Scanner<'a> {
    /// Scans files below `root`.
    pub fn new(root: &'a Path, options: &ScanOptions<'a>) -> Self {
        // Size and time of a file say nothing about a file in another folder.
        let here = options.earlier.filter(|earlier| earlier.root == root && !options.rehash);
        let labelled = here.map_or(&[][..], |earlier| earlier.samples).iter().map(|sample| &sample.file);
        let unchanged = labelled.chain(here.map_or(&[][..], |earlier| earlier.unlabelled));
        Self {
            unchanged: unchanged.map(|file| (file.path.as_str(), file)).collect(),
            found: options.found,
            refused: options.refused,
            depth: options.depth,
            root,
            objects: None,
            narrow: NarrowImages::default(),
            hashes: options.hashes,
        }
    }

    /// The same for files in object storage, which are known by `objects`.
    pub fn with_objects(self, objects: Option<&'a ObjectTable>) -> Self {
        Self { objects, ..self }
    }

    /// Size and time of a file.
    fn facts(&self, path: &str) -> std::result::Result<FileFacts, Reason> {
        match self.objects {
            None => FileFacts::of(&self.root.join(path)),
            Some(objects) => {
                let missing = || Reason::Unreadable("there is no such object".into());
                objects.get(path).copied().ok_or_else(missing)
            }
        }
    }

    /// Whether a scan needs the content of a file not: it is as before, or others have read it.
    pub fn is_known(&self, candidate: &Candidate) -> bool {
        let Ok(facts) = self.facts(&candidate.path) else {
            // Nobody can read it; the scan says why.
            return true;
        };
        self.unchanged(&candidate.path, &facts).is_some() || self.found(&candidate.path, &facts).is_some()
    }

    /// The file of the earlier scan, if it is as it was.
    fn unchanged(&self, path: &str, facts: &FileFacts) -> Option<&'a ImageFile> {
        let FileFacts { bytes, mtime_ns, identity } = *facts;
        let as_known = |known: &&&ImageFile| {
            (known.bytes, known.mtime_ns, known.identity) == (bytes, mtime_ns, identity)
        };
        self.unchanged.get(path).filter(as_known).filter(|_| mtime_ns != 0).copied()
    }

    /// What another process found in the file, if it is as it was then.
    fn found(&self, path: &str, facts: &FileFacts) -> Option<&'a FoundFile> {
        let all = self.found?;
        let is_same = |found: &&FoundFile| (found.bytes, found.mtime_ns) == (facts.bytes, facts.mtime_ns);
        // What could not be read has no size.
        let is_unread = |found: &&FoundFile| found.image_sha256.is_none();
        all.all(path).find(is_same).or_else(|| all.all(path).find(is_unread))
    }

    /// Reads a file for a scan elsewhere.
    pub fn find_out(&self, path: &str) -> FoundFile {
        let weight = Weight::default();
        let candidate =
            Candidate { path: path.into(), folder: 0, line: None, split: None, group: None, weight };
        match self.scan(&candidate) {
            Ok(file) => FoundFile {
                path: file.path,
                image_sha256: Some(file.image_sha256),
                width: file.width,
                height: file.height,
                bytes: file.bytes,
                mtime_ns: file.mtime_ns,
                refused: None,
            },
            Err(Refusal { image_sha256, reason }) => {
                let facts = FileFacts::of(&self.root.join(path)).ok();
                FoundFile {
                    path: path.into(),
                    image_sha256,
                    width: 0,
                    height: 0,
                    bytes: facts.map_or(0, |facts| facts.bytes),
                    mtime_ns: facts.map_or(0, |facts| facts.mtime_ns),
                    refused: Some(reason),
                }
            }
        }
    }

    pub fn scan(&self, candidate: &Candidate) -> std::result::Result<ImageFile, Refusal> {
        let path = &candidate.path;
        if path.contains(char::REPLACEMENT_CHARACTER) {
            return Err(Reason::NameNotUtf8.into());
        }
        if let Some(reason) = self.refused.and_then(|refused| refused.path(path)) {
            return Err(reason.clone().into());
        }
        let file = &self.root.join(path);
        let facts = self.facts(path)?;
        if let Some(known) = self.unchanged(path, &facts) {
            self.check_content(known.image_sha256)?;
            return Ok(known.clone());
        }
        let FileFacts { mtime_ns, identity, .. } = facts;
        if let Some(found) = self.found(path, &facts) {
            found.image_sha256.map_or(Ok(()), |digest| self.check_content(digest))?;
            return found
                .as_scanned(identity)
                .map_err(|reason| Refusal { image_sha256: found.image_sha256, reason });
        }
        if self.objects.is_some() {
            return Err(Reason::Unreadable("no worker has read the object that is there now".into()).into());
        }
        let bytes = decode::read(file)?;
        let image_sha256 = sha256(&bytes);
        self.check_content(image_sha256)?;
        let dimensions = self
            .examine(path, &bytes, image_sha256)
            .map_err(|reason| Refusal { image_sha256: Some(image_sha256), reason })?;
        Ok(ImageFile {
            path: path.clone(),
            label: String::new(),
            labels: None,
            fixed_split: None,
            group: None,
            weight: Weight::default(),
            image_sha256,
            width: dimensions.width,
            height: dimensions.height,
            bytes: bytes.len() as u64,
            mtime_ns,
            identity,
        })
    }

    /// Refuses bytes that were refused before.
    fn check_content(&self, image_sha256: Digest) -> std::result::Result<(), Refusal> {
        match self.refused.and_then(|refused| refused.content(&image_sha256)) {
            Some(reason) => Err(Refusal { image_sha256: Some(image_sha256), reason: reason.clone() }),
            None => Ok(()),
        }
    }

    fn examine(
        &self,
        path: &str,
        bytes: &[u8],
        image_sha256: Digest,
    ) -> std::result::Result<decode::Dimensions, Reason> {
        let dimensions = decode::dimensions(bytes)?;
        if self.depth == ScanDepth::Pixels {
            let image = decode::decode_stretched(bytes, None)?;
            if let Some(bits) = image.narrow {
                self.narrow.add(path, bits);
            }
            if let Some(hashes) = self.hashes {
                hashes.add(image_sha256, &image.pixels);
            }
        }
        Ok(dimensions)
    }
}
