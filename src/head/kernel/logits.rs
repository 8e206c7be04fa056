//! Inner products of feature rows with weight rows, in blocks that stay in registers and in a core's L1 cache.

use super::batch::{Batch, CLASSES, LANES};
use pulp::{Simd, WithSimd};
use std::ops::Range;

/// Rows whose partial sums are kept at once.
const ROWS: usize = 32;

/// Features of a block of weights, and of the rows multiplied with it, that stay in the L1 cache.
const SPAN: usize = 1024;

/// Vectors in a group. Every padded row has a multiple of them, whatever the width of the vectors.
const VECTORS: usize = 4;

/// `out[row, class] = features[row] . weight[class] + bias[class]`, over some of the features.
pub(super) struct Logits<'a> {
    pub batch: Batch<'a>,
    pub weight: &'a [f32],
    pub bias: &'a [f32],
    /// The features: both ends are multiples of [`crate::math::matrix::GROUP`].
    pub features: Range<usize>,
    pub out: &'a mut [f32],
}

impl WithSimd for Logits<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        for first in (0..self.batch.examples.len()).step_by(ROWS) {
            for class in (0..self.bias.len()).step_by(CLASSES) {
                match self.bias.len() - class {
                    1 => self.classes::<S, 1>(simd, first, class),
                    2 => self.classes::<S, 2>(simd, first, class),
                    3 => self.classes::<S, 3>(simd, first, class),
                    4 => self.classes::<S, 4>(simd, first, class),
                    _ => self.classes::<S, CLASSES>(simd, first, class),
                }
            }
        }
    }
}

impl Logits<'_> {
    /// Computes the logits of `K` classes, from `class` on, for at most [`ROWS`] rows, from `first` on. It takes a span of
    /// features for all rows before the next span, so that the weights of the span stay in the L1 cache.
    #[inline(always)]
    fn classes<S: Simd, const K: usize>(&mut self, simd: S, first: usize, class: usize) {
        let rows = ROWS.min(self.batch.examples.len() - first);
        let stride = self.batch.stride;
        let mut sums = [[[0.0f32; LANES]; K]; ROWS];
        for from in self.features.clone().step_by(SPAN) {
            let span = from..(from + SPAN).min(self.features.end);
            let w: [&[f32]; K] = std::array::from_fn(|k| &self.weight[(class + k) * stride..][span.clone()]);
            let rows = &self.batch.examples[first..first + rows];
            self.span::<S, K>(simd, Batch { examples: rows, ..self.batch }, w, from, &mut sums);
        }
        let bias: &[f32; K] = self.bias[class..class + K].try_into().expect("K classes");
        for (r, sums) in sums[..rows].iter_mut().enumerate() {
            let from = (first + r) * self.bias.len() + class;
            let out: &mut [f32; K] = (&mut self.out[from..from + K]).try_into().expect("K classes");
            for k in 0..K {
                out[k] = total(&mut sums[k]) + bias[k];
            }
        }
    }

    /// Adds the products of one span of features, in blocks of rows that fit the registers: there are 32 where vectors
    /// have 16 floats, else 16.
    #[inline(always)]
    fn span<S: Simd, const K: usize>(
        &self,
        simd: S,
        batch: Batch,
        w: [&[f32]; K],
        from: usize,
        sums: &mut [[[f32; LANES]; K]; ROWS],
    ) {
        let (mut row, rows) = (0, batch.examples.len());
        if S::F32_LANES == LANES {
            while row + 4 <= rows {
                dots::<S, 4, K>(simd, batch, row, from, w, sums);
                row += 4;
            }
        }
        while row + 2 <= rows {
            dots::<S, 2, K>(simd, batch, row, from, w, sums);
            row += 2;
        }
        if row < rows {
            dots::<S, 1, K>(simd, batch, row, from, w, sums);
        }
    }
}

/// Adds to `sums` the inner products of `R` rows of the batch, from `row` on, with each of `w`. The weights `w` belong to
/// the features from `from` on; their length is a multiple of [`crate::math::matrix::GROUP`].
#[inline(always)]
fn dots<S: Simd, const R: usize, const K: usize>(
    simd: S,
    batch: Batch,
    row: usize,
    from: usize,
    w: [&[f32]; K],
    sums: &mut [[[f32; LANES]; K]; ROWS],
) {
    let x: [&[f32]; R] = std::array::from_fn(|r| &batch.row(row + r)[from..from + w[0].len()]);
    let sums: &mut [[[f32; LANES]; K]; R] = (&mut sums[row..row + R]).try_into().expect("R rows");
    match LANES / S::F32_LANES {
        1 => dots_of_groups::<S, R, K, 1, VECTORS>(simd, x, w, sums),
        2 => dots_of_groups::<S, R, K, 2, VECTORS>(simd, x, w, sums),
        4 => dots_of_groups::<S, R, K, 4, VECTORS>(simd, x, w, sums),
        _ => dots_of_groups::<S, R, K, LANES, LANES>(simd, x, w, sums),
    }
}

/// [`dots`] where the partial sums fill `P` vectors, for groups of `G` vectors of features: bounds are checked once for several
/// products. As `P` and `G` are constants, the products of a group are a plain list of instructions.
#[inline(always)]
fn dots_of_groups<S: Simd, const R: usize, const K: usize, const P: usize, const G: usize>(
    simd: S,
    x: [&[f32]; R],
    w: [&[f32]; K],
    sums: &mut [[[f32; LANES]; K]; R],
) {
    let x = x.map(|row| S::as_simd_f32s(row).0.as_chunks::<G>().0);
    let w = w.map(|row| S::as_simd_f32s(row).0.as_chunks::<G>().0);
    for part in 0..P {
        let mut own = [[simd.splat_f32s(0.0); K]; R];
        for r in 0..R {
            for k in 0..K {
                own[r][k] = S::as_simd_f32s(&sums[r][k]).0[part];
            }
        }
        for i in 0..x[0].len() {
            let x: [&[S::f32s; G]; R] = std::array::from_fn(|r| &x[r][i]);
            let w: [&[S::f32s; G]; K] = std::array::from_fn(|k| &w[k][i]);
            for j in 0..G / P {
                let j = (part + j * P) % G;
                for r in 0..R {
                    for k in 0..K {
                        own[r][k] = simd.mul_add_f32s(x[r][j], w[k][j], own[r][k]);
                    }
                }
            }
        }
        for r in 0..R {
            for k in 0..K {
                S::as_mut_simd_f32s(&mut sums[r][k]).0[part] = own[r][k];
            }
        }
    }
}

/// Sums the partial sums, by halves.
#[inline(always)]
fn total(sums: &mut [f32; LANES]) -> f32 {
    halve::<8>(sums);
    halve::<4>(sums);
    halve::<2>(sums);
    sums[0] + sums[1]
}

/// Adds the second half of `2 N` sums to the first.
#[inline(always)]
fn halve<const N: usize>(sums: &mut [f32; LANES]) {
    for i in 0..N {
        sums[i] += sums[i + N];
    }
}
