//! Picks single- or multi-threaded execution by timing both during the fit. On a busy machine threads that wait for one
//! another in every step can be much slower than one thread. Both give the same bits, so trying either is safe.

/// The slower mode is tried again after this many blocks times its slowdown.
const RETRY_BLOCKS: f64 = 12.0;

/// Times blocks of steps and chooses the mode of the next block.
#[derive(Debug, Default)]
pub(super) struct ThreadTuner {
    /// Seconds per row of the latest block: `[single-threaded, multi-threaded]`.
    seconds: [Option<f64>; 2],
    /// Blocks since the slower mode was tried.
    since_retry: usize,
}

impl ThreadTuner {
    /// Returns whether the next block is to run on several threads.
    pub fn use_threads(&mut self) -> bool {
        let [Some(single), Some(multi)] = self.seconds else { return self.seconds[0].is_some() };
        let multi_is_faster = multi < single;
        let slowdown = if multi_is_faster { single / multi } else { multi / single };
        self.since_retry += 1;
        if self.since_retry as f64 > RETRY_BLOCKS * slowdown {
            self.since_retry = 0;
            return !multi_is_faster;
        }
        multi_is_faster
    }

    /// Records the seconds per row of a block.
    pub fn record(&mut self, multi_threaded: bool, seconds: f64) {
        self.seconds[usize::from(multi_threaded)] = Some(seconds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Outcome {
        multi_threaded: usize,
        seconds: f64,
    }

    /// Runs 1,000 blocks that take `single` or `multi` seconds.
    fn thousand_blocks(single: f64, multi: f64) -> Outcome {
        let mut tuner = ThreadTuner::default();
        let mut outcome = Outcome { multi_threaded: 0, seconds: 0.0 };
        for _ in 0..1000 {
            let chosen = tuner.use_threads();
            let seconds = if chosen { multi } else { single };
            tuner.record(chosen, seconds);
            outcome.multi_threaded += usize::from(chosen);
            outcome.seconds += seconds;
        }
        outcome
    }

    #[test]
    fn the_faster_mode_runs_nearly_always_and_retries_cost_little() {
        let Outcome { multi_threaded, seconds } = thousand_blocks(2.0, 1.0);
        assert!(multi_threaded > 940 && seconds < 1060.0, "{multi_threaded} {seconds}");
        let Outcome { multi_threaded, seconds } = thousand_blocks(1.0, 30.0);
        assert!((2..20).contains(&multi_threaded) && seconds < 1150.0, "{multi_threaded} {seconds}");
    }

    #[test]
    fn a_machine_that_becomes_idle_is_noticed() {
        let mut tuner = ThreadTuner::default();
        tuner.record(false, 1.0);
        tuner.record(true, 3.0);
        let tried = (0..60).filter(|_| tuner.use_threads()).count();
        assert!(tried >= 1);
        tuner.record(true, 0.5);
        assert!(tuner.use_threads());
    }
}
