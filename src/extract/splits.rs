//! Assigns the images of a data set to splits: by the split rule, or as somebody fixed them.

use super::config::ExtractConfig;
use crate::cache::Samples;
use crate::data::dataset::{
    DividedGroup, FixedFractions, FixedSplits, Fractions, ImageFile, Sample, Split, assign_splits,
    split_as_fixed, still_unlabelled,
};
use crate::data::manifest::Manifest;
use crate::data::scan::{ScanResult, lines_of};
use crate::error::{Error, Kind, Result};
use serde::Serialize;
use std::collections::HashMap;

/// A data set with its splits.
pub(super) struct Assigned {
    pub samples: Samples,
    /// Remarks for a person.
    pub notes: Vec<String>,
}

/// Groups of images that stay in one split.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GroupStats {
    /// Number of groups.
    pub groups: usize,
    /// Number of files in the largest group.
    pub largest: usize,
    /// Number of files without a group.
    pub without: usize,
    /// Shares of train, validation and test among all files, 0 to 1: how closely the fractions were met.
    pub shares: [f64; 3],
}

/// How many of the images have a split that somebody fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FixedSplitsOf {
    None,
    Some,
    All,
}

impl FixedSplitsOf {
    fn of<'a>(files: impl Iterator<Item = &'a ImageFile> + Clone) -> Self {
        let is_fixed = |file: &ImageFile| file.fixed_split.is_some();
        match () {
            () if !files.clone().any(is_fixed) => Self::None,
            () if files.clone().all(is_fixed) => Self::All,
            () => Self::Some,
        }
    }

    /// What divides the images where nobody says it: where every split is fixed, all train images stay train images.
    fn default_fractions(self) -> Fractions {
        match self {
            Self::All => Fractions { train: 100, validation: 0, test: 0 },
            Self::None | Self::Some => Fractions::default(),
        }
    }
}

/// Assigns `kept`, the usable files of `found`, to splits. Seed, fractions and the expression of the groups are those of the
/// configuration, else those `stored` in the cache, the fractions as far as it had fixed splits in the same way, else the defaults.
///
/// # Errors
/// [`Kind::Input`] when a group was given several splits; those of [`split_as_fixed`].
pub(super) fn assign(
    mut kept: Vec<ImageFile>,
    found: &ScanResult,
    config: &ExtractConfig,
    stored: Option<&Samples>,
) -> Result<Assigned> {
    let mut notes = Vec::new();
    let unlabelled = unlabelled(found, &kept);
    let group_by = config.group_by.clone().or(stored.and_then(|stored| stored.group_by.clone()));
    if let Some(pattern) = &group_by {
        match pattern.apply(&mut kept) {
            0 => {}
            unmatched => notes.push(format!("images whose path has no match for `group_by`: {unmatched}")),
        }
    }
    let fixed = FixedSplitsOf::of(kept.iter());
    let before = stored.map(|stored| (stored, FixedSplitsOf::of(stored.rows.iter().map(|row| &row.file))));
    let same = before.filter(|(_, of_stored)| *of_stored == fixed).map(|(stored, _)| stored.fractions);
    let fractions = config.split.or(same).unwrap_or_else(|| fixed.default_fractions());
    let seed = config.seed.or(stored.map(|stored| stored.seed)).unwrap_or(0);
    let (rows, fractions) = match fixed {
        FixedSplitsOf::None => (assign_splits(kept, seed, fractions), fractions),
        FixedSplitsOf::Some | FixedSplitsOf::All => {
            let wanted = FixedFractions { fractions, is_given: config.split.is_some() };
            let split = split_as_fixed(kept, seed, wanted)?;
            check_groups(&split.divided_groups, found, config)?;
            notes.extend(notes_of(&split));
            (split.samples, split.fractions)
        }
    };
    let manifest = found.manifest.clone().map(|file| Manifest { file, options: config.manifest.clone() });
    let (root, layout) = (found.root.clone(), found.layout);
    let samples = Samples { rows, unlabelled, root, seed, fractions, layout, manifest, group_by };
    Ok(Assigned { samples, notes })
}

/// Refuses groups that were given several splits. Of the first one two files are named, those of a manifest with their lines.
fn check_groups(divided: &[DividedGroup], found: &ScanResult, config: &ExtractConfig) -> Result<()> {
    let Some(DividedGroup { name, files }) = divided.first() else { return Ok(()) };
    let lines = match &found.manifest {
        Some(manifest) => {
            lines_of(manifest, &config.manifest, &files.each_ref().map(|(path, _)| path.as_str()))?
        }
        None => Vec::new(),
    };
    let place = |index: usize| {
        let (path, split) = &files[index];
        let line = lines.get(index).copied().flatten().map_or(String::new(), |line| format!("line {line}, "));
        format!("{split} ({line}{path})")
    };
    let others = match divided.len() - 1 {
        0 => String::new(),
        more => format!("; {more} more such groups"),
    };
    let message = format!("the group {name} has two splits, {} and {}{others}", place(0), place(1));
    let help = match found.manifest {
        Some(_) => {
            "give all its rows one split, or only one of them: the others follow it; or other groups with `group_by`"
        }
        None => "put all its images into the folder of one split, or give other groups with `group_by`",
    };
    Err(Error::new(Kind::Input, message).at(found.manifest.as_ref().unwrap_or(&config.images)).help(help))
}

/// Remarks about splits that were given, and how closely the others meet the fractions.
fn notes_of(split: &FixedSplits) -> Vec<String> {
    let mut notes = Vec::new();
    if split.in_several > 0 {
        notes.push(format!(
            "images that are in the folders of several splits, and are not trained on: {}",
            split.in_several
        ));
    }
    let rest: Vec<&Sample> = split.samples.iter().filter(|row| row.file.fixed_split.is_none()).collect();
    if rest.iter().any(|row| row.file.group.is_some()) {
        let shares = shares_of(&rest).map(|share| format!("{:.1}", 100.0 * share)).join("/");
        let follow = match split.following {
            0 => String::new(),
            images => format!("{images} of them follow their group; "),
        };
        notes.push(format!(
            "images without a split of their own: {}; {follow}{shares} % of them are train, validation and test images, where {} \
             is wanted",
            rest.len(),
            split.fractions
        ));
    }
    notes
}

/// Shares of the splits among samples, 0 to 1.
fn shares_of(samples: &[&Sample]) -> [f64; 3] {
    Split::ALL.map(|split| {
        let own = samples.iter().filter(|sample| sample.split == split).count();
        own as f64 / samples.len().max(1) as f64
    })
}

/// The files of `found` without a label whose bytes have none elsewhere, by path.
fn unlabelled(found: &ScanResult, labelled: &[ImageFile]) -> Vec<ImageFile> {
    let mut files: Vec<ImageFile> =
        still_unlabelled(&found.unlabelled, labelled).into_iter().cloned().collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

impl GroupStats {
    /// Counts the groups of a data set; `None` where there are none.
    pub(super) fn of(samples: &[Sample]) -> Option<Self> {
        let mut sizes: HashMap<&str, usize> = HashMap::new();
        let mut without = 0;
        for sample in samples {
            match &sample.file.group {
                Some(group) => *sizes.entry(group).or_default() += 1,
                None => without += 1,
            }
        }
        let shares = shares_of(&samples.iter().collect::<Vec<_>>());
        let largest = sizes.values().copied().max()?;
        Some(Self { groups: sizes.len(), largest, without, shares })
    }
}
