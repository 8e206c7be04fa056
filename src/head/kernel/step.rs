//! One optimizer step for the weights: their gradient in registers, and Adam applied to it.

use super::batch::{Batch, CLASSES, LANES};
use crate::head::adam::{AdamStep, BETA1, BETA2, EPSILON};
use pulp::{Simd, WithSimd};

/// The weight of some classes with its moments, `[classes, stride]` each.
#[derive(Debug)]
pub(in crate::head) struct WeightState<'a> {
    pub weight: &'a mut [f32],
    pub first: &'a mut [f32],
    pub second: &'a mut [f32],
}

impl WeightState<'_> {
    /// Borrows the state again for a shorter time.
    pub fn reborrow(&mut self) -> WeightState<'_> {
        WeightState { weight: self.weight, first: self.first, second: self.second }
    }
}

/// One step of Adam along `delta^T features + l2 weight`, with `delta` as `[rows, classes]`.
pub(super) struct Step<'a> {
    pub batch: Batch<'a>,
    pub delta: &'a [f32],
    pub weights: WeightState<'a>,
    pub step: AdamStep,
}

impl WithSimd for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let classes = self.delta.len() / self.batch.examples.len().max(1);
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

/// Updates `V` vectors of `[weight, first moment, second moment]`, from vector `from` on.
#[inline(always)]
fn update_vectors<S: Simd, const V: usize>(
    simd: S,
    step: AdamStep,
    gradient: &[S::f32s; V],
    state: [&mut [S::f32s]; 3],
    from: usize,
) {
    let [w, m, v] = state.map(|all| &mut all[from..from + V]);
    for (((w, m), v), &g) in w.iter_mut().zip(m).zip(v).zip(gradient) {
        update(simd, step, g, w, m, v);
    }
}

/// Updates one vector of weights `w` with its moments `m` and `v`. [`crate::head::adam::BiasState::step`] is the same for
/// single numbers, without the penalty.
#[inline(always)]
fn update<S: Simd>(
    simd: S,
    step: AdamStep,
    gradient: S::f32s,
    w: &mut S::f32s,
    m: &mut S::f32s,
    v: &mut S::f32s,
) {
    let splat = |value| simd.splat_f32s(value);
    let g = simd.mul_add_f32s(splat(step.l2), *w, gradient);
    *m = simd.mul_add_f32s(splat(1.0 - BETA1), simd.sub_f32s(g, *m), *m);
    *v = simd.mul_add_f32s(splat(1.0 - BETA2), simd.sub_f32s(simd.mul_f32s(g, g), *v), *v);
    let root = simd.mul_add_f32s(simd.sqrt_f32s(*v), splat(step.root), splat(EPSILON));
    *w = simd.sub_f32s(*w, simd.div_f32s(simd.mul_f32s(splat(step.rate), *m), root));
}
