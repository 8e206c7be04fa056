//! The distance of rows from the nearest class mean. Products of matrices in float32 rule most means out, within the error that
//! they can have; the others are compared.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};
use std::ops::Range;

/// Above this square of lengths products may overflow in float32, and nothing is ruled out.
const LARGEST: f64 = 1e37;

/// Weights of a squared distance: `inverse` |x - c|^2 less the sum of `less` (a - b)^2, where a and b are the coordinates of x and c
/// along some directions.
#[derive(Debug)]
pub(super) struct DistanceWeights {
    pub inverse: f64,
    /// `[directions]`, none above `inverse`.
    pub less: Array1<f64>,
}

/// Class means, with what rules them out. A mean that is not finite stands for a class that is left out.
#[derive(Debug)]
pub(super) struct Means<'a> {
    /// `[classes, width]`.
    values: ArrayView2<'a, f32>,
    /// Coordinates along the directions, `[classes, directions]`.
    along: Array2<f32>,
    weights: DistanceWeights,
    /// What the squared distance from each class has without the row.
    own: Vec<f64>,
    /// The largest length of a mean.
    longest: f64,
}

impl<'a> Means<'a> {
    pub fn new(values: ArrayView2<'a, f32>, along: Array2<f32>, weights: DistanceWeights) -> Self {
        let lengths: Vec<f64> = values.rows().into_iter().map(|row| squares(row, |_| 1.0)).collect();
        let less = along.rows().into_iter().map(|row| squares(row, |i| weights.less[i]));
        let own = lengths.iter().zip(less).map(|(length, less)| weights.inverse * length - less).collect();
        let longest = lengths.iter().copied().fold(0.0, f64::max).sqrt();
        Self { values, along, weights, own, longest }
    }

    /// The distance of each of `rows`, `[rows, width]` with the coordinates `along`, from the nearest mean.
    pub fn nearest(&self, rows: ArrayView2<f32>, along: ArrayView2<f32>) -> Vec<f32> {
        let DistanceWeights { inverse, less } = &self.weights;
        let candidates = self.candidates(rows, along);
        let nearest =
            rows.rows().into_iter().zip(along.rows()).zip(candidates).map(|((row, along), classes)| {
                let squared = classes.into_iter().map(|class| {
                    weighted_squares(row, self.values.row(class), std::iter::repeat(*inverse))
                        - weighted_squares(along, self.along.row(class), less.iter().copied())
                });
                // `min` passes over NaN, the distance from a class that is left out.
                squared.fold(f64::INFINITY, f64::min).max(0.0).sqrt() as f32
            });
        nearest.collect()
    }

    /// For each row the classes of which one is the nearest.
    ///
    /// A sum of n products in float32 is off by at most n 2^-24 times the product of the lengths (Higham 2002, *Accuracy and Stability
    /// of Numerical Algorithms*, section 3.1), and differences in float32, which the distances are of, by 2^-24 of themselves.
    fn candidates(&self, rows: ArrayView2<f32>, along: ArrayView2<f32>) -> Vec<Vec<usize>> {
        let DistanceWeights { inverse, less } = &self.weights;
        let products = rows.dot(&self.values.t());
        let along_products = (&along * &less.mapv(|less| less as f32)).dot(&self.along.t());
        let summands = (rows.ncols() + along.ncols()) as f64;
        let classes: Range<usize> = 0..self.own.len();
        let of_row = |row: usize| {
            let lengths = (squares(rows.row(row), |_| 1.0).sqrt() + self.longest).powi(2);
            let error = inverse * lengths * (summands * 2f64.powi(-24) + 2f64.powi(-20));
            // Without what all classes have in common.
            let squared = |class: usize| {
                let product = inverse * f64::from(products[[row, class]]);
                self.own[class] - 2.0 * (product - f64::from(along_products[[row, class]]))
            };
            // `min` passes over NaN.
            let least = classes.clone().map(squared).fold(f64::INFINITY, f64::min);
            let is_certain = lengths < LARGEST && error.is_finite() && least.is_finite();
            classes.clone().filter(|&class| !is_certain || squared(class) <= least + 2.0 * error).collect()
        };
        (0..rows.nrows()).map(of_row).collect()
    }
}

/// The weighted sum of the squares.
fn squares(row: ArrayView1<f32>, weight: impl Fn(usize) -> f64) -> f64 {
    row.iter().enumerate().map(|(i, &value)| weight(i) * f64::from(value).powi(2)).sum()
}

/// The weighted sum of the squared differences.
fn weighted_squares(a: ArrayView1<f32>, b: ArrayView1<f32>, weights: impl Iterator<Item = f64>) -> f64 {
    a.iter().zip(b).zip(weights).map(|((a, b), weight)| f64::from(a - b).powi(2) * weight).sum()
}
