//! Ctrl-C and its like, the only door to `signal-hook`: the first signal asks the running stage to stop, the second ends the
//! process at once.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Remembers the signal that came.
#[derive(Debug, Default)]
pub(super) struct Signals(Arc<AtomicUsize>);

impl Signals {
    /// From now on SIGINT and SIGTERM end the process only when they come a second time.
    pub fn watch() -> Self {
        let signals = Self::default();
        let again = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: at the first signal `again` is not set yet. Where a system refuses, a signal does what it
            // always did.
            let _ = flag::register_conditional_default(signal, again.clone())
                .and_then(|_| flag::register(signal, again.clone()))
                .and_then(|_| flag::register_usize(signal, signals.0.clone(), signal as usize));
        }
        signals
    }

    /// The signal that came, if one did.
    pub fn received(&self) -> Option<u8> {
        u8::try_from(self.0.load(Ordering::Relaxed)).ok().filter(|signal| *signal > 0)
    }
}
