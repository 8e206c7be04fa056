//! Runs one epoch of minibatch steps for several heads. The heads advance together through blocks of a few batches, so
//! each block of features is read from memory once for all of them.

use super::block::Block;
use super::head_state::HeadState;
use super::kernel::Kernel;
use super::labelled_features::{Example, LabelledFeatures};
use super::running_loss::RunningLoss;
use super::standardize::Standardizer;
use super::thread_tuner::ThreadTuner;
use crate::math::parallel::in_parallel;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Multiplications per thread and step below which a further thread does not pay.
const MIN_STEP_WORK: usize = 200_000;

/// Multiplications in a block: some ten milliseconds on one thread. Threads are started for each block.
const BLOCK_WORK: usize = 400_000_000;

/// Steps in a block of few heads, at least: a busy system takes some milliseconds to give each new thread a core of its own.
const BLOCK_STEPS: usize = 16;

/// Floats that stay in a core's own cache beside the features of a batch: half a megabyte.
const CACHE_FLOATS: usize = 1 << 17;

/// One epoch, or one block of rows of an epoch that does not fit into memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct EpochRun<'a> {
    pub kernel: Kernel,
    /// The rows in training order.
    pub rows: LabelledFeatures<'a>,
    pub standardizer: Option<&'a Standardizer>,
    /// Rows per batch; the last batch may be smaller.
    pub batch: usize,
    /// Upper limit on threads. Fewer are used when that is faster; the result does not depend on the number.
    pub max_threads: usize,
}

impl<'a> EpochRun<'a> {
    /// Performs one optimizer step per batch for every head. Returns the loss of each head, measured before each step.
    pub fn run(&self, heads: &mut [&mut HeadState], tuner: &mut ThreadTuner) -> Vec<RunningLoss> {
        let outputs: usize = heads.iter().map(|head| head.first_outputs()).sum();
        let batch = self.batch.min(self.rows.examples.len().max(1));
        let step_work = outputs * self.rows.features.stride() * batch;
        let mut sums = vec![RunningLoss::default(); heads.len()];
        let in_groups = heads.len() >= 2 * self.max_threads;
        let steps = BLOCK_WORK.div_ceil(step_work.max(1)).max(if in_groups { 1 } else { BLOCK_STEPS });
        for examples in self.rows.examples.chunks(batch * steps) {
            let block = |threads| self.block(examples, batch, threads);
            let losses = if in_groups {
                run_in_groups(heads, block(1), self.max_threads)
            } else {
                let threads = self.max_threads.min(step_work / MIN_STEP_WORK).min(outputs);
                let multi_threaded = threads > 1 && tuner.use_threads();
                let started = Instant::now();
                let losses = block(if multi_threaded { threads } else { 1 }).run(heads);
                let seconds = started.elapsed().as_secs_f64();
                tuner.record(multi_threaded, seconds / (examples.len() * outputs) as f64);
                losses
            };
            sums.iter_mut().zip(losses).for_each(|(sum, loss)| *sum += loss);
        }
        sums
    }

    fn block(&self, examples: &'a [Example], batch: usize, threads: usize) -> Block<'a> {
        let rows = LabelledFeatures { examples, ..self.rows };
        Block { kernel: self.kernel, rows, standardizer: self.standardizer, batch, threads }
    }
}

/// Runs a block for more heads than threads. Whole heads are distributed among the threads, so that no thread waits for
/// another, in groups that fit into a core's own cache with their moments.
fn run_in_groups(heads: &mut [&mut HeadState], block: Block, threads: usize) -> Vec<RunningLoss> {
    let count = heads.len();
    let outputs: usize = heads.iter().map(|head| head.first_outputs()).sum();
    let floats_per_head = 3 * outputs.div_ceil(count) * block.rows.features.stride();
    let size = (CACHE_FLOATS / floats_per_head.max(1)).min(count / (4 * threads)).max(1);
    let groups: Vec<_> = heads.chunks_mut(size).map(Mutex::new).collect();
    let run = |group: &Mutex<&mut [&mut HeadState]>| {
        let mut group = group.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(block.run(&mut group))
    };
    in_parallel(threads, &groups, run).expect("steps cannot fail").concat()
}
