//! Answers of a run for images, from the features in a cache.

use crate::cache::{FeatureCache, Key};
use crate::data::augment::Variant;
use crate::error::Result;
use crate::evaluate::predict::Classifier;
use crate::head::argmax;
use crate::io::digest::Digest;
use std::collections::{HashMap, HashSet};

/// What a run says about an image.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    /// Probabilities in class order, at the temperature of the run.
    pub probabilities: Vec<f32>,
    /// Distance from the nearest class; `None` without open-set rejection.
    pub distance: Option<f32>,
}

impl Answer {
    /// The answer for a feature row.
    pub fn of(classifier: &Classifier, features: &[f32]) -> Self {
        let probabilities =
            classifier.probabilities(features).into_iter().map(|share| share as f32).collect();
        Self { probabilities, distance: classifier.open_set(features).map(|open_set| open_set.score) }
    }

    /// Index of the most probable class.
    pub fn predicted(&self) -> usize {
        argmax(&self.probabilities)
    }

    /// Whether the image is rejected.
    pub fn is_unknown(&self, classifier: &Classifier) -> bool {
        let rule = classifier.rejection();
        self.distance.is_some_and(|distance| rule.is_some_and(|rule| rule.rejects(distance)))
    }

    /// The p value of the image being of a known class; `None` without open-set rejection.
    pub fn p_known(&self, classifier: &Classifier) -> Option<f64> {
        Some(classifier.rejection()?.calibration.p_value(self.distance?))
    }
}

/// Classifies the plain rows of `cache` whose image is `wanted` with `classify`. One part of the cache is in memory at a time.
///
/// # Errors
/// [`Kind::Cache`](crate::error::Kind::Cache) when a part is damaged.
pub(super) fn from_cache<T>(
    cache: &FeatureCache,
    wanted: &HashSet<Digest>,
    classify: impl Fn(&[f32]) -> T,
) -> Result<HashMap<Digest, T>> {
    let mut answers = HashMap::with_capacity(wanted.len());
    let is_wanted = |key: &Key| key.variant == Variant::None && wanted.contains(&key.image_sha256);
    for part in cache.parts()? {
        // The keys alone cost little, and a cache may hold much else.
        if !part.keys(cache.spec())?.iter().any(is_wanted) {
            continue;
        }
        let rows = part.rows(cache.spec())?;
        let features = rows.embeddings.chunks_exact(rows.width.max(1));
        for (key, features) in rows.keys.iter().zip(features).filter(|(key, _)| is_wanted(key)) {
            answers.insert(key.image_sha256, classify(features));
        }
    }
    Ok(answers)
}
