//! The paths that `auto` tries: the features of each cache with more and more variants, as they are and standardized, with the
//! labels as they are and smoothed.

use super::config::AutoConfig;
use crate::error::Result;
use crate::monitor::{Monitor, Silent};
use crate::run::CandidateFeatures;
use crate::train::same_images::require_same_images;
use crate::train::split_rows::SplitRows;
use crate::train::training_set::TrainingSet;

/// Label smoothing that is tried beside none. A smoothed loss goes on to fit rows that are answered well, as least squares and
/// linear discriminant analysis do, where cross entropy looks at the hard ones alone.
const SMOOTHING: f64 = 0.3;

/// The rows of one cache with one set of variants.
#[derive(Debug)]
pub(super) struct FeatureSet {
    /// Position of the cache.
    pub cache: usize,
    /// Position among the sets of that cache: more variants come later.
    pub level: usize,
    /// As `train` takes them.
    pub variants: Vec<String>,
    pub splits: SplitRows,
}

/// A feature set and a loss, whose penalties are tried one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Path<'a> {
    pub features: &'a FeatureSet,
    pub standardize: bool,
    pub label_smoothing: f64,
}

/// Selects the rows of all feature sets.
///
/// # Errors
/// Those of [`TrainingSet::split_rows`] and [`require_same_images`].
pub(super) fn feature_sets(
    config: &AutoConfig,
    sets: &[TrainingSet],
    monitor: &dyn Monitor,
) -> Result<Vec<FeatureSet>> {
    let mut all: Vec<FeatureSet> = Vec::new();
    for (cache, set) in sets.iter().enumerate() {
        let whole = set.split_rows(config.resplit, config.variants.as_deref(), monitor)?;
        let levels = match &config.variants {
            Some(variants) => vec![variants.clone()],
            None => levels(&whole),
        };
        for (level, variants) in levels.into_iter().enumerate() {
            let splits = set.split_rows(config.resplit, Some(&variants), &Silent)?;
            all.push(FeatureSet { cache, level, variants, splits });
        }
        let of_cache = all.iter().find(|features| features.cache == cache).expect("each cache has a set");
        require_same_images((set, &of_cache.splits), (&sets[0], &all[0].splits))?;
    }
    // Few variants are the fastest to fit, and the simplest.
    all.sort_by_key(|features| features.level);
    Ok(all)
}

/// All paths in the order in which they are tried, which is also that of preference.
pub(super) fn paths<'a>(config: &AutoConfig, features: &'a [FeatureSet]) -> Vec<Path<'a>> {
    let scalings: &[bool] = if config.base.standardize { &[true] } else { &[false, true] };
    let given = config.base.label_smoothing;
    let smoothings: &[f64] = if given == 0.0 { &[0.0, SMOOTHING] } else { &[given] };
    let ways: Vec<(bool, f64)> = scalings
        .iter()
        .flat_map(|&scaled| smoothings.iter().map(move |&smoothed| (scaled, smoothed)))
        .collect();
    let levels = 1 + features.iter().map(|features| features.level).max().unwrap_or(0);
    let mut all = Vec::new();
    for level in 0..levels {
        for &(standardize, label_smoothing) in &ways {
            let of_level = features.iter().filter(|features| features.level == level);
            all.extend(of_level.map(|features| Path { features, standardize, label_smoothing }));
        }
    }
    all
}

impl Path<'_> {
    /// How the run records it.
    pub fn recorded(&self, sets: &[TrainingSet]) -> CandidateFeatures {
        let set = &sets[self.features.cache];
        CandidateFeatures {
            cache: set.path().display().to_string(),
            layer: set.spec().layer.clone(),
            variants: self.features.variants.join(","),
            standardize: self.standardize,
            label_smoothing: self.label_smoothing,
        }
    }

    /// Whether `other` has the same features with another set of variants.
    pub fn differs_in_variants_alone(&self, other: &Path) -> bool {
        let key = |path: &Path| (path.features.cache, path.standardize, path.label_smoothing);
        key(self) == key(other)
    }
}

/// More and more of the families that all train images have.
fn levels(splits: &SplitRows) -> Vec<Vec<String>> {
    let mut families: Vec<String> =
        splits.variants.iter().map(|variant| variant.family().to_string()).collect();
    families.dedup();
    (1..=families.len()).map(|count| families[..count].to_vec()).collect()
}
