//! How far a feature row lies from those of the classes: the measure behind the answer `unknown`. It refuses to know what
//! is too far; that is calibrated on held-out images, whose distances its file keeps.

use super::fit::Rows;
use crate::error::{Error, Kind, Result};
use crate::fs;
use crate::rng::Rng;
use crate::tensors::{FloatTensor, Tensor, TensorData, decode_tensors, encode_tensors};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use std::path::Path;

/// The Mahalanobis distance to the nearest class mean, the covariance shared by all classes (Lee et al. 2018, NeurIPS)
/// and shrunk half-way to a multiple of the identity (as in Ledoit and Wolf 2004, with a fixed weight).
///
/// With S the covariance of the rows around the means of their classes, and m the mean of its diagonal, the distance of x
/// to the mean c is sqrt((x - c)' M (x - c)), where the inverse of M is 1/2 m I + 1/2 Q V Q'. Q holds the
/// [`DIRECTIONS`] directions of largest variance, V the variances along them; in the others S counts as zero. So the file
/// stays small, and is of use where there are fewer images than features.
#[derive(Debug, Clone, PartialEq)]
pub struct Distance {
    /// `[classes, width]`.
    means: Array2<f32>,
    /// Q', orthonormal rows: `[directions, width]`.
    directions: Array2<f32>,
    /// The diagonal of V: `[directions]`.
    variances: Array1<f32>,
    /// m.
    mean_variance: f32,
}

/// Distances of a run's images, beside the measure that gave them.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The measure.
    pub distance: Distance,
    /// Distances of the validation images, in the order of their digests.
    pub validation: Vec<f32>,
    /// Distances of the test images, likewise.
    pub test: Vec<f32>,
}

/// The most directions whose variance is known.
pub const DIRECTIONS: usize = 64;

/// Rounds of subspace iteration; more of them changed no rate that was measured.
const ROUNDS: usize = 5;

/// Rows that directions and variances are found from; of more, so many that are evenly spaced.
const MOST_ROWS: usize = 8192;

/// Rows that are looked at together.
const BLOCK: usize = 256;

impl Distance {
    /// Fits means and covariance to rows of `width` features, each with its class. A class without rows has its mean at
    /// the origin. The same rows give the same bits.
    pub fn fit(rows: &[(&[f32], usize)], width: usize, classes: usize) -> Self {
        let means = means(rows, width, classes);
        let every = rows.len().div_ceil(MOST_ROWS).max(1);
        let rows: Vec<_> = rows.iter().step_by(every).copied().collect();
        let directions = directions(&rows, &means);
        let (mut along, mut total) = (Array1::<f64>::zeros(directions.nrows()), 0.0);
        for block in blocks(&rows, &means) {
            let squares = block.dot(&directions.t()).mapv(|v| f64::from(v).powi(2));
            along += &squares.sum_axis(Axis(0));
            total += block.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>();
        }
        let n = rows.len().max(1) as f64;
        let variances = along.mapv(|sum| (sum / n) as f32);
        // Above zero, so that rows which are all alike do not make everything infinitely far.
        let mean_variance = (total / n / width.max(1) as f64) as f32;
        Self { means, directions, variances, mean_variance: mean_variance.max(f32::MIN_POSITIVE) }
    }

    /// Floats in a feature row.
    pub fn width(&self) -> usize {
        self.means.ncols()
    }

    /// The distances of rows of features (`n * width` floats) from the nearest class.
    ///
    /// # Panics
    /// When `features` is not a whole number of rows.
    pub fn of(&self, features: &[f32]) -> Vec<f32> {
        let shape = (features.len() / self.width().max(1), self.width());
        let rows = ArrayView2::from_shape(shape, features).expect("a whole number of rows");
        self.nearest(rows, &self.along(self.means.view()))
    }

    /// The distances of some rows of a matrix, whatever their targets.
    ///
    /// # Panics
    /// When the matrix has another width.
    pub fn of_rows(&self, rows: Rows) -> Vec<f32> {
        let of_means = self.along(self.means.view());
        let blocks = rows.examples.chunks(BLOCK).flat_map(|chunk| {
            let values = chunk.iter().flat_map(|example| rows.features.row(example.row as usize));
            let block = Array2::from_shape_vec((chunk.len(), self.width()), values.copied().collect());
            self.nearest(block.expect("rows of the measure's width").view(), &of_means)
        });
        blocks.collect()
    }

    /// The coordinates of rows along the directions.
    fn along(&self, rows: ArrayView2<f32>) -> Array2<f32> {
        rows.dot(&self.directions.t())
    }

    fn nearest(&self, rows: ArrayView2<f32>, of_means: &Array2<f32>) -> Vec<f32> {
        let rest = 0.5 * f64::from(self.mean_variance);
        let less = self.variances.mapv(|v| 1.0 / rest - 1.0 / (0.5 * f64::from(v) + rest));
        let along = self.along(rows);
        let nearest = rows.rows().into_iter().zip(along.rows()).map(|(row, along)| {
            let means = self.means.rows().into_iter().zip(of_means.rows());
            let from = means.map(|(mean, of_mean)| {
                squares(row, mean, std::iter::repeat(1.0 / rest))
                    - squares(along, of_mean, less.iter().copied())
            });
            from.fold(f64::INFINITY, f64::min).max(0.0).sqrt() as f32
        });
        nearest.collect()
    }
}

/// The weighted sum of the squared differences.
fn squares(a: ArrayView1<f32>, b: ArrayView1<f32>, weights: impl Iterator<Item = f64>) -> f64 {
    a.iter().zip(b).zip(weights).map(|((a, b), weight)| f64::from(a - b).powi(2) * weight).sum()
}

/// The mean row of each class.
fn means(rows: &[(&[f32], usize)], width: usize, classes: usize) -> Array2<f32> {
    let mut sums = Array2::<f64>::zeros((classes, width));
    let mut counts = vec![0usize; classes];
    for (row, class) in rows {
        counts[*class] += 1;
        for (sum, &value) in sums.row_mut(*class).iter_mut().zip(*row) {
            *sum += f64::from(value);
        }
    }
    for (mut sum, count) in sums.rows_mut().into_iter().zip(counts) {
        sum /= count.max(1) as f64;
    }
    sums.mapv(|mean| mean as f32)
}

/// The rows less the means of their classes, some at a time.
fn blocks<'a>(rows: &'a [(&[f32], usize)], means: &'a Array2<f32>) -> impl Iterator<Item = Array2<f32>> + 'a {
    rows.chunks(BLOCK).map(|chunk| {
        let mut block = Array2::zeros((chunk.len(), means.ncols()));
        for (mut to, (row, class)) in block.rows_mut().into_iter().zip(chunk) {
            let centred = row.iter().zip(means.row(*class)).map(|(value, mean)| value - mean);
            to.iter_mut().zip(centred).for_each(|(to, value)| *to = value);
        }
        block
    })
}

/// Orthonormal directions of largest variance around the class means, by subspace iteration from a fixed start (Golub and
/// Van Loan 2013, *Matrix Computations*, section 8.2.4): fewer than [`DIRECTIONS`] where the rows vary in fewer.
fn directions(rows: &[(&[f32], usize)], means: &Array2<f32>) -> Array2<f32> {
    let mut rng = Rng::new(0, 2);
    let most = DIRECTIONS.min(means.ncols());
    let mut found = orthonormal(Array2::from_shape_simple_fn((most, means.ncols()), || rng.normal()));
    for _ in 0..ROUNDS {
        let mut next = Array2::zeros(found.dim());
        for block in blocks(rows, means) {
            next += &found.dot(&block.t()).dot(&block);
        }
        found = orthonormal(next);
    }
    found
}

/// The Gram-Schmidt process, each row twice over so that float32 is enough; rows that depend on earlier ones are left out.
fn orthonormal(rows: Array2<f32>) -> Array2<f32> {
    let mut kept = Array2::<f32>::zeros((0, rows.ncols()));
    for row in rows.rows() {
        let length = row.dot(&row).sqrt();
        let mut left = row.mapv(|value| value / length);
        for _ in 0..2 {
            left -= &kept.dot(&left).dot(&kept);
        }
        let remaining = left.dot(&left).sqrt();
        if remaining > 1e-4 {
            left /= remaining;
            kept.push_row(left.view()).expect("rows of one width");
        }
    }
    kept
}

/// Writes `reject.safetensors`, atomically: `means`, `directions`, `variances`, `mean_variance`, `validation`, `test`.
///
/// # Errors
/// When the file cannot be written.
pub fn save(path: &Path, measured: &Measured) -> Result<()> {
    let Measured { distance, validation, test } = measured;
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

/// Reads what [`save`] wrote.
///
/// # Errors
/// [`Kind::Run`] when the file is damaged or holds something else.
pub fn load(path: &Path) -> Result<Measured> {
    let damaged = |why: String| {
        Error::new(Kind::Run, "not a measure of this tool").at(path).because(why).help("train again")
    };
    let mut arrays = decode_tensors(&fs::read(path)?).map_err(damaged)?.tensors;
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
    let distance = Distance { means, directions, variances, mean_variance };
    Ok(Measured { distance, validation, test })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::Example;
    use crate::matrix::Matrix;

    /// Two classes around (0, ...) and (9, ...), three times as wide along the second feature as along the others.
    fn rows(n: usize, width: usize) -> Vec<(Vec<f32>, usize)> {
        let mut rng = Rng::new(1, 0);
        let mut row = |class: usize| {
            let value = |i: usize| rng.normal() * if i == 1 { 3.0 } else { 1.0 };
            (0..width).map(value).map(|v| v + 9.0 * class as f32).collect::<Vec<f32>>()
        };
        (0..n).map(|i| (row(i % 2), i % 2)).collect()
    }

    fn fit(rows: &[(Vec<f32>, usize)], width: usize) -> Distance {
        let rows: Vec<(&[f32], usize)> = rows.iter().map(|(row, class)| (&row[..], *class)).collect();
        Distance::fit(&rows, width, 2)
    }

    #[test]
    fn the_distance_follows_the_spread_of_the_classes() {
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
        assert_eq!(distance.of_rows(Rows { features: &features, examples: &examples }), distance.of(&all));
        let gram = distance.directions.dot(&distance.directions.t());
        assert!((&gram - &Array2::<f32>::eye(3)).iter().all(|off| off.abs() < 1e-5), "{gram}");
    }

    #[test]
    fn known_rows_are_called_unknown_as_often_as_was_asked_for_and_others_always() {
        use crate::metrics::Conformal;
        let distance = fit(&rows(300, 20), 20);
        // One stream of exchangeable rows, which the fit has not seen.
        let all: Vec<f32> = rows(20_000, 20).split_off(300).into_iter().flat_map(|(row, _)| row).collect();
        let distances = distance.of(&all);
        let (alpha, held_out, others) = (0.1, 49, 100);
        let (mut unknown, mut judged) = (0, 0);
        for part in distances.chunks_exact(held_out + others) {
            let threshold = Conformal::new(part[..held_out].to_vec()).threshold(alpha).unwrap();
            unknown += part[held_out..].iter().filter(|&&far| far > threshold).count();
            judged += others;
        }
        let rate = unknown as f64 / judged as f64;
        // Rows judged by one threshold err together: the variance of a share of Beta(5, 45) and of 100 draws from it.
        let trials = judged as f64 / others as f64;
        let spread = ((0.1 * 0.9 / 51.0 + 0.1 * 0.9 / others as f64) / trials).sqrt();
        assert!((rate - alpha).abs() < 3.0 * spread, "{rate} +- {spread}");
        let other = distance.of(&[40.0; 20])[0];
        assert!(distances.iter().all(|known| *known < other));
    }

    #[test]
    fn rows_that_are_all_alike_are_no_trouble() {
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
    fn a_measure_survives_the_disk_and_damage_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("reject.safetensors");
        let distance = fit(&rows(100, 40), 40);
        assert_eq!(distance, fit(&rows(100, 40), 40));
        let measured = Measured { distance, validation: vec![1.0, 2.0], test: vec![] };
        save(&path, &measured).unwrap();
        assert_eq!(load(&path).unwrap(), measured);
        let whole = std::fs::read(&path).unwrap();
        for cut in [0, 7, 60, whole.len() - 4] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert_eq!(load(&path).unwrap_err().kind(), Kind::Run, "{cut} bytes");
        }
        let zero = Distance { mean_variance: 0.0, ..measured.distance.clone() };
        save(&path, &Measured { distance: zero, ..measured }).unwrap();
        assert!(load(&path).unwrap_err().with_causes().contains("do not fit together"));
    }
}
