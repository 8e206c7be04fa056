//! Augmentation: the variants of an image, their names and their pixels.

use crate::data::pixels::Pixels;
use crate::error::{Error, Kind, Result};
use std::fmt;
use std::str::FromStr;

/// One augmentation of one image. The cache stores its text form: `none`, `flip` or `shift:+30:+0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Variant {
    /// The unchanged image.
    None,
    /// The image mirrored left to right.
    Flip,
    /// The image moved by (`dx`, `dy`) pixels of the source image. The uncovered part is black.
    Shift {
        /// Pixels to the right; negative values move to the left.
        dx: i32,
        /// Pixels down; negative values move up.
        dy: i32,
    },
}

/// A family of variants that is added to images. The text form is `flip` or `shift:N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Augmentation {
    /// Four shifts by this many pixels of the source image: right, left, down, up.
    Shift(u32),
    /// The image mirrored left to right.
    Flip,
}

impl Variant {
    /// Returns the name of the family: `none`, `flip` or `shift`.
    pub fn family(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Flip => "flip",
            Self::Shift { .. } => "shift",
        }
    }

    /// Computes the pixels of the variant, of the same size as `source`.
    pub fn apply(&self, source: &Pixels) -> Pixels {
        match *self {
            Self::None => source.clone(),
            Self::Flip => flip(source),
            Self::Shift { dx, dy } => shift(source, dx, dy),
        }
    }
}

impl Augmentation {
    /// Returns the variants that are added to an image, without [`Variant::None`].
    pub fn variants(&self) -> Vec<Variant> {
        match *self {
            Self::Flip => vec![Variant::Flip],
            Self::Shift(n) => {
                let n = n as i32;
                [(n, 0), (-n, 0), (0, n), (0, -n)].map(|(dx, dy)| Variant::Shift { dx, dy }).to_vec()
            }
        }
    }
}

fn flip(source: &Pixels) -> Pixels {
    let mut data = Vec::with_capacity(source.data().len());
    for y in 0..source.height() {
        for pixel in source.row(y).rchunks_exact(3) {
            data.extend_from_slice(pixel);
        }
    }
    Pixels::new(source.width(), source.height(), data)
}

fn shift(source: &Pixels, dx: i32, dy: i32) -> Pixels {
    let (width, height) = (source.width(), source.height());
    let mut data = vec![0; source.data().len()];
    let (skip_x, skip_y) = (dx.unsigned_abs() as usize, dy.unsigned_abs() as usize);
    if skip_x < width && skip_y < height {
        let (from_x, to_x) = if dx < 0 { (skip_x, 0) } else { (0, skip_x) };
        let (from_y, to_y) = if dy < 0 { (skip_y, 0) } else { (0, skip_y) };
        let n = (width - skip_x) * 3;
        for y in 0..height - skip_y {
            let target = ((to_y + y) * width + to_x) * 3;
            data[target..target + n].copy_from_slice(&source.row(from_y + y)[from_x * 3..from_x * 3 + n]);
        }
    }
    Pixels::new(width, height, data)
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shift { dx, dy } => write!(f, "shift:{dx:+}:{dy:+}"),
            _ => f.write_str(self.family()),
        }
    }
}

impl FromStr for Variant {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parsed = match text.split(':').collect::<Vec<_>>()[..] {
            ["none"] => Some(Self::None),
            ["flip"] => Some(Self::Flip),
            ["shift", dx, dy] => dx.parse().ok().zip(dy.parse().ok()).map(|(dx, dy)| Self::Shift { dx, dy }),
            _ => None,
        };
        parsed.filter(|variant| variant.to_string() == text).ok_or_else(|| {
            Error::new(Kind::Usage, format!("{text:?} is not a variant"))
                .help("variants are none, flip and shift:+DX:+DY, such as shift:+30:+0")
        })
    }
}

impl FromStr for Augmentation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parsed = match text.split_once(':') {
            None if text == "flip" => Some(Self::Flip),
            Some(("shift", n)) => n.parse().ok().filter(|n| (1..=10_000).contains(n)).map(Self::Shift),
            _ => None,
        };
        parsed.ok_or_else(|| {
            Error::new(Kind::Usage, format!("{text:?} is not an augmentation"))
                .help("use flip, or shift:N with N from 1 to 10000 pixels")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Pixels {
        Pixels::new(3, 2, (1..=18).collect())
    }

    #[test]
    fn names_are_read_back_and_nothing_else_parses() {
        for name in ["none", "flip", "shift:+30:+0", "shift:-5:+7"] {
            assert_eq!(name.parse::<Variant>().unwrap().to_string(), name);
        }
        for name in ["", "shift", "shift:30:0", "shift:+30", "flip:1", "none ", "Shift:+1:+0"] {
            assert!(name.parse::<Variant>().is_err(), "{name}");
        }
    }

    #[test]
    fn flip_mirrors_pixels_not_bytes() {
        let flipped = Variant::Flip.apply(&image());
        assert_eq!(flipped.row(0), [7, 8, 9, 4, 5, 6, 1, 2, 3]);
        assert_eq!(Variant::Flip.apply(&flipped), image());
    }

    #[test]
    fn a_shift_moves_right_and_down_and_fills_with_black() {
        let moved = Variant::Shift { dx: 1, dy: 1 }.apply(&image());
        assert_eq!(moved.row(0), [0; 9]);
        assert_eq!(moved.row(1), [0, 0, 0, 1, 2, 3, 4, 5, 6]);
        let back = Variant::Shift { dx: -1, dy: 0 }.apply(&image());
        assert_eq!(back.row(0), [4, 5, 6, 7, 8, 9, 0, 0, 0]);
    }

    #[test]
    fn a_shift_beyond_the_image_is_black() {
        assert_eq!(Variant::Shift { dx: 0, dy: -2 }.apply(&image()).data(), [0; 18]);
    }

    #[test]
    fn augmentations_parse_strictly() {
        assert_eq!("shift:30".parse::<Augmentation>().unwrap().variants().len(), 4);
        for bad in ["shift", "shift:0", "shift:-3", "shift:x", "flip:2", "rotate:3"] {
            assert!(bad.parse::<Augmentation>().is_err(), "{bad}");
        }
    }
}
