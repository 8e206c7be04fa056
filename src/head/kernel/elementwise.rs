//! Element-wise operations: standardization and the exponential. Plain loops that the compiler vectorizes; the width of the
//! vectors changes their speed, not their results.

use pulp::{Simd, WithSimd};

pub(super) struct Standardize<'a> {
    pub row: &'a [f32],
    pub mean: &'a [f32],
    pub inverse: &'a [f32],
    pub out: &'a mut [f32],
}

impl WithSimd for Standardize<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let scales = self.mean.iter().zip(self.inverse);
        for ((out, x), (mean, inverse)) in self.out.iter_mut().zip(self.row).zip(scales) {
            *out = (x - mean) * inverse;
        }
    }
}

pub(super) struct Exp<'a>(pub &'a mut [f32]);

impl WithSimd for Exp<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for value in self.0 {
            *value = exp(*value);
        }
    }
}

/// The exponential of a number that is not above zero, within 2 units in the last place: x = n ln 2 + r, a polynomial
/// for e^r, 2^n from bits (Cephes, `expf.c`: its coefficients and its ln 2 in two parts). Below -87 the result is e^-87;
/// NaN stays NaN.
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// 1.5 * 2^23: adding it leaves the rounded number in the last bits.
    const ROUND: f32 = 12_582_912.0;
    let x = if x < -87.0 { -87.0 } else { x };
    let rounded = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = rounded - ROUND;
    let r = n.mul_add(2.121_944_4e-4, n.mul_add(-0.693_359_4, x));
    let mut p = 1.987_569_1e-4f32;
    for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = p.mul_add(r, coefficient);
    }
    let power = f32::from_bits((rounded.to_bits() << 23).wrapping_add(127 << 23));
    p.mul_add(r * r, r + 1.0) * power
}

#[cfg(test)]
mod tests {
    use super::super::Kernel;

    #[test]
    fn the_exponential_is_accurate_and_nan_stays_nan() {
        let mut values: Vec<f32> = (0..=87_000).map(|i| -(i as f32) / 1000.0).collect();
        let expected: Vec<f64> = values.iter().map(|&x| f64::from(x).exp()).collect();
        Kernel::new().exp(&mut values);
        for (value, expected) in values.iter().zip(&expected) {
            assert!((f64::from(*value) - expected).abs() <= 2.4e-7 * expected, "{value} {expected}");
        }
        assert_eq!(values[0], 1.0);
        let mut odd = [f32::NAN, f32::NEG_INFINITY, -1e30];
        Kernel::new().exp(&mut odd);
        assert!(odd[0].is_nan() && odd[1] < 1e-37 && odd[2] < 1e-37);
    }
}
