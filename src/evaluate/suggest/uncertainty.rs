//! How unsure a head is about an image: margin and entropy of its probabilities. Pure.

use crate::data::dataset::ImageFile;
use serde::Serialize;

/// How unsure a head is about an image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Uncertainty {
    /// Difference of the two largest probabilities, 0 to 1; 1 with a single class.
    pub margin: f64,
    /// Entropy of the probabilities in nats, 0 to the logarithm of the number of classes.
    pub entropy: f64,
}

/// An image and what a run says about it.
#[derive(Debug)]
pub(super) struct ScoredImage<'a> {
    pub file: &'a ImageFile,
    /// In class order.
    pub probabilities: Vec<f64>,
    pub uncertainty: Uncertainty,
}

impl Uncertainty {
    /// Measures probabilities that sum to 1.
    pub fn of(probabilities: &[f64]) -> Self {
        let (mut first, mut second) = (0.0, 0.0);
        for &probability in probabilities {
            if probability > first {
                (first, second) = (probability, first);
            } else if probability > second {
                second = probability;
            }
        }
        let terms = probabilities.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln());
        Self { margin: first - second, entropy: terms.sum::<f64>().max(0.0) }
    }
}

impl<'a> ScoredImage<'a> {
    pub fn new(file: &'a ImageFile, probabilities: Vec<f64>) -> Self {
        Self { file, uncertainty: Uncertainty::of(&probabilities), probabilities }
    }
}

/// Sorts images, those that the head is most unsure about first: by margin, or by entropy. Ties are in order of path.
pub(super) fn sort(images: &mut [ScoredImage], by_entropy: bool) {
    images.sort_by(|a, b| {
        let [first, second] = [a, b].map(|image| image.uncertainty);
        let order = match by_entropy {
            true => second.entropy.total_cmp(&first.entropy),
            false => first.margin.total_cmp(&second.margin),
        };
        order.then_with(|| a.file.path.cmp(&b.file.path))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::tests::file;

    #[test]
    fn margin_and_entropy_rank_differently() {
        // Expected values: numpy, -(p * log(p)).sum().
        let sure = Uncertainty::of(&[0.9, 0.05, 0.05]);
        assert!((sure.margin - 0.85).abs() < 1e-12 && (sure.entropy - 0.394_397_691_447_442_7).abs() < 1e-12);
        assert_eq!(Uncertainty::of(&[1.0]), Uncertainty { margin: 1.0, entropy: 0.0 });
        let files = [file("a/1", "1"), file("a/2", "2"), file("a/3", "3")];
        let probabilities = [vec![0.5, 0.5, 0.0], vec![0.4, 0.3, 0.3], vec![0.5, 0.5, 0.0]];
        let mut images: Vec<ScoredImage> =
            files.iter().zip(probabilities).map(|(file, p)| ScoredImage::new(file, p)).collect();
        let paths = |images: &[ScoredImage]| images.iter().map(|i| i.file.path.clone()).collect::<Vec<_>>();
        sort(&mut images, false);
        assert_eq!(paths(&images), ["a/1", "a/3", "a/2"]);
        sort(&mut images, true);
        assert_eq!(paths(&images), ["a/2", "a/1", "a/3"]);
    }
}
