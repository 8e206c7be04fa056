//! Whitened principal components, for a baseline on pixels (eigenfaces: Turk and Pentland 1991). The only door to
//! `linfa-reduction`.

use super::labelled_features::LabelledFeatures;
use crate::error::{Error, Kind, Result};
use crate::math::matrix::Matrix;
use linfa::DatasetBase;
use linfa::traits::{Fit, Predict};
use linfa_reduction::Pca;
use ndarray::Array2;

/// Computes `count` whitened principal components: fits them to the rows of `train`, and returns those of every row of its
/// matrix, `[rows, count]`. Over the train rows each component has variance 1, and no two are correlated.
///
/// # Errors
/// [`Kind::Usage`] if `count` is 0, or not below both the number of train rows and the number of features; [`Kind::Run`] if
/// the decomposition fails.
pub fn principal_components(train: LabelledFeatures, count: usize) -> Result<Matrix> {
    let (width, rows) = (train.features.width(), train.examples.len());
    if count == 0 || count >= width.min(rows) {
        let message = format!("{rows} rows of {width} features do not have {count} principal components");
        return Err(Error::new(Kind::Usage, message)
            .help(format!("ask for at least 1 and fewer than {}", width.min(rows))));
    }
    let fitted = Pca::params(count)
        .whiten(true)
        .fit(&DatasetBase::from(array(width, train.feature_rows())))
        .map_err(|e| Error::new(Kind::Run, "the principal components cannot be computed").because(e))?;
    let all = array(width, (0..train.features.rows()).map(|row| train.features.row(row)));
    let projected = fitted.predict(&all);
    let values: Vec<f32> = projected.iter().map(|&value| value as f32).collect();
    match projected.ncols() == count && values.iter().all(|value| value.is_finite()) {
        true => Ok(Matrix::from_rows(count, &values)),
        false => Err(Error::new(Kind::Run, format!("the rows do not have {count} principal components"))
            .help("ask for fewer")),
    }
}

/// The rows as an array of float64, `[rows, width]`.
fn array<'a>(width: usize, rows: impl Iterator<Item = &'a [f32]>) -> Array2<f64> {
    let values: Vec<f64> = rows.flatten().map(|&value| f64::from(value)).collect();
    Array2::from_shape_vec((values.len() / width.max(1), width), values).expect("rows of this width")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::Example;
    use crate::math::random::Rng;

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
        let found =
            principal_components(LabelledFeatures { features: &features, examples: &examples }, 3).unwrap();
        assert_eq!((found.rows(), found.width()), (60, 3));
        for (a, b) in [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)] {
            let product = |row| f64::from(found.row(row)[a]) * f64::from(found.row(row)[b]);
            let covariance = (0..40).map(product).sum::<f64>() / 39.0;
            let expected = f64::from(u8::from(a == b));
            assert!((covariance - expected).abs() < 1e-3, "{a} {b}: {covariance}");
        }
        let rows = LabelledFeatures { features: &features, examples: &examples };
        assert!(principal_components(rows, 8).is_err() && principal_components(rows, 0).is_err());
    }
}
