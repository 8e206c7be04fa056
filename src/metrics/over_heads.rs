//! Scores over several heads, which differ in their seeds and in the splits that they were fitted to: what varies, and how far
//! the mean test accuracy speaks for new images.

use super::resampled::{ResampledMean, corrected_resampled_t_test};
use super::wilson::wilson_of_share;
use serde::Serialize;

/// Mean of a score over heads, with the deviations of its two causes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MeanOverHeads {
    /// Number of heads.
    pub n: usize,
    /// Mean over splits of the mean over seeds.
    pub mean: f64,
    /// Sample standard deviation over the seeds of a split, pooled over splits; `None` where each split has one head.
    pub over_seeds: Option<f64>,
    /// Sample standard deviation of the means of the splits; `None` for one split.
    pub over_splits: Option<f64>,
}

/// Answers of the heads that were fitted to one split and differ in their seeds alone.
#[derive(Debug, Clone)]
pub struct SplitAnswers<'a> {
    /// For each head, whether it answers each test image correctly: `[head][image]`, images in one order.
    pub correct: Vec<&'a [bool]>,
    /// Number of train images.
    pub train_images: usize,
    /// Number of images of all splits together.
    pub images: usize,
}

/// How several splits of one data set come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SplitDesign {
    /// Each image is tested in exactly one of them.
    Folds,
    /// Each is drawn anew, so that test images recur.
    Random,
}

/// What an interval of a mean accuracy speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IntervalOver {
    /// New images, answered by these heads of one split.
    NewImages,
    /// New images, answered by heads like those of the folds.
    NewImagesOfFolds,
    /// New splits of new images, with heads fitted to each.
    NewSplits,
}

/// The interval of a mean test accuracy over heads.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AccuracyInterval {
    /// The mean accuracy, 0 to 1.
    pub mean: f64,
    /// Its 95 % interval, `[low, high]` within 0 to 1.
    pub interval: [f64; 2],
    /// What the interval speaks of.
    pub over: IntervalOver,
    /// Number of test images; those of all folds together.
    pub images: usize,
    /// Number of heads, of all splits together.
    pub heads: usize,
    /// Number of splits that were tested on.
    pub splits: usize,
}

/// Computes mean and deviations of a score, `[split][seed]`. Splits without a head are left out. Returns `None` without heads.
pub fn mean_over_heads(splits: &[Vec<f64>]) -> Option<MeanOverHeads> {
    let splits: Vec<&Vec<f64>> = splits.iter().filter(|seeds| !seeds.is_empty()).collect();
    let means: Vec<f64> = splits.iter().map(|seeds| mean(seeds)).collect();
    let n: usize = splits.iter().map(|seeds| seeds.len()).sum();
    let within: f64 = splits.iter().zip(&means).map(|(seeds, mean)| squares(seeds, *mean)).sum();
    let mean = (n > 0).then(|| mean(&means))?;
    Some(MeanOverHeads {
        n,
        mean,
        over_seeds: (n > splits.len()).then(|| (within / (n - splits.len()) as f64).sqrt()),
        over_splits: (means.len() > 1).then(|| (squares(&means, mean) / (means.len() - 1) as f64).sqrt()),
    })
}

/// Computes the mean test accuracy of heads with its 95 % interval. Seeds are averaged within a split first: they share its
/// images, so their number makes no estimate for new images surer.
///
/// - One split, and folds: Wilson's interval for the number of images that is worth as much as these, which several heads
///   answer (clustered by image; the effective sample size of Dean and Pagano 2015, *Journal of Survey Statistics and
///   Methodology* 3, 484-503).
/// - Several splits: the corrected resampled t-test (Nadeau and Bengio 2003) on the means of the splits, never narrower than
///   Wilson's interval of all images that were tested.
///
/// Splits without heads or test images are left out. Returns `None` if there are no others.
///
/// # Panics
/// When the heads of a split have answered different numbers of images.
pub fn accuracy_over_heads(splits: &[SplitAnswers], design: SplitDesign) -> Option<AccuracyInterval> {
    let per_split: Vec<Vec<f64>> = splits.iter().map(SplitAnswers::of_images).collect();
    let tested = splits.iter().zip(&per_split).filter(|(_, images)| !images.is_empty());
    let (splits, per_split): (Vec<&SplitAnswers>, Vec<&Vec<f64>>) = tested.unzip();
    let images: usize = per_split.iter().map(|images| images.len()).sum();
    let fewest = splits.iter().map(|split| split.correct.len()).min()?;
    let (heads, number) = (splits.iter().map(|split| split.correct.len()).sum(), splits.len());
    if splits.len() == 1 || design == SplitDesign::Folds {
        let pooled: Vec<f64> = per_split.into_iter().flatten().copied().collect();
        let over = if splits.len() == 1 { IntervalOver::NewImages } else { IntervalOver::NewImagesOfFolds };
        return Some(AccuracyInterval {
            mean: mean(&pooled),
            interval: clustered(&pooled, fewest),
            over,
            images,
            heads,
            splits: number,
        });
    }
    let means: Vec<f64> = per_split.iter().map(|images| mean(images)).collect();
    let ratios = splits.iter().zip(&per_split);
    let ratios: Vec<f64> =
        ratios.map(|(split, images)| images.len() as f64 / split.train_images.max(1) as f64).collect();
    let resampled = corrected_resampled_t_test(&means, mean(&ratios))?;
    let distinct = splits.iter().map(|split| split.images).max().map_or(images, |all| all.min(images));
    let resampled = resampled.of_shares(distinct / splits.len());
    let ResampledMean { mean, interval, .. } = resampled;
    let over = IntervalOver::NewSplits;
    Some(AccuracyInterval { mean, interval, over, images, heads, splits: number })
}

impl SplitAnswers<'_> {
    /// For each image, the share of heads that answer it correctly.
    fn of_images(&self) -> Vec<f64> {
        let images = self.correct.first().map_or(0, |first| first.len());
        assert!(
            self.correct.iter().all(|head| head.len() == images),
            "heads of a split have the same images"
        );
        let share = |image: usize| {
            self.correct.iter().filter(|head| head[image]).count() as f64 / self.correct.len() as f64
        };
        (0..images).map(share).collect()
    }
}

/// Wilson's interval of the mean of `shares`, one for each image, of `heads` answers each.
fn clustered(shares: &[f64], heads: usize) -> [f64; 2] {
    let (n, mean) = (shares.len() as f64, mean(shares));
    let (binomial, variance) = (mean * (1.0 - mean), squares(shares, mean) / n);
    // Where all heads agree both variances are equal. Answers of independent heads are worth `heads` images at most.
    let effective = if binomial > 0.0 { (n * binomial / variance).min(n * heads as f64) } else { n };
    wilson_of_share(mean, effective)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn squares(values: &[f64], mean: f64) -> f64 {
    values.iter().map(|value| (value - mean).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::wilson_interval;

    fn answers(correct: usize, images: usize) -> Vec<bool> {
        (0..images).map(|image| image < correct).collect()
    }

    fn split<'a>(correct: &[&'a Vec<bool>]) -> SplitAnswers<'a> {
        let correct: Vec<&[bool]> = correct.iter().map(|head| head.as_slice()).collect();
        SplitAnswers { correct, train_images: 60, images: 100 }
    }

    #[test]
    fn equal_heads_of_one_split_say_as_much_as_one() {
        let head = answers(70, 100);
        let one = accuracy_over_heads(&[split(&[&head])], SplitDesign::Random).unwrap();
        let twenty = accuracy_over_heads(&[split(&[&head; 20])], SplitDesign::Random).unwrap();
        let wilson = wilson_interval(70, 100).unwrap();
        for of in [one, twenty] {
            assert!((0..2).all(|end| (of.interval[end] - wilson[end]).abs() < 1e-12), "{of:?} {wilson:?}");
            assert_eq!((of.over, of.images), (IntervalOver::NewImages, 100));
        }
        // Heads that err on other images make the mean surer, but never more than as many images would.
        let reversed: Vec<bool> = head.iter().rev().copied().collect();
        let two = accuracy_over_heads(&[split(&[&head, &reversed])], SplitDesign::Random).unwrap();
        assert!(two.interval[0] > wilson[0] && two.interval[1] < wilson[1], "{two:?}");
        let half = answers(50, 100);
        let other: Vec<bool> = half.iter().map(|correct| !correct).collect();
        let opposed = accuracy_over_heads(&[split(&[&half, &other])], SplitDesign::Random).unwrap();
        let most = wilson_interval(100, 200).unwrap();
        assert!((opposed.interval[0] - most[0]).abs() < 1e-12, "{opposed:?}");
    }

    #[test]
    fn no_interval_leaves_0_to_1_or_lacks_a_width() {
        let (all, none) = (vec![true; 10], vec![false; 10]);
        for design in [SplitDesign::Folds, SplitDesign::Random] {
            for heads in [[&all, &all, &all], [&none, &none, &none], [&all, &none, &all]] {
                let splits: Vec<SplitAnswers> = heads.iter().map(|head| split(&[head])).collect();
                let AccuracyInterval { mean, interval: [low, high], .. } =
                    accuracy_over_heads(&splits, design).unwrap();
                assert!(0.0 <= low && low <= mean && mean <= high && high <= 1.0, "{low} {mean} {high}");
                assert!(high - low > 0.05, "{low} {high}");
            }
        }
        assert_eq!(accuracy_over_heads(&[], SplitDesign::Random), None);
        assert_eq!(accuracy_over_heads(&[split(&[])], SplitDesign::Folds), None);
    }

    #[test]
    fn folds_are_pooled_and_splits_are_resampled() {
        let (a, b) = (answers(14, 20), answers(16, 20));
        let folds = accuracy_over_heads(&[split(&[&a]), split(&[&b])], SplitDesign::Folds).unwrap();
        assert_eq!((folds.mean, folds.over, folds.images), (0.75, IntervalOver::NewImagesOfFolds, 40));
        assert_eq!((folds.heads, folds.splits), (2, 2));
        assert!((folds.interval[0] - wilson_interval(30, 40).unwrap()[0]).abs() < 1e-12);
        let splits = accuracy_over_heads(&[split(&[&a, &b]), split(&[&b, &b])], SplitDesign::Random).unwrap();
        // Means .75 and .8: 12.706 sqrt((1/2 + 20/60) (.05^2 / 2)) = .4101.
        assert!((splits.interval[0] - (0.775 - 0.410_1)).abs() < 1e-4, "{splits:?}");
        assert_eq!((splits.interval[1], splits.over), (1.0, IntervalOver::NewSplits));
    }

    #[test]
    fn deviations_by_cause() {
        let of = mean_over_heads(&[vec![1.0, 3.0], vec![], vec![4.0, 6.0]]).unwrap();
        assert_eq!((of.n, of.mean), (4, 3.5));
        assert!((of.over_seeds.unwrap() - 2f64.sqrt()).abs() < 1e-12);
        assert!((of.over_splits.unwrap() - 4.5f64.sqrt()).abs() < 1e-12);
        let one = MeanOverHeads { n: 1, mean: 2.0, over_seeds: None, over_splits: None };
        assert_eq!((mean_over_heads(&[vec![2.0]]), mean_over_heads(&[])), (Some(one), None));
    }
}
