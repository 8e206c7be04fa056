//! Samples of 16 bits as levels of 8, also of cameras that use fewer of the bits.

use crate::data::pixels::Pixels;

/// A decoded image.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodedFile {
    /// The image, upright.
    pub pixels: Pixels,
    /// Bits that the largest sample of a 16-bit image needs, if they are so few that the image is nearly black.
    pub narrow: Option<u8>,
}

/// Samples that need at most so many of 16 bits are less than a quarter as bright as they could be.
const NARROW: u8 = 14;

/// The upper byte of a sample, as Pillow takes it.
pub(super) fn upper_byte(sample: u16) -> u8 {
    (sample >> 8) as u8
}

/// The level that is nearest to a sample.
pub(super) fn nearest_level(sample: u16) -> u8 {
    ((u32::from(sample) + 128) / 257) as u8
}

/// How the samples of one image become levels.
pub(super) struct Levels {
    /// Bits that the largest sample needs.
    used: u8,
    /// Bits whose range becomes 0 to 255, of an image that needs no more.
    stretch: Option<u8>,
}

impl Levels {
    /// For an image with these `colours`, without alpha.
    pub fn of(colours: impl Iterator<Item = u16>, stretch: Option<u8>) -> Self {
        let used = (16 - colours.max().unwrap_or(0).leading_zeros()) as u8;
        Self { used, stretch: stretch.filter(|&bits| used <= bits) }
    }

    /// Bits that the samples need, if they leave most of their range unused and are not stretched.
    pub fn narrow(&self) -> Option<u8> {
        Some(self.used).filter(|used| (1..=NARROW).contains(used) && self.stretch.is_none())
    }

    /// The level of a sample; `whole` is that of an image that is not stretched.
    pub fn level(&self, sample: u16, whole: impl Fn(u16) -> u8) -> u8 {
        match self.stretch {
            Some(bits) => {
                let most = (1u32 << bits) - 1;
                ((u32::from(sample) * 255 + most / 2) / most) as u8
            }
            None => whole(sample),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_of_the_bits_becomes_all_levels() {
        let samples = [0, 2048, 4095];
        let plain = Levels::of(samples.into_iter(), None);
        assert_eq!((plain.narrow(), samples.map(|s| plain.level(s, upper_byte))), (Some(12), [0, 8, 15]));
        let stretched = Levels::of(samples.into_iter(), Some(12));
        assert_eq!(
            (stretched.narrow(), samples.map(|s| stretched.level(s, upper_byte))),
            (None, [0, 128, 255])
        );
        // An image that needs more bits has another range.
        let whole = Levels::of([0, 40_000].into_iter(), Some(12));
        assert_eq!((whole.narrow(), whole.level(40_000, upper_byte)), (None, 156));
        assert_eq!(Levels::of([0].into_iter(), None).narrow(), None, "black");
    }

    #[test]
    fn levels_are_the_nearest_ones() {
        for bits in 1..=15u8 {
            let most = (1u16 << bits) - 1;
            let levels = Levels::of([most].into_iter(), Some(bits));
            for sample in (0..=most).step_by(1 + usize::from(most) / 300) {
                let exact = f64::from(sample) * 255.0 / f64::from(most);
                let level = f64::from(levels.level(sample, |_| unreachable!()));
                assert!((level - exact).abs() <= 0.5, "{sample} of {bits} bits");
            }
        }
    }
}
