//! What decoding may take: pixels, bytes, and memory for all threads together. An image is measured by its header, before
//! any memory is taken for its pixels.

use crate::data::dataset::Reason;
use crate::error::{Error, Kind};
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};

/// Largest number of pixels that is decoded; Pillow has the same limit.
pub(super) const MAX_PIXELS: u64 = 178_956_970;

/// Longest side that is decoded, in pixels. Resizing an image one pixel wide and millions high would need more memory than
/// any machine has.
const MAX_SIDE: u32 = 65_535;

/// Largest file that is read, in bytes.
pub(super) const MAX_BYTES: u64 = 1 << 30;

/// Pixels that any file may have, and pixels for each of its bytes beyond them. Deflate packs 8,256 black pixels of one bit
/// in a byte, LZW and the blocks of a JPEG fewer.
const ANY_PIXELS: u64 = 4_000_000;
const PIXELS_PER_BYTE: u64 = 10_000;

/// Memory for pixels where the system does not say how much is free.
const UNKNOWN_MEMORY: u64 = 2 << 30;

/// Checks width and height.
pub(super) fn check_size(width: u32, height: u32) -> Result<(), Reason> {
    let side = width.max(height);
    match u64::from(width) * u64::from(height) {
        0 => Err(Reason::NoPixels),
        _ if side > MAX_SIDE => Err(Reason::SideTooLong { side, limit: MAX_SIDE }),
        1..=MAX_PIXELS => Ok(()),
        _ => Err(Reason::TooManyPixels { width, height, limit: MAX_PIXELS }),
    }
}

/// Refuses a picture that so few bytes cannot hold, such as a screen of 13,377 x 13,377 pixels in a GIF of 35 bytes.
pub(super) fn check_density(width: u32, height: u32, bytes: u64) -> Result<(), Reason> {
    let pixels = u64::from(width) * u64::from(height);
    match pixels <= ANY_PIXELS + PIXELS_PER_BYTE * bytes {
        true => Ok(()),
        false => Err(Reason::TooFewBytes { width, height, bytes }),
    }
}

/// Memory for pixels, shared by all threads that decode.
pub(super) static MEMORY: LazyLock<Budget> = LazyLock::new(|| Budget::new(default_memory()));

/// Memory for the bytes of image files. Whoever waits for memory for pixels may hold some of this, but not the other way
/// round, so that no two threads wait for one another.
pub(super) static FILES: LazyLock<Budget> = LazyLock::new(|| Budget::new(for_files(default_memory())));

/// Bytes of files that may be held in any case.
const ANY_FILES: u64 = 64 << 20;

/// Memory for the bytes of files beside so much for pixels.
fn for_files(pixels: u64) -> u64 {
    (pixels / 2).max(ANY_FILES)
}

/// Smallest limit on the memory for decoding that makes sense, in bytes.
const LEAST_MEMORY: u64 = 1 << 20;

/// Limits the memory for pixels of all images that this process decodes at a time, in bytes. An image waits until its share is
/// free, and one that needs more than all of it is refused. `None` sets the default: half of what is free, or half of what
/// the control group of this process leaves where that is less. The bytes of the files have a limit of their own, half of
/// this one and at least 64 MiB.
///
/// # Errors
/// [`Kind::Usage`] for less than 1 MiB.
pub fn limit_memory(bytes: Option<u64>) -> Result<(), Error> {
    if bytes.is_some_and(|bytes| bytes < LEAST_MEMORY) {
        let message = "`decode_memory` must be at least 1 MiB";
        return Err(Error::new(Kind::Usage, message).help("leave it out, or give an amount such as 2GiB"));
    }
    let bytes = bytes.unwrap_or_else(default_memory);
    MEMORY.set_limit(bytes);
    FILES.set_limit(for_files(bytes));
    Ok(())
}

/// Half of the memory that is free, to the system or to this process's control group.
fn default_memory() -> u64 {
    let granted = crate::limits::memory().map(|limit| limit.free);
    let free = free_memory().into_iter().chain(granted).min();
    free.map_or(UNKNOWN_MEMORY, |free| (free / 2).max(LEAST_MEMORY))
}

/// A number of bytes that several threads share.
#[derive(Debug)]
pub(super) struct Budget {
    state: Mutex<State>,
    released: Condvar,
}

#[derive(Debug)]
struct State {
    limit: u64,
    used: u64,
}

/// Bytes of a [`Budget`] in use until this is dropped.
#[derive(Debug)]
pub(super) struct Share<'a> {
    budget: &'a Budget,
    bytes: u64,
}

impl Budget {
    pub fn new(limit: u64) -> Self {
        Self { state: Mutex::new(State { limit, used: 0 }), released: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_limit(&self, limit: u64) {
        self.state().limit = limit;
        self.released.notify_all();
    }

    /// Waits until `bytes` are free and takes them.
    ///
    /// # Errors
    /// [`Reason::TooMuchMemory`] when it is more than the whole budget.
    pub fn take(&self, bytes: u64) -> Result<Share<'_>, Reason> {
        let must_wait = |state: &mut State| bytes <= state.limit && state.used + bytes > state.limit;
        let waiting = self.released.wait_while(self.state(), must_wait);
        let mut state = waiting.unwrap_or_else(PoisonError::into_inner);
        if bytes > state.limit {
            return Err(Reason::TooMuchMemory { bytes, limit: state.limit });
        }
        state.used += bytes;
        Ok(Share { budget: self, bytes })
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.budget.state().used -= self.bytes;
        self.budget.released.notify_all();
    }
}

/// Bytes of memory that the system can give, where it says so (Linux).
fn free_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_share_the_budget_and_what_exceeds_it_is_refused() {
        let budget = Budget::new(100);
        assert_eq!(budget.take(101).err(), Some(Reason::TooMuchMemory { bytes: 101, limit: 100 }));
        let most = Mutex::new((0, 0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let share = budget.take(40).unwrap();
                        let now = {
                            let mut held = most.lock().unwrap();
                            held.0 += 1;
                            held.1 = held.1.max(held.0);
                            held.0
                        };
                        assert!(now <= 2);
                        most.lock().unwrap().0 -= 1;
                        drop(share);
                    }
                });
            }
        });
        assert_eq!(budget.state().used, 0);
        assert!(most.lock().unwrap().1 >= 1);
    }

    #[test]
    fn a_lower_limit_ends_the_wait_of_what_no_longer_fits() {
        let budget = Budget::new(100);
        let share = budget.take(80).unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| budget.take(60).err());
            budget.set_limit(50);
            assert_eq!(waiting.join().unwrap(), Some(Reason::TooMuchMemory { bytes: 60, limit: 50 }));
        });
        drop(share);
        assert!(budget.take(50).is_ok());
        assert!(limit_memory(Some(1000)).unwrap_err().to_string().contains("1 MiB"));
    }

    #[test]
    fn a_picture_needs_bytes() {
        check_density(2_000, 2_000, 60).unwrap();
        // A black page of one bit a pixel, packed by deflate as well as it can.
        check_density(13_000, 13_000, 13_000 * 13_000 / 8_256).unwrap();
        assert!(check_density(13_377, 13_377, 35).unwrap_err().to_string().contains("35 bytes"));
    }
}
