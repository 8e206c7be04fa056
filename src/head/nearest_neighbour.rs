//! The nearest neighbour as a classifier: the simplest use of features, as a baseline.

use super::labelled_features::LabelledFeatures;
use crate::error::{Error, Kind, Result};

/// Train rows that are compared with a query at once.
const BLOCK: usize = 16;

/// The nearest train row found so far.
#[derive(Clone, Copy)]
struct Nearest {
    squared_distance: f32,
    target: u32,
}

/// Returns, for each row of `queries`, the class of the train row at the least Euclidean distance; of equally near rows
/// the one that comes first in `train`. The targets of `queries` are not looked at.
///
/// Distances are float32 sums over the features in order.
///
/// # Errors
/// [`Kind::Run`] if there are no train rows, or the widths of `train` and `queries` differ.
pub fn nearest_neighbour_classes(train: LabelledFeatures, queries: LabelledFeatures) -> Result<Vec<u32>> {
    let Some(first) = train.examples.first() else {
        return Err(Error::new(Kind::Run, "there are no train rows"));
    };
    let widths = [train.features.width(), queries.features.width()];
    if widths[0] != widths[1] {
        let message = format!("the train rows have {} features, the queries {}", widths[0], widths[1]);
        return Err(Error::new(Kind::Run, message));
    }
    let start = Nearest { squared_distance: f32::INFINITY, target: first.target };
    let mut nearest = vec![start; queries.examples.len()];
    for examples in train.examples.chunks(BLOCK) {
        let block = transposed(LabelledFeatures { examples, ..train });
        for (query, nearest) in queries.feature_rows().zip(&mut nearest) {
            for (squared_distance, example) in squared_distances(query, &block).into_iter().zip(examples) {
                if squared_distance < nearest.squared_distance {
                    *nearest = Nearest { squared_distance, target: example.target };
                }
            }
        }
    }
    Ok(nearest.into_iter().map(|nearest| nearest.target).collect())
}

/// Up to [`BLOCK`] rows as `[width, BLOCK]`, so that a query is compared with all of them feature by feature.
fn transposed(rows: LabelledFeatures) -> Vec<[f32; BLOCK]> {
    let mut block = vec![[0.0; BLOCK]; rows.features.width()];
    for (i, row) in rows.feature_rows().enumerate() {
        for (to, &value) in block.iter_mut().zip(row) {
            to[i] = value;
        }
    }
    block
}

fn squared_distances(query: &[f32], block: &[[f32; BLOCK]]) -> [f32; BLOCK] {
    let mut sums = [0.0; BLOCK];
    for (&q, values) in query.iter().zip(block) {
        for (sum, &value) in sums.iter_mut().zip(values) {
            let difference = q - value;
            *sum += difference * difference;
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::Example;
    use crate::math::matrix::Matrix;
    use crate::math::random::Rng;

    fn examples(targets: &[u32], from: u32) -> Vec<Example> {
        (from..).zip(targets).map(|(row, &target)| Example { row, target }).collect()
    }

    #[test]
    fn the_nearest_row_gives_the_class() {
        let features = Matrix::from_rows(2, &[0.0, 0.0, 10.0, 0.0, 0.0, 10.0, 1.0, 2.0, 8.0, 1.0]);
        let (train, queries) = (examples(&[7, 8, 9], 0), examples(&[0, 0], 3));
        let rows = |examples| LabelledFeatures { features: &features, examples };
        assert_eq!(nearest_neighbour_classes(rows(&train), rows(&queries)).unwrap(), [7, 8]);
        assert!(nearest_neighbour_classes(rows(&[]), rows(&queries)).is_err());
        let narrow = Matrix::from_rows(1, &[0.0]);
        let other = LabelledFeatures { features: &narrow, examples: &train[..1] };
        assert!(nearest_neighbour_classes(rows(&train), other).is_err());
    }

    #[test]
    fn a_search_over_many_rows_agrees_with_comparing_each_pair() {
        let (width, count) = (70, 45);
        let mut rng = Rng::new(4, 0);
        // Small whole numbers, so that some rows are equally near.
        let values: Vec<f32> = (0..(count + 20) * width).map(|_| (2.0 * rng.normal()).round()).collect();
        let features = Matrix::from_rows(width, &values);
        let all = examples(&(0..count as u32 + 20).collect::<Vec<_>>(), 0);
        let (train, queries) = all.split_at(count);
        let rows = |examples| LabelledFeatures { features: &features, examples };
        let expected: Vec<u32> = rows(queries)
            .feature_rows()
            .map(|query| {
                let distance = |row: &[f32]| query.iter().zip(row).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
                let distances: Vec<f32> = rows(train).feature_rows().map(distance).collect();
                let least = distances.iter().copied().fold(f32::INFINITY, f32::min);
                distances.iter().position(|&distance| distance == least).unwrap() as u32
            })
            .collect();
        assert_eq!(nearest_neighbour_classes(rows(train), rows(queries)).unwrap(), expected);
    }

    #[test]
    fn the_first_of_equally_near_rows_is_taken() {
        let features = Matrix::from_rows(1, &[vec![1.0; 40], vec![0.0, 2.0, 0.0]].concat());
        let train = examples(&(0..43).collect::<Vec<_>>(), 0);
        let rows = |examples| LabelledFeatures { features: &features, examples };
        let queries = [Example { row: 41, target: 0 }, Example { row: 40, target: 0 }];
        assert_eq!(nearest_neighbour_classes(rows(&train), rows(&queries)).unwrap(), [41, 40]);
        let near_all = Matrix::from_rows(1, &[1.5]);
        let query = LabelledFeatures { features: &near_all, examples: &[Example { row: 0, target: 0 }] };
        assert_eq!(nearest_neighbour_classes(rows(&train), query).unwrap(), [0]);
    }
}
