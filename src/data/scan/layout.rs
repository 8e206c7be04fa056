//! Recognises splits that were made as folders, and decides how such folders are taken.

use super::passed_over::is_passed_over;
use crate::data::dataset::{FolderLayout, LayoutChoice, number_and_names};
use crate::error::{Error, Kind, Result};
use crate::io::fs::{self, FolderEntry};
use std::path::Path;

/// Returns what the `folders` directly in a folder of images look like.
pub(super) fn recognise(folders: &[FolderEntry]) -> FolderLayout {
    let is_split = |folder: &FolderEntry| FolderLayout::split_called(&folder.name).is_some();
    let holds_splits = |folder: &FolderEntry| {
        let mut entries = fs::list(&folder.path).unwrap_or_default();
        entries.retain(|entry| !is_passed_over(&entry.name));
        !entries.is_empty() && entries.iter().all(|entry| is_split(entry) && entry.path.is_dir())
    };
    match folders {
        [] => FolderLayout::Classes,
        folders if folders.iter().all(is_split) => FolderLayout::SplitThenClass,
        folders if folders.iter().all(holds_splits) => FolderLayout::ClassThenSplit,
        _ => FolderLayout::Classes,
    }
}

/// Decides what the `folders` in `images`, which look like `seen`, stand for.
///
/// # Errors
/// [`Kind::Usage`] when they look like splits and a choice is missing that must be made, [`Kind::Input`] when they are
/// not the splits that were chosen.
pub(super) fn choose(
    images: &Path,
    folders: &[FolderEntry],
    seen: FolderLayout,
    choice: Option<LayoutChoice>,
    must_choose: bool,
) -> Result<FolderLayout> {
    match choice {
        Some(LayoutChoice::SplitFolders) if seen.has_splits() => Ok(seen),
        Some(LayoutChoice::SplitFolders) => {
            let is_other = |folder: &&FolderEntry| FolderLayout::split_called(&folder.name).is_none();
            let others: Vec<&str> = folders.iter().filter(is_other).map(|f| f.name.as_str()).collect();
            let message = format!("folders that are no splits: {}", number_and_names(&others));
            Err(Error::new(Kind::Input, message).at(images).help(
                "give IMAGES/<split>/<class>/<file> or IMAGES/<class>/<split>/<file>, with nothing but splits (train, \
                 val, test, or other usual names) in place of <split>; or leave `split_folders` out",
            ))
        }
        None if must_choose && seen.has_splits() => {
            let message = format!("{}: are they splits or classes?", called(folders, seen));
            Err(Error::new(Kind::Usage, message).at(images).help(
                "add `split_folders` to take them as splits, or `as_classes` to take the topmost folders as classes",
            ))
        }
        Some(LayoutChoice::AsClasses) | None => Ok(FolderLayout::Classes),
    }
}

/// Returns a remark about `folders` that look like `seen` and are taken as classes.
pub(super) fn remark(folders: &[FolderEntry], seen: FolderLayout) -> String {
    format!(
        "{}, and the topmost folders are taken as classes; `split_folders` takes these as splits",
        called(folders, seen)
    )
}

/// Describes folders that look like splits.
fn called(folders: &[FolderEntry], seen: FolderLayout) -> String {
    let names: Vec<&str> = folders.iter().map(|folder| folder.name.as_str()).collect();
    match seen {
        FolderLayout::ClassThenSplit => {
            format!("the folders {} hold only folders that are called as splits", number_and_names(&names))
        }
        _ => format!("the folders are called {}", names.join(", ")),
    }
}
