//! Sums over the long vectors of a search: chunk by chunk, in order, whatever the number of threads.

use crate::math::parallel::in_parallel;
use std::ops::Range;

/// Values of a vector that a thread works on at once.
pub(super) const CHUNK: usize = 4096;

/// Operations below which starting a thread costs more than it saves.
const WORTH_A_THREAD: usize = 1 << 21;

/// How many of `threads` threads a pass of so many operations is worth.
pub(super) fn threads_for(threads: usize, operations: usize) -> usize {
    threads.min(operations / WORTH_A_THREAD + 1)
}

/// Sums of `of` over `0..len`, chunk by chunk.
pub(super) fn sums<const N: usize>(
    threads: usize,
    len: usize,
    of: impl Fn(Range<usize>) -> [f64; N] + Sync,
) -> [f64; N] {
    let chunks: Vec<Range<usize>> =
        (0..len).step_by(CHUNK).map(|from| from..(from + CHUNK).min(len)).collect();
    let parts = in_parallel(threads_for(threads, N * len), &chunks, |range| Ok(of(range.clone())));
    let mut total = [0.0; N];
    for part in parts.expect("sums cannot fail") {
        total.iter_mut().zip(part).for_each(|(total, part)| *total += part);
    }
    total
}

/// Adds up the sums of all chunks.
pub(super) fn chunked_sums(parts: Vec<Vec<f64>>) -> Vec<f64> {
    parts
        .into_iter()
        .reduce(|mut total, part| {
            total.iter_mut().zip(part).for_each(|(total, part)| *total += part);
            total
        })
        .unwrap_or_default()
}
