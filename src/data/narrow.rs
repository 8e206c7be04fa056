//! Images whose samples of 16 bits use a small part of their range, as those of many cameras do: nearly black, as they are.

use crate::monitor::Monitor;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Such images, which several threads may add.
#[derive(Debug, Default)]
pub struct NarrowImages(Mutex<NarrowSummary>);

/// Number and example of images.
#[derive(Debug, Default)]
struct NarrowSummary {
    images: usize,
    /// The first path in alphabetical order.
    example: String,
    /// Bits that are enough for all of them.
    bits: u8,
}

impl NarrowImages {
    /// Adds the image at `path`, whose samples need no more than `bits` bits.
    pub fn add(&self, path: &str, bits: u8) {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if found.images == 0 || path < found.example.as_str() {
            found.example = path.into();
        }
        found.images += 1;
        found.bits = found.bits.max(bits);
    }

    /// Notes their number, an example and the remedy, if there are any.
    pub fn report(&self, monitor: &dyn Monitor) {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if found.images > 0 {
            monitor.note(&found.to_string());
        }
    }
}

impl fmt::Display for NarrowSummary {
    /// A remark with the remedy.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { images, example, bits } = self;
        write!(
            f,
            "images whose samples of 16 bits use no more than {bits} of them, and are nearly black: {images}, such as \
             {example}; `extract` into a new `cache` with `stretch_16bit` {bits} takes their range for the whole"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::Collected;

    #[test]
    fn the_remark_is_the_same_in_any_order() {
        let texts = [[("b", 10), ("a", 12)], [("a", 12), ("b", 10)]].map(|images| {
            let (all, monitor) = (NarrowImages::default(), Collected::default());
            all.report(&monitor);
            assert!(monitor.messages().notes.is_empty());
            images.iter().for_each(|(path, bits)| all.add(path, *bits));
            all.report(&monitor);
            monitor.messages().notes.concat()
        });
        assert_eq!(texts[0], texts[1]);
        assert!(texts[0].contains("12 of them") && texts[0].contains(": 2, such as a;"), "{}", texts[0]);
    }
}
