//! Runs plain loops with the widest vectors of the processor. A door to `pulp`.

/// Runs `work`, compiled for the widest vectors that this processor has. It must be marked `#[inline(always)]`, as all that it
/// calls. Integers come out the same whatever the width.
pub(super) fn with_widest<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}
