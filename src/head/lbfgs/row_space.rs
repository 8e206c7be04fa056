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
use crate::math::parallel::in_parallel;

/// Rows whose coordinates take a few hundredths of a second: less than a long search among their features.
const FEW: usize = 256;

/// Rows whose inner products with another one are computed one after the other, while that one is in a cache.
const BLOCK: usize = 16;

/// Share of a row's square that must lie outside the space of those before it. The rest is rounding.
const LEAST_OUTSIDE: f64 = 1e-9;

/// The space that some train rows span, centred and perhaps standardized.
#[derive(Debug)]
pub(crate) struct RowSpace {
    kernel: Kernel,
    threads: usize,
    scales: FeatureScales,
    /// Rows that do not depend on one another, centred and scaled: `[dimensions][width]`.
    rows: Vec<Vec<f64>>,
    /// The Cholesky factor of their inner products, a lower triangle: row i has i + 1 values.
    root: Vec<Vec<f64>>,
}

impl RowSpace {
    /// Whether the rows are few, or searches of as many iterations as have been done among their features would take longer than
    /// the coordinates.
    pub fn pays(train: LabelledFeatures, classes: usize, iterations: usize) -> bool {
        let (rows, width) = (train.examples.len(), train.features.width());
        // An iteration takes 2 rows classes fewer products for each feature less. Coordinates take one for half of all pairs of
        // rows and each feature, but in float64, which is about eight times as slow.
        let is_worth_it = || 2 * rows * width <= (width - rows) * classes * iterations;
        (1..width).contains(&rows) && (rows <= FEW || is_worth_it())
    }

    /// Finds the space of the rows of `train`, and their coordinates in it, `[rows, dimensions]`.
    pub fn of(train: LabelledFeatures, standardize: bool, threads: usize) -> (Self, Matrix) {
        let mut moments = RunningMoments::new(train.features.width());
        train.feature_rows().for_each(|row| moments.add(row));
        let scales = FeatureScales::of(&moments, standardize);
        let mut space = Self { kernel: Kernel::new(), threads, scales, rows: Vec::new(), root: Vec::new() };
        let rows = space.scaled(train);
        let products = space.products(&rows, &rows, true);
        let (mut chosen, mut coordinates) = (Vec::new(), Vec::new());
        for (i, products) in products.iter().enumerate() {
            let with_chosen: Vec<f64> = chosen.iter().map(|&j: &usize| products[j]).collect();
            let mut own = space.solved(&with_chosen);
            let outside = products[i] - space.kernel.dot(&own, &own);
            // Where features are not finite this is no number; the search says so.
            if outside > LEAST_OUTSIDE * products[i] || outside.is_nan() {
                own.push(outside.sqrt());
                space.root.push(own.clone());
                chosen.push(i);
            }
            coordinates.push(own);
        }
        if chosen.is_empty() {
            // All rows are equal. One coordinate that is 0 everywhere says so.
            chosen.push(0);
            space.root.push(vec![1.0]);
        }
        let mut rows: Vec<Option<Vec<f64>>> = rows.into_iter().map(Some).collect();
        space.rows = chosen.iter().filter_map(|&i| rows[i].take()).collect();
        let coordinates = space.padded(&coordinates);
        (space, coordinates)
    }

    /// The coordinates of rows, `[rows, dimensions]`: those of the nearest point of the space.
    pub fn coordinates(&self, of: LabelledFeatures) -> Matrix {
        self.nearest(&self.scaled(of))
    }

    /// The head for coordinates that is nearest to one for features.
    pub fn reduced(&self, head: &Head) -> Head {
        let FeatureScales { mean, factor, .. } = &self.scales;
        let weight = &head.output.weight;
        let scaled = |class: usize| -> Vec<f64> {
            weight.row(class).iter().zip(factor).map(|(&weight, factor)| f64::from(weight) / factor).collect()
        };
        let weights: Vec<Vec<f64>> = (0..head.classes()).map(scaled).collect();
        let biases = head.output.bias.iter().enumerate();
        let bias =
            biases.map(|(class, &bias)| (f64::from(bias) + self.kernel.dot(weight.row(class), mean)) as f32);
        Head { hidden: None, output: Layer { weight: self.nearest(&weights), bias: bias.collect() } }
    }

    /// The head for features that answers as one for coordinates. The mean of its biases is 0.
    pub fn restored(&self, head: &Head) -> Head {
        let FeatureScales { mean, factor, .. } = &self.scales;
        let mut weight = Matrix::zeros(head.classes(), mean.len());
        let mut bias = Vec::new();
        for (class, &own_bias) in head.output.bias.iter().enumerate() {
            let mut own = vec![0.0; mean.len()];
            for (share, row) in self.solved_transposed(head.output.weight.row(class)).iter().zip(&self.rows) {
                own.iter_mut().zip(row).for_each(|(sum, value)| *sum += share * value);
            }
            let to = weight.row_mut(class);
            for ((to, own), factor) in to.iter_mut().zip(own).zip(factor) {
                *to = (own * factor) as f32;
            }
            bias.push(f64::from(own_bias) - self.kernel.dot(to, mean));
        }
        Head::with_centred_biases(weight, &bias)
    }

    /// The coordinates of the nearest points of the space to centred and scaled rows, `[rows, dimensions]`.
    fn nearest(&self, rows: &[Vec<f64>]) -> Matrix {
        let products = self.products(rows, &self.rows, false);
        let coordinates: Vec<Vec<f64>> = products.iter().map(|products| self.solved(products)).collect();
        self.padded(&coordinates)
    }

    /// Rows, centred and scaled: `[rows][width]`.
    fn scaled(&self, of: LabelledFeatures) -> Vec<Vec<f64>> {
        let FeatureScales { mean, factor, .. } = &self.scales;
        let scaled = |row: &[f32]| {
            let values = row.iter().zip(mean).zip(factor);
            values.map(|((&value, mean), factor)| (f64::from(value) - mean) * factor).collect()
        };
        of.feature_rows().map(scaled).collect()
    }

    /// Coordinates as a matrix `[rows, dimensions]`; those that a row does not have are 0.
    fn padded(&self, rows: &[Vec<f64>]) -> Matrix {
        let mut matrix = Matrix::zeros(rows.len(), self.root.len());
        for (i, row) in rows.iter().enumerate() {
            matrix.row_mut(i).iter_mut().zip(row).for_each(|(to, &value)| *to = value as f32);
        }
        matrix
    }

    /// `z` with `root z = right`, over as many rows as `right` has.
    fn solved(&self, right: &[f64]) -> Vec<f64> {
        let mut z = Vec::with_capacity(right.len());
        for (i, (right, root)) in right.iter().zip(&self.root).enumerate() {
            let known = self.kernel.dot(&root[..i], &z);
            z.push((right - known) / root[i]);
        }
        z
    }

    /// `z` with `root^T z = right`.
    fn solved_transposed(&self, right: &[f32]) -> Vec<f64> {
        let mut z: Vec<f64> = right.iter().map(|&value| f64::from(value)).collect();
        for (i, root) in self.root.iter().enumerate().rev() {
            z[i] /= root[i];
            let known = z[i];
            z.iter_mut().zip(&root[..i]).for_each(|(z, root)| *z -= known * root);
        }
        z
    }

    /// The inner products of each row with the others: with all of them, or of row i with the first i + 1 at least.
    fn products(&self, rows: &[Vec<f64>], others: &[Vec<f64>], is_lower: bool) -> Vec<Vec<f64>> {
        let blocks: Vec<(usize, &[Vec<f64>])> = rows.chunks(BLOCK).enumerate().collect();
        let of_block = |&(number, block): &(usize, &[Vec<f64>])| {
            let count = if is_lower { number * BLOCK + block.len() } else { others.len() };
            let mut products = vec![Vec::with_capacity(count); block.len()];
            for other in &others[..count] {
                for (row, products) in block.iter().zip(&mut products) {
                    products.push(self.kernel.dot(row, other));
                }
            }
            Ok(products)
        };
        in_parallel(self.threads, &blocks, of_block).expect("products cannot fail").concat()
    }
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
            let (space, coordinates) = RowSpace::of(rows, standardize, 2);
            assert_eq!((coordinates.rows(), coordinates.width()), (41, 39), "centred rows have a sum of 0");
            let scaled = space.scaled(rows);
            let again = space.coordinates(rows);
            let dot = |i: usize, j: usize| scaled[i].iter().zip(&scaled[j]).map(|(a, b)| a * b).sum::<f64>();
            let size = dot(0, 0);
            for i in 0..41 {
                let off = coordinates.row(i).iter().zip(again.row(i)).map(|(a, b)| (a - b).abs());
                assert!(f64::from(off.fold(0.0, f32::max)) < 1e-5 * size.sqrt());
                for j in 0..=i {
                    let found = space.kernel.dot(coordinates.row(i), coordinates.row(j));
                    assert!((found - dot(i, j)).abs() < 1e-5 * size, "{i} {j}");
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
        assert!(
            pays(20, 2, 0)
                && pays(256, 10, 0)
                && !pays(300, 2, 0)
                && !pays(300, 2, 600)
                && pays(300, 2, 2000)
        );
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
            RowSpace::of(LabelledFeatures { features: &features, examples: &examples }, true, 1);
        assert!(coordinates.width() == 1 && coordinates.values().all(|value| value == 0.0));
        let head = space.restored(&Head::from_parts(vec![3.0, -3.0], vec![1.0, -1.0]).unwrap());
        assert_eq!(
            (head.output.bias, head.output.weight.values().all(|w| w == 0.0)),
            (vec![1.0, -1.0], true)
        );
    }
}
