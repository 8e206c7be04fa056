//! Recognises splits that were made as folders, and decides how such folders are taken.

use super::passed_over::is_passed_over;
use crate::data::dataset::{FolderLayout, LayoutChoice, number_and_names};
use crate::error::{Error, Kind, Result};
use std::path::Path;

/// Returns what the folders called `names` directly in a folder of images look like. `inside` returns the names in one of
/// them, each with whether it is a folder.
pub(super) fn recognise(names: &[&str], inside: impl Fn(&str) -> Vec<(String, bool)>) -> FolderLayout {
    let is_split = |name: &str| FolderLayout::split_called(name).is_some();
    let holds_splits = |name: &&str| {
        let mut entries = inside(name);
        entries.retain(|(name, _)| !is_passed_over(name));
        !entries.is_empty() && entries.iter().all(|(name, is_folder)| is_split(name) && *is_folder)
    };
    match names {
        [] => FolderLayout::Classes,
        names if names.iter().all(|name| is_split(name)) => FolderLayout::SplitThenClass,
        names if names.iter().all(holds_splits) => FolderLayout::ClassThenSplit,
        _ => FolderLayout::Classes,
    }
}

/// Decides what the folders called `names` in `images`, which look like `seen`, stand for.
///
/// # Errors
/// [`Kind::Usage`] when they look like splits and a choice is missing that must be made, [`Kind::Input`] when they are
/// not the splits that were chosen.
pub(super) fn choose(
    images: &Path,
    names: &[&str],
    seen: FolderLayout,
    choice: Option<LayoutChoice>,
    must_choose: bool,
) -> Result<FolderLayout> {
    match choice {
        Some(LayoutChoice::SplitFolders) if seen.has_splits() => Ok(seen),
        Some(LayoutChoice::SplitFolders) => {
            let is_other = |name: &&str| FolderLayout::split_called(name).is_none();
            let others: Vec<&str> = names.iter().copied().filter(is_other).collect();
            let message = format!("folders that are no splits: {}", number_and_names(&others));
            Err(Error::new(Kind::Input, message).at(images).help(
                "give IMAGES/<split>/<class>/<file> or IMAGES/<class>/<split>/<file>, with nothing but splits (train, \
                 val, test, or other usual names) in place of <split>; or leave `split_folders` out",
            ))
        }
        None if must_choose && seen.has_splits() => {
            let message = format!("{}: are they splits or classes?", called(names, seen));
            Err(Error::new(Kind::Usage, message).at(images).help(
                "add `split_folders` to take them as splits, or `as_classes` to take the topmost folders as classes",
            ))
        }
        Some(LayoutChoice::AsClasses) | None => Ok(FolderLayout::Classes),
    }
}

/// Returns a remark about folders that look like `seen` and are taken as classes.
pub(super) fn remark(names: &[&str], seen: FolderLayout) -> String {
    format!(
        "{}, and the topmost folders are taken as classes; `split_folders` takes these as splits",
        called(names, seen)
    )
}

/// Describes folders that look like splits.
fn called(names: &[&str], seen: FolderLayout) -> String {
    match seen {
        FolderLayout::ClassThenSplit => {
            format!("the folders {} hold only folders that are called as splits", number_and_names(names))
        }
        _ => format!("the folders are called {}", names.join(", ")),
    }
}
