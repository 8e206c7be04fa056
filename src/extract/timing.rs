//! Time spent in the stages of the pipeline.

use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Time spent in the stages of an extraction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct StageTimes {
    /// Wall time in seconds from opening the first file to committing the last part.
    pub seconds: f64,
    /// Seconds of reading, decoding, augmenting and resizing, added up over all decoders.
    pub decode_seconds: f64,
    /// Seconds in the network, added up over all sessions.
    pub embed_seconds: f64,
    /// Seconds of encoding parts and writing them to disk.
    pub write_seconds: f64,
    /// Number of sessions of the network that run in parallel.
    pub sessions: usize,
}

impl StageTimes {
    /// Returns the share of the wall time in which the sessions computed, 0 to 1.
    pub fn busy(&self) -> f64 {
        self.embed_seconds / (self.seconds * self.sessions as f64)
    }

    /// Adds the times of a later run of the pipeline.
    pub(super) fn and(self, next: Self) -> Self {
        Self {
            seconds: self.seconds + next.seconds,
            decode_seconds: self.decode_seconds + next.decode_seconds,
            embed_seconds: self.embed_seconds + next.embed_seconds,
            write_seconds: self.write_seconds + next.write_seconds,
            sessions: next.sessions.max(self.sessions),
        }
    }
}

/// Adds up the time that several threads spend on one stage.
#[derive(Debug, Default)]
pub(super) struct Stopwatch {
    nanoseconds: AtomicU64,
}

impl Stopwatch {
    /// Runs `work` and adds the time that it takes.
    pub fn time<T>(&self, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let result = work();
        self.nanoseconds.fetch_add(started.elapsed().as_nanos() as u64, Ordering::Relaxed);
        result
    }

    /// Returns the total in seconds.
    pub fn seconds(&self) -> f64 {
        Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed)).as_secs_f64()
    }
}
