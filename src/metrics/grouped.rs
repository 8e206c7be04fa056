//! Intervals of shares over images in groups, such as the frames of a video: what resembles one another is not independent.

use super::wilson::wilson_interval;
use crate::math::random::Rng;
use std::collections::HashMap;

/// Resamples of the bootstrap.
const RESAMPLES: usize = 4000;
/// Stream of random numbers of the resamples.
const STREAM: u64 = 0x6772_7570;

/// Returns the 95 % interval of the share of `correct` images by the percentile bootstrap over groups (Davison and Hinkley 1997,
/// section 3.8), never narrower than Wilson's. `groups` holds the group of each image; an image without one is a group of its
/// own. `None` without images, and where no group has several of them.
pub fn grouped_interval(correct: &[bool], groups: &[Option<&str>]) -> Option<[f64; 2]> {
    let mut sums: Vec<[usize; 2]> = Vec::new();
    let mut of_group: HashMap<&str, usize> = HashMap::new();
    for (&correct, group) in correct.iter().zip(groups) {
        let next = sums.len();
        let at = group.map_or(next, |group| *of_group.entry(group).or_insert(next));
        if at == next {
            sums.push([0, 0]);
        }
        sums[at][0] += usize::from(correct);
        sums[at][1] += 1;
    }
    if sums.iter().all(|[_, images]| *images < 2) {
        return None;
    }
    let mut rng = Rng::new(0, STREAM);
    let mut resample = || {
        let drawn = (0..sums.len()).map(|_| {
            let at = rng.uniform(0.0, sums.len() as f32) as usize;
            sums[at.min(sums.len() - 1)]
        });
        let [correct, images] = drawn.fold([0, 0], |[a, b], [c, d]| [a + c, b + d]);
        correct as f64 / images as f64
    };
    let mut shares: Vec<f64> = (0..RESAMPLES).map(|_| resample()).collect();
    shares.sort_by(f64::total_cmp);
    let percentile = |p: f64| shares[((RESAMPLES - 1) as f64 * p).round() as usize];
    let [low, high] = wilson_interval(correct.iter().filter(|correct| **correct).count(), correct.len())?;
    Some([percentile(0.025).min(low), percentile(0.975).max(high)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_that_are_right_together_make_the_interval_wider() {
        // 200 images, right in whole groups of ten: what counts is 20 groups.
        let correct: Vec<bool> = (0..200).map(|i| i / 10 % 4 > 0).collect();
        let names: Vec<String> = (0..200).map(|i| format!("video {}", i / 10)).collect();
        let groups: Vec<Option<&str>> = names.iter().map(|name| Some(name.as_str())).collect();
        let width = |[low, high]: [f64; 2]| high - low;
        let grouped = grouped_interval(&correct, &groups).unwrap();
        let plain = wilson_interval(150, 200).unwrap();
        // The normal interval of 20 independent groups is 0.38 wide.
        assert!((0.34..0.42).contains(&width(grouped)) && width(plain) < 0.13, "{grouped:?} {plain:?}");
        assert_eq!(grouped_interval(&correct, &groups), Some(grouped));
        assert_eq!(grouped_interval(&correct, &[None; 200]), None);
        // Without a wrong answer there is nothing to resample.
        assert_eq!(grouped_interval(&[true; 200], &groups), wilson_interval(200, 200));
    }
}
