//! Train rows in memory as bfloat16: half the memory, and half of what an epoch reads from it. They are turned into float32 block
//! by block, in the order in which they are trained on.

use super::config::FitConfig;
use super::labelled_features::{Example, LabelledFeatures};
use super::row_source::RowSource;
use super::standardize::{RunningMoments, Standardizer};
use crate::error::Result;
use crate::math::half::HalfMatrix;
use crate::math::matrix::Matrix;
use crate::math::parallel::in_parallel;
use crate::math::random::Rng;
use std::sync::{Mutex, PoisonError};

/// Bytes of a block in float32: some milliseconds of training, and less than a processor's last cache.
const BLOCK_BYTES: usize = 8 << 20;

/// Rows that a thread turns into float32 at a time.
const SHARE: usize = 64;

/// Train rows as bfloat16, in the order that [`InMemoryRows`](super::InMemoryRows) gives them.
#[derive(Debug)]
pub struct HalfRows {
    features: HalfMatrix,
    order: Vec<Example>,
    rng: Option<Rng>,
    drop_last: bool,
    batch: usize,
    threads: usize,
    /// The rows of one block.
    block: Matrix,
}

impl HalfRows {
    /// Wraps rows with their class indexes. `settings` decide whether they are shuffled, with which seed, and whether an incomplete
    /// last batch is dropped.
    pub fn new(features: HalfMatrix, targets: &[u32], settings: &FitConfig, threads: usize) -> Self {
        let FitConfig { shuffle, drop_last, batch, .. } = *settings;
        let rng = shuffle.then(|| Rng::new(settings.order_seed(), 1));
        let order: Vec<Example> = (0..).zip(targets).map(|(row, &target)| Example { row, target }).collect();
        // Whole batches, so that they are those of rows in one block.
        let batches = (BLOCK_BYTES / (4 * features.width().max(1) * batch)).max(1);
        let block = Matrix::zeros((batches * batch).min(order.len()), features.width());
        Self { features, order, rng, drop_last, batch, threads, block }
    }

    /// Mean and standard deviation of each feature.
    pub fn standardizer(&self) -> Standardizer {
        let mut moments = RunningMoments::new(self.features.width());
        let mut row = vec![0.0; self.features.width()];
        for example in &self.order {
            self.features.read_row(example.row as usize, &mut row);
            moments.add(&row);
        }
        moments.standardizer()
    }

    fn rows_per_epoch(&self) -> usize {
        let rows = self.order.len();
        if self.drop_last { rows - rows % self.batch } else { rows }
    }
}

impl RowSource for HalfRows {
    fn steps(&self, batch: usize) -> usize {
        self.rows_per_epoch().div_ceil(batch)
    }

    fn epoch(&mut self, visit: &mut dyn FnMut(LabelledFeatures)) -> Result<()> {
        if let Some(rng) = &mut self.rng {
            rng.shuffle(&mut self.order);
        }
        let rows = self.rows_per_epoch();
        let Self { features, order, block, threads, .. } = self;
        let (size, stride) = (block.rows().max(1), block.stride());
        for part in order[..rows].chunks(size) {
            let shares: Vec<_> =
                block.padded_mut(0..part.len()).chunks_mut((SHARE * stride).max(1)).collect();
            let shares: Vec<_> = shares.into_iter().zip(part.chunks(SHARE)).map(Mutex::new).collect();
            in_parallel(*threads, &shares, |share| {
                let mut share = share.lock().unwrap_or_else(PoisonError::into_inner);
                let (to, examples) = &mut *share;
                for (to, example) in to.chunks_exact_mut(stride.max(1)).zip(*examples) {
                    features.read_row(example.row as usize, to);
                }
                Ok(())
            })?;
            let examples: Vec<Example> =
                (0..).zip(part).map(|(row, example)| Example { row, target: example.target }).collect();
            visit(LabelledFeatures { features: block, examples: &examples });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::InMemoryRows;

    #[test]
    fn rows_come_in_the_order_and_the_batches_of_rows_in_memory() {
        let width = 70;
        let values: Vec<f32> = (0..500 * width).map(|i| (i % 251) as f32 - 100.0).collect();
        let plain = Matrix::from_rows(width, &values);
        let targets: Vec<u32> = (0..500).map(|row| row % 7).collect();
        let mut half = HalfMatrix::zeros(500, width);
        (0..500).for_each(|row| half.set_row(row, plain.row(row)));
        let examples: Vec<Example> =
            (0..).zip(&targets).map(|(row, &target)| Example { row, target }).collect();
        for (shuffle, drop_last) in [(true, false), (true, true), (false, false)] {
            let settings = FitConfig { shuffle, drop_last, batch: 32, ..FitConfig::default() };
            let rows = LabelledFeatures { features: &plain, examples: &examples };
            let mut in_memory = InMemoryRows::new(rows, &settings);
            let mut halves = HalfRows::new(half.clone(), &targets, &settings, 3);
            // Small blocks, to have several.
            halves.block = Matrix::zeros(64, width);
            assert_eq!(halves.steps(32), in_memory.steps(32));
            for _ in 0..2 {
                let collect = |source: &mut dyn RowSource| {
                    let mut all: Vec<(Vec<f32>, u32)> = Vec::new();
                    let mut visit = |rows: LabelledFeatures| {
                        let of_rows = rows.feature_rows().zip(rows.examples);
                        all.extend(of_rows.map(|(row, example)| (row.to_vec(), example.target)));
                    };
                    source.epoch(&mut visit).unwrap();
                    all
                };
                assert!(collect(&mut halves) == collect(&mut in_memory));
            }
        }
        let halves = HalfRows::new(half, &targets, &FitConfig::default(), 1);
        let rows = LabelledFeatures { features: &plain, examples: &examples };
        assert_eq!(halves.standardizer(), Standardizer::fit(rows));
    }
}
