//! Runs one block of minibatch steps for several heads, on one thread or several.
//!
//! With several threads, each thread owns some classes: it computes their logits, exchanges them with the other threads,
//! and updates its own weights. No sum is taken across threads, so the result does not depend on their number.

use super::adam::BiasState;
use super::barrier::SpinBarrier;
use super::head_state::{HeadSlice, HeadState};
use super::kernel::{Batch, Kernel};
use super::labelled_features::LabelledFeatures;
use super::loss::CrossEntropy;
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

/// Some classes of one head.
#[derive(Debug, Clone)]
struct HeadClasses {
    head: usize,
    classes: Range<usize>,
}

/// Where some classes of a head are computed, and where their logits are published.
#[derive(Debug)]
struct Part {
    thread: usize,
    /// Classes that stand before them in the thread's logits.
    offset: usize,
    classes: Range<usize>,
}

/// One head as all threads see it.
struct SharedHead<'a> {
    loss: &'a CrossEntropy,
    schedule: &'a StepSchedule,
    /// Its classes, thread by thread.
    parts: Vec<Part>,
}

/// What the threads of a block share.
struct Shared<'a> {
    block: Block<'a>,
    heads: Vec<SharedHead<'a>>,
    /// Published logits of each thread, for even and odd steps. Two buffers make one barrier per step enough.
    logits: Vec<[RwLock<Vec<f32>>; 2]>,
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
        let sizes: Vec<usize> = heads.iter().map(|head| head.classes()).collect();
        let shares = distribute(&sizes, self.threads);
        let mut slices: Vec<Vec<HeadSlice>> = shares.iter().map(|_| Vec::new()).collect();
        let mut shared_heads = Vec::new();
        for (number, head) in heads.iter_mut().enumerate() {
            let parts = parts_of(number, &shares);
            let ends: Vec<usize> = parts.iter().map(|part| part.classes.end).collect();
            let split = head.split(number, &ends);
            for (part, slice) in parts.iter().zip(split.slices) {
                slices[part.thread].push(slice);
            }
            shared_heads.push(SharedHead { loss: split.loss, schedule: split.schedule, parts });
        }
        let buffers = |share: &Vec<HeadClasses>| {
            let classes: usize = share.iter().map(|own| own.classes.len()).sum();
            [(); 2].map(|()| RwLock::new(vec![0.0; classes * self.batch]))
        };
        let logits = shares.iter().map(buffers).collect();
        let shared =
            Shared { block: self, heads: shared_heads, logits, barrier: SpinBarrier::new(shares.len()) };
        let losses = shared.run(slices)?;
        let steps = self.rows.examples.len().div_ceil(self.batch);
        drop(shared);
        heads.iter_mut().for_each(|head| head.schedule.taken += steps);
        Ok(losses)
    }
}

/// Distributes the classes of all heads, one head after the other, among `threads` shares of nearly the same size.
fn distribute(sizes: &[usize], threads: usize) -> Vec<Vec<HeadClasses>> {
    let total: usize = sizes.iter().sum();
    let share = |thread: usize| {
        let (from, to) = (total * thread / threads, total * (thread + 1) / threads);
        let mut start = 0;
        let mut share = Vec::new();
        for (head, size) in sizes.iter().enumerate() {
            let classes = from.clamp(start, start + size) - start..to.clamp(start, start + size) - start;
            if !classes.is_empty() {
                share.push(HeadClasses { head, classes });
            }
            start += size;
        }
        share
    };
    (0..threads).map(share).collect()
}

/// Finds the parts of one head in the shares of all threads.
fn parts_of(head: usize, shares: &[Vec<HeadClasses>]) -> Vec<Part> {
    let mut parts = Vec::new();
    for (thread, share) in shares.iter().enumerate() {
        let offset = share.iter().filter(|own| own.head < head).map(|own| own.classes.len()).sum();
        let own = share.iter().filter(|own| own.head == head);
        parts.extend(own.map(|own| Part { thread, offset, classes: own.classes.clone() }));
    }
    parts
}

/// Buffers that a thread reuses in each step.
struct Scratch<'a> {
    /// Logits of a whole head, `[rows, classes]`, then the gradient at them.
    z: Vec<f32>,
    /// The gradient for some of its classes.
    delta: Vec<f32>,
    totals: Vec<f32>,
    standardized: Option<BatchStandardizer<'a>>,
}

impl Shared<'_> {
    /// Runs all steps on all threads, the first of which is this one.
    fn run(&self, slices: Vec<Vec<HeadSlice>>) -> Result<Vec<RunningLoss>, usize> {
        let shares: Vec<_> = slices.into_iter().enumerate().collect();
        let losses = at_once(shares, |(thread, mut slices)| self.run_thread(thread, &mut slices))?;
        let mut sums = vec![RunningLoss::default(); self.heads.len()];
        for own in losses {
            sums.iter_mut().zip(own).for_each(|(sum, loss)| *sum += loss);
        }
        Ok(sums)
    }

    /// Runs all steps of one thread. Returns the loss of the heads whose first class it owns, and zero for the others.
    fn run_thread(&self, thread: usize, slices: &mut [HeadSlice]) -> Vec<RunningLoss> {
        let _guard = self.barrier.poison_guard();
        let Block { kernel, rows, batch, standardizer, .. } = self.block;
        let mut sums = vec![RunningLoss::default(); self.heads.len()];
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
            self.publish_logits(thread, number, batch, slices);
            self.barrier.wait();
            for slice in slices.iter_mut() {
                let SharedHead { loss, schedule, .. } = self.heads[slice.head];
                self.collect_logits(slice.head, number, examples.len(), z);
                let batch_loss = loss.gradient(kernel, z, examples, totals);
                if slice.classes.start == 0 {
                    sums[slice.head] += batch_loss;
                }
                let own = columns(z, loss.classes(), &slice.classes, delta);
                let step = schedule.step(number);
                kernel.step(batch, own, slice.weights.reborrow(), step);
                slice.bias.step(own, step);
            }
        }
        sums
    }

    /// Computes the logits of the thread's own classes and publishes them.
    fn publish_logits(&self, thread: usize, step: usize, batch: Batch, slices: &[HeadSlice]) {
        let rows = batch.examples.len();
        let mut logits = self.logits[thread][step % 2].write().unwrap_or_else(PoisonError::into_inner);
        let mut rest = &mut logits[..];
        for slice in slices {
            let BiasState { value: bias, .. } = &slice.bias;
            let (own, others) = rest.split_at_mut(rows * slice.classes.len());
            self.block.kernel.logits(batch, slice.weights.weight, bias, own);
            rest = others;
        }
    }

    /// Collects the logits of a whole head, `[rows, classes]`, from all threads.
    fn collect_logits(&self, head: usize, step: usize, rows: usize, z: &mut Vec<f32>) {
        let SharedHead { loss, parts, .. } = &self.heads[head];
        let classes = loss.classes();
        z.resize(rows * classes, 0.0);
        for part in parts {
            let logits = self.logits[part.thread][step % 2].read().unwrap_or_else(PoisonError::into_inner);
            let own = &logits[rows * part.offset..rows * (part.offset + part.classes.len())];
            for (to, from) in z.chunks_exact_mut(classes).zip(own.chunks_exact(part.classes.len())) {
                to[part.classes.clone()].copy_from_slice(from);
            }
        }
    }
}

/// Returns some columns of `z`, `[rows, classes]`: copied into `buffer`, or `z` itself if they are all its columns.
fn columns<'a>(z: &'a [f32], classes: usize, some: &Range<usize>, buffer: &'a mut Vec<f32>) -> &'a [f32] {
    if some.len() == classes {
        return z;
    }
    buffer.clear();
    for row in z.chunks_exact(classes) {
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
        let (width, sizes) = (70, [5usize, 1, 8]);
        let features =
            Matrix::from_rows(width, &(0..40 * width).map(|i| (i as f32).sin()).collect::<Vec<_>>());
        let examples: Vec<Example> = (0..40).map(|row| Example { row, target: 0 }).collect();
        let fitted = |threads: usize| {
            let state = |classes: usize| {
                let head = Head::fresh(width, classes, 1);
                HeadState::new(head, &FitConfig::default(), vec![1.0; classes], (None, None), 10)
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
    fn shares_cover_all_classes_once_and_are_nearly_equal() {
        for (sizes, threads) in [(vec![10], 3), (vec![3; 7], 4), (vec![1, 5, 2], 8), (vec![100, 1], 2)] {
            let shares = distribute(&sizes, threads);
            let mut seen: Vec<Vec<usize>> = sizes.iter().map(|_| Vec::new()).collect();
            for own in shares.iter().flatten() {
                seen[own.head].extend(own.classes.clone());
            }
            assert!(seen.iter().zip(&sizes).all(|(seen, &size)| seen.iter().copied().eq(0..size)));
            let size = |share: &Vec<HeadClasses>| share.iter().map(|own| own.classes.len()).sum::<usize>();
            let (least, most) = (shares.iter().map(size).min(), shares.iter().map(size).max());
            assert!(most.unwrap() - least.unwrap() <= 1);
        }
    }
}
