//! Principal components of rows, whitened: as many numbers for each row as asked for, of variance one and without
//! correlation over the train rows (Turk and Pentland 1991 call those of faces eigenfaces). The only door to
//! `linfa-reduction`.

use super::fit::Rows;
use super::kernel::Example;
use crate::error::{Error, Kind, Result};
use crate::matrix::Matrix;
use linfa::DatasetBase;
use linfa::traits::{Fit, Predict};
use linfa_reduction::Pca;
use ndarray::Array2;

/// `count` whitened principal components of the rows of `train`, for every row of its matrix: `[rows, count]`.
///
/// # Errors
/// [`Kind::Usage`] when there are fewer train rows, or numbers in each, than components; [`Kind::Run`] when the search
/// fails.
pub fn components(train: Rows, count: usize) -> Result<Matrix> {
    let (width, rows) = (train.features.width(), train.examples.len());
    if count == 0 || count >= width.min(rows) {
        let message = format!("{count} components cannot be had from {rows} rows of {width} numbers");
        return Err(Error::new(Kind::Usage, message)
            .help(format!("ask for at least 1 and fewer than {}", width.min(rows))));
    }
    let row = |example: &Example| train.features.row(example.row as usize);
    let fitted = Pca::params(count)
        .whiten(true)
        .fit(&DatasetBase::from(table(width, train.examples.iter().map(row))))
        .map_err(|e| Error::new(Kind::Run, "the principal components cannot be found").because(e))?;
    let all = table(width, (0..train.features.rows()).map(|row| train.features.row(row)));
    let projected = fitted.predict(&all);
    let values: Vec<f32> = projected.iter().map(|&value| value as f32).collect();
    match projected.ncols() == count && values.iter().all(|value| value.is_finite()) {
        true => Ok(Matrix::from_rows(count, &values)),
        false => Err(Error::new(Kind::Run, format!("the rows do not have {count} principal components"))
            .help("ask for fewer")),
    }
}

fn table<'a>(width: usize, rows: impl Iterator<Item = &'a [f32]>) -> Array2<f64> {
    let values: Vec<f64> = rows.flatten().map(|&value| f64::from(value)).collect();
    Array2::from_shape_vec((values.len() / width.max(1), width), values).expect("rows of this width")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn components_are_white_over_the_train_rows() {
        let mut rng = Rng::new(3, 0);
        // Four directions of different strength, mixed into eight numbers.
        let mix: Vec<f32> = (0..32).map(|_| rng.normal()).collect();
        let row = |rng: &mut Rng| -> Vec<f32> {
            let hidden: Vec<f32> = (1..=4).map(|i| i as f32 * rng.normal()).collect();
            (0..8).map(|j| (0..4).map(|i| hidden[i] * mix[i * 8 + j]).sum::<f32>() + 5.0).collect()
        };
        let values: Vec<f32> = (0..60).flat_map(|_| row(&mut rng)).collect();
        let features = Matrix::from_rows(8, &values);
        let examples: Vec<Example> = (0..40).map(|row| Example { row, target: 0 }).collect();
        let found = components(Rows { features: &features, examples: &examples }, 3).unwrap();
        assert_eq!((found.rows(), found.width()), (60, 3));
        for (a, b) in [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)] {
            let product = |row| f64::from(found.row(row)[a]) * f64::from(found.row(row)[b]);
            let covariance = (0..40).map(product).sum::<f64>() / 39.0;
            let expected = f64::from(u8::from(a == b));
            assert!((covariance - expected).abs() < 1e-3, "{a} {b}: {covariance}");
        }
        let rows = Rows { features: &features, examples: &examples };
        assert!(components(rows, 8).is_err() && components(rows, 0).is_err());
    }
}
