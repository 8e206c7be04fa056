//! A step for many rows: the gradient in blocks of rows, features and classes that stay in a core's caches, and Adam applied to it
//! where it is complete. Each sum goes over the rows in their order, as in a step of few rows.

use super::batch::{Batch, CLASSES, LANES};
use super::weight_state::{WeightState, update};
use crate::head::adam::AdamStep;
use crate::math::matrix::{GROUP, Matrix};
use pulp::Simd;
use std::ops::Range;

/// Rows that are copied at a time: 32 KB for a group of features.
const ROWS: usize = 128;

/// Groups of features whose sums are kept at once. They stay in the L2 cache with the rows that are copied.
const SPAN: usize = 8;

/// One step of Adam along `delta^T features + l2 weight`, with `delta` as `[rows, classes]`.
pub(super) struct RowBlocks<'a> {
    pub batch: Batch<'a>,
    pub delta: &'a [f32],
    pub weights: WeightState<'a>,
    pub step: AdamStep,
    pub buffers: &'a mut StepBuffers,
}

/// Buffers that steps of many rows reuse.
#[derive(Debug, Default)]
pub(in crate::head) struct StepBuffers {
    /// A block of rows, `[groups of features, rows, GROUP]`.
    rows: Option<Matrix>,
    /// Sums of the gradient, `[groups of features, classes, GROUP]`.
    gradient: Option<Matrix>,
    /// `delta` for a block of rows: `[rows, classes of a block]`, block of classes after block of classes.
    delta: Vec<f32>,
}

/// The sums of a gradient, block of rows after block of rows.
struct Sums<'a> {
    /// `[groups of features, classes, GROUP]`.
    gradient: &'a mut Matrix,
    /// The first feature.
    from: usize,
    classes: usize,
    /// Rows of `gradient` that are complete.
    complete: usize,
    /// Rows of `gradient` that the weights have been updated with.
    applied: usize,
}

/// A block of rows for one group of features and one block of classes.
#[derive(Clone, Copy)]
struct PackedBlock<'a> {
    /// `[rows, GROUP]`.
    rows: &'a [f32],
    /// `[rows, classes of the block]`, and more after them.
    delta: &'a [f32],
    is_first: bool,
    is_last: bool,
}

impl RowBlocks<'_> {
    /// Updates all classes, a span of features at a time, and a block of rows after another. The rows of a block are copied next
    /// to one another, for each group of features, so that they stay in the L1 cache while all classes are multiplied with them.
    #[inline(always)]
    pub fn step<S: Simd>(mut self, simd: S, classes: usize) {
        let (rows, groups) = (self.batch.examples.len(), self.batch.stride / GROUP);
        let StepBuffers { rows: packed, gradient, mut delta } = std::mem::take(self.buffers);
        let mut packed = with_rows(packed, SPAN * ROWS.min(rows));
        let mut gradient = with_rows(gradient, SPAN * classes);
        for first in (0..groups).step_by(SPAN) {
            let span = first..(first + SPAN).min(groups);
            let mut sums =
                Sums { gradient: &mut gradient, from: first * GROUP, classes, complete: 0, applied: 0 };
            for first in (0..rows).step_by(ROWS) {
                let block = first..(first + ROWS).min(rows);
                self.pack(block.clone(), span.clone(), &mut packed);
                pack_deltas(self.delta, classes, block.clone(), &mut delta);
                let of_groups = packed.padded().chunks_exact(block.len() * GROUP).take(span.len());
                for (group, rows_of_group) in of_groups.enumerate() {
                    let [is_first, is_last] = [first == 0, block.end == rows];
                    let block = PackedBlock { rows: rows_of_group, delta: &delta, is_first, is_last };
                    self.all_classes(simd, &mut sums, group, block);
                }
            }
            while sums.applied < sums.complete {
                self.apply(simd, &mut sums);
            }
        }
        *self.buffers = StepBuffers { rows: Some(packed), gradient: Some(gradient), delta };
    }

    /// Copies the features of `span`, as groups, of the rows of a block to `packed`, `[groups, rows, GROUP]`.
    #[inline(always)]
    fn pack(&self, block: Range<usize>, span: Range<usize>, packed: &mut Matrix) {
        let to = packed.padded_mut(0..packed.rows()).as_chunks_mut::<GROUP>().0;
        for (i, row) in block.clone().enumerate() {
            let to = to[i..].iter_mut().step_by(block.len());
            for (to, from) in to.zip(&self.batch.row(row).as_chunks::<GROUP>().0[span.clone()]) {
                *to = *from;
            }
        }
    }

    /// Adds the products of a block to the sums of all classes for one group of features, and applies what is complete.
    #[inline(always)]
    fn all_classes<S: Simd>(&mut self, simd: S, sums: &mut Sums, group: usize, block: PackedBlock) {
        let rows = block.rows.len() / GROUP;
        let classes = sums.classes;
        for class in (0..classes).step_by(CLASSES) {
            let at = group * classes + class;
            let block = PackedBlock { delta: &block.delta[class * rows..], ..block };
            match (classes - class, S::F32_LANES == LANES) {
                (1, true) => self.group::<S, 1, 4>(simd, sums, at, block),
                (2, true) => self.group::<S, 2, 4>(simd, sums, at, block),
                (3, true) => self.group::<S, 3, 4>(simd, sums, at, block),
                (4, true) => self.group::<S, 4, 4>(simd, sums, at, block),
                (_, true) => self.group::<S, CLASSES, 4>(simd, sums, at, block),
                (1, _) => self.group::<S, 1, 2>(simd, sums, at, block),
                (2, _) => self.group::<S, 2, 2>(simd, sums, at, block),
                (3, _) => self.group::<S, 3, 2>(simd, sums, at, block),
                (4, _) => self.group::<S, 4, 2>(simd, sums, at, block),
                (_, _) => self.group::<S, CLASSES, 2>(simd, sums, at, block),
            }
        }
    }

    /// Adds the products of a block to `K` rows of the sums from row `at` on. Between the products complete rows of the sums
    /// are applied, so that both run at once, as in a step of few rows.
    #[inline(always)]
    fn group<S: Simd, const K: usize, const V: usize>(
        &mut self,
        simd: S,
        sums: &mut Sums,
        at: usize,
        block: PackedBlock,
    ) {
        let rows = block.rows.len() / GROUP;
        let x = S::as_simd_f32s(block.rows).0.as_chunks::<V>().0;
        let delta = &block.delta.as_chunks::<K>().0[..rows];
        let parts = GROUP / S::F32_LANES / V;
        let share = rows.div_ceil(K);
        for part in 0..parts {
            let mut gradient = [[simd.splat_f32s(0.0); V]; K];
            if !block.is_first {
                let own = S::as_simd_f32s(&sums.gradient.padded()[at * GROUP..][..K * GROUP]).0;
                for k in 0..K {
                    for v in 0..V {
                        gradient[k][v] = own[(k * parts + part) * V + v];
                    }
                }
            }
            for step in 0..K {
                let own = (step * share).min(rows)..((step + 1) * share).min(rows);
                let x = x[own.start * parts..own.end * parts].iter().skip(part).step_by(parts);
                for (delta, x) in delta[own].iter().zip(x) {
                    for k in 0..K {
                        let delta = simd.splat_f32s(delta[k]);
                        for v in 0..V {
                            gradient[k][v] = simd.mul_add_f32s(delta, x[v], gradient[k][v]);
                        }
                    }
                }
                if sums.applied < sums.complete {
                    self.apply(simd, sums);
                }
            }
            let own = S::as_mut_simd_f32s(sums.gradient.padded_mut(at..at + K)).0;
            for k in 0..K {
                for v in 0..V {
                    own[(k * parts + part) * V + v] = gradient[k][v];
                }
            }
        }
        if block.is_last {
            sums.complete = at + K;
        }
    }

    /// Updates the weights of one class for one group of features.
    #[inline(always)]
    fn apply<S: Simd>(&mut self, simd: S, sums: &mut Sums) {
        let Sums { gradient, from, classes, applied, .. } = sums;
        let from = *applied % *classes * self.batch.stride + *from + *applied / *classes * GROUP;
        let WeightState { weight, first, second } = &mut self.weights;
        let [w, m, v] =
            [weight, first, second].map(|all| S::as_mut_simd_f32s(&mut all[from..from + GROUP]).0);
        let gradient = S::as_simd_f32s(&gradient.padded()[*applied * GROUP..][..GROUP]).0;
        for (((w, m), v), &g) in w.iter_mut().zip(m).zip(v).zip(gradient) {
            update(simd, self.step, g, w, m, v);
        }
        *applied += 1;
    }
}

/// Returns `buffer`, or a new one where it has fewer than `rows` rows.
fn with_rows(buffer: Option<Matrix>, rows: usize) -> Matrix {
    buffer.filter(|buffer| buffer.rows() >= rows).unwrap_or_else(|| Matrix::zeros(rows, GROUP))
}

/// Copies `delta`, `[rows, classes]`, for the rows of `block` to `packed`: `[rows, classes of a block]`, block of classes after
/// block of classes.
#[inline(always)]
fn pack_deltas(delta: &[f32], classes: usize, block: Range<usize>, packed: &mut Vec<f32>) {
    packed.clear();
    for class in (0..classes).step_by(CLASSES) {
        let own = class..(class + CLASSES).min(classes);
        for row in delta[block.start * classes..block.end * classes].chunks_exact(classes) {
            packed.extend_from_slice(&row[own.clone()]);
        }
    }
}
