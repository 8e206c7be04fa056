//! Whether more threads than one pay, found out while fitting: on a busy machine threads that wait for one another in each
//! step can be much slower than one alone. Their number changes no bit of a head, so that trying is free.

/// Stretches between two trials of what was slower the last time, times how much slower it was.
const PATIENCE: f64 = 12.0;

/// Seconds that a row has taken, on one thread and on many.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Of the last stretch on one thread, and on many.
    seconds: [Option<f64>; 2],
    /// Stretches since the slower one was tried.
    since: usize,
}

impl Pace {
    /// Whether the next stretch is for many threads.
    pub fn many(&mut self) -> bool {
        let [Some(one), Some(many)] = self.seconds else { return self.seconds[0].is_some() };
        let better = many < one;
        let slower_by = if better { one / many } else { many / one };
        self.since += 1;
        if self.since as f64 > PATIENCE * slower_by {
            self.since = 0;
            return !better;
        }
        better
    }

    /// Notes that a stretch took so many seconds a row.
    pub fn note(&mut self, many: bool, seconds: f64) {
        self.seconds[usize::from(many)] = Some(seconds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of 1,000 stretches go to many threads, and the seconds of all.
    fn stretches(one: f64, many: f64) -> (usize, f64) {
        let mut pace = Pace::default();
        let mut told = (0, 0.0);
        for _ in 0..1000 {
            let chosen = pace.many();
            let seconds = if chosen { many } else { one };
            pace.note(chosen, seconds);
            told = (told.0 + usize::from(chosen), told.1 + seconds);
        }
        told
    }

    #[test]
    fn what_is_faster_gets_nearly_all_and_trials_cost_little() {
        let (chosen, seconds) = stretches(2.0, 1.0);
        assert!(chosen > 940 && seconds < 1060.0, "{chosen} {seconds}");
        let (chosen, seconds) = stretches(1.0, 30.0);
        assert!((2..20).contains(&chosen) && seconds < 1150.0, "{chosen} {seconds}");
    }

    #[test]
    fn a_machine_that_becomes_quiet_is_noticed() {
        let mut pace = Pace::default();
        pace.note(false, 1.0);
        pace.note(true, 3.0);
        let tried = (0..60).filter(|_| pace.many()).count();
        assert!(tried >= 1);
        pace.note(true, 0.5);
        assert!(pace.many());
    }
}
