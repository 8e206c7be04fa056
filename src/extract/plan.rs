//! What an extraction has to do: the data set as it is now, and the feature rows that are missing.

use super::config::ExtractConfig;
use super::missing::{ImageJob, MissingRows, count_by_variant, incomplete_train_images, missing_jobs};
use crate::cache::{Key, Samples};
use crate::data::dataset::{Changes, Refused, Split, class_names, number_and_names};
use crate::io::digest::Digest;
use crate::monitor::Monitor;
use std::collections::HashSet;
use std::sync::Arc;

/// Description of a data set, as it is stored in a cache.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Description {
    pub samples: Arc<Samples>,
    /// Files that cannot be used, by path.
    pub refused: Vec<Refused>,
}

/// The data set as it is now, and what is missing.
#[derive(Debug)]
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
        let jobs = missing_jobs(rows, &config.augment, config.augment_splits, keys);
        let images: HashSet<Digest> = rows.iter().map(|row| row.file.image_sha256).collect();
        Self {
            stored_rows: keys.iter().filter(|key| images.contains(&key.image_sha256)).count(),
            missing: count_by_variant(&jobs, keys),
            incomplete_train_images: incomplete_train_images(rows, keys, &jobs),
            jobs,
            description,
        }
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
    let all = class_names(&samples.rows);
    let covered = class_names(samples.rows.iter().filter(|row| row.split == split));
    let is_missing = |name: &&str| covered.binary_search_by(|other| other.as_str().cmp(name)).is_err();
    let missing: Vec<&str> = all.iter().map(String::as_str).filter(is_missing).collect();
    let is_folder = samples.layout.has_splits();
    let remedy = match is_folder {
        true => format!("give a folder of {split} images, or a `split` that takes some of the train images"),
        false => "give more images or another `split`, such as 60/15/25".into(),
    };
    if missing.is_empty() {
        None
    } else if covered.is_empty() && is_folder {
        Some(format!("no folder holds {split} images; to have some, {remedy}"))
    } else if covered.is_empty() {
        Some(format!("with {} the {split} split is empty; to train, {remedy}", samples.fractions))
    } else {
        Some(format!("classes without a {split} image: {}; {remedy}", number_and_names(&missing)))
    }
}
