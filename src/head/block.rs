//! Runs one block of minibatch steps for several heads, on one thread or several.
//!
//! With several threads, each thread owns some outputs of the first layer, classes or hidden units: it computes them,
//! exchanges them with the other threads, and updates its own weights. What follows a hidden layer every thread computes for
//! itself, on a copy of its own. No sum is taken across threads, so the result does not depend on their number.

use super::adam::BiasState;
use super::barrier::SpinBarrier;
use super::head_state::{HeadSlice, HeadState, SplitHead};
use super::kernel::{Batch, Kernel};
use super::labelled_features::LabelledFeatures;
use super::loss::CrossEntropy;
use super::output_state::{OutputBuffers, OutputState};
use super::running_loss::RunningLoss;
use super::schedule::StepSchedule;
use super::standardize::{BatchStandardizer, Standardizer};
use crate::math::parallel::at_once;
use std::ops::Range;
use std::sync::{PoisonError, RwLock};

/// Consecutive minibatches and how to run them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block<'a> {
    pub kernel: Kernel,
    pub rows: LabelledFeatures<'a>,
    pub standardizer: Option<&'a Standardizer>,
    /// Rows per batch; the last batch may be smaller.
    pub batch: usize,
    pub threads: usize,
}

/// Some outputs of the first layer of one head.
#[derive(Debug, Clone)]
struct HeadOutputs {
    head: usize,
    outputs: Range<usize>,
}

/// Where some outputs of a head are computed, and where they are published.
#[derive(Debug)]
struct Part {
    thread: usize,
    /// Outputs that stand before them among those of the thread.
    offset: usize,
    outputs: Range<usize>,
}

/// One head as all threads see it.
struct SharedHead<'a> {
    loss: &'a CrossEntropy,
    schedule: &'a StepSchedule,
    /// What follows its hidden layer, as it is before the block.
    output: Option<&'a OutputState>,
    /// Number of outputs of its first layer.
    outputs: usize,
    /// These outputs, thread by thread.
    parts: Vec<Part>,
}

/// What a thread leaves behind for the heads whose first output it owns.
struct ThreadResult {
    /// `[heads]`; zero for the other heads.
    losses: Vec<RunningLoss>,
    /// What follows the hidden layer of a head, after the block.
    outputs: Vec<(usize, OutputState)>,
}

/// What the threads of a block share.
struct Shared<'a> {
    block: Block<'a>,
    heads: Vec<SharedHead<'a>>,
    /// Published outputs of each thread, for even and odd steps. Two buffers make one barrier per step enough.
    published: Vec<[RwLock<Vec<f32>>; 2]>,
    barrier: SpinBarrier,
}

impl Block<'_> {
    /// Performs one optimizer step per batch for every head. Returns the loss of each head, measured before each step.
    /// Runs on fewer threads when the system does not grant them all.
    pub fn run(mut self, heads: &mut [&mut HeadState]) -> Vec<RunningLoss> {
        loop {
            match self.try_run(heads) {
                Ok(losses) => return losses,
                Err(granted) => self.threads = granted,
            }
        }
    }

    /// Fails with the number of threads that the system grants, before any step.
    fn try_run(self, heads: &mut [&mut HeadState]) -> Result<Vec<RunningLoss>, usize> {
        let sizes: Vec<usize> = heads.iter().map(|head| head.first_outputs()).collect();
        let shares = distribute(&sizes, self.threads);
        let mut slices: Vec<Vec<HeadSlice>> = shares.iter().map(|_| Vec::new()).collect();
        let mut shared_heads = Vec::new();
        for (number, head) in heads.iter_mut().enumerate() {
            let parts = parts_of(number, &shares);
            let ends: Vec<usize> = parts.iter().map(|part| part.outputs.end).collect();
            let SplitHead { loss, schedule, slices: own, output } = head.split(number, &ends);
            for (part, slice) in parts.iter().zip(own) {
                slices[part.thread].push(slice);
            }
            let outputs = sizes[number];
            shared_heads.push(SharedHead { loss, schedule, output, outputs, parts });
        }
        let buffers = |share: &Vec<HeadOutputs>| {
            let outputs: usize = share.iter().map(|own| own.outputs.len()).sum();
            [(); 2].map(|()| RwLock::new(vec![0.0; outputs * self.batch]))
        };
        let published = shares.iter().map(buffers).collect();
        let shared =
            Shared { block: self, heads: shared_heads, published, barrier: SpinBarrier::new(shares.len()) };
        let results = shared.run(slices)?;
        let steps = self.rows.examples.len().div_ceil(self.batch);
        drop(shared);
        let mut sums = vec![RunningLoss::default(); heads.len()];
        for ThreadResult { losses, outputs } in results {
            sums.iter_mut().zip(losses).for_each(|(sum, loss)| *sum += loss);
            outputs.into_iter().for_each(|(head, output)| heads[head].set_output(output));
        }
        heads.iter_mut().for_each(|head| head.schedule.taken += steps);
        Ok(sums)
    }
}

/// Distributes the outputs of all heads, one head after the other, among `threads` shares of nearly the same size.
fn distribute(sizes: &[usize], threads: usize) -> Vec<Vec<HeadOutputs>> {
    let total: usize = sizes.iter().sum();
    let share = |thread: usize| {
        let (from, to) = (total * thread / threads, total * (thread + 1) / threads);
        let mut start = 0;
        let mut share = Vec::new();
        for (head, size) in sizes.iter().enumerate() {
            let outputs = from.clamp(start, start + size) - start..to.clamp(start, start + size) - start;
            if !outputs.is_empty() {
                share.push(HeadOutputs { head, outputs });
            }
            start += size;
        }
        share
    };
    (0..threads).map(share).collect()
}

/// Finds the parts of one head in the shares of all threads.
fn parts_of(head: usize, shares: &[Vec<HeadOutputs>]) -> Vec<Part> {
    let mut parts = Vec::new();
    for (thread, share) in shares.iter().enumerate() {
        let offset = share.iter().filter(|own| own.head < head).map(|own| own.outputs.len()).sum();
        let own = share.iter().filter(|own| own.head == head);
        parts.extend(own.map(|own| Part { thread, offset, outputs: own.outputs.clone() }));
    }
    parts
}

/// Buffers that a thread reuses in each step.
struct Scratch<'a> {
    /// Outputs of the first layer of a whole head, `[rows, outputs]`, then the gradient at them.
    z: Vec<f32>,
    /// The gradient for some of its outputs.
    delta: Vec<f32>,
    totals: Vec<f32>,
    standardized: Option<BatchStandardizer<'a>>,
}

impl Shared<'_> {
    /// Runs all steps on all threads, the first of which is this one.
    fn run(&self, slices: Vec<Vec<HeadSlice>>) -> Result<Vec<ThreadResult>, usize> {
        let shares: Vec<_> = slices.into_iter().enumerate().collect();
        at_once(shares, |(thread, mut slices)| self.run_thread(thread, &mut slices))
    }

    /// Runs all steps of one thread.
    fn run_thread(&self, thread: usize, slices: &mut [HeadSlice]) -> ThreadResult {
        let _guard = self.barrier.poison_guard();
        let Block { kernel, rows, batch, standardizer, .. } = self.block;
        let mut losses = vec![RunningLoss::default(); self.heads.len()];
        let copy = |slice: &HeadSlice| {
            self.heads[slice.head].output.map(|output| (output.clone(), output.buffers(batch)))
        };
        let mut outputs: Vec<Option<(OutputState, OutputBuffers)>> = slices.iter().map(copy).collect();
        let mut scratch = Scratch {
            z: Vec::new(),
            delta: Vec::new(),
            totals: Vec::with_capacity(batch),
            standardized: standardizer.map(|standardizer| BatchStandardizer::new(standardizer, batch)),
        };
        for (number, examples) in rows.examples.chunks(batch).enumerate() {
            let Scratch { z, delta, totals, standardized } = &mut scratch;
            let plain = Batch::of(LabelledFeatures { examples, ..rows });
            let batch = match standardized {
                Some(standardized) => standardized.apply(kernel, plain),
                None => plain,
            };
            self.publish(thread, number, batch, slices);
            self.barrier.wait();
            for (slice, output) in slices.iter_mut().zip(&mut outputs) {
                let SharedHead { loss, schedule, outputs: all, .. } = self.heads[slice.head];
                self.collect(slice.head, number, examples.len(), z);
                let step = schedule.step(number);
                let batch_loss = match output {
                    None => loss.gradient(kernel, z, examples, totals),
                    Some((output, buffers)) => {
                        output.step(kernel, loss, (z, examples), step, buffers, totals)
                    }
                };
                if slice.outputs.start == 0 {
                    losses[slice.head] += batch_loss;
                }
                let own = columns(z, all, &slice.outputs, delta);
                kernel.step(batch, own, slice.weights.reborrow(), step.adam);
                slice.bias.step(own, step.adam);
            }
        }
        let first = slices.iter().zip(outputs).filter(|(slice, _)| slice.outputs.start == 0);
        let outputs = first.filter_map(|(slice, output)| Some((slice.head, output?.0)));
        ThreadResult { losses, outputs: outputs.collect() }
    }

    /// Computes the thread's own outputs of the first layers and publishes them.
    fn publish(&self, thread: usize, step: usize, batch: Batch, slices: &[HeadSlice]) {
        let rows = batch.examples.len();
        let mut published = self.published[thread][step % 2].write().unwrap_or_else(PoisonError::into_inner);
        let mut rest = &mut published[..];
        for slice in slices {
            let BiasState { value: bias, .. } = &slice.bias;
            let (own, others) = rest.split_at_mut(rows * slice.outputs.len());
            self.block.kernel.logits(batch, slice.weights.weight, bias, own);
            rest = others;
        }
    }

    /// Collects the outputs of the first layer of a whole head, `[rows, outputs]`, from all threads.
    fn collect(&self, head: usize, step: usize, rows: usize, z: &mut Vec<f32>) {
        let SharedHead { outputs, parts, .. } = &self.heads[head];
        z.resize(rows * outputs, 0.0);
        for part in parts {
            let published =
                self.published[part.thread][step % 2].read().unwrap_or_else(PoisonError::into_inner);
            let own = &published[rows * part.offset..rows * (part.offset + part.outputs.len())];
            for (to, from) in z.chunks_exact_mut(*outputs).zip(own.chunks_exact(part.outputs.len())) {
                to[part.outputs.clone()].copy_from_slice(from);
            }
        }
    }
}

/// Returns some columns of `z`, `[rows, outputs]`: copied into `buffer`, or `z` itself if they are all its columns.
fn columns<'a>(z: &'a [f32], outputs: usize, some: &Range<usize>, buffer: &'a mut Vec<f32>) -> &'a [f32] {
    if some.len() == outputs {
        return z;
    }
    buffer.clear();
    for row in z.chunks_exact(outputs) {
        buffer.extend_from_slice(&row[some.clone()]);
    }
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::{Example, FitConfig, Head};
    use crate::math::matrix::Matrix;

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let (width, sizes) = (70, [(0, 5usize), (0, 1), (0, 8), (9, 3), (1, 2)]);
        let features =
            Matrix::from_rows(width, &(0..40 * width).map(|i| (i as f32).sin()).collect::<Vec<_>>());
        let examples: Vec<Example> = (0..40).map(|row| Example { row, target: 0 }).collect();
        let fitted = |threads: usize| {
            let state = |(units, classes): (usize, usize)| {
                let head = Head::with_hidden(width, units, classes, 1);
                let config = FitConfig { dropout: 0.3, weight_decay: 0.1, ..FitConfig::default() };
                HeadState::new(head, &config, vec![1.0; classes], (None, None), 10)
            };
            let mut states = sizes.map(state);
            let mut borrowed: Vec<&mut HeadState> = states.iter_mut().collect();
            let rows = LabelledFeatures { features: &features, examples: &examples };
            let block = Block { kernel: Kernel::new(), rows, standardizer: None, batch: 7, threads };
            let losses = block.run(&mut borrowed);
            (losses, states.map(|state| state.head(None)))
        };
        let alone = fitted(1);
        assert!([2, 3, 5, 14].iter().all(|&threads| fitted(threads) == alone));
    }

    #[test]
    fn shares_cover_all_outputs_once_and_are_nearly_equal() {
        for (sizes, threads) in [(vec![10], 3), (vec![3; 7], 4), (vec![1, 5, 2], 8), (vec![100, 1], 2)] {
            let shares = distribute(&sizes, threads);
            let mut seen: Vec<Vec<usize>> = sizes.iter().map(|_| Vec::new()).collect();
            for own in shares.iter().flatten() {
                seen[own.head].extend(own.outputs.clone());
            }
            assert!(seen.iter().zip(&sizes).all(|(seen, &size)| seen.iter().copied().eq(0..size)));
            let size = |share: &Vec<HeadOutputs>| share.iter().map(|own| own.outputs.len()).sum::<usize>();
            let (least, most) = (shares.iter().map(size).min(), shares.iter().map(size).max());
            assert!(most.unwrap() - least.unwrap() <= 1);
        }
    }
}
