//! Ctrl-C and its like, the only door to `signal-hook`: the first signal asks the running stage to stop, the second ends the
//! process at once.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Remembers the signal that came.
#[derive(Debug, Default)]
pub(super) struct Signals {
    received: Arc<AtomicUsize>,
    /// Whether the next signal ends the process.
    is_final: Arc<AtomicBool>,
}

impl Signals {
    /// From now on SIGINT and SIGTERM end the process only when they come a second time.
    pub fn watch() -> Self {
        let signals = Self::default();
        for signal in [SIGINT, SIGTERM] {
            // In this order: at the first signal `is_final` is not set yet. Where a system refuses, a signal does what it
            // always did.
            let _ = flag::register_conditional_default(signal, signals.is_final.clone())
                .and_then(|_| flag::register(signal, signals.is_final.clone()))
                .and_then(|_| flag::register_usize(signal, signals.received.clone(), signal as usize));
        }
        signals
    }

    /// Lets a signal end the process at once while `work` waits for somebody.
    pub fn end_at_once<T>(&self, work: impl FnOnce() -> T) -> T {
        let before = self.is_final.swap(true, Ordering::Relaxed);
        let done = work();
        self.is_final.store(before, Ordering::Relaxed);
        done
    }

    /// The signal that came, if one did.
    pub fn received(&self) -> Option<u8> {
        u8::try_from(self.received.load(Ordering::Relaxed)).ok().filter(|signal| *signal > 0)
    }
}
