//! Training beyond memory: train rows come from the parts of the cache in blocks, while the one before is trained on.
//!
//! The order of an epoch is a shuffle of blocks and within blocks: the parts in a new random order, as many of them
//! to a block as fit, the rows of a block in random order. Rows of one part so stay within one block of the epoch; with
//! several blocks of many parts each, as nearly any memory allows, batches are as mixed as those of a full shuffle,
//! but the head is not the same bit for bit. The last batch of a block may be smaller. Every part is rehashed whenever
//! it is read.

use super::job;
use super::outcome;
use super::shelf::{Chosen, Plan, Shelf};
use super::trust;
use super::warm::Warm;
use crate::dataset::Split;
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::head::reject::Measured;
use crate::head::{
    Common, Epoch, Example, FitConfig, FitParams, Fitted, Head, Moments, Rows, Scale, Source, fit_many,
};
use crate::matrix::Matrix;
use crate::rng::Rng;
use crate::run::Prediction;
use crate::store::PartSelection;
use std::collections::HashMap;
use std::sync::mpsc::{channel, sync_channel};
use std::time::Instant;

/// Rows of a part with their classes.
#[derive(Debug, Clone)]
struct Shard {
    pick: PartSelection,
    targets: Vec<u32>,
}

/// Rows of a split, read block by block.
#[derive(Debug)]
struct Streamed<'a> {
    shelf: &'a Shelf,
    shards: Vec<Shard>,
    /// Rows in a block at most.
    capacity: usize,
    /// One to train on, one to fill.
    buffers: Vec<Matrix>,
    rng: Rng,
    readers: usize,
}

/// How memory is shared out: three quarters for the validation rows and for two blocks, a quarter for reading. It does
/// not depend on the number of threads, which so changes no bit.
#[derive(Debug, PartialEq, Eq)]
struct Budget {
    /// Rows of each of the two blocks.
    block: usize,
    /// Parts that are read at the same time, at most.
    readers: usize,
}

impl Budget {
    /// What `memory` bytes allow for rows of `row` bytes, where `validation` rows stay in memory and a part has up to
    /// `part` rows; else the least that would do. Whoever reads holds a part three times over: the file, its
    /// pages, its rows.
    fn of(memory: u64, row: u64, validation: usize, part: usize) -> std::result::Result<Self, u64> {
        let (kept, part) = (validation as u64 * row, part as u64 * row);
        let block = (memory / 4 * 3).saturating_sub(kept) / 2;
        let readers = memory / 4 / (3 * part);
        match block >= part && readers > 0 {
            true => Ok(Self { block: (block / row) as usize, readers: readers as usize }),
            false => Err(4 * (3 * part).max((kept + 2 * part).div_ceil(3))),
        }
    }
}

/// Fits a head within `memory` bytes for features, predicts its validation and test rows, and measures their distances;
/// the seconds are those of the fit.
///
/// # Errors
/// [`Kind::Usage`] when that is too little; else as `train`.
pub(super) fn fit(
    shelf: &Shelf,
    plan: &Plan,
    warm: Option<&Warm>,
    (params, threads, memory): (FitParams, usize, u64),
    on_epoch: &mut dyn FnMut(&Epoch, &Head),
) -> Result<(Fitted, f64, (Vec<Prediction>, Measured))> {
    let started = Instant::now();
    let settings = params.settings().clone();
    check_order(&settings)?;
    let shards = shards(shelf, &plan.train);
    let largest = |shards: &[Shard]| shards.iter().map(|shard| shard.targets.len()).max().unwrap_or(1);
    let held_out = plan.held_out().map(|(part, _)| largest(&self::shards(shelf, part)));
    let part = held_out.into_iter().fold(largest(&shards), usize::max);
    let row = 4 * Matrix::zeros(0, shelf.spec().width).stride() as u64;
    let budget = Budget::of(memory, row, plan.validation.keys.len(), part).map_err(|least| {
        Error::new(Kind::Usage, "--memory is too little for the validation rows and two blocks of train rows")
            .help(format!("give at least {}KiB", least.div_ceil(1 << 10)))
    })?;
    let readers = threads.min(budget.readers);
    let validation = read_all(shelf, &plan.validation, readers)?;
    let mut train = Streamed::new(shelf, shards, budget.block, settings.order_seed(), readers);
    let scale = if settings.standardize { Some(train.scale()?) } else { None };
    let common = Common {
        width: shelf.spec().width,
        validation: Some(Rows { features: &validation.0, examples: &validation.1 }),
        scale: scale.as_ref(),
        threads,
    };
    let jobs = vec![job(shelf, plan, warm, params)?];
    let mut all = fit_many(jobs, &mut train, common, &mut |_, epoch, head| on_epoch(epoch, head))?;
    let fitted = all.pop().expect("one job, one head")?;
    let seconds = started.elapsed().as_secs_f64();
    drop(train);
    let answers = answer(&fitted.head, (shelf, plan), validation, (budget.block, readers))?;
    Ok((fitted, seconds, answers))
}

/// Rows that come in blocks have an order of their own.
fn check_order(settings: &FitConfig) -> Result<()> {
    let refused = [("--no-shuffle", !settings.shuffle), ("--drop-last", settings.drop_last)];
    match refused.into_iter().find(|(_, given)| *given) {
        Some((flag, _)) => Err(Error::new(
            Kind::Usage,
            format!("{flag} has no meaning with --memory, where rows come in blocks"),
        )
        .help(format!("leave one of the two out: {flag} or --memory"))),
        None => Ok(()),
    }
}

/// What a head answers for all held-out rows, and how far they lie from the classes; the distances of images in the order
/// of their digests.
fn answer(
    head: &Head,
    (shelf, plan): (&Shelf, &Plan),
    validation: (Matrix, Vec<Example>),
    (block, readers): (usize, usize),
) -> Result<(Vec<Prediction>, Measured)> {
    // As many rows as the two blocks had, whose place they take.
    let (features, examples) = read_all(shelf, &trust::measured_from(&plan.train, 2 * block), readers)?;
    let distance = trust::distance(Rows { features: &features, examples: &examples }, shelf.classes.len());
    drop((features, examples));
    let rows = Rows { features: &validation.0, examples: &validation.1 };
    let mut predictions = outcome::predict(head, shelf, &plan.validation, rows, Split::Validation);
    let near_validation = distance.of_rows(rows);
    drop(validation);
    let mut near_test: Vec<(Digest, f32)> = Vec::new();
    for (part, split) in [
        (&plan.test, Split::Test),
        (&plan.test_variants, Split::Test),
        (&plan.validation_variants, Split::Validation),
    ] {
        Streamed::new(shelf, shards(shelf, part), block, 0, readers).in_order(&mut |chosen, rows| {
            predictions.extend(outcome::predict(head, shelf, chosen, rows, split));
            if std::ptr::eq(part, &plan.test) {
                near_test.extend(chosen.images().zip(distance.of_rows(rows)));
            }
        })?;
    }
    near_test.sort_unstable_by_key(|(image, _)| *image);
    let test = near_test.into_iter().map(|(_, distance)| distance).collect();
    Ok((predictions, Measured { distance, validation: near_validation, test }))
}

/// The rows of a split, part by part.
fn shards(shelf: &Shelf, chosen: &Chosen) -> Vec<Shard> {
    let targets: HashMap<_, _> = chosen.keys.iter().zip(&chosen.targets).collect();
    let picks = shelf.catalog.select(|key| targets.contains_key(key));
    let shard = |pick: PartSelection| {
        let keys = shelf.catalog.keys_of(std::slice::from_ref(&pick));
        let targets = keys.map(|key| *targets[&key]).collect();
        Shard { pick, targets }
    };
    picks.into_iter().map(shard).collect()
}

/// All rows of a split, in the order of their keys.
fn read_all(shelf: &Shelf, chosen: &Chosen, threads: usize) -> Result<(Matrix, Vec<Example>)> {
    let wanted: HashMap<_, _> = chosen.keys.iter().zip(0..).collect();
    let found = shelf.catalog.read(&shelf.catalog.select(|key| wanted.contains_key(key)), threads)?;
    if let Some(row) = found.features.first_not_finite() {
        return Err(shelf.not_a_number(&found.keys[row]));
    }
    let mut examples = vec![Example { row: 0, target: 0 }; chosen.keys.len()];
    for (row, key) in (0..).zip(&found.keys) {
        let place: usize = wanted[key];
        examples[place] = Example { row, target: chosen.targets[place] };
    }
    Ok((found.features, examples))
}

impl<'a> Streamed<'a> {
    fn new(shelf: &'a Shelf, shards: Vec<Shard>, capacity: usize, seed: u64, readers: usize) -> Self {
        let rows = capacity.min(shards.iter().map(|shard| shard.targets.len()).sum());
        let buffers = vec![Matrix::zeros(rows, shelf.spec().width); 2];
        Self { shelf, shards, capacity, buffers, rng: Rng::new(seed, 1), readers }
    }

    /// Calls `visit` with block after block of the shards in their present order, reading the next one meanwhile.
    fn blocks(&mut self, visit: &mut dyn FnMut(&[Shard], &Matrix, &mut Rng)) -> Result<()> {
        let Self { shelf, shards, capacity, buffers, rng, readers } = self;
        let (blocks, readers) = (blocks(shards, *capacity), *readers);
        let (to_fill, empty) = channel();
        let (to_visit, full) = sync_channel(1);
        buffers.drain(..).for_each(|buffer| to_fill.send(buffer).expect("the other end is here"));
        *buffers = std::thread::scope(|scope| {
            let blocks = &blocks;
            let shelf = *shelf;
            let reader = scope.spawn(move || {
                for block in blocks {
                    // Whoever has failed hangs up; so does this thread then.
                    let Ok(mut buffer) = empty.recv() else { break };
                    let read = read_block(shelf, block, &mut buffer, readers);
                    if to_visit.send(read.map(|()| buffer)).is_err() {
                        break;
                    }
                }
                empty
            });
            for block in blocks {
                let buffer = full.recv().expect("a block for each that is waited for")?;
                visit(block, &buffer, rng);
                // The reader may be done and gone.
                let _ = to_fill.send(buffer);
            }
            drop(to_fill);
            let empty = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            Ok::<_, Error>(empty.iter().collect())
        })?;
        Ok(())
    }

    /// Mean and deviation of all features: one reading of all parts.
    fn scale(&mut self) -> Result<Scale> {
        let mut moments = Moments::new(self.shelf.spec().width);
        self.blocks(&mut |block, features, _| {
            let rows: usize = block.iter().map(|shard| shard.targets.len()).sum();
            (0..rows).for_each(|row| moments.add(features.row(row)));
        })?;
        Ok(moments.scale())
    }

    /// Hands out all rows in the order of the parts.
    fn in_order(&mut self, visit: &mut dyn FnMut(&Chosen, Rows)) -> Result<()> {
        let shelf = self.shelf;
        self.blocks(&mut |block, features, _| {
            let keys =
                block.iter().flat_map(|s| shelf.catalog.keys_of(std::slice::from_ref(&s.pick))).collect();
            let examples = examples(block);
            let targets = examples.iter().map(|example| example.target).collect();
            visit(&Chosen { keys, targets }, Rows { features, examples: &examples });
        })
    }
}

impl Source for Streamed<'_> {
    fn steps(&self, batch: usize) -> usize {
        self.shards.iter().map(|shard| shard.targets.len()).sum::<usize>().div_ceil(batch)
    }

    fn epoch(&mut self, visit: &mut dyn FnMut(Rows)) -> Result<()> {
        self.rng.shuffle(&mut self.shards);
        self.blocks(&mut |block, features, rng| {
            let mut examples = examples(block);
            rng.shuffle(&mut examples);
            visit(Rows { features, examples: &examples });
        })
    }
}

/// The rows of a block in the order in which they are read.
fn examples(block: &[Shard]) -> Vec<Example> {
    let targets = block.iter().flat_map(|shard| &shard.targets);
    (0..).zip(targets).map(|(row, &target)| Example { row, target }).collect()
}

fn read_block(shelf: &Shelf, block: &[Shard], to: &mut Matrix, readers: usize) -> Result<()> {
    let picks: Vec<PartSelection> = block.iter().map(|shard| shard.pick.clone()).collect();
    shelf.catalog.read_into(&picks, to, readers)?;
    match to.first_not_finite() {
        // What a larger block left behind is fine.
        Some(row) => {
            let key = shelf.catalog.keys_of(&picks).nth(row);
            Err(shelf.not_a_number(&key.expect("rows that were read before were numbers")))
        }
        None => Ok(()),
    }
}

/// Cuts shards into runs of at most `capacity` rows, or one shard.
fn blocks(shards: &[Shard], capacity: usize) -> Vec<Vec<Shard>> {
    let mut blocks: Vec<Vec<Shard>> = Vec::new();
    let mut rows = usize::MAX;
    for shard in shards {
        let own = shard.targets.len();
        if rows.saturating_add(own) > capacity {
            blocks.push(Vec::new());
            rows = 0;
        }
        rows += own;
        blocks.last_mut().expect("one was begun").push(shard.clone());
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(part: usize, rows: usize) -> Shard {
        Shard { pick: PartSelection { part, rows: (0..rows).collect() }, targets: vec![0; rows] }
    }

    #[test]
    fn blocks_hold_what_fits_and_every_shard_once() {
        let shards: Vec<Shard> =
            [3, 5, 2, 8, 1, 1].into_iter().enumerate().map(|(i, n)| shard(i, n)).collect();
        let cut = blocks(&shards, 8);
        let numbers: Vec<Vec<usize>> =
            cut.iter().map(|block| block.iter().map(|shard| shard.pick.part).collect()).collect();
        assert_eq!(numbers, [vec![0, 1], vec![2], vec![3], vec![4, 5]]);
        assert!(blocks(&[], 8).is_empty());
    }

    #[test]
    fn memory_is_shared_out_or_the_least_is_told() {
        // Of 48,000 bytes 36,000 are for 10 rows and two blocks, 12,000 for parts of 4 rows, each three times over.
        assert_eq!(Budget::of(48_000, 100, 10, 4), Ok(Budget { block: 175, readers: 10 }));
        for (validation, part) in [(0, 1), (10, 4), (1000, 4), (3, 256)] {
            let least = Budget::of(0, 256, validation, part).unwrap_err();
            assert!(Budget::of(least, 256, validation, part).is_ok(), "{least}");
            assert!(Budget::of(least - 4, 256, validation, part).is_err(), "{least}");
        }
    }
}
