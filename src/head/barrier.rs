//! Where threads that take steps of microseconds wait for one another: a barrier that spins before it yields.
//! Sleeping and waking would cost more than the steps.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Turns of spinning before a thread lets others run.
const SPINS: usize = 2000;

#[derive(Debug)]
pub(super) struct Barrier {
    threads: usize,
    arrived: AtomicUsize,
    rounds: AtomicUsize,
    broken: AtomicBool,
}

impl Barrier {
    pub fn new(threads: usize) -> Self {
        let zero = || AtomicUsize::new(0);
        Self { threads, arrived: zero(), rounds: zero(), broken: AtomicBool::new(false) }
    }

    /// Returns when all threads have called it this round.
    ///
    /// # Panics
    /// When another thread has panicked, which then never comes.
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
            assert!(!self.broken.load(Ordering::Relaxed), "another thread of the fit panicked");
            turns += 1;
            if turns < SPINS { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
    }

    /// Held by a thread that others wait for: tells them when it panics.
    pub fn promise(&self) -> Promise<'_> {
        Promise(self)
    }
}

pub(super) struct Promise<'a>(&'a Barrier);

impl Drop for Promise<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.broken.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_ahead_by_more_than_one_round() {
        let barrier = Barrier::new(3);
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
    fn a_panic_is_not_waited_for() {
        let barrier = Barrier::new(2);
        let panicked = std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                let _promise = barrier.promise();
                panic!("on purpose");
            });
            let waiting = scope.spawn(|| barrier.wait());
            (other.join().is_err(), waiting.join().is_err())
        });
        assert_eq!(panicked, (true, true));
    }
}
