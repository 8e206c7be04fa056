//! Images whose samples of 16 bits use a small part of their range, as those of many cameras do: nearly black, as they are.

use std::fmt;

/// Number and example of such images.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NarrowImages {
    images: usize,
    /// The first path in alphabetical order.
    example: String,
    /// Bits that are enough for all of them.
    bits: u8,
}

impl NarrowImages {
    /// Adds the image at `path`, whose samples need no more than `bits` bits.
    pub fn add(&mut self, path: &str, bits: u8) {
        if self.images == 0 || path < self.example.as_str() {
            self.example = path.into();
        }
        self.images += 1;
        self.bits = self.bits.max(bits);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.images == 0
    }
}

impl fmt::Display for NarrowImages {
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

    #[test]
    fn the_remark_is_the_same_in_any_order() {
        let texts = [[("b", 10), ("a", 12)], [("a", 12), ("b", 10)]].map(|images| {
            let mut all = NarrowImages::default();
            assert!(all.is_empty());
            images.iter().for_each(|(path, bits)| all.add(path, *bits));
            all.to_string()
        });
        assert_eq!(texts[0], texts[1]);
        assert!(texts[0].contains("12 of them") && texts[0].contains(": 2, such as a;"), "{}", texts[0]);
    }
}
