//! The files of a copy.

use super::super::layout::{DAMAGED, FEATURES, LOCK};
use super::super::plan::STAGING;
use crate::error::Result;
use crate::io::fs;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// What distinguishes a file from another one that had its name before: files are only ever replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileStamp {
    pub bytes: u64,
    pub mtime_ns: u64,
}

/// Whether an object is copied. Damaged parts are for people, and unfinished objects for nobody.
pub(super) fn is_copied(name: &str) -> bool {
    !is_below(name, DAMAGED) && !is_below(name, STAGING) && name != LOCK
}

/// Whether a file is written back.
fn is_written_back(name: &str) -> bool {
    let own = name.rsplit('/').next().unwrap_or(name);
    !is_below(name, STAGING) && name != LOCK && !own.starts_with(fs::TEMPORARY_PREFIX)
}

/// Whether the name of an object says what its bytes are.
pub(super) fn is_named_by_content(name: &str) -> bool {
    is_below(name, FEATURES)
}

fn is_below(name: &str, folder: &str) -> bool {
    name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// Lists the files of a copy that are written back, by their names as objects.
pub(super) fn list(cache: &Path) -> Result<BTreeMap<String, FileStamp>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![(cache.to_path_buf(), String::new())];
    while let Some((folder, before)) = folders.pop() {
        for entry in fs::list(&folder)? {
            let name = format!("{before}{}", entry.name);
            match entry.path.is_dir() {
                true => folders.push((entry.path, format!("{name}/"))),
                false if is_written_back(&name) => {
                    files.extend(FileStamp::of(&entry.path).map(|stamp| (name, stamp)));
                }
                false => {}
            }
        }
    }
    Ok(files)
}

impl FileStamp {
    /// `None` when there is no such file.
    pub fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok().filter(|metadata| metadata.is_file())?;
        let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Some(Self { bytes: metadata.len(), mtime_ns: since.map_or(0, |since| since.as_nanos() as u64) })
    }
}
