//! The nearest neighbour: the class of the train row at the least Euclidean distance, the plainest use of features. The
//! only door to `linfa-nn`.

use super::fit::Rows;
use super::kernel::Example;
use crate::error::{Error, Kind, Result};
use linfa_nn::distance::L2Dist;
use linfa_nn::{LinearSearch, NearestNeighbour};
use ndarray::{Array2, ArrayView1};

/// For each row of `asked` the target of the train row that is nearest to it.
///
/// # Errors
/// [`Kind::Run`] when there are no train rows.
pub fn nearest(train: Rows, asked: Rows) -> Result<Vec<u32>> {
    if train.examples.is_empty() {
        return Err(Error::new(Kind::Run, "there are no train rows"));
    }
    let failed = |e: &dyn std::fmt::Display| {
        Error::new(Kind::Run, "the nearest neighbours cannot be found").because(e.to_string())
    };
    let row = |example: &Example| train.features.row(example.row as usize);
    let values: Vec<f32> = train.examples.iter().flat_map(row).copied().collect();
    let batch = Array2::from_shape_vec((train.examples.len(), train.features.width()), values)
        .expect("rows of this width");
    let index = LinearSearch::new().from_batch(&batch, L2Dist).map_err(|e| failed(&e))?;
    let target = |example: &Example| {
        let point = ArrayView1::from(asked.features.row(example.row as usize));
        let found = index.k_nearest(point, 1).map_err(|e| failed(&e))?;
        Ok(train.examples[found[0].1].target)
    };
    asked.examples.iter().map(target).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::Matrix;

    #[test]
    fn the_nearest_row_gives_the_class() {
        let features = Matrix::from_rows(2, &[0.0, 0.0, 10.0, 0.0, 0.0, 10.0, 1.0, 2.0, 8.0, 1.0]);
        let rows = |targets: &[u32], from: u32| -> Vec<Example> {
            (from..).zip(targets).map(|(row, &target)| Example { row, target }).collect()
        };
        let (train, asked) = (rows(&[7, 8, 9], 0), rows(&[0, 0], 3));
        let of = |examples| Rows { features: &features, examples };
        assert_eq!(nearest(of(&train), of(&asked)).unwrap(), [7, 8]);
        assert!(nearest(of(&[]), of(&asked)).is_err());
    }
}
