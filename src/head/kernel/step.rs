//! One optimizer step for the weights: their gradient in registers, and Adam applied to it.

use super::batch::{Batch, CLASSES, LANES};
use super::row_blocks::{RowBlocks, StepBuffers};
use super::weight_state::{WeightState, update_vectors};
use crate::head::adam::AdamStep;
use pulp::{Simd, WithSimd};

/// Rows from which on they are first copied next to one another. Rows are apart by a multiple of a page, so many of them do not
/// stay in a cache for all classes.
pub(super) const MANY_ROWS: usize = 128;

/// One step of Adam along `delta^T features + l2 weight`, with `delta` as `[rows, classes]`.
pub(super) struct Step<'a> {
    pub batch: Batch<'a>,
    pub delta: &'a [f32],
    pub weights: WeightState<'a>,
    pub step: AdamStep,
    /// [`MANY_ROWS`], which changes no bit.
    pub many_rows: usize,
    pub buffers: &'a mut StepBuffers,
}

impl WithSimd for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let classes = self.delta.len() / self.batch.examples.len().max(1);
        if self.batch.examples.len() >= self.many_rows {
            let Self { batch, delta, weights, step, buffers, .. } = self;
            return RowBlocks { batch, delta, weights, step, buffers }.step(simd, classes);
        }
        for class in (0..classes).step_by(CLASSES) {
            match (classes - class, S::F32_LANES == LANES) {
                (1, true) => self.classes::<S, 1, 4>(simd, class, classes),
                (2, true) => self.classes::<S, 2, 4>(simd, class, classes),
                (3, true) => self.classes::<S, 3, 4>(simd, class, classes),
                (4, true) => self.classes::<S, 4, 4>(simd, class, classes),
                (_, true) => self.classes::<S, CLASSES, 4>(simd, class, classes),
                (1, _) => self.classes::<S, 1, 2>(simd, class, classes),
                (2, _) => self.classes::<S, 2, 2>(simd, class, classes),
                (3, _) => self.classes::<S, 3, 2>(simd, class, classes),
                (4, _) => self.classes::<S, 4, 2>(simd, class, classes),
                (_, _) => self.classes::<S, CLASSES, 2>(simd, class, classes),
            }
        }
    }
}

impl Step<'_> {
    /// Updates `K` of `classes` classes, from `class` on, `V` vectors of features at a time. While the gradient of these
    /// vectors is summed, Adam is applied to the vectors before them: square roots and quotients have a long latency and
    /// use other parts of the processor than sums of products, so both run at once where they alternate.
    #[inline(always)]
    fn classes<S: Simd, const K: usize, const V: usize>(&mut self, simd: S, class: usize, classes: usize) {
        let stride = self.batch.stride;
        let step = self.step;
        let WeightState { weight, first, second } = &mut self.weights;
        let [weight, first, second] = [weight, first, second]
            .map(|all| S::as_mut_simd_f32s(&mut all[class * stride..(class + K) * stride]).0);
        let vectors = stride / S::F32_LANES;
        let rows = self.batch.examples.len();
        let share = rows.div_ceil(K);
        let mut before = [[simd.splat_f32s(0.0); V]; K];
        for at in (0..vectors).step_by(V) {
            let mut gradient = [[simd.splat_f32s(0.0); V]; K];
            for (part, before) in before.iter().enumerate() {
                for i in (part * share).min(rows)..((part + 1) * share).min(rows) {
                    let delta = &self.delta[i * classes + class..][..K];
                    let delta: &[f32; K] = delta.try_into().expect("K classes");
                    let x = S::as_simd_f32s(self.batch.row(i)).0;
                    let x: &[S::f32s; V] = x[at..at + V].try_into().expect("V vectors");
                    for k in 0..K {
                        let delta = simd.splat_f32s(delta[k]);
                        for v in 0..V {
                            gradient[k][v] = simd.mul_add_f32s(delta, x[v], gradient[k][v]);
                        }
                    }
                }
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
}
