//! Rows of floats in one allocation, as the loops of a fit want them: each row begins at a cache line and is filled up
//! with zeros to whole groups of [`GROUP`] floats. It refuses to know what the rows mean.

use std::ops::Range;

/// Floats in a cache line of 64 bytes.
const LINE: usize = 16;

/// Every row takes a multiple of this many floats: four vectors of AVX-512.
pub const GROUP: usize = 64;

/// A matrix of `rows` by `width` float32, row after row.
pub struct Matrix {
    width: usize,
    stride: usize,
    rows: usize,
    /// Where the first row begins in `values`: the first cache line.
    start: usize,
    values: Vec<f32>,
}

impl Matrix {
    /// All zeros.
    pub fn zeros(rows: usize, width: usize) -> Self {
        let stride = width.next_multiple_of(GROUP);
        let values = vec![0.0; rows * stride + LINE];
        let start = values.as_ptr().align_offset(4 * LINE).min(LINE);
        Self { width, stride, rows, start, values }
    }

    /// From `values`, `rows * width` floats row after row.
    ///
    /// # Panics
    /// When `values` is not a whole number of rows.
    pub fn from_rows(width: usize, values: &[f32]) -> Self {
        let rows = values.len() / width.max(1);
        assert_eq!(rows * width, values.len(), "a whole number of rows");
        let mut matrix = Self::zeros(rows, width);
        for (to, from) in matrix
            .padded_mut(0..rows)
            .chunks_exact_mut(width.next_multiple_of(GROUP).max(1))
            .zip(values.chunks_exact(width.max(1)))
        {
            to[..width].copy_from_slice(from);
        }
        matrix
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Floats in a row, without what fills it up.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Floats from the start of one row to that of the next.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Row `row`, `width` floats.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.padded()[row * self.stride..][..self.width]
    }

    /// Row `row` for writing, `width` floats.
    pub fn row_mut(&mut self, row: usize) -> &mut [f32] {
        let from = self.start + row * self.stride;
        &mut self.values[from..from + self.width]
    }

    /// All rows with what fills them up: `rows * stride` floats.
    pub fn padded(&self) -> &[f32] {
        &self.values[self.start..self.start + self.rows * self.stride]
    }

    /// Some rows with what fills them up, for writing. Who writes there leaves the filling zero.
    pub fn padded_mut(&mut self, rows: Range<usize>) -> &mut [f32] {
        let at = |row: usize| self.start + row * self.stride;
        let range = at(rows.start)..at(rows.end);
        &mut self.values[range]
    }

    /// The first row that holds a value that is no finite number.
    pub fn first_not_finite(&self) -> Option<usize> {
        // Without an early end, which would keep the compiler from looking at several numbers at once.
        let largest = |row: &[f32]| row.iter().fold(0, |most: u32, x| most.max(x.abs().to_bits()));
        (0..self.rows).find(|&row| largest(self.row(row)) >= f32::INFINITY.to_bits())
    }

    /// All values, row after row, without what fills the rows up.
    pub fn values(&self) -> impl Iterator<Item = f32> {
        (0..self.rows).flat_map(|row| self.row(row).iter().copied())
    }
}

impl Clone for Matrix {
    /// The copy begins at a cache line of its own.
    fn clone(&self) -> Self {
        let mut copy = Self::zeros(self.rows, self.width);
        copy.padded_mut(0..self.rows).copy_from_slice(self.padded());
        copy
    }
}

impl PartialEq for Matrix {
    fn eq(&self, other: &Self) -> bool {
        (self.rows, self.width) == (other.rows, other.width) && self.padded() == other.padded()
    }
}

impl std::fmt::Debug for Matrix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} rows of {} floats", self.rows, self.width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_begin_at_cache_lines_and_are_filled_up_with_zeros() {
        for width in [1, 3, 63, 64, 65, 2048] {
            let values: Vec<f32> = (1..=3 * width).map(|i| i as f32).collect();
            let matrix = Matrix::from_rows(width, &values);
            assert_eq!((matrix.rows(), matrix.width(), matrix.stride() % GROUP), (3, width, 0));
            for row in 0..3 {
                assert_eq!(matrix.row(row), &values[row * width..(row + 1) * width]);
                assert_eq!(matrix.row(row).as_ptr().align_offset(64), 0);
                let filling = &matrix.padded()[row * matrix.stride() + width..(row + 1) * matrix.stride()];
                assert!(filling.iter().all(|&v| v == 0.0));
            }
            assert_eq!(matrix.clone(), matrix);
            assert_eq!(matrix.clone().row(0).as_ptr().align_offset(64), 0);
            assert!(matrix.values().eq(values));
        }
    }

    #[test]
    fn values_that_are_no_numbers_are_found() {
        for odd in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut matrix = Matrix::from_rows(2, &[0.0, f32::MAX, f32::MIN, -0.0, 1.0, 2.0]);
            assert_eq!(matrix.first_not_finite(), None);
            matrix.row_mut(1)[1] = odd;
            assert_eq!(matrix.first_not_finite(), Some(1));
        }
    }

    #[test]
    fn no_rows_are_fine() {
        assert_eq!(Matrix::from_rows(5, &[]).rows(), 0);
        assert_eq!(Matrix::zeros(0, 5).padded().len(), 0);
    }
}
