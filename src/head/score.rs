//! How right heads are on rows that they are not fitted to.

use super::Head;
use super::fit::Rows;
use super::kernel::{Batch, Example, Kernel};
use super::softmax::{Tally, tally};

/// Rows that are looked at together. Sums are taken over so many rows, then over the sums: in one order on however many
/// threads.
const CHUNK: usize = 256;

/// Mean cross entropy and share of right answers of each head.
pub(super) fn score(heads: &[Head], rows: Rows, threads: usize) -> Vec<(f64, f64)> {
    let kernel = Kernel::new();
    let chunks: Vec<(usize, &[Example])> = (0..heads.len())
        .flat_map(|head| rows.examples.chunks(CHUNK).map(move |examples| (head, examples)))
        .collect();
    let work = |some: &[(usize, &[Example])]| {
        let (mut z, mut totals) = (Vec::new(), Vec::new());
        let one = |&(number, examples): &(usize, &[Example])| {
            let head: &Head = &heads[number];
            let batch = Batch { features: rows.features.padded(), stride: rows.features.stride(), examples };
            z.resize(examples.len() * head.classes(), 0.0);
            kernel.logits(batch, head.weight.padded(), &head.bias, &mut z);
            tally(kernel, &mut z, examples, &mut totals)
        };
        some.iter().map(one).collect::<Vec<_>>()
    };
    // A thread costs some 20 microseconds, a chunk at least as much.
    let share = chunks.len().div_ceil(threads.clamp(1, chunks.len().max(1))).max(4);
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let mut shares = chunks.chunks(share);
        let first = shares.next().unwrap_or_default();
        let others: Vec<_> = shares.map(|some| scope.spawn(move || work(some))).collect();
        let mut all = work(first);
        for other in others {
            all.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        all
    });
    let mut sums = vec![Tally::default(); heads.len()];
    for ((head, _), told) in chunks.iter().zip(tallies) {
        sums[*head] += told;
    }
    let n = rows.examples.len() as f64;
    sums.iter().map(|sum| (sum.loss / n, sum.hits as f64 / n)).collect()
}

impl Head {
    /// Mean cross entropy and share of right answers.
    pub(super) fn score(&self, rows: Rows) -> (f64, f64) {
        score(std::slice::from_ref(self), rows, 1)[0]
    }
}
