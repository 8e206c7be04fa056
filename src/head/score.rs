//! Loss and accuracy of heads on rows that they are not fitted to.

use super::kernel::Kernel;
use super::label_sets::LabelSets;
use super::labelled_features::{Example, LabelledFeatures};
use super::loss::exponentiate;
use super::running_loss::{MeanLoss, RunningLoss};
use super::softmax_head::Head;
use crate::math::parallel::in_parallel;

/// Rows that are scored together. The loss is summed over each chunk, then over the chunks, so that the order of the sums
/// does not depend on the number of threads.
const CHUNK: usize = 256;

/// Chunks that a thread scores at least: starting a thread takes some 20 microseconds, a chunk at least as long.
const MIN_CHUNKS: usize = 4;

/// Some rows that one head is scored on.
struct Chunk<'a> {
    head: usize,
    examples: &'a [Example],
}

/// Computes mean cross entropy and accuracy of each head; where rows have several labels, the share of rows that have exactly these
/// above one half.
pub(super) fn score(
    heads: &[Head],
    rows: LabelledFeatures,
    label_sets: Option<&LabelSets>,
    threads: usize,
) -> Vec<MeanLoss> {
    let chunks: Vec<Chunk> = (0..heads.len())
        .flat_map(|head| rows.examples.chunks(CHUNK).map(move |examples| Chunk { head, examples }))
        .collect();
    let share = chunks.len().div_ceil(threads.clamp(1, chunks.len().max(1))).max(MIN_CHUNKS);
    let shares: Vec<&[Chunk]> = chunks.chunks(share).collect();
    let losses = in_parallel(threads, &shares, |share| Ok(score_chunks(heads, rows, label_sets, share)))
        .expect("scoring cannot fail");
    let mut sums = vec![RunningLoss::default(); heads.len()];
    for (chunk, loss) in chunks.iter().zip(losses.into_iter().flatten()) {
        sums[chunk.head] += loss;
    }
    sums.iter().map(|sum| sum.mean(rows.examples.len())).collect()
}

fn score_chunks(
    heads: &[Head],
    rows: LabelledFeatures,
    label_sets: Option<&LabelSets>,
    chunks: &[Chunk],
) -> Vec<RunningLoss> {
    let kernel = Kernel::new();
    let (mut z, mut totals) = (Vec::new(), Vec::new());
    let score = |&Chunk { head, examples }: &Chunk| {
        let head = &heads[head];
        z.resize(examples.len() * head.classes(), 0.0);
        head.logits(kernel, LabelledFeatures { examples, ..rows }, &mut z);
        match label_sets {
            Some(sets) => sets.probabilities(kernel, &mut z, examples, &mut totals),
            None => exponentiate(kernel, &mut z, examples, &mut totals),
        }
    };
    chunks.iter().map(score).collect()
}

impl Head {
    /// Computes mean cross entropy and accuracy.
    pub(super) fn score(&self, rows: LabelledFeatures) -> MeanLoss {
        score(std::slice::from_ref(self), rows, None, 1)[0]
    }
}
