//! Assigns the images of a folder to splits: by the split rule, or by folders that are splits.

use super::config::ExtractConfig;
use crate::cache::Samples;
use crate::data::dataset::{
    FolderLayout, FolderSplits, Fractions, ImageFile, assign_splits, split_by_folders,
};
use crate::error::Result;
use std::path::PathBuf;

/// The images of train folders all stay in the train split.
const ALL_TRAIN: Fractions = Fractions { train: 100, validation: 0, test: 0 };

/// Assigns `files` to splits. Seed and fractions are those of the configuration, else those `stored` in the cache for
/// the same kind of folders, else the defaults. Returns also the number of images in the folders of several splits.
///
/// # Errors
/// Those of [`split_by_folders`].
pub(super) fn assign(
    files: Vec<ImageFile>,
    root: PathBuf,
    layout: FolderLayout,
    config: &ExtractConfig,
    stored: Option<&Samples>,
) -> Result<(Samples, usize)> {
    let has_splits = layout.has_splits();
    let default = if has_splits { ALL_TRAIN } else { Fractions::default() };
    let same = stored.filter(|stored| stored.layout.has_splits() == has_splits);
    let fractions = config.split.or(same.map(|stored| stored.fractions)).unwrap_or(default);
    let seed = config.seed.or(stored.map(|stored| stored.seed)).unwrap_or(0);
    let FolderSplits { samples: rows, in_several } = match has_splits {
        true => split_by_folders(files, layout, seed, fractions)?,
        false => FolderSplits { samples: assign_splits(files, seed, fractions), in_several: 0 },
    };
    Ok((Samples { rows, root, seed, fractions, layout }, in_several))
}
