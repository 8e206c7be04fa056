//! Scores where images have several labels: thresholds, micro and macro F1.

use serde::Serialize;

/// The threshold of largest F1 for one label. `scores` holds a probability for each image, `truth` whether it has the label. Of
/// equally good thresholds the largest; halfway between the probabilities on both sides. One half without an image of the label.
///
/// # Panics
/// When the lengths differ.
pub fn best_f1_threshold(scores: &[f32], truth: &[bool]) -> f64 {
    assert_eq!(scores.len(), truth.len(), "a score for each image");
    let mut ranked: Vec<(f64, bool)> =
        scores.iter().map(|&p| f64::from(p)).zip(truth.iter().copied()).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let positives = truth.iter().filter(|is_positive| **is_positive).count();
    let (mut best, mut found) = ((0.0, 0.5), 0);
    for (above, &(score, is_positive)) in ranked.iter().enumerate() {
        found += usize::from(is_positive);
        let next = ranked.get(above + 1).map_or(0.0, |next| next.0);
        let f1 = 2.0 * found as f64 / (above + 1 + positives) as f64;
        if next < score && f1 > best.0 {
            best = (f1, 0.5 * (score + next));
        }
    }
    if positives == 0 { 0.5 } else { best.1 }
}

/// Counts of one label.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LabelCounts {
    /// Images that have the label.
    pub support: usize,
    /// Images that are answered with it.
    pub predicted: usize,
    /// Both.
    pub correct: usize,
}

/// Precision, recall and F1, each 0 to 1; `None` where the denominator is zero.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct F1Score {
    /// Share of the answers that are right.
    pub precision: Option<f64>,
    /// Share of the labels that are answered.
    pub recall: Option<f64>,
    /// Harmonic mean of both.
    pub f1: Option<f64>,
}

impl LabelCounts {
    /// Counts one label over images.
    pub fn of(truth: impl IntoIterator<Item = bool>, answers: impl IntoIterator<Item = bool>) -> Self {
        let mut counts = Self::default();
        for (is_true, is_answer) in truth.into_iter().zip(answers) {
            counts.support += usize::from(is_true);
            counts.predicted += usize::from(is_answer);
            counts.correct += usize::from(is_true && is_answer);
        }
        counts
    }

    /// The scores of these counts.
    pub fn score(self) -> F1Score {
        let Self { support, predicted, correct } = self;
        let share = |of: usize, all: usize| (all > 0).then(|| of as f64 / all as f64);
        F1Score {
            precision: share(correct, predicted),
            recall: share(correct, support),
            f1: share(2 * correct, support + predicted),
        }
    }
}

/// The score of all labels together: micro averages, over all pairs of an image and a label.
pub fn micro_score(labels: &[LabelCounts]) -> F1Score {
    let sum = |get: fn(&LabelCounts) -> usize| labels.iter().map(get).sum();
    let (support, predicted, correct) = (sum(|c| c.support), sum(|c| c.predicted), sum(|c| c.correct));
    LabelCounts { support, predicted, correct }.score()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_has_the_largest_f1_of_all() {
        let scores = [0.9f32, 0.8, 0.8, 0.4, 0.3, 0.1];
        let truth = [true, false, true, true, false, false];
        let f1 = |threshold: f64| {
            let answers = scores.iter().map(|&p| f64::from(p) >= threshold);
            LabelCounts::of(truth, answers).score().f1.unwrap_or(0.0)
        };
        let threshold = best_f1_threshold(&scores, &truth);
        let best = (0..=100).map(|i| f1(f64::from(i) / 100.0)).fold(0.0, f64::max);
        assert_eq!(f1(threshold), best);
        assert!((threshold - 0.35).abs() < 1e-6, "{threshold}");
        assert_eq!(best_f1_threshold(&[0.2, 0.3], &[false; 2]), 0.5);
        assert_eq!(best_f1_threshold(&[0.5; 3], &[true; 3]), 0.25);
    }

    #[test]
    fn undefined_scores_are_none() {
        let none = LabelCounts::of([false; 3], [false; 3]).score();
        assert_eq!(none, F1Score { precision: None, recall: None, f1: None });
        let some = [LabelCounts { support: 2, predicted: 1, correct: 1 }, LabelCounts::default()];
        assert_eq!(
            micro_score(&some),
            F1Score { precision: Some(1.0), recall: Some(0.5), f1: Some(2.0 / 3.0) }
        );
    }
}
