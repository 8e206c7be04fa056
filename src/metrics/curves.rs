//! Precision-recall and ROC curves of each class against all others, with the areas below them.

use super::bootstrap::{percentiles, resample};
use serde::Serialize;

/// What answering a class wherever its probability reaches a threshold gives.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CurvePoint {
    /// The threshold: a probability that occurs.
    pub threshold: f64,
    /// Share of the images at or above it that are of the class.
    pub precision: f64,
    /// Share of the images of the class that are at or above it; also the true positive rate of the ROC curve.
    pub recall: f64,
    /// Share of the images of other classes that are at or above it.
    pub false_positive_rate: f64,
}

/// The curves of one class: precision against recall, and true against false positive rate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassCurve {
    /// Average precision: the sum of the precisions, each times the recall that its threshold adds. Nothing is interpolated
    /// (Davis and Goadrich 2006, ICML), as in scikit-learn's `average_precision_score`.
    pub average_precision: f64,
    /// Its 95 % interval, of percentiles of the bootstrap over images; `None` where there is none (see [`class_curves`]).
    pub average_precision_interval: Option<[f64; 2]>,
    /// Area under the ROC curve, ties counting half (Mann and Whitney 1947).
    pub roc_area: f64,
    /// Its 95 % interval, as that of the average precision.
    pub roc_area_interval: Option<[f64; 2]>,
    /// The points from the largest threshold to the smallest, without those that lie between two others of the same recall.
    pub points: Vec<CurvePoint>,
}

/// Resamples of the bootstrap: fewer for many images and classes, and no interval where there would be fewer than
/// [`MIN_RESAMPLES`].
const MAX_RESAMPLES: usize = 1000;
const MIN_RESAMPLES: usize = 200;
const MAX_SCORES: usize = 100_000_000;

/// Computes the curves of each class. `truth` holds the class index of each image, `probabilities` one row of `[classes]` each.
/// A class without images, or without images of other classes, has none.
///
/// Intervals are those of the percentile bootstrap over images, from a fixed seed. They
/// are left out where images times classes exceed 500,000, and where no resample changes the area, as for perfect separation.
///
/// # Panics
/// When the number of rows differs, or a class index is not below the length of its row.
pub fn class_curves(truth: &[usize], probabilities: &[Vec<f64>], classes: usize) -> Vec<Option<ClassCurve>> {
    assert_eq!(truth.len(), probabilities.len(), "one row of probabilities for each label");
    let ranking = |class| Ranking::new(truth, probabilities, class);
    let resamples = (MAX_SCORES / (truth.len() * classes).max(1)).min(MAX_RESAMPLES);
    if resamples < MIN_RESAMPLES {
        // One ranking at a time: of many classes they need much memory.
        return (0..classes).map(|class| ranking(class).curve([None; 2])).collect();
    }
    let rankings: Vec<Ranking> = (0..classes).map(ranking).collect();
    let intervals = bootstrap(&rankings, truth.len(), resamples);
    rankings.iter().zip(intervals).map(|(ranking, intervals)| ranking.curve(intervals)).collect()
}

/// The images in the order of their probability of one class, the largest first.
struct Ranking {
    images: Vec<RankedImage>,
}

#[derive(Clone, Copy)]
struct RankedImage {
    image: usize,
    score: f64,
    /// Whether it is of the class.
    positive: bool,
    /// Whether the next one has a smaller score.
    ends_tie: bool,
}

/// Average precision and area under the ROC curve.
type Areas = [f64; 2];

impl Ranking {
    fn new(truth: &[usize], probabilities: &[Vec<f64>], class: usize) -> Self {
        let image = |(image, (truth, row)): (usize, (&usize, &Vec<f64>))| RankedImage {
            image,
            score: row[class],
            positive: *truth == class,
            ends_tie: true,
        };
        let mut images: Vec<RankedImage> = truth.iter().zip(probabilities).enumerate().map(image).collect();
        images.sort_by(|a, b| b.score.total_cmp(&a.score));
        for i in 1..images.len() {
            images[i - 1].ends_tie = images[i - 1].score != images[i].score;
        }
        Self { images }
    }

    /// The areas where each image counts as often as `weights` says. `None` without images of the class, or of others.
    fn areas(&self, weights: &[u32]) -> Option<Areas> {
        let (mut found, mut others, mut precisions, mut pairs) = (0.0, 0.0, 0.0, 0.0);
        let (mut tied, mut tied_others) = (0.0, 0.0);
        for ranked in &self.images {
            let weight = f64::from(weights[ranked.image]);
            if ranked.positive {
                tied += weight
            } else {
                tied_others += weight
            }
            if ranked.ends_tie {
                pairs += tied_others * (found + 0.5 * tied);
                (found, others) = (found + tied, others + tied_others);
                // Without an image of the class nothing is added; this also leaves out 0 / 0.
                precisions += if tied > 0.0 { tied * found / (found + others) } else { 0.0 };
                (tied, tied_others) = (0.0, 0.0);
            }
        }
        (found > 0.0 && others > 0.0).then(|| [precisions / found, pairs / (found * others)])
    }

    fn curve(
        &self,
        [average_precision_interval, roc_area_interval]: [Option<[f64; 2]>; 2],
    ) -> Option<ClassCurve> {
        let [average_precision, roc_area] = self.areas(&vec![1; self.images.len()])?;
        let points = self.points();
        Some(ClassCurve {
            average_precision,
            average_precision_interval,
            roc_area,
            roc_area_interval,
            points,
        })
    }

    /// The points of the curve; there are images of the class and of others.
    fn points(&self) -> Vec<CurvePoint> {
        let positives = self.images.iter().filter(|ranked| ranked.positive).count();
        let negatives = self.images.len() - positives;
        let (mut all, mut found) = (Vec::new(), 0);
        for (i, ranked) in self.images.iter().enumerate() {
            found += usize::from(ranked.positive);
            if ranked.ends_tie {
                all.push((ranked.score, found, i + 1 - found));
            }
        }
        let found_at = |i: usize| all.get(i).map(|point| point.1);
        let is_corner = |i: usize| i == 0 || found_at(i) != found_at(i - 1) || found_at(i + 1) != found_at(i);
        let kept = (0..all.len()).filter(|&i| is_corner(i)).map(|i| all[i]);
        let point = |(threshold, found, others): (f64, usize, usize)| CurvePoint {
            threshold,
            precision: found as f64 / (found + others) as f64,
            recall: found as f64 / positives as f64,
            false_positive_rate: others as f64 / negatives as f64,
        };
        kept.map(point).collect()
    }
}

/// The intervals of both areas of each class. All classes are measured on the same resamples.
fn bootstrap(rankings: &[Ranking], images: usize, resamples: usize) -> Vec<[Option<[f64; 2]>; 2]> {
    let mut areas: Vec<Vec<Areas>> = vec![Vec::with_capacity(resamples); rankings.len()];
    resample(images, resamples, |weights| {
        for (areas, ranking) in areas.iter_mut().zip(rankings) {
            areas.extend(ranking.areas(weights));
        }
    });
    areas
        .iter()
        .map(|areas| [0, 1].map(|which| percentiles(areas.iter().map(|areas| areas[which]))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The curve of class 1, whose probabilities are given.
    fn curve(rows: &[(usize, f64)]) -> ClassCurve {
        let truth: Vec<usize> = rows.iter().map(|row| row.0).collect();
        let probabilities: Vec<Vec<f64>> = rows.iter().map(|row| vec![1.0 - row.1, row.1]).collect();
        class_curves(&truth, &probabilities, 2).pop().flatten().unwrap()
    }

    #[test]
    fn curves_by_hand() {
        // scikit-learn's example: average_precision_score gives 0.8333, roc_auc_score 0.75.
        let curve = curve(&[(0, 0.1), (0, 0.4), (1, 0.35), (1, 0.8)]);
        assert!((curve.average_precision - (0.5 + 0.5 * 2.0 / 3.0)).abs() < 1e-12);
        assert_eq!(curve.roc_area, 0.75);
        let points: Vec<_> = curve.points.iter().map(|point| (point.threshold, point.recall)).collect();
        assert_eq!(points, [(0.8, 0.5), (0.4, 0.5), (0.35, 1.0), (0.1, 1.0)]);
        assert_eq!(curve.points[2].precision, 2.0 / 3.0);
        assert_eq!(curve.points[2].false_positive_rate, 0.5);
    }

    #[test]
    fn ties_count_half_and_are_one_point() {
        let tied = curve(&[(0, 0.5), (1, 0.5), (0, 0.5), (1, 0.5)]);
        assert_eq!((tied.average_precision, tied.roc_area, tied.points.len()), (0.5, 0.5, 1));
    }

    #[test]
    fn points_between_two_of_the_same_recall_are_left_out() {
        let rows: Vec<(usize, f64)> =
            (0..100u32).map(|i| (usize::from(i.is_multiple_of(20)), f64::from(i) / 100.0)).collect();
        let curve = curve(&rows);
        assert_eq!(curve.points.len(), 11, "two for each of five images and the first");
        let sum: f64 =
            curve.points.windows(2).map(|two| (two[1].recall - two[0].recall) * two[1].precision).sum();
        assert!(
            (sum - curve.average_precision).abs() < 1e-12,
            "the area is that of the points that are left"
        );
    }

    #[test]
    fn intervals_hold_the_area_and_are_the_same_each_time() {
        let rows: Vec<(usize, f64)> =
            (0..200usize).map(|i| (usize::from((i * 7919) % 200 < i), (i as f64) / 200.0)).collect();
        let one = curve(&rows);
        let [low, high] = one.average_precision_interval.unwrap();
        assert!(
            low < one.average_precision && one.average_precision < high && high - low < 0.2,
            "{low} {high}"
        );
        assert_eq!(one, curve(&rows));
        let perfect = curve(&[(0, 0.1), (0, 0.2), (1, 0.8), (1, 0.9)]);
        assert_eq!((perfect.average_precision, perfect.roc_area_interval), (1.0, None));
    }

    #[test]
    fn a_class_without_images_or_without_others_has_no_curve() {
        assert_eq!(class_curves(&[0, 0], &[vec![0.7, 0.3], vec![0.6, 0.4]], 2), [None, None]);
        assert_eq!(class_curves(&[], &[], 1), [None]);
    }
}
