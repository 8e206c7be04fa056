//! Greedy k-centre: chooses rows one after the other, each the farthest from all centres so far (Gonzalez 1985; for choosing what
//! to label, Sener and Savarese 2018, *Active Learning for Convolutional Neural Networks: A Core-Set Approach*). Pure.

use crate::error::Result;
use crate::math::matrix::{Matrix, products};
use crate::math::parallel::in_parallel;
use std::ops::Range;

/// Rows whose distances one thread computes at a time.
const TILE: usize = 256;

/// Rows to choose from, and how far each is from the nearest centre.
pub(super) struct Coverage<'a> {
    /// Of length 1, `[rows, width]`.
    rows: Matrix,
    /// Decides between equally far rows: the first in order is chosen.
    names: Vec<&'a str>,
    /// Cosine distance from the nearest centre; infinite before there is one.
    distances: Vec<f32>,
    chosen: Vec<bool>,
    threads: usize,
}

impl<'a> Coverage<'a> {
    /// Starts without a centre. `names` has one for each of `rows`.
    pub fn new(rows: Matrix, names: Vec<&'a str>, threads: usize) -> Self {
        let n = rows.rows();
        let (distances, chosen) = (vec![f32::INFINITY; n], vec![false; n]);
        Self { rows: rows.normalized(), names, distances, chosen, threads }
    }

    /// Adds centres that are none of the rows.
    ///
    /// # Errors
    /// Those of starting threads.
    pub fn add_centres(&mut self, centres: Matrix) -> Result<()> {
        let centres = centres.normalized();
        self.distances = self.nearer(&centres, 0..centres.rows())?;
        Ok(())
    }

    /// Chooses the row that is farthest from all centres, and makes it a centre. Returns it with its distance; `None` when all
    /// are chosen.
    ///
    /// # Errors
    /// Those of starting threads.
    pub fn choose(&mut self) -> Result<Option<(usize, f32)>> {
        let free = (0..self.names.len()).filter(|&row| !self.chosen[row]);
        let farther = |&a: &usize, &b: &usize| {
            self.distances[a].total_cmp(&self.distances[b]).then_with(|| self.names[b].cmp(self.names[a]))
        };
        let Some(row) = free.max_by(farther) else { return Ok(None) };
        let distance = self.distances[row];
        self.chosen[row] = true;
        self.distances = self.nearer(&self.rows, row..row + 1)?;
        // Without any centre no distance is known; the farthest that two directions can be is 2.
        Ok(Some((row, distance.min(2.0))))
    }

    /// The distances from the nearest of the centres so far and of some rows of `centres`.
    fn nearer(&self, centres: &Matrix, added: Range<usize>) -> Result<Vec<f32>> {
        let starts: Vec<usize> = (0..self.rows.rows()).step_by(TILE).collect();
        let tiles = in_parallel(self.threads, &starts, |&start| {
            let tile = start..(start + TILE).min(self.rows.rows());
            let mut nearest = self.distances[tile.clone()].to_vec();
            for first in added.clone().step_by(TILE) {
                let some = first..(first + TILE).min(added.end);
                let cosines = products([(&self.rows, tile.clone()), (centres, some.clone())]);
                for (nearest, cosines) in nearest.iter_mut().zip(cosines.chunks_exact(some.len())) {
                    let largest = cosines.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    *nearest = nearest.min((1.0 - largest).max(0.0));
                }
            }
            Ok(nearest)
        })?;
        Ok(tiles.concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::near_images::cosine_distance;
    use crate::math::random::Rng;

    fn random(rows: usize, seed: u64) -> Matrix {
        let mut random = Rng::new(seed, 1);
        let values: Vec<f32> = (0..rows * 7).map(|_| random.uniform(-1.0, 1.0)).collect();
        Matrix::from_rows(7, &values)
    }

    #[test]
    fn each_choice_is_the_farthest_from_all_centres_so_far() {
        let (rows, centres) = (random(600, 1), random(300, 2));
        let names: Vec<String> = (0..600).map(|row| format!("{row:03}")).collect();
        let mut coverage = Coverage::new(rows.clone(), names.iter().map(String::as_str).collect(), 3);
        coverage.add_centres(centres.clone()).unwrap();
        let mut known: Vec<Vec<f32>> = (0..300).map(|row| centres.row(row).to_vec()).collect();
        let distance = |row: usize, known: &[Vec<f32>]| {
            known.iter().map(|c| cosine_distance(rows.row(row), c)).fold(f64::INFINITY, f64::min)
        };
        for _ in 0..12 {
            let (row, chosen) = coverage.choose().unwrap().unwrap();
            let farthest = (0..600).map(|row| distance(row, &known)).fold(0.0, f64::max);
            assert!((f64::from(chosen) - farthest).abs() < 1e-5, "{chosen} {farthest}");
            assert!((distance(row, &known) - farthest).abs() < 1e-5);
            known.push(rows.row(row).to_vec());
        }
    }

    #[test]
    fn equal_rows_are_chosen_in_order_of_their_names_and_each_once() {
        let rows = Matrix::from_rows(2, &[0.0, 1.0, 0.0, 2.0, 1.0, 0.0]);
        let mut coverage = Coverage::new(rows, vec!["c", "a", "b"], 1);
        let chosen: Vec<_> = std::iter::from_fn(|| coverage.choose().unwrap()).collect();
        assert_eq!(chosen, [(1, 2.0), (2, 1.0), (0, 0.0)]);
    }
}
