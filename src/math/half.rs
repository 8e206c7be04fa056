//! Matrices of bfloat16, the upper half of float32: as wide a range, and 8 bits of precision. They take half the memory.

/// A matrix `[rows, width]` of bfloat16 in one allocation, row after row.
#[derive(Debug, Clone, PartialEq)]
pub struct HalfMatrix {
    width: usize,
    values: Vec<u16>,
}

impl HalfMatrix {
    /// Creates a matrix of zeros.
    pub fn zeros(rows: usize, width: usize) -> Self {
        Self { width, values: vec![0; rows * width] }
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Stores `values`, `[width]`, as row `row`, each rounded to the nearest bfloat16.
    ///
    /// # Panics
    /// If there is no such row, or `values` has another length.
    pub fn set_row(&mut self, row: usize, values: &[f32]) {
        let to = &mut self.values[row * self.width..][..self.width];
        assert_eq!(values.len(), to.len(), "a whole row");
        to.iter_mut().zip(values).for_each(|(to, &value)| *to = rounded(value));
    }

    /// Writes row `row` as float32 into `to`, `[width]`.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn read_row(&self, row: usize, to: &mut [f32]) {
        let from = &self.values[row * self.width..][..self.width];
        to.iter_mut().zip(from).for_each(|(to, &half)| *to = f32::from_bits(u32::from(half) << 16));
    }
}

/// The nearest bfloat16, of two as near the one with an even last bit. A number that is not finite stays so.
fn rounded(value: f32) -> u16 {
    let bits = value.to_bits();
    if !value.is_finite() {
        // The lower half of a NaN may be all that tells it from infinity.
        return (bits >> 16) as u16 | u16::from(value.is_nan());
    }
    let even = (bits >> 16) & 1;
    ((bits + 0x7fff + even) >> 16) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(value: f32) -> f32 {
        let mut matrix = HalfMatrix::zeros(2, 1);
        matrix.set_row(1, &[value]);
        let mut read = [0.0];
        matrix.read_row(1, &mut read);
        read[0]
    }

    #[test]
    fn values_are_rounded_to_the_nearest_and_ties_to_even() {
        // 1 + 2^-7 is the number after 1; ties lie half-way, at 2^-8.
        let step = 2f32.powi(-7);
        for (value, expected) in [
            (1.0, 1.0),
            (1.0 + step, 1.0 + step),
            (1.0 + 0.49 * step, 1.0),
            (1.0 + 0.51 * step, 1.0 + step),
            (1.0 + 0.5 * step, 1.0),
            (1.0 + 1.5 * step, 1.0 + 2.0 * step),
            (-3.0, -3.0),
            (0.0, 0.0),
            (f32::INFINITY, f32::INFINITY),
            (f32::NEG_INFINITY, f32::NEG_INFINITY),
        ] {
            assert_eq!(round_trip(value), expected, "{value}");
        }
        assert!(round_trip(f32::NAN).is_nan() && round_trip(f32::from_bits(0x7f80_0001)).is_nan());
        let mut value = 1e-30f32;
        while value < 1e30 {
            assert!((round_trip(value) / value - 1.0).abs() <= 2f32.powi(-8) * 1.000_01, "{value}");
            value *= 1.37;
        }
    }
}
