//! A spinning barrier for threads that synchronise every few microseconds, where sleeping and waking would cost more than
//! the work between two barriers.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Turns of spinning before a waiting thread yields its core.
const SPINS: usize = 2000;

#[derive(Debug)]
pub(super) struct SpinBarrier {
    threads: usize,
    arrived: AtomicUsize,
    rounds: AtomicUsize,
    /// Whether a thread has panicked.
    poisoned: AtomicBool,
}

impl SpinBarrier {
    pub fn new(threads: usize) -> Self {
        let zero = || AtomicUsize::new(0);
        Self { threads, arrived: zero(), rounds: zero(), poisoned: AtomicBool::new(false) }
    }

    /// Waits until all threads have called it in this round.
    ///
    /// # Panics
    /// If another thread that holds a [`PoisonGuard`] panics, because it will never arrive.
    pub fn wait(&self) {
        if self.threads == 1 {
            return;
        }
        let round = self.rounds.load(Ordering::Acquire);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            self.arrived.store(0, Ordering::Relaxed);
            self.rounds.fetch_add(1, Ordering::Release);
            return;
        }
        let mut turns = 0;
        while self.rounds.load(Ordering::Acquire) == round {
            assert!(!self.poisoned.load(Ordering::Relaxed), "another thread of the fit panicked");
            turns += 1;
            if turns < SPINS { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
    }

    /// Returns a guard that every waiting thread holds while it works.
    pub fn poison_guard(&self) -> PoisonGuard<'_> {
        PoisonGuard(self)
    }
}

/// Poisons the barrier if its thread panics.
pub(super) struct PoisonGuard<'a>(&'a SpinBarrier);

impl Drop for PoisonGuard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.poisoned.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_thread_is_ahead_by_more_than_one_round() {
        let barrier = SpinBarrier::new(3);
        let done = [(); 3].map(|()| AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for own in &done {
                let (barrier, done) = (&barrier, &done);
                scope.spawn(move || {
                    for round in 0..500 {
                        own.store(round, Ordering::SeqCst);
                        barrier.wait();
                        assert!(done.iter().all(|other| other.load(Ordering::SeqCst) >= round));
                    }
                });
            }
        });
    }

    #[test]
    fn a_panic_ends_the_waiting() {
        let barrier = SpinBarrier::new(2);
        let panicked = std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                let _guard = barrier.poison_guard();
                panic!("on purpose");
            });
            let waiting = scope.spawn(|| barrier.wait());
            (other.join().is_err(), waiting.join().is_err())
        });
        assert_eq!(panicked, (true, true));
    }
}
