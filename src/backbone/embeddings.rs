//! The output of a network for a batch of images. Values that are no numbers cannot get past it.

use crate::error::{Error, Kind, Result};
use std::ops::Range;

/// Features of a batch of images, one row per image. A row is handed out only when all of its values are finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Embeddings {
    width: usize,
    values: Vec<f32>,
}

/// A network gave infinite or undefined values for an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotFinite;

impl Embeddings {
    /// Takes the output of a network, row by row, `[images, width]`.
    pub fn new(width: usize, values: Vec<f32>) -> Self {
        Self { width, values }
    }

    /// The features of each image, in order.
    pub fn rows(&self) -> impl Iterator<Item = std::result::Result<&[f32], NotFinite>> {
        let check = |row: &[f32]| row.iter().all(|value| value.is_finite());
        self.values
            .chunks_exact(self.width.max(1))
            .map(move |row| if check(row) { Ok(row) } else { Err(NotFinite) })
    }

    /// Returns the features at `columns` of each row, such as those of one of several layers.
    #[must_use]
    pub fn columns(&self, columns: Range<usize>) -> Self {
        let rows = self.values.chunks_exact(self.width.max(1));
        let values = rows.flat_map(|row| &row[columns.clone()]).copied().collect();
        Self { width: columns.len(), values }
    }

    /// All features, row by row.
    ///
    /// # Errors
    /// [`Kind::Backbone`] when a value is not finite; the message numbers the image from 1.
    pub fn into_finite(self) -> Result<Vec<f32>> {
        let first = self.rows().position(|row| row.is_err());
        match first {
            None => Ok(self.values),
            Some(image) => Err(Error::new(
                Kind::Backbone,
                format!("the network gave values that are no numbers for image {}", image + 1),
            )
            .help("use another `layer` or `preprocess`, or another network")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_with_a_value_that_is_no_number_is_not_handed_out() {
        let good = Embeddings::new(2, vec![1.0, 2.0, 3.0, 4.0]);
        assert_eq!(good.clone().into_finite().unwrap(), [1.0, 2.0, 3.0, 4.0]);
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let some = Embeddings::new(2, vec![1.0, 2.0, 3.0, bad, 5.0, 6.0]);
            let rows: Vec<_> = some.rows().collect();
            assert_eq!(rows, [Ok(&[1.0, 2.0][..]), Err(NotFinite), Ok(&[5.0, 6.0][..])]);
            assert_eq!(some.columns(0..1).into_finite().unwrap(), [1.0, 3.0, 5.0], "the other column is bad");
            assert!(some.into_finite().unwrap_err().to_string().contains("image 2"));
        }
    }
}
