//! Whitened principal components, for a baseline on pixels (eigenfaces: Turk and Pentland 1991) and for maps of features.

use super::eigenvectors::eigenvectors;
use super::labelled_features::LabelledFeatures;
use super::principal_axes::principal_axes;
use super::standardize::RunningMoments;
use crate::error::{Error, Kind, Result};
use crate::math::matrix::Matrix;
use ndarray::{Array2, s};

/// Steps of the iteration that finds the axes. An axis that is wanted comes nearer to its principal component with each step by
/// the ratio of its variance to that of the first axis that is left out.
const STEPS: usize = 12;

/// A component with a smaller share of the largest variance is rounding.
const LEAST_VARIANCE: f64 = 2e-10;

/// Computes `count` whitened principal components: fits them to the rows of `train`, and returns those of every row of its
/// matrix, `[rows, count]`. Over the train rows each component has variance 1, and no two are correlated.
///
/// More axes than are wanted are found by orthogonal iteration; the components lie in the space that they span (the Rayleigh-Ritz
/// procedure: Golub and Van Loan 2013, *Matrix Computations*, section 8.2).
///
/// # Errors
/// [`Kind::Usage`] if `count` is 0, or not below both the number of train rows and the number of features; [`Kind::Run`] if
/// the rows vary in fewer directions; [`Kind::Limit`] when the system grants no thread.
pub fn principal_components(train: LabelledFeatures, count: usize, threads: usize) -> Result<Matrix> {
    let (width, rows) = (train.features.width(), train.examples.len());
    if count == 0 || count >= width.min(rows) {
        let message = format!("{rows} rows of {width} features do not have {count} principal components");
        return Err(Error::new(Kind::Usage, message)
            .help(format!("ask for at least 1 and fewer than {}", width.min(rows))));
    }
    let mut moments = RunningMoments::new(width);
    train.feature_rows().for_each(|row| moments.add(row));
    let fitted = centred(moments.mean(), train.feature_rows());
    let axes = principal_axes(&fitted, (2 * count + 16).min(width), STEPS, threads)?;
    let along = |centred: &Matrix| centred.view().dot(&axes.view().t()).mapv(f64::from);
    let of_train = along(&fitted);
    let covariance = of_train.t().dot(&of_train) / (rows - 1) as f64;
    let too_many = || {
        Error::new(Kind::Run, format!("the rows do not have {count} principal components"))
            .help("ask for fewer")
    };
    let (variances, vectors) = eigenvectors(&covariance).ok_or_else(too_many)?;
    let is_there = variances[count - 1] > LEAST_VARIANCE * variances[0] && variances[0].is_finite();
    if !is_there {
        return Err(too_many());
    }
    let deviations = variances.slice(s![..count]).mapv(f64::sqrt);
    let whitening: Array2<f64> = &vectors.slice(s![.., ..count]) / &deviations;
    let all = centred(moments.mean(), (0..train.features.rows()).map(|row| train.features.row(row)));
    let values: Vec<f32> = along(&all).dot(&whitening).iter().map(|&value| value as f32).collect();
    Ok(Matrix::from_rows(count, &values))
}

/// The rows less the mean.
fn centred<'a>(mean: &[f64], rows: impl Iterator<Item = &'a [f32]>) -> Matrix {
    let less_mean =
        |row: &'a [f32]| row.iter().zip(mean).map(|(&value, mean)| (f64::from(value) - mean) as f32);
    Matrix::from_rows(mean.len(), &rows.flat_map(less_mean).collect::<Vec<f32>>())
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
        let found = principal_components(LabelledFeatures { features: &features, examples: &examples }, 3, 1)
            .unwrap();
        assert_eq!((found.rows(), found.width()), (60, 3));
        for (a, b) in [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)] {
            let product = |row| f64::from(found.row(row)[a]) * f64::from(found.row(row)[b]);
            let covariance = (0..40).map(product).sum::<f64>() / 39.0;
            let expected = f64::from(u8::from(a == b));
            assert!((covariance - expected).abs() < 1e-3, "{a} {b}: {covariance}");
        }
        let rows = LabelledFeatures { features: &features, examples: &examples };
        assert!(principal_components(rows, 8, 1).is_err() && principal_components(rows, 0, 1).is_err());
    }

    #[test]
    fn rows_that_vary_in_fewer_directions_are_refused() {
        let mut rng = Rng::new(4, 0);
        let values: Vec<f32> =
            (0..40).flat_map(|_| [rng.normal(), rng.normal()]).flat_map(|v| [v, -v, 2.0 * v]).collect();
        let features = Matrix::from_rows(6, &values);
        let examples: Vec<Example> = (0..40).map(|row| Example { row, target: 0 }).collect();
        let rows = LabelledFeatures { features: &features, examples: &examples };
        assert!(principal_components(rows, 2, 1).is_ok());
        assert_eq!(principal_components(rows, 3, 1).unwrap_err().kind(), Kind::Run);
        let same = Matrix::from_rows(6, &[0.5; 240]);
        let rows = LabelledFeatures { features: &same, examples: &examples };
        assert_eq!(principal_components(rows, 1, 1).unwrap_err().kind(), Kind::Run);
    }
}
