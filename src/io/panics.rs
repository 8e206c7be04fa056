//! Panics of other people's readers as results: a malformed file can make one panic where it should return an error.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether this thread reads a file, so that a panic is a refusal and no message.
    static READS: Cell<bool> = const { Cell::new(false) };
}

/// Does `work`, which must leave nothing half done that is used later. Returns `None` when it panics, and keeps the message
/// from stderr.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            if !READS.get() {
                before(info);
            }
        }));
    });
    let outer = READS.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    READS.set(outer);
    result.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_none_and_other_threads_keep_their_messages() {
        assert_eq!(caught(|| 3), Some(3));
        assert_eq!(caught(|| caught(|| panic!("inner")).is_none_or(|()| false)), Some(true));
        assert_eq!(caught(|| -> i32 { panic!("outer") }), None);
        assert!(!READS.get());
    }
}
