//! Weights with their moments, and Adam on vectors of them.

use crate::head::adam::{AdamStep, BETA1, BETA2, EPSILON, TINY, TINY_MEAN};
use pulp::Simd;
use std::ops::Range;

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

    /// The weight and both moments of some classes, as vectors.
    #[inline(always)]
    pub(super) fn of_classes<S: Simd>(
        &mut self,
        classes: Range<usize>,
        stride: usize,
    ) -> [&mut [S::f32s]; 3] {
        let span = classes.start * stride..classes.end * stride;
        [&mut *self.weight, &mut *self.first, &mut *self.second]
            .map(|all| S::as_mut_simd_f32s(&mut all[span.clone()]).0)
    }
}

/// Updates `V` vectors of `[weight, first moment, second moment]`, from vector `from` on.
#[inline(always)]
pub(super) fn update_vectors<S: Simd, const V: usize>(
    simd: S,
    step: AdamStep,
    gradient: &[S::f32s; V],
    state: [&mut [S::f32s]; 3],
    from: usize,
) {
    update(simd, step, gradient, state.map(|all| &mut all[from..from + V]));
}

/// Updates vectors of `[weight, first moment, second moment]`.
#[inline(always)]
pub(super) fn update<S: Simd>(simd: S, step: AdamStep, gradient: &[S::f32s], state: [&mut [S::f32s]; 3]) {
    let [w, m, v] = state;
    for (((w, m), v), &g) in w.iter_mut().zip(m).zip(v).zip(gradient) {
        update_vector(simd, step, g, w, m, v);
    }
}

/// Updates one vector of weights `w` with its moments `m` and `v`. [`crate::head::adam::BiasState::step`] is the same for
/// single numbers, without penalty and decay.
#[inline(always)]
fn update_vector<S: Simd>(
    simd: S,
    step: AdamStep,
    gradient: S::f32s,
    w: &mut S::f32s,
    m: &mut S::f32s,
    v: &mut S::f32s,
) {
    let splat = |value| simd.splat_f32s(value);
    let without_tiny = |value, least| {
        let is_tiny = simd.less_than_f32s(simd.abs_f32s(value), splat(least));
        simd.select_f32s(is_tiny, splat(0.0), value)
    };
    let g = without_tiny(simd.mul_add_f32s(splat(step.l2), *w, gradient), TINY);
    let mean = simd.mul_add_f32s(splat(1.0 - BETA1), simd.sub_f32s(g, *m), *m);
    *m = without_tiny(mean, TINY_MEAN);
    let square = simd.mul_add_f32s(splat(1.0 - BETA2), simd.sub_f32s(simd.mul_f32s(g, g), *v), *v);
    *v = without_tiny(square, TINY_MEAN);
    let root = simd.mul_add_f32s(simd.sqrt_f32s(*v), splat(step.root), splat(EPSILON));
    // Exact where nothing decays: the product with 1 is not rounded.
    let change = simd.div_f32s(simd.mul_f32s(splat(-step.rate), *m), root);
    *w = simd.mul_add_f32s(splat(step.kept), *w, change);
}
