//! Reads the rows of a selection from the parts of a cache, block by block; the next block is read while one is used.

use crate::cache::PartSelection;
use crate::error::{Error, Result};
use crate::head::{Example, LabelledFeatures, RowSource, RunningMoments, Standardizer};
use crate::math::matrix::Matrix;
use crate::math::parallel;
use crate::math::random::Rng;
use crate::train::split_rows::RowSelection;
use crate::train::training_set::TrainingSet;
use std::collections::HashMap;
use std::sync::mpsc::{channel, sync_channel};

/// Selected rows of one part of the cache, with their class indexes.
#[derive(Debug, Clone)]
pub(super) struct PartRows {
    pick: PartSelection,
    targets: Vec<u32>,
}

/// Reads rows block by block.
#[derive(Debug)]
pub(super) struct BlockReader<'a> {
    set: &'a TrainingSet,
    parts: Vec<PartRows>,
    /// Upper limit on the rows of a block.
    block_rows: usize,
    /// One block to use, one to fill.
    buffers: Vec<Matrix>,
    rng: Rng,
    /// Parts that are read at the same time.
    readers: usize,
}

impl PartRows {
    /// Finds the rows of a selection, part by part.
    pub fn of(set: &TrainingSet, selection: &RowSelection) -> Vec<Self> {
        let targets: HashMap<_, _> = selection.keys.iter().zip(&selection.targets).collect();
        let picks = set.catalog().select(|key| targets.contains_key(key));
        let part = |pick: PartSelection| {
            let keys = set.catalog().keys_of(std::slice::from_ref(&pick));
            let targets = keys.map(|key| *targets[&key]).collect();
            Self { pick, targets }
        };
        picks.into_iter().map(part).collect()
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.targets.len()
    }
}

impl<'a> BlockReader<'a> {
    pub fn new(
        set: &'a TrainingSet,
        parts: Vec<PartRows>,
        block_rows: usize,
        seed: u64,
        readers: usize,
    ) -> Self {
        let rows = block_rows.min(parts.iter().map(PartRows::rows).sum());
        let buffers = vec![Matrix::zeros(rows, set.spec().width); 2];
        Self { set, parts, block_rows, buffers, rng: Rng::new(seed, 1), readers }
    }

    /// Upper limit on the bytes of a block.
    pub fn block_bytes(&self) -> usize {
        self.block_rows * self.set.spec().width * size_of::<f32>()
    }

    /// Calls `visit` with one block after another, in the present order of the parts.
    fn blocks(&mut self, visit: &mut dyn FnMut(&[PartRows], &Matrix, &mut Rng)) -> Result<()> {
        let Self { set, parts, block_rows, buffers, rng, readers } = self;
        let (blocks, readers) = (blocks(parts, *block_rows), *readers);
        let (to_fill, empty) = channel();
        let (to_visit, full) = sync_channel(1);
        buffers.drain(..).for_each(|buffer| to_fill.send(buffer).expect("the other end is here"));
        *buffers = std::thread::scope(|scope| {
            let blocks = &blocks;
            let set = *set;
            let reader = parallel::start(scope, move || {
                for block in blocks {
                    // The other thread has closed its channel when it has failed.
                    let Ok(mut buffer) = empty.recv() else { break };
                    let read = read_block(set, block, &mut buffer, readers);
                    if to_visit.send(read.map(|()| buffer)).is_err() {
                        break;
                    }
                }
                empty
            })
            .map_err(parallel::refused)?;
            for block in blocks {
                let buffer = full.recv().expect("a block for each that is waited for")?;
                visit(block, &buffer, rng);
                // The reader may have finished already.
                let _ = to_fill.send(buffer);
            }
            drop(to_fill);
            let empty = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            Ok::<_, Error>(empty.iter().collect())
        })?;
        Ok(())
    }

    /// Mean and standard deviation of each feature: one reading of all parts.
    pub fn standardizer(&mut self) -> Result<Standardizer> {
        let mut moments = RunningMoments::new(self.set.spec().width);
        self.blocks(&mut |block, features, _| {
            let rows: usize = block.iter().map(PartRows::rows).sum();
            (0..rows).for_each(|row| moments.add(features.row(row)));
        })?;
        Ok(moments.standardizer())
    }

    /// Calls `visit` with all rows, block by block, in the order of the parts.
    pub fn in_order(&mut self, visit: &mut dyn FnMut(&RowSelection, LabelledFeatures)) -> Result<()> {
        let set = self.set;
        self.blocks(&mut |block, features, _| {
            let keys = |part: &PartRows| set.catalog().keys_of(std::slice::from_ref(&part.pick)).collect();
            let keys = block.iter().flat_map(|part| -> Vec<_> { keys(part) }).collect();
            let examples = examples(block);
            let targets = examples.iter().map(|example| example.target).collect();
            visit(&RowSelection { keys, targets }, LabelledFeatures { features, examples: &examples });
        })
    }
}

impl RowSource for BlockReader<'_> {
    fn steps(&self, batch: usize) -> usize {
        self.parts.iter().map(PartRows::rows).sum::<usize>().div_ceil(batch)
    }

    fn epoch(&mut self, visit: &mut dyn FnMut(LabelledFeatures)) -> Result<()> {
        self.rng.shuffle(&mut self.parts);
        self.blocks(&mut |block, features, rng| {
            let mut examples = examples(block);
            rng.shuffle(&mut examples);
            visit(LabelledFeatures { features, examples: &examples });
        })
    }
}

/// The rows of a block in the order in which they are read.
fn examples(block: &[PartRows]) -> Vec<Example> {
    let targets = block.iter().flat_map(|part| &part.targets);
    (0..).zip(targets).map(|(row, &target)| Example { row, target }).collect()
}

fn read_block(set: &TrainingSet, block: &[PartRows], to: &mut Matrix, readers: usize) -> Result<()> {
    let picks: Vec<PartSelection> = block.iter().map(|part| part.pick.clone()).collect();
    set.catalog().read_into(&picks, to, readers)?;
    match to.first_not_finite() {
        // Rows left over from a larger block were checked when they were read.
        Some(row) => {
            let key = set.catalog().keys_of(&picks).nth(row);
            Err(set.not_finite(&key.expect("rows that were read before are finite")))
        }
        None => Ok(()),
    }
}

/// Joins parts to blocks of at most `block_rows` rows, or of one part.
fn blocks(parts: &[PartRows], block_rows: usize) -> Vec<Vec<PartRows>> {
    let mut blocks: Vec<Vec<PartRows>> = Vec::new();
    let mut rows = usize::MAX;
    for part in parts {
        if rows.saturating_add(part.rows()) > block_rows {
            blocks.push(Vec::new());
            rows = 0;
        }
        rows += part.rows();
        blocks.last_mut().expect("one was begun").push(part.clone());
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_hold_what_fits_and_every_part_once() {
        let part = |(part, rows): (usize, usize)| PartRows {
            pick: PartSelection { part, rows: (0..rows).collect() },
            targets: vec![0; rows],
        };
        let parts: Vec<PartRows> = [3, 5, 2, 8, 1, 1].into_iter().enumerate().map(part).collect();
        let joined = blocks(&parts, 8);
        let numbers: Vec<Vec<usize>> =
            joined.iter().map(|block| block.iter().map(|part| part.pick.part).collect()).collect();
        assert_eq!(numbers, [vec![0, 1], vec![2], vec![3], vec![4, 5]]);
        assert!(blocks(&[], 8).is_empty());
    }
}
