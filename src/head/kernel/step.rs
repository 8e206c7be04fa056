//! One optimizer step for the weights: their gradient in registers, and Adam applied to it.

use super::batch::{Batch, CLASSES, LANES};
use super::weight_state::{WeightState, update, update_vectors};
use crate::head::adam::AdamStep;
use crate::math::matrix::{GROUP, Matrix};
use pulp::{Simd, WithSimd};
use std::ops::Range;

/// Rows from which on those of a group of features are first copied next to one another. Rows are apart by a multiple of a
/// page, so many of them do not stay in a cache for all classes.
pub(super) const MANY_ROWS: usize = 64;

/// Features whose gradient is summed before Adam is applied to them: for all classes of a block it stays in the L1 cache.
const TURN: usize = 512;

/// One step of Adam along `delta^T features + l2 weight`, with `delta` as `[rows, classes]`.
pub(super) struct Step<'a> {
    pub batch: Batch<'a>,
    pub delta: &'a [f32],
    pub weights: WeightState<'a>,
    pub step: AdamStep,
    /// [`MANY_ROWS`], which changes no bit.
    pub many_rows: usize,
}

impl WithSimd for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let classes = self.delta.len() / self.batch.examples.len().max(1);
        if self.batch.examples.len() >= self.many_rows {
            return self.by_groups(simd, classes);
        }
        for class in (0..classes).step_by(CLASSES) {
            match (classes - class, S::F32_LANES == LANES) {
                (1, true) => self.alternating::<S, 1, 4>(simd, class, classes),
                (2, true) => self.alternating::<S, 2, 4>(simd, class, classes),
                (3, true) => self.alternating::<S, 3, 4>(simd, class, classes),
                (4, true) => self.alternating::<S, 4, 4>(simd, class, classes),
                (_, true) => self.alternating::<S, CLASSES, 4>(simd, class, classes),
                (1, _) => self.in_turns::<S, 1, 2>(simd, class, classes),
                (2, _) => self.in_turns::<S, 2, 2>(simd, class, classes),
                (3, _) => self.in_turns::<S, 3, 2>(simd, class, classes),
                (4, _) => self.in_turns::<S, 4, 2>(simd, class, classes),
                (_, _) => self.in_turns::<S, CLASSES, 2>(simd, class, classes),
            }
        }
    }
}

impl Step<'_> {
    /// Updates `K` of `classes` classes, from `class` on, `V` vectors of features at a time. While the gradient of these
    /// vectors is summed, Adam is applied to the vectors before them: square roots and quotients have a long latency and
    /// use other parts of the processor than sums of products, so with the 32 registers of AVX-512 both run at once where they
    /// alternate.
    #[inline(always)]
    fn alternating<S: Simd, const K: usize, const V: usize>(
        &mut self,
        simd: S,
        class: usize,
        classes: usize,
    ) {
        let Self { batch, delta, step, .. } = *self;
        let [weight, first, second] = self.weights.of_classes::<S>(class..class + K, batch.stride);
        let vectors = batch.stride / S::F32_LANES;
        let rows = batch.examples.len();
        let share = rows.div_ceil(K);
        let mut before = [[simd.splat_f32s(0.0); V]; K];
        for at in (0..vectors).step_by(V) {
            let mut gradient = [[simd.splat_f32s(0.0); V]; K];
            for (part, before) in before.iter().enumerate() {
                let rows = (part * share).min(rows)..((part + 1) * share).min(rows);
                add_products(simd, batch, rows, (delta, classes), class, at, &mut gradient);
                if at > 0 {
                    let state = [&mut *weight, &mut *first, &mut *second];
                    update_vectors(simd, step, before, state, part * vectors + at - V);
                }
            }
            before = gradient;
        }
        for (k, before) in before.iter().enumerate() {
            let state = [&mut *weight, &mut *first, &mut *second];
            update_vectors(simd, step, before, state, (k + 1) * vectors - V);
        }
    }

    /// The same as [`Step::alternating`]: sums the gradient of [`TURN`] features, `V` vectors at a time, and then applies Adam to all
    /// of them. On AVX2, whose 16 registers the sums fill, alternating takes 1.5 times as long.
    #[inline(always)]
    fn in_turns<S: Simd, const K: usize, const V: usize>(&mut self, simd: S, class: usize, classes: usize) {
        let Self { batch, delta, step, .. } = *self;
        let [weight, first, second] = self.weights.of_classes::<S>(class..class + K, batch.stride);
        let vectors = batch.stride / S::F32_LANES;
        let turn = TURN / S::F32_LANES;
        let mut gradients = [[0.0f32; TURN]; K];
        for from in (0..vectors).step_by(turn) {
            let to = (from + turn).min(vectors);
            for at in (from..to).step_by(V) {
                let mut gradient = [[simd.splat_f32s(0.0); V]; K];
                let rows = 0..batch.examples.len();
                add_products(simd, batch, rows, (delta, classes), class, at, &mut gradient);
                for (all, own) in gradients.iter_mut().zip(&gradient) {
                    S::as_mut_simd_f32s(all).0[at - from..][..V].copy_from_slice(own);
                }
            }
            for (k, gradient) in gradients.iter().enumerate() {
                let own = k * vectors + from..k * vectors + to;
                let state = [&mut weight[own.clone()], &mut first[own.clone()], &mut second[own]];
                update(simd, step, &S::as_simd_f32s(gradient).0[..to - from], state);
            }
        }
    }
}

/// Adds to `gradient` the products of `rows` of the batch for `K` of `classes` classes, from `class` on, and for `V` vectors of
/// features, from `at` on. The `delta` of all classes is `[rows, classes]`.
#[inline(always)]
fn add_products<S: Simd, const K: usize, const V: usize>(
    simd: S,
    batch: Batch,
    rows: Range<usize>,
    (delta, classes): (&[f32], usize),
    class: usize,
    at: usize,
    gradient: &mut [[S::f32s; V]; K],
) {
    let deltas = delta[rows.start * classes..rows.end * classes].chunks_exact(classes);
    for (i, delta) in rows.zip(deltas) {
        let delta: &[f32; K] = delta[class..][..K].try_into().expect("K classes");
        let x: &[S::f32s; V] = S::as_simd_f32s(batch.row(i)).0[at..at + V].try_into().expect("V vectors");
        for k in 0..K {
            let delta = simd.splat_f32s(delta[k]);
            for v in 0..V {
                gradient[k][v] = simd.mul_add_f32s(delta, x[v], gradient[k][v]);
            }
        }
    }
}

impl Step<'_> {
    /// Updates all classes, a group of features at a time.
    #[inline(always)]
    fn by_groups<S: Simd>(&mut self, simd: S, classes: usize) {
        let rows = self.batch.examples.len();
        let mut packed = Matrix::zeros(rows, GROUP);
        for from in (0..self.batch.stride).step_by(GROUP) {
            let to = packed.padded_mut(0..rows).as_chunks_mut::<GROUP>().0;
            for (i, to) in to.iter_mut().enumerate() {
                to.copy_from_slice(&self.batch.row(i)[from..from + GROUP]);
            }
            let packed = packed.padded();
            for class in (0..classes).step_by(CLASSES) {
                let own = class..classes;
                match (classes - class, S::F32_LANES == LANES) {
                    (1, true) => self.group::<S, 1, 4>(simd, own, packed, from),
                    (2, true) => self.group::<S, 2, 4>(simd, own, packed, from),
                    (3, true) => self.group::<S, 3, 4>(simd, own, packed, from),
                    (4, true) => self.group::<S, 4, 4>(simd, own, packed, from),
                    (_, true) => self.group::<S, CLASSES, 4>(simd, own, packed, from),
                    (1, _) => self.group::<S, 1, 2>(simd, own, packed, from),
                    (2, _) => self.group::<S, 2, 2>(simd, own, packed, from),
                    (3, _) => self.group::<S, 3, 2>(simd, own, packed, from),
                    (4, _) => self.group::<S, 4, 2>(simd, own, packed, from),
                    (_, _) => self.group::<S, CLASSES, 2>(simd, own, packed, from),
                }
            }
        }
    }

    /// Updates the first `K` classes of `own` for the group of features from `from` on, whose rows are in `packed`,
    /// `[rows, GROUP]`.
    #[inline(always)]
    fn group<S: Simd, const K: usize, const V: usize>(
        &mut self,
        simd: S,
        own: Range<usize>,
        packed: &[f32],
        from: usize,
    ) {
        let (class, classes, stride) = (own.start, own.end, self.batch.stride);
        let step = self.step;
        let WeightState { weight, first, second } = &mut self.weights;
        let packed = S::as_simd_f32s(packed).0;
        let vectors = GROUP / S::F32_LANES;
        for at in (0..vectors).step_by(V) {
            let mut gradient = [[simd.splat_f32s(0.0); V]; K];
            let deltas = self.delta.chunks_exact(classes);
            for (x, delta) in packed.chunks_exact(vectors).zip(deltas) {
                let delta: &[f32; K] = delta[class..class + K].try_into().expect("K classes");
                let x: &[S::f32s; V] = x[at..at + V].try_into().expect("V vectors");
                for k in 0..K {
                    let delta = simd.splat_f32s(delta[k]);
                    for v in 0..V {
                        gradient[k][v] = simd.mul_add_f32s(delta, x[v], gradient[k][v]);
                    }
                }
            }
            for (k, gradient) in gradient.iter().enumerate() {
                let features = (class + k) * stride + from..(class + k) * stride + from + GROUP;
                let state = [&mut **weight, &mut **first, &mut **second]
                    .map(|all| S::as_mut_simd_f32s(&mut all[features.clone()]).0);
                update_vectors(simd, step, gradient, state, at);
            }
        }
    }
}
