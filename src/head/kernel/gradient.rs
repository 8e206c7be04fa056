//! The gradient of a loss with respect to weights, for a span of features: products in float32, sums in float64.

use super::batch::{Batch, CLASSES, LANES};
use pulp::{Simd, WithSimd};
use std::ops::Range;

/// Rows whose products are summed in float32 before they are added to the sums in float64. They stay in the L2 cache while
/// all classes are multiplied with them.
const ROWS: usize = 64;

/// Floats of a block of registers, at most.
const FLOATS: usize = 4 * LANES;

/// `out[class, feature] += sum over rows of delta[row, class] * features[row, feature]`.
pub(super) struct Gradient<'a> {
    pub batch: Batch<'a>,
    /// `[rows, classes]`.
    pub delta: &'a [f32],
    /// The features: both ends are multiples of [`crate::math::matrix::GROUP`].
    pub span: Range<usize>,
    /// `[classes, span]`.
    pub out: &'a mut [f64],
}

impl WithSimd for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let classes = self.out.len() / self.span.len().max(1);
        let rows = self.batch.examples.len();
        for first in (0..rows).step_by(ROWS) {
            let rows = first..(first + ROWS).min(rows);
            for class in (0..classes).step_by(CLASSES) {
                let (own, rows) = (class..classes, rows.clone());
                match (classes - class, S::F32_LANES == LANES) {
                    (1, true) => self.classes::<S, 1, 4>(simd, own, rows),
                    (2, true) => self.classes::<S, 2, 4>(simd, own, rows),
                    (3, true) => self.classes::<S, 3, 4>(simd, own, rows),
                    (4, true) => self.classes::<S, 4, 4>(simd, own, rows),
                    (_, true) => self.classes::<S, CLASSES, 4>(simd, own, rows),
                    (1, _) => self.classes::<S, 1, 2>(simd, own, rows),
                    (2, _) => self.classes::<S, 2, 2>(simd, own, rows),
                    (3, _) => self.classes::<S, 3, 2>(simd, own, rows),
                    (4, _) => self.classes::<S, 4, 2>(simd, own, rows),
                    (_, _) => self.classes::<S, CLASSES, 2>(simd, own, rows),
                }
            }
        }
    }
}

impl Gradient<'_> {
    /// Adds the products of some rows for `K` classes, the first ones of `own`, `V` vectors of features at a time.
    #[inline(always)]
    fn classes<S: Simd, const K: usize, const V: usize>(
        &mut self,
        simd: S,
        own: Range<usize>,
        rows: Range<usize>,
    ) {
        let (class, classes, width) = (own.start, own.end, self.span.len());
        let floats = V * S::F32_LANES;
        for at in (0..width).step_by(floats) {
            let from = (self.span.start + at) / S::F32_LANES;
            let mut sums = [[simd.splat_f32s(0.0); V]; K];
            for row in rows.clone() {
                let delta: &[f32; K] =
                    self.delta[row * classes + class..][..K].try_into().expect("K classes");
                let x = S::as_simd_f32s(self.batch.row(row)).0;
                let x: &[S::f32s; V] = x[from..from + V].try_into().expect("V vectors");
                for k in 0..K {
                    let delta = simd.splat_f32s(delta[k]);
                    for v in 0..V {
                        sums[k][v] = simd.mul_add_f32s(delta, x[v], sums[k][v]);
                    }
                }
            }
            let mut single = [0.0f32; FLOATS];
            for (k, sums) in sums.iter().enumerate() {
                S::as_mut_simd_f32s(&mut single[..floats]).0.copy_from_slice(sums);
                let out = &mut self.out[(class + k) * width + at..][..floats];
                out.iter_mut().zip(&single).for_each(|(out, sum)| *out += f64::from(*sum));
            }
        }
    }
}
