//! Short rows that rule out most pairs before their features are multiplied.
//!
//! Rows x and y of length 1, less a mean m, are taken apart into their coordinates along some orthonormal axes, the head, and what is
//! left, the tail. Then x y = head(x) head(y) + tail(x) tail(y) + m x + m y - m m, and the product of the tails is at most that of
//! their lengths (Cauchy and Schwarz). So heads with the length of the tail as one more number give a product that is never too
//! small, and a pair whose product is too small even so needs no other. Along the principal axes heads hold most of the variance.

use crate::error::Result;
use crate::head::inner_products::{InnerProducts, PANEL};
use crate::head::principal_axes::principal_axes;
use crate::math::matrix::{GROUP, Matrix};
use crate::math::parallel::in_parallel;
use std::ops::Range;

/// Rows of a tile. Two tiles are compared by one thread at a time.
pub(super) const TILE: usize = 256;

/// Steps of the iteration that finds the axes. More would bring them nearer to the principal ones, which nothing needs.
const STEPS: usize = 3;

/// Half the distance from 1 to the next float32: the largest relative error of one rounding.
const ROUNDING: f64 = f32::EPSILON as f64 / 2.0;

/// A number far beyond every product. A row of the last tile that is none has it, so that no pair with it is found.
const FAR: f32 = 1e30;

/// When rows are shortened, and to what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shortening {
    /// Numbers of the short rows, of which the spectrum chooses. Each is more than 1.
    pub short: [usize; 3],
    /// Numbers of the longer rows, for pairs that the short ones leave.
    pub long: usize,
    /// With fewer rows all pairs are multiplied.
    pub least_rows: usize,
    /// Rows that the axes are computed from, at most.
    pub sample: usize,
}

/// Share of the variance that short rows should hold.
const SHORT_SHARE: f64 = 0.85;

/// Where even the longer rows hold less of the variance than this, most pairs would be left, and all are multiplied.
const LEAST_SHARE: f64 = 0.6;

impl Default for Shortening {
    fn default() -> Self {
        Self { short: [32, 64, 128], long: 256, least_rows: 4096, sample: 1024 }
    }
}

/// The mean and the axes, the same for all rows.
pub(super) struct Axes {
    mean: Vec<f32>,
    mean_square: f64,
    /// `[axes, width]`.
    axes: Matrix,
    /// Coordinates of the mean, to be added with the sign changed.
    offsets: Vec<f32>,
    /// Numbers of short and longer rows: one more than axes.
    widths: [usize; 2],
    /// Frobenius norm of the axes' products less the identity, which bounds their distance from orthonormal axes.
    skew: f64,
    products: InnerProducts,
}

/// A tile of rows, shortened.
pub(super) struct ShortTile {
    /// Numbers of a short row.
    pub width: usize,
    /// Short rows, `[TILE, width]`.
    pub rows: Vec<f32>,
    /// The same, `[panels, width, PANEL]`.
    pub panels: Vec<f32>,
    /// What is added to the product of short rows for each of them, `[TILE]`.
    pub terms: Vec<f32>,
    /// Longer rows, `[rows, long]`.
    pub long: Matrix,
    /// The terms of longer rows.
    pub long_terms: Vec<f32>,
}

impl Axes {
    /// Computes axes for rows like these, the first of `all`. `None` where all pairs had better be multiplied: of few or narrow rows,
    /// and of those that vary in all directions alike.
    pub fn of(rows: &Matrix, all: usize, shortening: Shortening, threads: usize) -> Result<Option<Self>> {
        let Shortening { short, long, least_rows, sample } = shortening;
        if all < least_rows || rows.rows() < 2 || rows.width() < 2 * long {
            return Ok(None);
        }
        let step = (rows.rows() / (2 * sample)).max(1);
        let chosen: Vec<usize> = (0..rows.rows()).step_by(step).collect();
        let (fitted, held_out): (Vec<_>, Vec<_>) =
            chosen.into_iter().enumerate().partition(|(i, _)| i % 2 == 0);
        let mean = mean(rows, &fitted);
        let mut centred = Matrix::zeros(fitted.len(), rows.width());
        for (to, (_, from)) in fitted.iter().enumerate() {
            for ((to, value), mean) in centred.row_mut(to).iter_mut().zip(rows.row(*from)).zip(&mean) {
                *to = value - mean;
            }
        }
        let axes = principal_axes(&centred, long - 1, STEPS, threads)?;
        let products = InnerProducts::new();
        let offsets = (0..axes.rows()).map(|axis| -products.exact(&mean, axes.row(axis)) as f32).collect();
        let skew = skew(products, &axes);
        let mean_square = products.exact(&mean, &mean);
        let mut found = Self { mean, mean_square, axes, offsets, widths: [long; 2], skew, products };
        let share = found.shares(rows, held_out.into_iter().map(|(_, row)| row));
        let narrowest = |width: &&usize| share[**width - 2] >= SHORT_SHARE;
        found.widths[0] = *short.iter().find(narrowest).unwrap_or(&short[2]);
        Ok((share[long - 2] >= LEAST_SHARE).then_some(found))
    }

    /// Share of the variance of some rows that the axes up to each hold.
    fn shares(&self, rows: &Matrix, chosen: impl Iterator<Item = usize>) -> Vec<f64> {
        let (mut held, mut all) = (vec![0.0; self.axes.rows()], 0.0);
        for row in chosen {
            let coordinates = self.products.coordinates((rows, row..row + 1), &self.axes, &self.offsets);
            held.iter_mut().zip(coordinates).for_each(|(sum, own)| *sum += f64::from(own).powi(2));
            all += self.squares(rows.row(row)).0;
        }
        let mut sum = 0.0;
        held.iter()
            .map(|own| {
                sum += own;
                sum / f64::max(all, f64::MIN_POSITIVE)
            })
            .collect()
    }

    /// The square of a row less the mean, and the row's product with the mean less half the square of the mean.
    fn squares(&self, row: &[f32]) -> (f64, f64) {
        let [own, with_mean] = [row, &self.mean].map(|other| self.products.exact(row, other));
        ((own - 2.0 * with_mean + self.mean_square).max(0.0), with_mean - self.mean_square / 2.0)
    }

    /// Shortens all rows, tile by tile.
    ///
    /// # Errors
    /// [`Kind::Limit`](crate::error::Kind::Limit) when the system grants no thread.
    pub fn shorten(&self, rows: &Matrix, threads: usize) -> Result<Vec<ShortTile>> {
        let tiles: Vec<Range<usize>> =
            (0..rows.rows()).step_by(TILE).map(|from| from..(from + TILE).min(rows.rows())).collect();
        in_parallel(threads, &tiles, |tile| Ok(self.tile(rows, tile.clone())))
    }

    fn tile(&self, rows: &Matrix, tile: Range<usize>) -> ShortTile {
        let [width, long_width] = self.widths;
        let mut short = ShortTile {
            width,
            rows: vec![0.0; TILE * width],
            panels: vec![0.0; TILE * width],
            terms: vec![-FAR; TILE],
            long: Matrix::zeros(tile.len(), long_width),
            long_terms: vec![-FAR; TILE],
        };
        let coordinates = self.products.coordinates((rows, tile.clone()), &self.axes, &self.offsets);
        for (i, (row, coordinates)) in tile.zip(coordinates.chunks_exact(self.axes.rows())).enumerate() {
            let squares = self.squares(rows.row(row));
            let own = &mut short.rows[i * width..][..width];
            short.terms[i] = self.write(coordinates, squares, own);
            let panel = &mut short.panels[i / PANEL * width * PANEL..][..width * PANEL];
            own.iter().enumerate().for_each(|(at, &value)| panel[at * PANEL + i % PANEL] = value);
            short.long_terms[i] = self.write(coordinates, squares, short.long.row_mut(i));
        }
        short
    }

    /// Writes coordinates and the length of the tail to a shortened row, and returns its term: with the terms of both rows the product
    /// of two shortened rows in float32 is at least that of the features in float32, whatever was rounded.
    ///
    /// Coordinates are off by at most `error` in all: n roundings each, of a sum of products that the lengths bound, and what the axes
    /// lack to be orthonormal. The product of heads is then off by `error` times their lengths, the tail is that of the shortest head,
    /// and the products of shortened rows and of features are off by as many roundings as they have steps.
    fn write(&self, coordinates: &[f32], (square, with_mean): (f64, f64), to: &mut [f32]) -> f32 {
        let (axes, steps) = (to.len() - 1, self.steps());
        to[..axes].copy_from_slice(&coordinates[..axes]);
        let head: f64 = to[..axes].iter().map(|&value| f64::from(value).powi(2)).sum();
        let error = 2.0 * ((axes as f64).sqrt() * steps * ROUNDING + self.skew);
        let shortest = (head.sqrt() - error).max(0.0);
        let tail = ((square - shortest * shortest).max(0.0) + 1e-12).sqrt() * (1.0 + 4.0 * ROUNDING);
        to[axes] = tail as f32;
        let of_heads = error * head.sqrt() + error * error / 2.0;
        let of_short = (axes + 2) as f64 * ROUNDING * (head + tail * tail);
        let of_features = (steps + 16.0) * ROUNDING;
        (with_mean + of_heads + of_short + of_features / 2.0) as f32
    }

    /// Roundings in a product of features: sums of sixteen parts, and those of the parts.
    fn steps(&self) -> f64 {
        (self.axes.width().next_multiple_of(GROUP) / 16 + 8) as f64
    }
}

fn mean(rows: &Matrix, chosen: &[(usize, usize)]) -> Vec<f32> {
    let mut sums = vec![0.0f64; rows.width()];
    for (_, row) in chosen {
        sums.iter_mut().zip(rows.row(*row)).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    sums.into_iter().map(|sum| (sum / chosen.len() as f64) as f32).collect()
}

fn skew(products: InnerProducts, axes: &Matrix) -> f64 {
    let mut sum = 0.0;
    for i in 0..axes.rows() {
        for j in 0..i {
            sum += 2.0 * products.exact(axes.row(i), axes.row(j)).powi(2);
        }
        sum += (products.exact(axes.row(i), axes.row(i)) - 1.0).powi(2);
    }
    sum.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::random::Rng;

    /// Rows of length 1 around a mean, with a variance that decays; the last has no direction.
    fn rows(count: usize, width: usize, decay: f32) -> Matrix {
        let mut rng = Rng::new(8, 0);
        let mut value = |at: usize| 1.0 + 2.0 * rng.normal() * ((1 + at) as f32).powf(-decay);
        let values: Vec<f32> = (0..count * width).map(|i| value(i % width)).collect();
        let mut rows = Matrix::from_rows(width, &values);
        rows.row_mut(count - 1).fill(0.0);
        rows.normalized()
    }

    #[test]
    fn products_of_short_rows_are_never_too_small_and_rule_out_most_pairs_where_the_variance_decays() {
        let shortening = Shortening { short: [4, 8, 16], long: 32, least_rows: 1, sample: 200 };
        for (decay, ruled_out) in [(1.0, [0.8, 0.8]), (0.7, [0.0, 0.1])] {
            let rows = rows(300, 200, decay);
            let mut axes = Axes::of(&rows, 300, Shortening { sample: 100, ..shortening }, 2).unwrap();
            let axes = axes.get_or_insert_with(|| panic!("{decay}: the variance decays"));
            let tiles = axes.shorten(&rows, 2).unwrap();
            assert_eq!(tiles.len(), 2);
            let products = InnerProducts::new();
            let all = products.all([(&rows, 0..300), (&rows, 0..300)]);
            let mut out = [0; 2];
            for (i, own) in all.chunks_exact(300).enumerate() {
                for (j, &product) in own.iter().enumerate() {
                    let of = |row: usize| (&tiles[row / TILE], row % TILE);
                    let [(a, at_a), (b, at_b)] = [of(i), of(j)];
                    let short =
                        |tile: &ShortTile, at: usize| tile.rows[at * tile.width..][..tile.width].to_vec();
                    let sum =
                        |a: &[f32], b: &[f32]| a.iter().zip(b).fold(0.0, |sum, (a, b)| a.mul_add(*b, sum));
                    let bounds = [
                        sum(&short(a, at_a), &short(b, at_b)) + a.terms[at_a] + b.terms[at_b],
                        sum(a.long.row(at_a), b.long.row(at_b)) + a.long_terms[at_a] + b.long_terms[at_b],
                    ];
                    for (out, bound) in out.iter_mut().zip(bounds) {
                        assert!(bound >= product, "{decay} {i} {j}: {bound} {product}");
                        *out += usize::from(bound < 0.95);
                    }
                    let panel = &a.panels[at_a / PANEL * a.width * PANEL..][..a.width * PANEL];
                    assert!(
                        short(a, at_a).iter().enumerate().all(|(k, v)| panel[k * PANEL + at_a % PANEL] == *v)
                    );
                }
            }
            let far = all.iter().filter(|&&product| product < 0.95).count();
            for (out, least) in out.into_iter().zip(ruled_out) {
                assert!(out as f64 >= least * far as f64, "{decay}: {out} of {far}");
            }
        }
    }

    #[test]
    fn few_or_narrow_rows_and_those_that_vary_in_all_directions_alike_are_not_shortened() {
        let shortening = Shortening { short: [4, 8, 16], long: 32, least_rows: 300, sample: 100 };
        let of = |rows: &Matrix, all: usize| Axes::of(rows, all, shortening, 1).unwrap().is_some();
        assert!(of(&rows(200, 200, 1.0), 300));
        assert!(!of(&rows(200, 200, 1.0), 299));
        assert!(!of(&rows(400, 63, 1.0), 400));
        assert!(!of(&rows(400, 200, 0.0), 400));
        assert!(!of(&Matrix::zeros(0, 200), 300));
    }

    #[test]
    fn the_spectrum_chooses_how_short_rows_are() {
        let shortening = Shortening { short: [4, 8, 16], long: 32, least_rows: 1, sample: 200 };
        let width = |decay: f32| {
            Axes::of(&rows(400, 200, decay), 400, shortening, 1).unwrap().map(|axes| axes.widths)
        };
        assert_eq!(width(2.0), Some([4, 32]));
        assert_eq!(width(0.6), Some([16, 32]));
    }
}
