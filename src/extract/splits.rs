//! Assigns the images of a data set to splits: by the split rule, or as somebody fixed them.

use super::config::ExtractConfig;
use crate::cache::Samples;
use crate::data::dataset::{
    FixedSplits, Fractions, ImageFile, Sample, Split, assign_splits, number_and_names, split_as_fixed,
};
use crate::data::manifest::Manifest;
use crate::data::scan::ScanResult;
use crate::error::Result;
use crate::io::digest::Digest;
use serde::Serialize;
use std::collections::{HashMap, HashSet};

/// Where every split is fixed, all train images stay in the train split.
const ALL_TRAIN: Fractions = Fractions { train: 100, validation: 0, test: 0 };

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

/// Assigns `kept`, the usable files of `found`, to splits. Seed, fractions and the expression of the groups are those of the
/// configuration, else those `stored` in the cache, as far as it had fixed splits too, else the defaults.
///
/// # Errors
/// Those of [`split_as_fixed`].
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
    let has_fixed = kept.iter().any(|file| file.fixed_split.is_some());
    let all_fixed = has_fixed && kept.iter().all(|file| file.fixed_split.is_some());
    let default = if all_fixed { ALL_TRAIN } else { Fractions::default() };
    let same = stored.filter(|stored| stored.has_fixed_splits() == has_fixed);
    let fractions = config.split.or(same.map(|stored| stored.fractions)).unwrap_or(default);
    let seed = config.seed.or(stored.map(|stored| stored.seed)).unwrap_or(0);
    let rows = match has_fixed {
        true => {
            let FixedSplits { samples, in_several, divided_groups } = split_as_fixed(kept, seed, fractions)?;
            if in_several > 0 {
                notes.push(format!(
                    "images that are in the folders of several splits, and are not trained on: {in_several}"
                ));
            }
            if !divided_groups.is_empty() {
                let names: Vec<&str> = divided_groups.iter().map(String::as_str).collect();
                let names = number_and_names(&names);
                notes.push(format!(
                    "groups that the given splits divide, so that scores are too good: {names}"
                ));
            }
            samples
        }
        false => assign_splits(kept, seed, fractions),
    };
    let manifest = found.manifest.clone().map(|file| Manifest { file, options: config.manifest.clone() });
    let (root, layout) = (found.root.clone(), found.layout);
    let samples = Samples { rows, unlabelled, root, seed, fractions, layout, manifest, group_by };
    Ok(Assigned { samples, notes })
}

/// The files of `found` without a label whose bytes have none elsewhere, by path.
fn unlabelled(found: &ScanResult, labelled: &[ImageFile]) -> Vec<ImageFile> {
    let known: HashSet<Digest> = labelled.iter().map(|file| file.image_sha256).collect();
    let mut files = found.unlabelled.clone();
    files.retain(|file| !known.contains(&file.image_sha256));
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
        let share = |split: Split| {
            let own = samples.iter().filter(|sample| sample.split == split).count();
            own as f64 / samples.len().max(1) as f64
        };
        let largest = sizes.values().copied().max()?;
        Some(Self { groups: sizes.len(), largest, without, shares: Split::ALL.map(share) })
    }
}
