//! `objects.json`: what the objects were when they were copied, and what the copies are.

use super::files::{FileStamp, is_named_by_content};
use crate::error::Result;
use crate::io::fs;
use crate::io::json;
use crate::io::store::ObjectFacts;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

const FILE: &str = "objects.json";

/// The objects that were copied, by name.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct State {
    objects: BTreeMap<String, Copied>,
}

/// An object and its copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Copied {
    bytes: u64,
    changed_ns: i64,
    tag: Option<String>,
    file: FileStamp,
}

impl State {
    /// Reads the state of a kept copy. One that cannot be read is none, and everything is copied again.
    pub fn read(folder: &Path) -> Self {
        let bytes = std::fs::read(folder.join(FILE)).unwrap_or_default();
        json::decode(&bytes).unwrap_or_default()
    }

    pub fn write(&self, folder: &Path) -> Result<()> {
        fs::write_atomic(&folder.join(FILE), &json::encode_pretty(self))
    }

    /// Takes the objects of which there is a copy among `files`.
    pub fn of(objects: Vec<ObjectFacts>, files: &BTreeMap<String, FileStamp>) -> Self {
        let copied = |ObjectFacts { name, bytes, changed_ns, tag }: ObjectFacts| {
            let file = *files.get(&name)?;
            Some((name, Copied { bytes, changed_ns, tag, file }))
        };
        Self { objects: objects.into_iter().filter_map(copied).collect() }
    }

    pub fn contains(&self, name: &str) -> bool {
        self.objects.contains_key(name)
    }

    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.objects.keys()
    }

    /// Whether the copy is that of the object as it is now.
    pub fn is_current(&self, object: &ObjectFacts, file: Option<FileStamp>) -> bool {
        self.is_unchanged_object(object)
            && file.is_some_and(|file| self.is_unchanged_file(&object.name, file))
    }

    /// Whether the object is the one that was copied.
    pub fn is_unchanged_object(&self, object: &ObjectFacts) -> bool {
        self.objects.get(&object.name).is_some_and(|known| {
            (known.bytes, &known.tag) == (object.bytes, &object.tag)
                && (known.tag.is_some() || known.changed_ns == object.changed_ns)
        })
    }

    /// Whether the copy is as it was.
    pub fn is_unchanged_file(&self, name: &str, file: FileStamp) -> bool {
        self.objects.get(name).is_some_and(|known| {
            known.file == file || is_named_by_content(name) && known.file.bytes == file.bytes
        })
    }
}
