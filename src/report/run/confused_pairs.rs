//! Pairs of classes that a run confuses.

use crate::evaluate::EvaluateStats;

/// Images of one class that were classified as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ConfusedPair {
    /// Index of the true class.
    pub truth: usize,
    /// Index of the predicted class.
    pub predicted: usize,
    /// Number of images.
    pub images: usize,
    /// Number of images of the true class.
    pub support: usize,
    /// Number of images confused the other way round.
    pub reverse: usize,
}

impl ConfusedPair {
    /// Fraction of the images of the true class.
    pub fn share(&self) -> f64 {
        self.images as f64 / self.support as f64
    }
}

/// The pairs that occur: most images first, then by share of the true class, then in order of the classes.
pub(super) fn confused_pairs(stats: &EvaluateStats) -> Vec<ConfusedPair> {
    let classes = stats.classes.len();
    let pair = |truth: usize, predicted: usize| ConfusedPair {
        truth,
        predicted,
        images: stats.confusion[truth][predicted],
        support: stats.classes[truth].support,
        reverse: stats.confusion[predicted][truth],
    };
    let pairs = (0..classes).flat_map(|truth| (0..classes).map(move |predicted| pair(truth, predicted)));
    let mut pairs: Vec<_> = pairs.filter(|pair| pair.truth != pair.predicted && pair.images > 0).collect();
    pairs.sort_by(|a, b| {
        let by_images = b.images.cmp(&a.images).then_with(|| b.share().total_cmp(&a.share()));
        by_images.then_with(|| (a.truth, a.predicted).cmp(&(b.truth, b.predicted)))
    });
    pairs
}
