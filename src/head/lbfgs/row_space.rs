//! Few rows of many features, given by as few coordinates: the optimum is the same, and the search for it shorter.
//!
//! The weights at the optimum are sums of the centred rows (the representer theorem: Schölkopf, Herbrich and Smola 2001), so they lie
//! in the space that these span. In orthonormal coordinates of that space inner products are those of the features, so logits,
//! penalty and the distance from the optimum are as well.

use super::preconditioner::FeatureScales;
use crate::head::kernel::Kernel;
use crate::head::labelled_features::LabelledFeatures;
use crate::head::layer::Layer;
use crate::head::softmax_head::Head;
use crate::head::standardize::RunningMoments;
use crate::math::matrix::Matrix;
use ndarray::{Array1, Array2, ArrayView1, Axis, s};

/// Iterations that a search takes at least, by and large.
const ITERATIONS: usize = 80;

/// Rows whose inner products are computed at once.
const BLOCK: usize = 64;

/// Share of a row's square that must lie outside the space of those before it. The rest is rounding.
const LEAST_OUTSIDE: f64 = 1e-9;

/// The space that some train rows span, centred and perhaps standardized.
#[derive(Debug)]
pub(crate) struct RowSpace {
    kernel: Kernel,
    mean: Array1<f64>,
    /// By which centred features are multiplied.
    factor: Array1<f64>,
    /// Rows that do not depend on one another, `[dimensions, width]`.
    rows: Array2<f64>,
    /// The Cholesky factor of their inner products, `[dimensions, dimensions]`, a lower triangle.
    root: Array2<f64>,
}

impl RowSpace {
    /// Whether searches among the coordinates of the rows are shorter by more than the coordinates take, where as many iterations
    /// have been done already and as many are expected, or else those of one search.
    pub fn pays(train: LabelledFeatures, classes: usize, iterations: usize) -> bool {
        let (rows, width) = (train.examples.len(), train.features.width());
        // An iteration takes 2 rows classes fewer products for each feature less. Coordinates take half as many for each pair
        // of rows and each feature as that, and these are in float64.
        (1..width).contains(&rows) && rows * width <= (width - rows) * classes * iterations.max(ITERATIONS)
    }

    /// Finds the space of the rows of `train`, and their coordinates in it, `[rows, dimensions]`.
    pub fn of(train: LabelledFeatures, standardize: bool) -> (Self, Matrix) {
        let (count, width) = (train.examples.len(), train.features.width());
        let mut moments = RunningMoments::new(width);
        train.feature_rows().for_each(|row| moments.add(row));
        let FeatureScales { mean, factor, .. } = FeatureScales::of(&moments, standardize);
        let (mean, factor) = (Array1::from(mean), Array1::from(factor));
        let empty = Array2::zeros((0, width));
        let mut space =
            Self { kernel: Kernel::new(), mean, factor, rows: empty, root: Array2::zeros((count, count)) };
        let rows = space.scaled(train);
        let products = products(&rows);
        let mut chosen = Vec::new();
        let mut coordinates = Array2::zeros((count, count));
        for i in 0..count {
            let with_chosen: Vec<f64> = chosen.iter().map(|&j| products[[i, j]]).collect();
            let mut own = space.solved(&with_chosen);
            let outside = products[[i, i]] - space.kernel.dot(&own, &own);
            // Rounding is not a number where features are not; the search says so.
            if outside > LEAST_OUTSIDE * products[[i, i]] || outside.is_nan() {
                own.push(outside.sqrt());
                space.root.slice_mut(s![chosen.len(), ..own.len()]).assign(&ArrayView1::from(&own));
                chosen.push(i);
            }
            coordinates.slice_mut(s![i, ..own.len()]).assign(&ArrayView1::from(&own));
        }
        if chosen.is_empty() {
            // All rows are equal. One coordinate that is 0 everywhere says so.
            chosen.push(0);
            space.root[[0, 0]] = 1.0;
        }
        let dimensions = chosen.len();
        space.rows = rows.select(Axis(0), &chosen);
        space.root = space.root.slice(s![..dimensions, ..dimensions]).to_owned();
        let values: Vec<f32> =
            coordinates.slice(s![.., ..dimensions]).iter().map(|&value| value as f32).collect();
        (space, Matrix::from_rows(dimensions, &values))
    }

    /// The coordinates of rows, `[rows, dimensions]`: those of the nearest point of the space.
    pub fn coordinates(&self, of: LabelledFeatures) -> Matrix {
        let products = self.scaled(of).dot(&self.rows.t());
        let mut coordinates = Matrix::zeros(products.nrows(), self.rows.nrows());
        for (i, products) in products.rows().into_iter().enumerate() {
            let own = self.solved(&products.to_vec());
            coordinates.row_mut(i).iter_mut().zip(own).for_each(|(to, value)| *to = value as f32);
        }
        coordinates
    }

    /// The head for coordinates that is nearest to one for features.
    pub fn reduced(&self, head: &Head) -> Head {
        let (mut weight, mut bias) = (Matrix::zeros(head.classes(), self.rows.nrows()), Vec::new());
        for class in 0..head.classes() {
            let own: Array1<f64> = head.output.weight.row(class).iter().map(|&w| f64::from(w)).collect();
            bias.push((f64::from(head.output.bias[class]) + own.dot(&self.mean)) as f32);
            let products = self.rows.dot(&(own / &self.factor));
            let own = self.solved(&products.to_vec());
            weight.row_mut(class).iter_mut().zip(own).for_each(|(to, value)| *to = value as f32);
        }
        Head { hidden: None, output: Layer { weight, bias } }
    }

    /// The head for features that answers as one for coordinates. The mean of its biases is 0.
    pub fn restored(&self, head: &Head) -> Head {
        let mut weight = Matrix::zeros(head.classes(), self.mean.len());
        let mut bias = Vec::new();
        for class in 0..head.classes() {
            let mut own = Array1::zeros(self.mean.len());
            let shares = self.solved_transposed(head.output.weight.row(class));
            shares.iter().zip(self.rows.rows()).for_each(|(&share, row)| own.scaled_add(share, &row));
            own *= &self.factor;
            weight.row_mut(class).iter_mut().zip(&own).for_each(|(to, &value)| *to = value as f32);
            let offset: f64 = weight
                .row(class)
                .iter()
                .zip(&self.mean)
                .map(|(&weight, mean)| f64::from(weight) * mean)
                .sum();
            bias.push(f64::from(head.output.bias[class]) - offset);
        }
        let mean = bias.iter().sum::<f64>() / bias.len() as f64;
        let bias = bias.into_iter().map(|bias| (bias - mean) as f32).collect();
        Head { hidden: None, output: Layer { weight, bias } }
    }

    /// Rows, centred and scaled, `[rows, width]`.
    fn scaled(&self, of: LabelledFeatures) -> Array2<f64> {
        let mut scaled = Array2::zeros((of.examples.len(), self.mean.len()));
        for (mut to, row) in scaled.rows_mut().into_iter().zip(of.feature_rows()) {
            to.assign(&ArrayView1::from(row).mapv(f64::from));
            to -= &self.mean;
            to *= &self.factor;
        }
        scaled
    }

    /// `z` with `root z = right`, over as many rows as `right` has.
    fn solved(&self, right: &[f64]) -> Vec<f64> {
        let mut z = Vec::with_capacity(right.len());
        for (i, right) in right.iter().enumerate() {
            let root = self.root.row(i);
            let root = root.as_slice().expect("rows of the root are contiguous");
            let known = self.kernel.dot(&root[..i], &z);
            z.push((right - known) / root[i]);
        }
        z
    }

    /// `z` with `root^T z = right`.
    fn solved_transposed(&self, right: &[f32]) -> Array1<f64> {
        let mut z: Array1<f64> = right.iter().map(|&value| f64::from(value)).collect();
        for i in (0..z.len()).rev() {
            z[i] /= self.root[[i, i]];
            let known = z[i];
            z.slice_mut(s![..i]).scaled_add(-known, &self.root.slice(s![i, ..i]));
        }
        z
    }
}

/// The inner products of all pairs of rows: the lower triangle, and some of the upper one.
fn products(rows: &Array2<f64>) -> Array2<f64> {
    let count = rows.nrows();
    let mut products = Array2::zeros((count, count));
    for from in (0..count).step_by(BLOCK) {
        let to = (from + BLOCK).min(count);
        let block = rows.slice(s![from..to, ..]).dot(&rows.slice(s![..to, ..]).t());
        products.slice_mut(s![from..to, ..to]).assign(&block);
    }
    products
}

#[cfg(test)]
mod tests {
    use super::super::test_data::network_like;
    use super::*;
    use crate::head::labelled_features::Example;

    #[test]
    fn coordinates_keep_inner_products_and_heads_keep_their_answers() {
        let (features, examples) = network_like(40, 150, 4);
        // A row that is there twice adds no dimension.
        let mut examples = examples;
        examples.push(examples[7]);
        let rows = LabelledFeatures { features: &features, examples: &examples };
        for standardize in [false, true] {
            let (space, coordinates) = RowSpace::of(rows, standardize);
            assert_eq!((coordinates.rows(), coordinates.width()), (41, 39), "centred rows have a sum of 0");
            let scaled = space.scaled(rows);
            let again = space.coordinates(rows);
            let size = scaled.row(0).dot(&scaled.row(0));
            for i in 0..41 {
                let off = coordinates.row(i).iter().zip(again.row(i)).map(|(a, b)| (a - b).abs());
                assert!(f64::from(off.fold(0.0, f32::max)) < 1e-5 * size.sqrt());
                for j in 0..=i {
                    let found = space.kernel.dot(coordinates.row(i), coordinates.row(j));
                    assert!((found - scaled.row(i).dot(&scaled.row(j))).abs() < 1e-5 * size, "{i} {j}");
                }
            }
            let drawn = network_like(5, 39, 5).0;
            let weight: Vec<f32> = drawn.values().collect();
            let head = Head::from_parts(weight, vec![0.5, 0.0, -1.0, 0.25, 0.25]).unwrap();
            let restored = space.restored(&head);
            for (i, example) in examples.iter().enumerate() {
                let expected = head.probabilities(coordinates.row(i));
                let found = restored.probabilities(features.row(example.row as usize));
                for (a, b) in expected.row(0).iter().zip(found.row(0)) {
                    assert!((a - b).abs() < 1e-4, "{i}: {a} {b}");
                }
            }
            let reduced = space.reduced(&restored);
            // A constant in all biases changes nothing.
            let constant = reduced.output.bias[1];
            for (class, (a, b)) in reduced.output.bias.iter().zip(&head.output.bias).enumerate() {
                assert!((a - constant - b).abs() < 1e-3, "{class}: {a} {b}");
                let off = reduced.output.weight.row(class).iter().zip(head.output.weight.row(class));
                assert!(off.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) < 1e-3);
            }
        }
    }

    #[test]
    fn few_rows_of_many_features_are_worth_it_and_others_once_searches_are_long() {
        let (features, examples) = network_like(300, 400, 4);
        let pays = |rows: usize, classes, iterations| {
            let examples = &examples[..rows];
            RowSpace::pays(LabelledFeatures { features: &features, examples }, classes, iterations)
        };
        assert!(pays(20, 2, 0) && pays(100, 10, 0) && !pays(300, 2, 0) && pays(300, 2, 600));
        assert!(!pays(0, 2, 1000), "no rows span nothing");
        let (features, examples) = network_like(60, 60, 4);
        let square = LabelledFeatures { features: &features, examples: &examples };
        assert!(!RowSpace::pays(square, 10, 10_000));
    }

    #[test]
    fn rows_that_are_all_equal_have_one_coordinate_of_zero() {
        let features = Matrix::from_rows(8, &[2.0; 24]);
        let examples: Vec<Example> = (0..3).map(|row| Example { row, target: row % 2 }).collect();
        let (space, coordinates) =
            RowSpace::of(LabelledFeatures { features: &features, examples: &examples }, true);
        assert!(coordinates.width() == 1 && coordinates.values().all(|value| value == 0.0));
        let head = space.restored(&Head::from_parts(vec![3.0, -3.0], vec![1.0, -1.0]).unwrap());
        assert_eq!(
            (head.output.bias, head.output.weight.values().all(|w| w == 0.0)),
            (vec![1.0, -1.0], true)
        );
    }
}
