//! Long vectors: inner products summed in float64, and weighted sums in float32. Plain loops that the compiler vectorizes; every
//! sum has a fixed order, so the width of the vectors changes their speed, not their results.

use super::batch::LANES;
use pulp::{Simd, WithSimd};

/// The inner product of two vectors of float32 or float64.
pub(super) struct Dot<'a, A, B>(pub &'a [A], pub &'a [B]);

impl<A: Copy + Into<f64>, B: Copy + Into<f64>> WithSimd for Dot<'_, A, B> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        let (a, b) = (self.0.as_chunks::<LANES>(), self.1.as_chunks::<LANES>());
        let mut sums = [0.0f64; LANES];
        for (a, b) in a.0.iter().zip(b.0) {
            for i in 0..LANES {
                sums[i] += a[i].into() * b[i].into();
            }
        }
        let rest: f64 = a.1.iter().zip(b.1).map(|(&a, &b)| a.into() * b.into()).sum();
        sums.iter().sum::<f64>() + rest
    }
}

/// `to += factor * from`.
pub(super) struct AddScaled<'a> {
    pub to: &'a mut [f32],
    pub from: &'a [f32],
    pub factor: f32,
}

impl WithSimd for AddScaled<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.to.iter_mut().zip(self.from).for_each(|(to, from)| *to += self.factor * from);
    }
}
