//! What an extraction has to do: the data set as it is now, and the feature rows that are missing.

use super::config::ExtractConfig;
use super::missing::{ImageJob, MissingRows, count_by_variant, incomplete_train_images, missing_jobs};
use crate::cache::{Key, Samples};
use crate::data::dataset::{Changes, Reason, Refused, Split, label_names, number_and_names};
use crate::io::digest::Digest;
use crate::monitor::Monitor;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

/// Description of a data set, as it is stored in a cache.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Description {
    pub samples: Arc<Samples>,
    /// Files that cannot be used, by path.
    pub refused: Vec<Refused>,
    /// Whether this version has refused them, as it writes it.
    pub is_of_this_version: bool,
}

/// The data set as it is now, and what is missing.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub description: Description,
    /// The images to embed.
    pub jobs: Vec<ImageJob>,
    /// Number of feature rows in the cache that match the samples.
    pub stored_rows: usize,
    /// The missing rows, by variant.
    pub missing: Vec<MissingRows>,
    /// Number of train images that will lack a variant that others have.
    incomplete_train_images: usize,
}

impl Plan {
    /// Compares the data set with the `keys` of the features that are stored.
    pub fn new(description: Description, config: &ExtractConfig, keys: &HashSet<Key>) -> Self {
        let rows = &description.samples.rows;
        let jobs = missing_jobs(&description.samples, &config.augment, config.augment_splits, keys);
        let images: HashSet<Digest> = description.samples.images().map(|file| file.image_sha256).collect();
        Self {
            stored_rows: keys.iter().filter(|key| images.contains(&key.image_sha256)).count(),
            missing: count_by_variant(&jobs, keys),
            incomplete_train_images: incomplete_train_images(rows, keys, &jobs),
            jobs,
            description,
        }
    }

    /// The images that need a row among `refused_rows`.
    pub fn refused_again(&self, refused_rows: &BTreeSet<Key>) -> Vec<Refused> {
        let refused_row = |job: &ImageJob| job.keys().find(|key| refused_rows.contains(key));
        let refuse = |job: &ImageJob| {
            let reason = Reason::NonFiniteFeatures { variant: refused_row(job)?.variant.to_string() };
            Some(Refused { path: job.path.clone(), image_sha256: None, reason })
        };
        if refused_rows.is_empty() { Vec::new() } else { self.jobs.iter().filter_map(refuse).collect() }
    }

    /// Files of this plan that are not in `later`, neither as images nor as refused ones: they vanished meanwhile.
    pub fn vanished(&self, later: &Self) -> Vec<Refused> {
        let now: HashSet<&str> = later.paths().collect();
        let gone = self.paths().filter(|path| !now.contains(path));
        let refuse =
            |path: &str| Refused { path: path.into(), image_sha256: None, reason: Reason::VanishedDuringRun };
        gone.map(refuse).collect()
    }

    /// Paths of all files.
    fn paths(&self) -> impl Iterator<Item = &str> {
        let Description { samples, refused, .. } = &self.description;
        let images = samples.images().map(|file| file.path.as_str());
        images.chain(refused.iter().map(|refused| refused.path.as_str()))
    }

    /// Number of `keys` whose image is in the data set.
    pub fn count_own(&self, keys: &[Key]) -> usize {
        let images: HashSet<Digest> =
            self.description.samples.images().map(|file| file.image_sha256).collect();
        keys.iter().filter(|key| images.contains(&key.image_sha256)).count()
    }

    /// Returns the number of rows to compute.
    pub fn missing_rows(&self) -> usize {
        self.missing.iter().map(|missing| missing.rows).sum()
    }

    /// Reports how the data set differs from its description in the cache, and what it lacks for training.
    pub fn report(&self, before: Option<&Samples>, monitor: &dyn Monitor) {
        let now = &self.description.samples;
        if let Some(before) = before {
            if before.root != now.root {
                monitor.note(&format!("the images were in {} before", before.root.display()));
            }
            let changes = Changes::between(&before.rows, &now.rows);
            if !changes.is_empty() {
                let kept = if changes.removed > 0 { "; the features of removed images are kept" } else { "" };
                monitor.note(&format!("since the last extraction: {changes}{kept}"));
            }
        }
        for split in [Split::Validation, Split::Test] {
            if let Some(note) = coverage_note(now, split) {
                monitor.note(&note);
            }
        }
        if self.incomplete_train_images > 0 {
            monitor.note(&format!(
                "{} train images lack variants that others have; `extract` with the same `augment` as before computes \
                 them",
                self.incomplete_train_images
            ));
        }
    }
}

/// Returns a note when a split is empty, or some classes have no image in it.
fn coverage_note(samples: &Samples, split: Split) -> Option<String> {
    let all = label_names(&samples.rows);
    let covered = label_names(samples.rows.iter().filter(|row| row.split == split));
    let is_missing = |name: &&str| covered.binary_search_by(|other| other.as_str().cmp(name)).is_err();
    let missing: Vec<&str> = all.iter().map(String::as_str).filter(is_missing).collect();
    if missing.is_empty() {
        return None;
    }
    // Its images may be those that have none of the labels.
    let is_empty = samples.rows.iter().all(|row| row.split != split);
    let is_folder = samples.has_fixed_splits();
    let remedy = samples.remedy_for(split);
    if is_empty && is_folder {
        let holder = if samples.manifest.is_some() { "row" } else { "folder" };
        Some(format!("no {holder} holds {split} images; to have some, {remedy}"))
    } else if is_empty {
        Some(format!("with {} the {split} split is empty; to have some, {remedy}", samples.fractions))
    } else {
        let classes = if samples.has_label_sets() { "labels" } else { "classes" };
        Some(format!("{classes} without a {split} image: {}; {remedy}", number_and_names(&missing)))
    }
}
