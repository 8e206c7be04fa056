//! Parallel work: how many threads to use, starting them, and a parallel map. The results come in the order of the items,
//! whatever the number of threads. The system may refuse a thread, as batch systems and containers do: work then runs
//! on fewer, or fails with an error that names the limit.

use crate::error::{Error, Kind, Result};
use crate::limits;
use crate::monitor::Monitor;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::{Builder, Scope, ScopedJoinHandle, scope};

/// Number of threads to use: `asked`, or the number of cores that this process may use if that is 0.
pub fn thread_count(asked: usize) -> usize {
    match asked {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        asked => asked,
    }
}

/// Returns [`thread_count`] of `asked`, or less when the system grants fewer threads at present, which is reported to `monitor`.
pub fn granted(asked: usize, monitor: &dyn Monitor) -> usize {
    let wanted = thread_count(asked);
    // One of them is the caller's.
    let granted = 1 + available(wanted - 1);
    if granted < wanted {
        let limits = limits::tasks();
        monitor.warn(&format!("using {granted} of {wanted} threads: no more are granted (limits: {limits})"));
    }
    granted
}

/// Returns how many of `wanted` further threads can be started now, by starting them. They end before this returns.
pub fn available(wanted: usize) -> usize {
    scope(|scope| {
        let mut waiting: Vec<Sender<()>> = Vec::new();
        while waiting.len() < wanted {
            let (end, wait) = channel();
            if start(scope, move || wait.recv().is_ok()).is_err() {
                break;
            }
            waiting.push(end);
        }
        waiting.len()
    })
}

/// Starts a thread in `scope`.
///
/// # Errors
/// Those of the operating system; `work` is then dropped. [`refused`] makes a message of them.
pub fn start<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, T>> {
    Builder::new().spawn_scoped(scope, work)
}

/// The failure of work that needs more threads than the system grants.
pub fn refused(cause: io::Error) -> Error {
    Error::new(Kind::Limit, "the system grants no further thread")
        .because(cause)
        .help(format!("lower `threads`, or raise the limit on tasks (limits: {})", limits::tasks()))
}

/// The failure of work that needs `needed` further threads at least, where the system grants `available`.
pub fn too_few(available: usize, needed: usize) -> Error {
    let message = format!("the system grants {available} more threads, and at least {needed} are needed");
    Error::new(Kind::Limit, message)
        .help(format!("raise the limit on tasks, or end other programs (limits: {})", limits::tasks()))
}

/// Calls `work` for all of `jobs` at the same time, each on a thread of its own, the first one on this thread.
///
/// # Errors
/// The number of threads that can be had, when that is smaller than the number of jobs. No work was begun then.
///
/// # Panics
/// If `work` panics.
pub fn at_once<J: Send, R: Send>(
    jobs: Vec<J>,
    work: impl Fn(J) -> R + Sync,
) -> std::result::Result<Vec<R>, usize> {
    let work = &work;
    scope(|scope| {
        let mut jobs = jobs.into_iter();
        let first = jobs.next();
        let mut others = Vec::new();
        for job in jobs {
            // None begins before all of them are there: they may wait for one another.
            let (begin, wait) = channel();
            let other = start(scope, move || wait.recv().ok().map(|()| work(job)));
            others.push((begin, other.map_err(|_| others.len() + 1)?));
        }
        others.iter().for_each(|(begin, _)| begin.send(()).expect("the thread waits for it"));
        let mut done: Vec<R> = first.map(work).into_iter().collect();
        for (_, other) in others {
            let result = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            done.extend(result);
        }
        Ok(done)
    })
}

/// Calls `work` for each of `items` on up to `threads` threads, this one included, and returns the results in the order of
/// the items. Each thread takes the next item as soon as it is free. After a failure no further item is begun. Threads
/// that the system does not grant are done without.
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
    let mut done = scope(|scope| {
        let others: Vec<_> = (1..threads.min(items.len())).map_while(|_| start(scope, run).ok()).collect();
        let mut done = run();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    });
    done.sort_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Calls `work` for each chunk of `size` values, the last of which may be shorter, on up to `threads` threads, with the number
/// of the chunk. Returns the results in the order of the chunks.
///
/// # Panics
/// If `work` panics, or `size` is 0.
pub fn in_chunks<T: Send, R: Send>(
    threads: usize,
    values: &mut [T],
    size: usize,
    work: impl Fn(usize, &mut [T]) -> R + Sync,
) -> Vec<R> {
    let chunks: Vec<_> = values.chunks_mut(size).enumerate().map(Mutex::new).collect();
    let run = |chunk: &Mutex<(usize, &mut [T])>| {
        let mut chunk = chunk.lock().expect("each chunk is taken once");
        let (number, values) = &mut *chunk;
        Ok(work(*number, values))
    };
    in_parallel(threads, &chunks, run).expect("the work cannot fail")
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

    #[test]
    fn chunks_are_changed_in_place() {
        for threads in [1, 2, 5] {
            let mut values: Vec<usize> = (0..10).collect();
            let sums = in_chunks(threads, &mut values, 4, |number, chunk| {
                chunk.iter_mut().for_each(|value| *value += 100 * number);
                chunk.iter().sum::<usize>()
            });
            assert_eq!(values, [0, 1, 2, 3, 104, 105, 106, 107, 208, 209]);
            assert_eq!(sums, [6, 422, 417]);
        }
        assert!(in_chunks(2, &mut [0; 0], 4, |_, _| ()).is_empty());
    }

    #[test]
    fn all_jobs_run_at_the_same_time() {
        for n in [0, 1, 4] {
            let barrier = std::sync::Barrier::new(n.max(1));
            let done = at_once((0..n).collect(), |job| {
                barrier.wait();
                job * 2
            });
            assert_eq!(done, Ok((0..n).map(|job| job * 2).collect()));
        }
        assert_eq!(available(3), 3);
        assert_eq!(granted(2, &crate::monitor::Silent), 2);
    }
}
