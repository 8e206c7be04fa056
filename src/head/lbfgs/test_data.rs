//! Rows for tests of the solvers.

use crate::head::Example;
use crate::math::matrix::Matrix;
use crate::math::random::Rng;

/// Three blobs of four features, 30 rows each.
pub(in crate::head) fn blobs() -> (Matrix, Vec<Example>) {
    let mut rng = Rng::new(3, 9);
    let examples: Vec<Example> = (0..90).map(|row| Example { row, target: row % 3 }).collect();
    let row = |e: &Example| [0, 1, 2, 3].map(|i| f32::from(i == e.target) + 0.7 * rng.normal());
    let values: Vec<f32> = examples.iter().flat_map(row).collect();
    (Matrix::from_rows(4, &values), examples)
}

/// Features like those of a network: `width` of them, none below zero, far from centred, of very different sizes and
/// correlated; `classes` classes that overlap.
pub(super) fn network_like(rows: usize, width: usize, classes: usize) -> (Matrix, Vec<Example>) {
    let mut rng = Rng::new(7, 9);
    let examples: Vec<Example> =
        (0..rows).map(|row| Example { row: row as u32, target: (row % classes) as u32 }).collect();
    let directions: Vec<f32> = (0..classes * width).map(|_| 0.4 * rng.normal()).collect();
    let mut values = Vec::with_capacity(rows * width);
    for example in &examples {
        let common = rng.normal();
        for j in 0..width {
            let own = directions[example.target as usize * width + j];
            let size = 10f32.powf(-2.0 * j as f32 / width as f32);
            values.push(size * (2.0 + 0.5 * common + own + rng.normal()).max(0.0));
        }
    }
    (Matrix::from_rows(width, &values), examples)
}

/// Features that are mixed from others of very different sizes, so that all are correlated; `classes` classes that overlap.
pub(super) fn correlated(rows: usize, width: usize, classes: usize) -> (Matrix, Vec<Example>) {
    let mut rng = Rng::new(8, 9);
    let examples: Vec<Example> =
        (0..rows).map(|row| Example { row: row as u32, target: (row % classes) as u32 }).collect();
    let mut noise = |count: usize| -> Vec<f32> { (0..count).map(|_| rng.normal()).collect() };
    let (directions, mix) = (noise(classes * width), noise(width * width));
    let mut values = Vec::with_capacity(rows * width);
    for example in &examples {
        let own = &directions[example.target as usize * width..][..width];
        let size = |k: usize| 10f32.powf(-2.0 * k as f32 / width as f32);
        let hidden: Vec<f32> =
            noise(width).iter().zip(own).enumerate().map(|(k, (z, own))| size(k) * (z + 0.3 * own)).collect();
        values.extend(
            mix.chunks_exact(width).map(|mix| mix.iter().zip(&hidden).map(|(m, z)| m * z).sum::<f32>()),
        );
    }
    (Matrix::from_rows(width, &values), examples)
}
