//! Area under the ROC curve: how well a score separates images of the classes from strangers.

use super::wilson::Z95;
use serde::Serialize;

/// Area under the ROC curve with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RocArea {
    /// Probability that a stranger scores above a known image, ties counting half: 0.5 is chance, 1 a perfect separation.
    pub area: f64,
    /// Its 95 % interval, `[low, high]` within 0 to 1.
    pub interval: [f64; 2],
}

/// Computes the area under the ROC curve of `score`, larger for strangers (Mann and Whitney 1947, *Annals of Mathematical
/// Statistics* 18, 50-60). The interval is that of Newcombe 2006 (*Statistics in Medicine* 25, 559-573, method 5): it stays within
/// 0 to 1, and has a width even where the separation is perfect. Returns `None` where one side has no images.
pub fn roc_area(known: &[f32], strangers: &[f32]) -> Option<RocArea> {
    let (m, n) = (known.len() as f64, strangers.len() as f64);
    if known.is_empty() || strangers.is_empty() {
        return None;
    }
    let mut sorted = known.to_vec();
    sorted.sort_by(f32::total_cmp);
    let above = |score: &f32| {
        let less = sorted.partition_point(|known| known < score);
        let up_to = sorted.partition_point(|known| known <= score);
        0.5 * (less + up_to) as f64
    };
    let area = strangers.iter().map(above).sum::<f64>() / (m * n);
    let interval = [0.0, 1.0].map(|end| limit(area, end, m, n));
    Some(RocArea { area, interval })
}

/// The limit of the interval between `area` and `end`, by bisection: the area from which the observed one is just as far as the
/// normal quantile allows, by the variance of Hanley and McNeil with both numbers of images replaced by their mean.
fn limit(area: f64, end: f64, m: f64, n: f64) -> f64 {
    let others = (m + n) / 2.0 - 1.0;
    let variance = |theta: f64| {
        let shared = (1.0 - theta) / (2.0 - theta) + theta / (1.0 + theta);
        theta * (1.0 - theta) * (1.0 + others * shared) / (m * n)
    };
    let (mut inside, mut outside) = (area, end);
    for _ in 0..60 {
        let middle = 0.5 * (inside + outside);
        let is_inside = (middle - area).abs() <= Z95 * variance(middle).sqrt();
        if is_inside { inside = middle } else { outside = middle }
    }
    inside
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_by_hand() {
        let of = |known: &[f32], strangers: &[f32]| roc_area(known, strangers).unwrap();
        assert_eq!(of(&[1.0, 2.0, 3.0], &[4.0, 5.0]).area, 1.0);
        // Pairs: 2 > 1, 2 = 2, 2 < 3; 3 > 1, 3 > 2, 3 = 3: three and two halves of six.
        assert!((of(&[1.0, 2.0, 3.0], &[2.0, 3.0]).area - 4.0 / 6.0).abs() < 1e-12);
        assert_eq!((roc_area(&[], &[1.0]), roc_area(&[1.0], &[])), (None, None));
    }

    #[test]
    fn intervals_hold_the_area_and_have_a_width() {
        let known: Vec<f32> = (0..40).map(|i| i as f32).collect();
        for shift in [-40.0, -10.0, 0.0, 10.0, 40.0] {
            let strangers: Vec<f32> = (0..30).map(|i| i as f32 + shift).collect();
            let RocArea { area, interval: [low, high] } = roc_area(&known, &strangers).unwrap();
            assert!(0.0 <= low && low <= area && area <= high && high <= 1.0, "{low} {area} {high}");
            assert!(high - low > 0.05, "{low} {high}");
        }
    }
}
