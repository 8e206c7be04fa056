//! Files and folders that programs and systems leave among images. They are passed over and counted.

use crate::io::fs;
use std::collections::BTreeMap;
use std::path::Path;

/// Numbers of files that were passed over, by the name of the folder or file that they were passed over for.
pub type PassedOver = BTreeMap<&'static str, usize>;

/// Names that are passed over, of any case: previews, recycle bins and snapshots of network disks, what archives from a
/// Mac hold, and what systems and Python keep in folders.
const NAMES: [&str; 17] = [
    "@eaDir",
    "@tmp",
    "@Recycle",
    "@Recently-Snapshot",
    "@__thumb",
    "#recycle",
    "#snapshot",
    "$RECYCLE.BIN",
    "System Volume Information",
    "__MACOSX",
    "lost+found",
    "__pycache__",
    "Thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    // The icon of a folder on a Mac: the name ends in a carriage return.
    "Icon\r",
    "Icon\u{f00d}",
];

/// Hidden names that are counted by themselves.
const HIDDEN: [&str; 2] = [".ipynb_checkpoints", ".DS_Store"];

/// Returns what a file or folder of this name is counted as when it is passed over; `None` when it is not.
fn counted_as(name: &str) -> Option<&'static str> {
    let known = NAMES.iter().chain(&HIDDEN).find(|known| known.eq_ignore_ascii_case(name));
    match known {
        Some(known) => Some(known.trim_end_matches(['\r', '\u{f00d}'])),
        // AppleDouble: what a Mac keeps beside a file on other file systems.
        None if name.starts_with("._") => Some("._*"),
        None if name.starts_with('.') => Some("hidden files"),
        None => None,
    }
}

/// Whether files and folders of this name are passed over.
pub fn is_passed_over(name: &str) -> bool {
    counted_as(name).is_some()
}

/// Whether a file or folder is passed over. Its files are counted then; links are not followed.
pub(super) fn pass_over(name: &str, path: &Path, counts: &mut PassedOver) -> bool {
    let Some(name) = counted_as(name) else { return false };
    match number_of_files(path) {
        0 => {}
        files => *counts.entry(name).or_default() += files,
    }
    true
}

/// Whether a file that is known by its name alone is passed over for a name in its path. It is counted then.
pub(super) fn count_as_passed_over(name: &str, counts: &mut PassedOver) -> bool {
    let Some(name) = counted_as(name) else { return false };
    *counts.entry(name).or_default() += 1;
    true
}

/// Counts the files at and below `path`. A folder that cannot be listed counts as one file.
fn number_of_files(path: &Path) -> usize {
    if path.is_symlink() || !path.is_dir() {
        return 1;
    }
    fs::list(path).map_or(1, |entries| entries.iter().map(|entry| number_of_files(&entry.path)).sum())
}

/// Formats the counts for a person: `passed over: 32 files in @eaDir, 2 ._*`.
pub(super) fn remark(counts: &PassedOver) -> Option<String> {
    let counts: Vec<String> = counts.iter().map(|(name, files)| format!("{name} {files}")).collect();
    (!counts.is_empty()).then(|| format!("passed over, numbers of files: {}", counts.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systems_leave_is_known_and_images_are_not() {
        for (name, counted) in [
            ("@eaDir", "@eaDir"),
            ("#recycle", "#recycle"),
            ("__MACOSX", "__MACOSX"),
            ("lost+found", "lost+found"),
            ("__pycache__", "__pycache__"),
            (".ipynb_checkpoints", ".ipynb_checkpoints"),
            ("._IMG_1.jpg", "._*"),
            ("thumbs.DB", "Thumbs.db"),
            ("desktop.ini", "desktop.ini"),
            (".DS_Store", ".DS_Store"),
            ("Icon\r", "Icon"),
            (".git", "hidden files"),
        ] {
            assert_eq!(counted_as(name), Some(counted), "{name}");
        }
        for name in ["eaDir", "recycle", "Icon", "thumbs", "_1.jpg", "lost", "#1.jpg", "@home", "$1"] {
            assert_eq!(counted_as(name), None, "{name}");
        }
    }
}
