//! Open-set rejection: how far features lie from the known classes. Which distance is too far is decided from the
//! distances of held-out images, which the file of the measure keeps.

use super::eigenvectors::eigenvectors;
use super::labelled_features::{Example, LabelledFeatures};
use super::nearest_mean::{DistanceWeights, Means};
use crate::error::{Error, Kind, Result};
use crate::io::fs;
use crate::io::safetensors::{FloatTensor, Tensor, TensorData, decode_tensors, encode_tensors};
use crate::math::random::Rng;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use std::path::Path;

/// The Mahalanobis distance to the nearest class mean. The covariance is shared by all classes (Lee et al. 2018, NeurIPS)
/// and shrunk half-way to a multiple of the identity (as in Ledoit and Wolf 2004, with a fixed weight).
///
/// With S the covariance of the rows around the means of their classes, and m the mean of its diagonal, the distance of x
/// to the mean c is sqrt((x - c)' M (x - c)), where the inverse of M is 1/2 m I + 1/2 Q V Q'. Q holds the
/// [`DIRECTIONS`] directions of largest variance, and V the variances along them; in all other directions S counts as
/// zero. This keeps the file small, and works with fewer images than features.
#[derive(Debug, Clone, PartialEq)]
pub struct MahalanobisDistance {
    /// `[classes, width]`. The row of a class without train rows is NaN: no distance is measured from it.
    means: Array2<f32>,
    /// Q', orthonormal rows: `[directions, width]`.
    directions: Array2<f32>,
    /// The diagonal of V: `[directions]`.
    variances: Array1<f32>,
    /// m.
    mean_variance: f32,
}

/// A distance measure with the distances of a run's held-out images.
#[derive(Debug, Clone, PartialEq)]
pub struct RejectionDistances {
    /// The measure.
    pub distance: MahalanobisDistance,
    /// Distances of the validation images, in the order of their digests.
    pub validation: Vec<f32>,
    /// Distances of the test images, in the order of their digests.
    pub test: Vec<f32>,
}

/// The squared distance of x from each class as a quadratic form: |x|^2 `inverse` - sum of `shrink` (Q' x)^2 - `linear`' x +
/// `constants`, in float64. A class without train rows is left out.
#[derive(Debug, Clone, PartialEq)]
pub struct QuadraticForm {
    /// Weight of the squared length.
    pub inverse: f64,
    /// Q, `[width, directions]` row after row.
    pub directions: Vec<f64>,
    /// What the squared coordinates along the directions weigh less, `[directions]`.
    pub shrink: Vec<f64>,
    /// `[width, classes]` row after row.
    pub linear: Vec<f64>,
    /// `[classes]`.
    pub constants: Vec<f64>,
}

impl QuadraticForm {
    /// Number of features.
    pub fn width(&self) -> usize {
        self.linear.len() / self.constants.len().max(1)
    }
}

/// Maximum number of directions with a variance of their own.
pub const DIRECTIONS: usize = 64;

/// Rounds of subspace iteration. More rounds changed no rejection rate that was measured.
const ROUNDS: usize = 5;

/// Maximum number of rows that directions and variances are computed from. Of more rows, this many that are evenly spaced
/// are used.
const MAX_ROWS: usize = 8192;

/// Rows that are multiplied at once.
const BLOCK: usize = 256;

impl MahalanobisDistance {
    /// Fits means and covariance to labelled rows of `classes` classes. A class without rows is left out of the measure.
    /// The same rows give the same bits.
    ///
    /// # Panics
    /// If a target is not below `classes`.
    pub fn fit(rows: LabelledFeatures, classes: usize) -> Self {
        let width = rows.features.width();
        let means = means(rows, classes);
        let every = rows.examples.len().div_ceil(MAX_ROWS).max(1);
        let examples: Vec<Example> = rows.examples.iter().step_by(every).copied().collect();
        let rows = LabelledFeatures { examples: &examples, ..rows };
        let directions = principal(directions(rows, &means), rows, &means);
        let (mut along, mut total) = (Array1::<f64>::zeros(directions.nrows()), 0.0);
        for block in centred_blocks(rows, &means) {
            let squares = block.dot(&directions.t()).mapv(|v| f64::from(v).powi(2));
            along += &squares.sum_axis(Axis(0));
            total += block.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>();
        }
        let n = examples.len().max(1) as f64;
        let variances = along.mapv(|sum| (sum / n) as f32);
        // Above zero, so that identical rows do not make every other row infinitely far.
        let mean_variance = (total / n / width.max(1) as f64) as f32;
        Self { means, directions, variances, mean_variance: mean_variance.max(f32::MIN_POSITIVE) }
    }

    /// Number of features.
    pub fn width(&self) -> usize {
        self.means.ncols()
    }

    /// Computes the distances of feature rows, `[rows, width]` row after row, to the nearest class mean.
    ///
    /// # Panics
    /// If `features` is not a whole number of rows.
    pub fn of(&self, features: &[f32]) -> Vec<f32> {
        let shape = (features.len() / self.width().max(1), self.width());
        let rows = ArrayView2::from_shape(shape, features).expect("a whole number of rows");
        self.known_means().nearest(rows, self.along_directions(rows).view())
    }

    /// Computes the distances of some rows of a matrix to the nearest class mean, in the order of the examples. Their
    /// targets are not looked at.
    ///
    /// # Panics
    /// If the matrix has another width than the measure.
    pub fn of_rows(&self, rows: LabelledFeatures) -> Vec<f32> {
        let means = self.known_means();
        let blocks = rows.examples.chunks(BLOCK).flat_map(|examples| {
            let values = LabelledFeatures { examples, ..rows }.feature_rows().flatten();
            let block = Array2::from_shape_vec((examples.len(), self.width()), values.copied().collect());
            let block = block.expect("rows of the measure's width");
            means.nearest(block.view(), self.along_directions(block.view()).view())
        });
        blocks.collect()
    }

    /// Writes the squares of the distances out.
    pub fn quadratic_form(&self) -> QuadraticForm {
        let DistanceWeights { inverse, less: shrink } = self.weights();
        let is_known = |mean: &ArrayView1<f32>| mean.iter().all(|value| value.is_finite());
        let known: Vec<_> = self.means.rows().into_iter().filter(is_known).collect();
        let means =
            Array2::from_shape_fn((known.len(), self.width()), |(class, i)| f64::from(known[class][i]));
        let directions = self.directions.mapv(f64::from);
        // M c for each mean c.
        let along = means.dot(&directions.t()) * &shrink;
        let products = &means * inverse - along.dot(&directions);
        let constants = (&products * &means).sum_axis(Axis(1));
        QuadraticForm {
            inverse,
            directions: directions.t().iter().copied().collect(),
            shrink: shrink.to_vec(),
            linear: products.t().iter().map(|value| 2.0 * value).collect(),
            constants: constants.to_vec(),
        }
    }

    /// The weight of squared differences, and how much less those along the directions weigh.
    fn weights(&self) -> DistanceWeights {
        let rest = 0.5 * f64::from(self.mean_variance);
        let less = self.variances.mapv(|v| 1.0 / rest - 1.0 / (0.5 * f64::from(v) + rest));
        DistanceWeights { inverse: 1.0 / rest, less }
    }

    /// The coordinates of rows along the directions, `[rows, directions]`.
    fn along_directions(&self, rows: ArrayView2<f32>) -> Array2<f32> {
        rows.dot(&self.directions.t())
    }

    /// The means, ready for distances from them.
    fn known_means(&self) -> Means<'_> {
        Means::new(self.means.view(), self.along_directions(self.means.view()), self.weights())
    }
}

/// The mean row of each class, `[classes, width]`.
fn means(rows: LabelledFeatures, classes: usize) -> Array2<f32> {
    let mut sums = Array2::<f64>::zeros((classes, rows.features.width()));
    let mut counts = vec![0usize; classes];
    for (row, class) in rows.feature_rows().zip(rows.targets()) {
        counts[class] += 1;
        for (sum, &value) in sums.row_mut(class).iter_mut().zip(row) {
            *sum += f64::from(value);
        }
    }
    for (mut sum, count) in sums.rows_mut().into_iter().zip(counts) {
        sum /= count as f64;
    }
    sums.mapv(|mean| mean as f32)
}

/// The rows minus the means of their classes, block by block.
fn centred_blocks<'a>(
    rows: LabelledFeatures<'a>,
    means: &'a Array2<f32>,
) -> impl Iterator<Item = Array2<f32>> + 'a {
    rows.examples.chunks(BLOCK).map(move |examples| {
        let rows = LabelledFeatures { examples, ..rows };
        let mut block = Array2::zeros((examples.len(), means.ncols()));
        for ((mut to, row), class) in
            block.rows_mut().into_iter().zip(rows.feature_rows()).zip(rows.targets())
        {
            let centred = row.iter().zip(means.row(class)).map(|(value, mean)| value - mean);
            to.iter_mut().zip(centred).for_each(|(to, value)| *to = value);
        }
        block
    })
}

/// Orthonormal directions of largest variance around the class means, by subspace iteration from a fixed start (Golub and
/// Van Loan 2013, *Matrix Computations*, section 8.2.4). There are fewer than [`DIRECTIONS`] if the rows vary in fewer.
fn directions(rows: LabelledFeatures, means: &Array2<f32>) -> Array2<f32> {
    let mut rng = Rng::new(0, 2);
    let count = DIRECTIONS.min(means.ncols());
    let mut found = orthonormal(Array2::from_shape_simple_fn((count, means.ncols()), || rng.normal()));
    for _ in 0..ROUNDS {
        let mut next = Array2::zeros(found.dim());
        for block in centred_blocks(rows, means) {
            next += &found.dot(&block.t()).dot(&block);
        }
        found = orthonormal(next);
    }
    found
}

/// Turns directions within the space that they span so that the rows are uncorrelated along them (the Rayleigh-Ritz step of
/// the same source), the largest variance first: Q V Q' is then the covariance within that space.
fn principal(directions: Array2<f32>, rows: LabelledFeatures, means: &Array2<f32>) -> Array2<f32> {
    let mut covariance = Array2::<f64>::zeros((directions.nrows(), directions.nrows()));
    for block in centred_blocks(rows, means) {
        let along = block.dot(&directions.t()).mapv(f64::from);
        covariance += &along.t().dot(&along);
    }
    match eigenvectors(&covariance) {
        Some((_, vectors)) => vectors.t().mapv(|value| value as f32).dot(&directions),
        // The directions are nearly principal.
        None => directions,
    }
}

/// Orthonormalizes rows by the Gram-Schmidt process, twice for each row so that float32 is precise enough. Rows that
/// depend on earlier ones are left out.
fn orthonormal(rows: Array2<f32>) -> Array2<f32> {
    let mut kept = Array2::<f32>::zeros((0, rows.ncols()));
    for row in rows.rows() {
        let length = row.dot(&row).sqrt();
        let mut left = row.mapv(|value| value / length);
        for _ in 0..2 {
            let shares = kept.dot(&left);
            // Row after row, because a product from the left goes through memory column by column.
            shares.iter().zip(kept.rows()).for_each(|(share, axis)| left.scaled_add(-share, &axis));
        }
        let remaining = left.dot(&left).sqrt();
        if remaining > 1e-4 {
            left /= remaining;
            kept.push_row(left.view()).expect("rows of one width");
        }
    }
    kept
}

/// Writes `reject.safetensors` atomically, with the float32 tensors `means`, `directions`, `variances`, `mean_variance`,
/// `validation` and `test`.
///
/// # Errors
/// [`Kind::Io`] if the file cannot be written.
pub fn save(path: &Path, distances: &RejectionDistances) -> Result<()> {
    let RejectionDistances { distance, validation, test } = distances;
    let flat = |matrix: &Array2<f32>| matrix.iter().copied().collect::<Vec<f32>>();
    let (means, directions) = (flat(&distance.means), flat(&distance.directions));
    let variances = distance.variances.to_vec();
    let shape = |matrix: &Array2<f32>| matrix.shape().to_vec();
    let mean_variance = [distance.mean_variance];
    let tensor = |name, shape, values| Tensor { name, shape, values: TensorData::Float32(values) };
    let tensors = [
        tensor("directions", shape(&distance.directions), &directions),
        tensor("mean_variance", vec![1], &mean_variance[..]),
        tensor("means", shape(&distance.means), &means),
        tensor("test", vec![test.len()], test),
        tensor("validation", vec![validation.len()], validation),
        tensor("variances", vec![variances.len()], &variances),
    ];
    fs::write_atomic(path, &encode_tensors(&tensors, String::new()))
}

/// Decodes the bytes of the file that [`save`] writes; `path` is for messages.
///
/// # Errors
/// [`Kind::Run`] if they are damaged or something else.
pub fn decode(bytes: &[u8], path: &Path) -> Result<RejectionDistances> {
    let damaged = |why: String| {
        Error::new(Kind::Run, "not a file of rejection distances").at(path).because(why).help("train again")
    };
    let mut arrays = decode_tensors(bytes).map_err(damaged)?.tensors;
    let mut take = |name: &str, rank: usize| match arrays.remove(name) {
        Some(array) if array.shape.len() == rank => Ok(array),
        _ => Err(damaged(format!("it holds no float32 {name} of {rank} dimensions"))),
    };
    let matrix = |array: FloatTensor| {
        let view = ArrayView2::from_shape((array.shape[0], array.shape[1]), &array.values);
        view.map(|view| view.to_owned()).map_err(|e| damaged(e.to_string()))
    };
    let (means, directions) = (matrix(take("means", 2)?)?, matrix(take("directions", 2)?)?);
    let variances: Array1<f32> = take("variances", 1)?.values.into();
    let mean_variance = take("mean_variance", 1)?.values.first().copied().unwrap_or(0.0);
    let (validation, test) = (take("validation", 1)?.values, take("test", 1)?.values);
    let fits = directions.dim() == (variances.len(), means.ncols()) && means.nrows() > 0;
    if !(fits && mean_variance > 0.0 && variances.iter().all(|&v| v >= 0.0)) {
        return Err(damaged("means, directions and variances do not fit together".into()));
    }
    let distance = MahalanobisDistance { means, directions, variances, mean_variance };
    Ok(RejectionDistances { distance, validation, test })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::matrix::Matrix;

    /// Two classes around (0, ...) and (9, ...), three times as wide along the second feature as along the others.
    fn rows(n: usize, width: usize) -> Vec<(Vec<f32>, usize)> {
        let mut rng = Rng::new(1, 0);
        let mut row = |class: usize| {
            let value = |i: usize| rng.normal() * if i == 1 { 3.0 } else { 1.0 };
            (0..width).map(value).map(|v| v + 9.0 * class as f32).collect::<Vec<f32>>()
        };
        (0..n).map(|i| (row(i % 2), i % 2)).collect()
    }

    fn fit(rows: &[(Vec<f32>, usize)], width: usize) -> MahalanobisDistance {
        let values: Vec<f32> = rows.iter().flat_map(|(row, _)| row.iter().copied()).collect();
        let example = |(row, (_, class)): (u32, &(Vec<f32>, usize))| Example { row, target: *class as u32 };
        let examples: Vec<Example> = (0..).zip(rows).map(example).collect();
        let features = Matrix::from_rows(width, &values);
        MahalanobisDistance::fit(LabelledFeatures { features: &features, examples: &examples }, 2)
    }

    #[test]
    fn the_distance_follows_the_covariance_of_the_classes() {
        let distance = fit(&rows(1000, 3), 3);
        // The covariance is about diag(1, 9, 1), m = 11/3; the shrunk one diag(7/3, 19/3, 7/3).
        let mean = distance.means.row(1).to_vec();
        let moved = |i: usize, by: f32| {
            let mut row = mean.clone();
            row[i] += by;
            distance.of(&row)[0]
        };
        for (i, variance) in [(0, 7.0 / 3.0), (1, 19.0 / 3.0), (2, 7.0 / 3.0)] {
            let expected = (4.0f32 / variance).sqrt();
            assert!((moved(i, 2.0) / expected - 1.0).abs() < 0.06, "{i}: {} {expected}", moved(i, 2.0));
        }
        assert!(moved(0, 0.0) < 1e-2);
        let all: Vec<f32> = rows(300, 3).into_iter().flat_map(|(row, _)| row).collect();
        let examples: Vec<_> = (0..300).map(|row| Example { row, target: 0 }).collect();
        let features = Matrix::from_rows(3, &all);
        assert_eq!(
            distance.of_rows(LabelledFeatures { features: &features, examples: &examples }),
            distance.of(&all)
        );
        let form = distance.quadratic_form();
        for (row, expected) in all.chunks_exact(3).zip(distance.of(&all)) {
            let row: Vec<f64> = row.iter().map(|&value| f64::from(value)).collect();
            let dot = |weights: &[f64], step: usize, at: usize| -> f64 {
                row.iter().enumerate().map(|(i, value)| value * weights[i * step + at]).sum()
            };
            let along: f64 = (0..3).map(|i| form.shrink[i] * dot(&form.directions, 3, i).powi(2)).sum();
            let own = form.inverse * row.iter().map(|value| value * value).sum::<f64>() - along;
            let of_class = |class: usize| own - dot(&form.linear, 2, class) + form.constants[class];
            let found = of_class(0).min(of_class(1)).max(0.0).sqrt();
            assert!((found - f64::from(expected)).abs() < 1e-4, "{found} {expected}");
        }
        let gram = distance.directions.dot(&distance.directions.t());
        assert!((&gram - &Array2::<f32>::eye(3)).iter().all(|off| off.abs() < 1e-5), "{gram}");
    }

    #[test]
    fn of_many_classes_the_nearest_is_found_as_by_comparing_all() {
        let mut rng = Rng::new(9, 0);
        let (classes, width) = (300, 40);
        let mut noise =
            |n: usize, size: f32| (0..n).map(|_| 20.0 + size * rng.normal()).collect::<Vec<f32>>();
        let means = Array2::from_shape_vec((classes, width), noise(classes * width, 0.02)).unwrap();
        let mut distance = fit(&rows(300, width), width);
        distance.means = means;
        // One class has no rows.
        distance.means.row_mut(7).fill(f32::NAN);
        let every: Vec<MahalanobisDistance> = (0..classes)
            .map(|class| MahalanobisDistance {
                means: distance.means.select(Axis(0), &[class]),
                ..distance.clone()
            })
            .collect();
        let near: Vec<f32> = (0..50).flat_map(|class| distance.means.row(class * 5).to_vec()).collect();
        for values in
            [noise(100 * width, 0.02), noise(100 * width, 1.0), near, vec![3e19; width], vec![0.0; width]]
        {
            for (row, found) in values.chunks_exact(width).zip(distance.of(&values)) {
                let expected = every.iter().map(|one| one.of(row)[0]).fold(f32::INFINITY, f32::min);
                assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn known_rows_are_rejected_at_the_requested_rate_and_others_always() {
        use crate::metrics::ConformalCalibration;
        let distance = fit(&rows(300, 20), 20);
        // One stream of exchangeable rows, which the fit has not seen.
        let all: Vec<f32> = rows(20_000, 20).split_off(300).into_iter().flat_map(|(row, _)| row).collect();
        let distances = distance.of(&all);
        let (alpha, held_out, others) = (0.1, 49, 100);
        let (mut unknown, mut judged) = (0, 0);
        for part in distances.chunks_exact(held_out + others) {
            let threshold = ConformalCalibration::new(part[..held_out].to_vec()).threshold(alpha).unwrap();
            unknown += part[held_out..].iter().filter(|&&far| far > threshold).count();
            judged += others;
        }
        let rate = unknown as f64 / judged as f64;
        // Rows judged by one threshold err together: the variance of a share of Beta(5, 45) and of 100 draws from it.
        let trials = judged as f64 / others as f64;
        let deviation = ((0.1 * 0.9 / 51.0 + 0.1 * 0.9 / others as f64) / trials).sqrt();
        assert!((rate - alpha).abs() < 3.0 * deviation, "{rate} +- {deviation}");
        let other = distance.of(&[40.0; 20])[0];
        assert!(distances.iter().all(|known| *known < other));
    }

    #[test]
    fn rows_are_uncorrelated_along_the_directions() {
        // Features that are correlated with their neighbours.
        let mixed: Vec<(Vec<f32>, usize)> = rows(400, 90)
            .into_iter()
            .map(|(row, class)| ((0..90).map(|i| row[i] + 0.8 * row[(i + 1) % 90]).collect(), class))
            .collect();
        let distance = fit(&mixed, 90);
        assert_eq!(distance.directions.nrows(), DIRECTIONS);
        let mut covariance = Array2::<f64>::zeros((DIRECTIONS, DIRECTIONS));
        for (row, class) in &mixed {
            let centred = Array1::from(row.clone()) - distance.means.row(*class);
            let along = distance.directions.dot(&centred).mapv(f64::from);
            for ((i, j), value) in covariance.indexed_iter_mut() {
                *value += along[i] * along[j] / 400.0;
            }
        }
        for ((i, j), value) in covariance.indexed_iter() {
            let scale = (covariance[[i, i]] * covariance[[j, j]]).sqrt();
            assert!(i == j || value.abs() < 1e-4 * scale, "{i} {j}: {value} of {scale}");
        }
        let variances = distance.variances.to_vec();
        assert!(variances.is_sorted_by(|a, b| a >= b), "{variances:?}");
    }

    #[test]
    fn a_class_without_rows_is_near_nothing() {
        let one: Vec<_> = rows(40, 5).into_iter().filter(|(_, class)| *class == 1).collect();
        let distance = fit(&one, 5);
        // The origin is where an empty class would have had its mean.
        assert!(distance.of(&[0.0; 5])[0] > 5.0, "{:?}", distance.of(&[0.0; 5]));
        assert!(distance.of(&[9.0; 5])[0] < 1.0);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("reject.safetensors");
        save(&path, &RejectionDistances { distance: distance.clone(), validation: vec![], test: vec![] })
            .unwrap();
        let read = decode(&std::fs::read(&path).unwrap(), &path).unwrap().distance;
        assert_eq!(read.of(&[0.0; 5]), distance.of(&[0.0; 5]));
    }

    #[test]
    fn identical_rows_give_finite_distances() {
        let alike: Vec<(Vec<f32>, usize)> = (0..8).map(|i| (vec![(i % 2) as f32; 4], i % 2)).collect();
        let distance = fit(&alike, 4);
        assert_eq!(distance.directions.nrows(), 0);
        let far = distance.of(&[1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5]);
        assert!(far[0] == 0.0 && far[1] > 1e9, "{far:?}");
        // Two rows vary in one direction only.
        let mut two = alike;
        two[0].0[2] = 0.5;
        assert_eq!(fit(&two, 4).directions.nrows(), 1);
    }

    #[test]
    fn distances_are_read_as_written_and_a_damaged_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("reject.safetensors");
        let distance = fit(&rows(100, 40), 40);
        assert_eq!(distance, fit(&rows(100, 40), 40));
        let distances = RejectionDistances { distance, validation: vec![1.0, 2.0], test: vec![] };
        save(&path, &distances).unwrap();
        assert_eq!(decode(&std::fs::read(&path).unwrap(), &path).unwrap(), distances);
        let whole = std::fs::read(&path).unwrap();
        for cut in [0, 7, 60, whole.len() - 4] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert_eq!(
                decode(&std::fs::read(&path).unwrap(), &path).unwrap_err().kind(),
                Kind::Run,
                "{cut} bytes"
            );
        }
        let zero = MahalanobisDistance { mean_variance: 0.0, ..distances.distance.clone() };
        save(&path, &RejectionDistances { distance: zero, ..distances }).unwrap();
        assert!(
            decode(&std::fs::read(&path).unwrap(), &path)
                .unwrap_err()
                .with_causes()
                .contains("do not fit together")
        );
    }
}
