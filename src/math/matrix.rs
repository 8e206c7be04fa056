//! Matrices of float32: feature rows padded for vector arithmetic, and class probabilities.

use super::parallel::in_parallel;
use crate::error::Result;
use ndarray::{ArrayView2, ShapeBuilder, s};
use std::ops::Range;
use std::sync::Mutex;

/// Floats in a cache line of 64 bytes.
const LINE: usize = 16;

/// Every padded row has a multiple of this many floats: four vectors of AVX-512.
pub const GROUP: usize = 64;

/// Rows that a thread works on at a time.
const ROWS_A_JOB: usize = 256;

/// A matrix `[rows, width]` of float32 in one allocation, row after row. Each row begins at a cache line and is padded
/// with zeros to a multiple of [`GROUP`] floats.
pub struct Matrix {
    width: usize,
    stride: usize,
    rows: usize,
    /// Where the first row begins in `values`: the first cache line.
    start: usize,
    values: Vec<f32>,
}

impl Matrix {
    /// Creates a matrix of zeros.
    pub fn zeros(rows: usize, width: usize) -> Self {
        let stride = width.next_multiple_of(GROUP);
        let values = vec![0.0; rows * stride + LINE];
        let start = values.as_ptr().align_offset(4 * LINE).min(LINE);
        Self { width, stride, rows, start, values }
    }

    /// Copies `values`, `[rows, width]` row after row without padding.
    ///
    /// # Panics
    /// If `values` is not a whole number of rows.
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

    /// Floats in a row, without the padding.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Floats from the start of one row to the start of the next.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Row `row`, `[width]`.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.padded()[row * self.stride..][..self.width]
    }

    /// Row `row` for writing, `[width]`.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row_mut(&mut self, row: usize) -> &mut [f32] {
        let from = self.start + row * self.stride;
        &mut self.values[from..from + self.width]
    }

    /// All rows with their padding, `[rows, stride]`.
    pub fn padded(&self) -> &[f32] {
        &self.values[self.start..self.start + self.rows * self.stride]
    }

    /// Some rows with their padding for writing, `[rows, stride]`. The padding must stay zero.
    ///
    /// # Panics
    /// If `rows` ends beyond the last row.
    pub fn padded_mut(&mut self, rows: Range<usize>) -> &mut [f32] {
        let at = |row: usize| self.start + row * self.stride;
        let range = at(rows.start)..at(rows.end);
        &mut self.values[range]
    }

    /// The matrix as an array `[rows, width]`, without copying.
    #[expect(clippy::missing_panics_doc, reason = "the shape fits the values by construction")]
    pub fn view(&self) -> ArrayView2<'_, f32> {
        if self.rows == 0 {
            return ArrayView2::from_shape((0, self.width), &[]).expect("no rows need no values");
        }
        let shape = (self.rows, self.width).strides((self.stride, 1));
        ArrayView2::from_shape(shape, self.padded()).expect("the rows are within their padding")
    }

    /// Returns the index of the first row with a value that is not finite.
    pub fn first_not_finite(&self) -> Option<usize> {
        // Without an early exit, which would keep the compiler from comparing several numbers at once.
        let largest = |row: &[f32]| row.iter().fold(0, |most: u32, x| most.max(x.abs().to_bits()));
        (0..self.rows).find(|&row| largest(self.row(row)) >= f32::INFINITY.to_bits())
    }

    /// Scales each row to length 1. A row without a direction becomes zeros, at cosine distance 1 from all others.
    #[must_use]
    pub fn normalized(mut self) -> Self {
        (0..self.rows).for_each(|row| normalize(self.row_mut(row)));
        self
    }

    /// Scales each row as [`Matrix::normalized`] does, on up to `threads` threads.
    ///
    /// # Errors
    /// [`Kind::Limit`](crate::error::Kind::Limit) when the system grants no thread.
    pub(crate) fn normalized_on(mut self, threads: usize) -> Result<Self> {
        let (width, stride, rows) = (self.width, self.stride.max(1), self.rows);
        let chunks = self.padded_mut(0..rows).chunks_mut(ROWS_A_JOB * stride);
        let chunks: Vec<Mutex<&mut [f32]>> = chunks.map(Mutex::new).collect();
        in_parallel(threads, &chunks, |chunk| {
            let mut chunk = chunk.lock().unwrap_or_else(|e| e.into_inner());
            chunk.chunks_exact_mut(stride).for_each(|row| normalize(&mut row[..width]));
            Ok(())
        })?;
        Ok(self)
    }

    /// All values, row after row, without the padding.
    pub fn values(&self) -> impl Iterator<Item = f32> {
        (0..self.rows).flat_map(|row| self.row(row).iter().copied())
    }
}

/// Scales a row to length 1, or to zeros where it has no direction.
fn normalize(values: &mut [f32]) {
    let norm = values.iter().map(|&value| f64::from(value) * f64::from(value)).sum::<f64>().sqrt();
    let scale = if norm > 0.0 && norm.is_finite() { 1.0 / norm } else { 0.0 };
    values.iter_mut().for_each(|value| {
        *value = if scale > 0.0 { (f64::from(*value) * scale) as f32 } else { 0.0 };
    });
}

/// Inner products of some rows of one matrix with some of another: `[rows of the first, rows of the second]`, row after row.
///
/// # Panics
/// If the matrices differ in width, or do not have the rows.
pub fn products([(a, rows_a), (b, rows_b)]: [(&Matrix, Range<usize>); 2]) -> Vec<f32> {
    let (a, b) = (a.view(), b.view());
    a.slice(s![rows_a, ..]).dot(&b.slice(s![rows_b, ..]).t()).into_iter().collect()
}

impl Clone for Matrix {
    /// Copies the matrix; the copy begins at a cache line of its own.
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

/// Class probabilities, `[rows, classes]` float32: each is 0 to 1, and each row sums to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Probabilities {
    classes: usize,
    values: Vec<f32>,
}

impl Probabilities {
    /// Wraps `values`, `[rows, classes]` row after row.
    ///
    /// # Panics
    /// If `values` is not a whole number of rows.
    pub fn from_values(classes: usize, values: Vec<f32>) -> Self {
        assert_eq!(values.len() / classes.max(1) * classes, values.len(), "a whole number of rows");
        Self { classes, values }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.values.len() / self.classes.max(1)
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The probabilities of row `row`, `[classes]`.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.classes..][..self.classes]
    }

    /// All rows in order, `[classes]` each.
    pub fn iter(&self) -> std::slice::ChunksExact<'_, f32> {
        self.values.chunks_exact(self.classes.max(1))
    }

    /// All probabilities, row after row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The probabilities as an array `[rows, classes]`, without copying.
    #[expect(clippy::missing_panics_doc, reason = "the shape fits the values by construction")]
    pub fn view(&self) -> ArrayView2<'_, f32> {
        ArrayView2::from_shape((self.rows(), self.classes), &self.values).expect("a whole number of rows")
    }

    /// The most probable class of each row; the first of equals.
    pub fn predicted(&self) -> impl ExactSizeIterator<Item = usize> + '_ {
        self.iter().map(argmax)
    }
}

impl<'a> IntoIterator for &'a Probabilities {
    type Item = &'a [f32];
    type IntoIter = std::slice::ChunksExact<'a, f32>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Returns the index of the largest value: the first of equals, and 0 if there are none.
pub fn argmax(values: &[f32]) -> usize {
    (0..values.len()).reduce(|best, i| if values[i] > values[best] { i } else { best }).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_begin_at_cache_lines_and_are_padded_with_zeros() {
        for width in [1, 3, 63, 64, 65, 2048] {
            let values: Vec<f32> = (1..=3 * width).map(|i| i as f32).collect();
            let matrix = Matrix::from_rows(width, &values);
            assert_eq!((matrix.rows(), matrix.width(), matrix.stride() % GROUP), (3, width, 0));
            for row in 0..3 {
                assert_eq!(matrix.row(row), &values[row * width..(row + 1) * width]);
                assert_eq!(matrix.row(row).as_ptr().align_offset(64), 0);
                let padding = &matrix.padded()[row * matrix.stride() + width..(row + 1) * matrix.stride()];
                assert!(padding.iter().all(|&v| v == 0.0));
            }
            assert_eq!(matrix.clone(), matrix);
            assert_eq!(matrix.clone().row(0).as_ptr().align_offset(64), 0);
            assert!(matrix.view().iter().eq(&values));
            assert!(matrix.values().eq(values));
        }
    }

    #[test]
    fn values_that_are_not_finite_are_found() {
        for odd in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut matrix = Matrix::from_rows(2, &[0.0, f32::MAX, f32::MIN, -0.0, 1.0, 2.0]);
            assert_eq!(matrix.first_not_finite(), None);
            matrix.row_mut(1)[1] = odd;
            assert_eq!(matrix.first_not_finite(), Some(1));
        }
    }

    #[test]
    fn rows_have_the_same_length_however_many_threads_scale_them() {
        let values: Vec<f32> = (0..3 * 700).map(|i| (i % 17) as f32 - 3.0).collect();
        let mut rows = Matrix::from_rows(3, &values);
        rows.row_mut(1).fill(0.0);
        rows.row_mut(2)[0] = f32::INFINITY;
        let scaled = rows.clone().normalized();
        assert!(scaled.row(1).iter().chain(scaled.row(2)).all(|&value| value == 0.0));
        for row in 3..700 {
            assert!((scaled.row(row).iter().map(|value| value * value).sum::<f32>() - 1.0).abs() < 1e-6);
        }
        for threads in [1, 3] {
            assert_eq!(rows.clone().normalized_on(threads).unwrap(), scaled);
        }
        assert_eq!(Matrix::zeros(0, 0).normalized_on(2).unwrap().rows(), 0);
    }

    #[test]
    fn a_matrix_may_have_no_rows() {
        assert_eq!(Matrix::from_rows(5, &[]).rows(), 0);
        assert_eq!(Matrix::zeros(0, 5).padded().len(), 0);
        assert_eq!(Matrix::zeros(0, 5).view().dim(), (0, 5));
    }

    #[test]
    fn probabilities_are_read_row_by_row() {
        let probabilities = Probabilities::from_values(3, vec![0.2, 0.5, 0.3, 0.4, 0.2, 0.4]);
        assert_eq!((probabilities.rows(), probabilities.classes()), (2, 3));
        assert_eq!(probabilities.row(1), [0.4, 0.2, 0.4]);
        assert!(probabilities.predicted().eq([1, 0]));
        assert_eq!(probabilities.view()[[0, 2]], 0.3);
        assert!(probabilities.into_iter().eq((0..2).map(|row| probabilities.row(row))));
        assert_eq!(Probabilities::from_values(3, vec![]).iter().len(), 0);
    }
}
