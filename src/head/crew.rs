//! One pass over rows of features, for any number of heads at once and on any number of threads. All heads take their
//! steps together over a stretch of a few batches, whose features so come from memory once for all of them. Where there are
//! fewer heads than threads, each thread owns some classes: it computes their logits, shares them with the others,
//! waits for theirs, and moves its own weights. No sum is taken across threads, so their number changes no bit.

use super::Scale;
use super::adam::Bias;
use super::barrier::Barrier;
use super::kernel::{Batch, Example, Kernel};
use super::learner::{Block, Course, Learner};
use super::pace::Pace;
use super::softmax::Tally;
use crate::matrix::Matrix;
use crate::threads::in_parallel;
use std::ops::Range;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Instant;

/// Multiplications in a thread's share of a step from which it may be worth having.
const WORTH: usize = 200_000;

/// Multiplications in a stretch of steps, some ten milliseconds on one thread; threads last for a stretch.
const STRETCH: usize = 400_000_000;

/// Floats that stay in a core's own cache beside the features of a batch: half a megabyte.
const CACHE: usize = 1 << 17;

/// What all threads of a pass share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pass<'a> {
    pub kernel: Kernel,
    pub features: &'a Matrix,
    pub examples: &'a [Example],
    pub scale: Option<&'a Scale>,
    pub batch: usize,
    /// At most so many.
    pub threads: usize,
}

/// Takes one step a batch with each of `learners`, and tells how right each was on the way, before its steps.
pub(super) fn run(learners: &mut [&mut Learner], pass: Pass, pace: &mut Pace) -> Vec<Tally> {
    let classes: usize = learners.iter().map(|learner| learner.classes()).sum();
    let pass = Pass { batch: pass.batch.min(pass.examples.len().max(1)), ..pass };
    let step = classes * pass.features.stride() * pass.batch;
    let mut tallies = vec![Tally::default(); learners.len()];
    for examples in pass.examples.chunks(pass.batch * STRETCH.div_ceil(step.max(1))) {
        let pass = Pass { examples, ..pass };
        let told = match learners.len() >= 2 * pass.threads {
            true => in_groups(learners, pass, classes),
            false => {
                let worthwhile = pass.threads.min(step / WORTH).min(classes);
                let many = worthwhile > 1 && pace.many();
                let started = Instant::now();
                let told = stretch(learners, Pass { threads: if many { worthwhile } else { 1 }, ..pass });
                pace.note(many, started.elapsed().as_secs_f64() / (examples.len() * classes) as f64);
                told
            }
        };
        tallies.iter_mut().zip(told).for_each(|(sum, told)| *sum += told);
    }
    tallies
}

/// A stretch of steps for more heads than threads: whole heads are shared out, so that no thread waits for another, and
/// as few at a time as stay in a core's own cache with their moments.
fn in_groups(learners: &mut [&mut Learner], pass: Pass, classes: usize) -> Vec<Tally> {
    let heads = learners.len();
    let floats = 3 * classes.div_ceil(heads) * pass.features.stride();
    let size = (CACHE / floats.max(1)).min(heads / (4 * pass.threads)).max(1);
    let groups: Vec<_> = learners.chunks_mut(size).map(Mutex::new).collect();
    let work = |group: &Mutex<&mut [&mut Learner]>| {
        let mut group = group.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(stretch(&mut group, Pass { threads: 1, ..pass }))
    };
    in_parallel(pass.threads, &groups, work).expect("no stretch fails").concat()
}

/// The steps of a pass on all of its threads.
fn stretch(learners: &mut [&mut Learner], pass: Pass) -> Vec<Tally> {
    let sizes: Vec<usize> = learners.iter().map(|learner| learner.classes()).collect();
    let shares = shares(&sizes, pass.threads);
    let mut courses = Vec::new();
    let mut blocks: Vec<Vec<Block>> = shares.iter().map(|_| Vec::new()).collect();
    let mut pieces: Vec<Vec<Piece>> = Vec::new();
    for (i, learner) in learners.iter_mut().enumerate() {
        let own = shares.iter().enumerate().flat_map(|(thread, share)| {
            let before = |piece: &&(usize, Range<usize>)| piece.0 < i;
            let offset = share.iter().filter(before).map(|(_, classes)| classes.len()).sum();
            let own = share.iter().filter(move |(learner, _)| *learner == i);
            own.map(move |(_, classes)| Piece { thread, offset, classes: classes.clone() })
        });
        let own: Vec<Piece> = own.collect();
        let ends: Vec<usize> = own.iter().map(|piece| piece.classes.end).collect();
        let (course, split) = learner.split(i, &ends);
        courses.push(course);
        for (piece, block) in own.iter().zip(split) {
            blocks[piece.thread].push(block);
        }
        pieces.push(own);
    }
    let floats = |share: &Vec<(usize, Range<usize>)>| share.iter().map(|s| s.1.len()).sum::<usize>();
    let board = |share| [(); 2].map(|()| RwLock::new(vec![0.0; floats(share) * pass.batch]));
    let boards = shares.iter().map(board).collect();
    let shared = Shared { pass, courses, pieces, boards, barrier: Barrier::new(shares.len()) };
    let tallies = work_all(&shared, blocks);
    let steps = pass.examples.len().div_ceil(pass.batch);
    drop(shared);
    learners.iter_mut().for_each(|learner| learner.course.steps.0 += steps);
    tallies
}

/// Cuts the classes of all heads, one head after the other, into `threads` shares of nearly the same size.
fn shares(sizes: &[usize], threads: usize) -> Vec<Vec<(usize, Range<usize>)>> {
    let total: usize = sizes.iter().sum();
    let cut = |thread: usize| {
        let (from, to) = (total * thread / threads, total * (thread + 1) / threads);
        let mut start = 0;
        let mut share = Vec::new();
        for (head, size) in sizes.iter().enumerate() {
            let range = from.clamp(start, start + size) - start..to.clamp(start, start + size) - start;
            if !range.is_empty() {
                share.push((head, range));
            }
            start += size;
        }
        share
    };
    (0..threads).map(cut).collect()
}

/// Where some classes of a head are computed, and where their logits stand.
#[derive(Debug)]
struct Piece {
    thread: usize,
    /// Classes that stand before them on the thread's board.
    offset: usize,
    classes: Range<usize>,
}

struct Shared<'a> {
    pass: Pass<'a>,
    courses: Vec<&'a Course>,
    /// Of each head.
    pieces: Vec<Vec<Piece>>,
    /// Of each thread, for odd and even steps: so one barrier a step is enough.
    boards: Vec<[RwLock<Vec<f32>>; 2]>,
    barrier: Barrier,
}

fn work_all(shared: &Shared, mut blocks: Vec<Vec<Block>>) -> Vec<Tally> {
    let mut own = blocks.remove(0);
    std::thread::scope(|scope| {
        let others: Vec<_> = blocks
            .into_iter()
            .enumerate()
            .map(|(i, mut blocks)| scope.spawn(move || shared.work(i + 1, &mut blocks)))
            .collect();
        let mut tallies = shared.work(0, &mut own);
        for other in others {
            let told = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            tallies.iter_mut().zip(told).for_each(|(sum, told)| *sum += told);
        }
        tallies
    })
}

/// What a thread needs again in each step.
struct Scratch {
    /// Logits of a head, then their slope.
    z: Vec<f32>,
    /// The slope of some of its classes.
    delta: Vec<f32>,
    totals: Vec<f32>,
    standardized: Option<(Matrix, Vec<Example>)>,
}

impl Shared<'_> {
    /// All steps of one thread. It tells of the heads whose first class it has.
    fn work(&self, thread: usize, blocks: &mut [Block]) -> Vec<Tally> {
        let _promise = self.barrier.promise();
        let Pass { kernel, features, examples, batch, scale, .. } = self.pass;
        let mut tallies = vec![Tally::default(); self.courses.len()];
        let mut scratch = Scratch {
            z: Vec::new(),
            delta: Vec::new(),
            totals: Vec::with_capacity(batch),
            standardized: scale.map(|_| (Matrix::zeros(batch, features.width()), Vec::with_capacity(batch))),
        };
        for (step, rows) in examples.chunks(batch).enumerate() {
            let Scratch { z, delta, totals, standardized } = &mut scratch;
            let plain = Batch { features: features.padded(), stride: features.stride(), examples: rows };
            let batch = match (scale, standardized) {
                (Some(scale), Some((to, order))) => scale.batch(kernel, plain, (to, order)),
                _ => plain,
            };
            self.post(thread, step, batch, blocks);
            self.barrier.wait();
            for block in blocks.iter_mut() {
                let course = self.courses[block.learner];
                self.gather(block.learner, step, rows.len(), z);
                let told = course.slope(kernel, z, rows, totals);
                if block.classes.start == 0 {
                    tallies[block.learner] += told;
                }
                let own = columns(z, course.classes(), &block.classes, delta);
                let rule = course.rule(step);
                kernel.step(batch, own, block.weights.reborrow(), rule);
                block.bias.step(own, rule);
            }
        }
        tallies
    }

    /// Computes the logits of the thread's own classes and puts them on its board.
    fn post(&self, thread: usize, step: usize, batch: Batch, blocks: &[Block]) {
        let rows = batch.examples.len();
        let mut board = self.boards[thread][step % 2].write().unwrap_or_else(PoisonError::into_inner);
        let mut rest = &mut board[..];
        for block in blocks {
            let Bias { value: bias, .. } = &block.bias;
            let (own, others) = rest.split_at_mut(rows * block.classes.len());
            self.pass.kernel.logits(batch, block.weights.weight, bias, own);
            rest = others;
        }
    }

    /// The logits of a whole head, `[rows, classes]`, from all boards.
    fn gather(&self, learner: usize, step: usize, rows: usize, z: &mut Vec<f32>) {
        let classes = self.courses[learner].classes();
        z.resize(rows * classes, 0.0);
        for piece in &self.pieces[learner] {
            let board = self.boards[piece.thread][step % 2].read().unwrap_or_else(PoisonError::into_inner);
            let some = &board[rows * piece.offset..rows * (piece.offset + piece.classes.len())];
            for (to, from) in z.chunks_exact_mut(classes).zip(some.chunks_exact(piece.classes.len())) {
                to[piece.classes.clone()].copy_from_slice(from);
            }
        }
    }
}

/// Some columns of `z`, `[rows, classes]`: `z` itself where they are all.
fn columns<'a>(z: &'a [f32], classes: usize, some: &Range<usize>, to: &'a mut Vec<f32>) -> &'a [f32] {
    if some.len() == classes {
        return z;
    }
    to.clear();
    for row in z.chunks_exact(classes) {
        to.extend_from_slice(&row[some.clone()]);
    }
    to
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        use crate::head::{FitConfig, Head};
        let (width, sizes) = (70, [5usize, 1, 8]);
        let features =
            Matrix::from_rows(width, &(0..40 * width).map(|i| (i as f32).sin()).collect::<Vec<_>>());
        let examples: Vec<Example> = (0..40).map(|row| Example { row, target: 0 }).collect();
        let fitted = |threads: usize| {
            let learner = |classes: usize| {
                let head = Head::fresh(width, classes, 1);
                Learner::new(head, FitConfig::default(), vec![1.0; classes], 10)
            };
            let mut learners = sizes.map(learner);
            let mut borrowed: Vec<&mut Learner> = learners.iter_mut().collect();
            let kernel = Kernel::new();
            let pass =
                Pass { kernel, features: &features, examples: &examples, scale: None, batch: 7, threads };
            let told = stretch(&mut borrowed, pass);
            (told, learners.map(|learner| learner.head(None)))
        };
        let alone = fitted(1);
        assert!([2, 3, 5, 14].iter().all(|&threads| fitted(threads) == alone));
    }

    #[test]
    fn shares_cover_all_classes_once_and_are_nearly_equal() {
        for (sizes, threads) in [(vec![10], 3), (vec![3; 7], 4), (vec![1, 5, 2], 8), (vec![100, 1], 2)] {
            let shares = shares(&sizes, threads);
            let mut seen: Vec<Vec<usize>> = sizes.iter().map(|_| Vec::new()).collect();
            for (head, classes) in shares.iter().flatten() {
                seen[*head].extend(classes.clone());
            }
            assert!(seen.iter().zip(&sizes).all(|(seen, &size)| seen.iter().copied().eq(0..size)));
            let size = |share: &Vec<(usize, Range<usize>)>| share.iter().map(|s| s.1.len()).sum::<usize>();
            let (least, most) = (shares.iter().map(size).min(), shares.iter().map(size).max());
            assert!(most.unwrap() - least.unwrap() <= 1);
        }
    }
}
