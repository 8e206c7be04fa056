//! Ctrl-C and SIGTERM: the first signal asks the running stage to stop, the second ends the process at once. The only door
//! to `signal-hook`.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Remembers the signal that was received.
#[derive(Debug, Default)]
pub(super) struct Signals {
    received: Arc<AtomicUsize>,
    /// Whether the next signal ends the process.
    is_final: Arc<AtomicBool>,
}

impl Signals {
    /// Makes a write beyond a limit on the size of files (`ulimit -f`) an error, instead of the end of the process.
    pub fn catch_file_limit() {
        #[cfg(unix)]
        let _ = flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
    }

    /// Makes SIGINT and SIGTERM end the process only the second time they are received.
    pub fn watch() -> Self {
        let signals = Self::default();
        for signal in [SIGINT, SIGTERM] {
            // Order matters: `is_final` must still be unset at the first signal. Where a system does not allow this,
            // a signal keeps its usual effect.
            let _ = flag::register_conditional_default(signal, signals.is_final.clone())
                .and_then(|_| flag::register(signal, signals.is_final.clone()))
                .and_then(|_| flag::register_usize(signal, signals.received.clone(), signal as usize));
        }
        signals
    }

    /// Lets the first signal end the process while `work` waits for an answer.
    pub fn end_at_once<T>(&self, work: impl FnOnce() -> T) -> T {
        let before = self.is_final.swap(true, Ordering::Relaxed);
        let done = work();
        self.is_final.store(before, Ordering::Relaxed);
        done
    }

    /// The signal that was received, if any.
    pub fn received(&self) -> Option<u8> {
        u8::try_from(self.received.load(Ordering::Relaxed)).ok().filter(|signal| *signal > 0)
    }
}
