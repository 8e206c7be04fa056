//! Panics of decoders as refusals.

use crate::data::dataset::Reason;
use std::cell::Cell;
use std::sync::Once;

thread_local! {
    /// Whether this thread decodes, so that a panic is a refusal and no message.
    static DECODES: Cell<bool> = const { Cell::new(false) };
}

/// Turns a panic into a refusal, since a malformed file can make a decoder panic, and keeps its message from stderr.
pub(super) fn quietly<T>(work: impl FnOnce() -> Result<T, Reason>) -> Result<T, Reason> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !DECODES.get() {
                before(info);
            }
        }));
    });
    let outer = DECODES.replace(true);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    DECODES.set(outer);
    result.unwrap_or(Err(Reason::DecoderPanic))
}
