//! Parallel work: how many threads to use, and a parallel map. The results come in the order of the items, whatever the
//! number of threads.

use crate::error::Result;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Number of threads to use: `asked`, or the number of cores that this process may use if that is 0.
pub fn thread_count(asked: usize) -> usize {
    match asked {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        asked => asked,
    }
}

/// Calls `work` for each of `items` on up to `threads` threads, this one included, and returns the results in the order of
/// the items. Each thread takes the next item as soon as it is free. After a failure no further item is begun.
///
/// Threads are started for each call, some 20 microseconds each, so that calls can be nested and limited one by one.
///
/// # Errors
/// The failure of the first item, in their order, among those that failed.
///
/// # Panics
/// If `work` panics, after the other threads have finished their items.
pub fn in_parallel<T: Sync, R: Send>(
    threads: usize,
    items: &[T],
    work: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let run = || {
        let mut done = Vec::new();
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(i) else { return done };
            let result = work(item);
            if result.is_err() {
                // No thread begins another item.
                next.store(items.len(), Ordering::Relaxed);
            }
            done.push((i, result));
        }
    };
    let mut done = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(items.len())).map(|_| scope.spawn(run)).collect();
        let mut done = run();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    });
    done.sort_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, Kind};

    #[test]
    fn results_come_in_order_and_a_failure_ends_the_work() {
        let items: Vec<usize> = (0..100).collect();
        for threads in [1, 2, 7] {
            assert!(
                in_parallel(threads, &items, |i| Ok(2 * i)).unwrap().into_iter().eq((0..100).map(|i| 2 * i))
            );
            let fail = |&i: &usize| if i == 5 { Err(Error::new(Kind::Io, "five")) } else { Ok(i) };
            assert_eq!(in_parallel(threads, &items, fail).unwrap_err().to_string(), "five");
        }
        assert!(thread_count(0) >= 1 && thread_count(3) == 3);
    }
}
