//! One step of an augmentation: its name, its range and what it does to the pixels.

use super::{blur, geometry, levels};
use crate::data::pixels::Pixels;
use std::fmt;
use std::ops::RangeInclusive;

/// One change of an image. Numbers other than pixels are in hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Step {
    /// Mirrored left to right.
    Flip,
    /// Moved by pixels to the right and down. The uncovered part is black.
    Shift {
        /// Pixels to the right.
        dx: i16,
        /// Pixels down.
        dy: i16,
    },
    /// Turned counter-clockwise about the centre, by hundredths of a degree. The uncovered part is black.
    Rotate(i16),
    /// A part of each side is kept.
    Crop {
        /// The share of each side that is kept.
        part: i16,
        /// Where the kept part lies.
        at: Anchor,
    },
    /// Made larger or smaller about the centre by a factor, in the frame of the image. The uncovered part is black.
    Scale(i16),
    /// Mixed with black: a factor for all levels.
    Brightness(i16),
    /// Mixed with the mean grey of the image: a factor for the distance from it.
    Contrast(i16),
    /// Mixed with the grey image: a factor for the distance from it.
    Saturation(i16),
    /// Blurred by a Gaussian of this standard deviation, in pixels.
    Blur(i16),
    /// Noise of this standard deviation is added, in levels.
    Noise(i16),
}

/// Where the part lies that a crop keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Anchor {
    /// The centre, `c`.
    Centre,
    /// The corner at the top on the left, `tl`.
    TopLeft,
    /// The corner at the top on the right, `tr`.
    TopRight,
    /// The corner at the bottom on the left, `bl`.
    BottomLeft,
    /// The corner at the bottom on the right, `br`.
    BottomRight,
}

impl Anchor {
    /// All places, with their names.
    pub(super) const ALL: [(&'static str, Self); 5] = [
        ("c", Self::Centre),
        ("tl", Self::TopLeft),
        ("tr", Self::TopRight),
        ("bl", Self::BottomLeft),
        ("br", Self::BottomRight),
    ];

    /// How much of what is cut off lies on the left and at the top, in halves.
    fn halves(self) -> [usize; 2] {
        match self {
            Self::Centre => [1, 1],
            Self::TopLeft => [0, 0],
            Self::TopRight => [2, 0],
            Self::BottomLeft => [0, 2],
            Self::BottomRight => [2, 2],
        }
    }

    fn name(self) -> &'static str {
        Self::ALL[self as usize].0
    }
}

/// A kind of step with one number.
struct Numbered {
    name: &'static str,
    /// In hundredths.
    range: RangeInclusive<i16>,
    step: fn(i16) -> Step,
}

/// Largest shift in pixels.
pub(super) const MOST_PIXELS: i16 = 10_000;

/// In hundredths.
const CROPS: RangeInclusive<i16> = 10..=99;

const NUMBERED: [Numbered; 7] = [
    Numbered { name: "rotate", range: -17_999..=18_000, step: Step::Rotate },
    Numbered { name: "scale", range: 10..=400, step: Step::Scale },
    Numbered { name: "brightness", range: 10..=400, step: Step::Brightness },
    Numbered { name: "contrast", range: 10..=400, step: Step::Contrast },
    Numbered { name: "saturation", range: 0..=400, step: Step::Saturation },
    Numbered { name: "blur", range: 10..=5_000, step: Step::Blur },
    Numbered { name: "noise", range: 50..=10_000, step: Step::Noise },
];

impl Step {
    /// The names of all kinds.
    pub(super) const NAMES: [&'static str; 10] =
        ["flip", "shift", "rotate", "crop", "scale", "brightness", "contrast", "saturation", "blur", "noise"];

    /// An example of each kind with a number, for messages.
    pub(super) const EXAMPLES: &'static str = "rotate:+10, crop:0.8@tl (or tr, bl, br, c), scale:0.8, brightness:0.8, \
                                               contrast:1.2, saturation:0.5, blur:2, noise:10";

    /// Returns the name of the kind.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Flip => "flip",
            Self::Shift { .. } => "shift",
            Self::Rotate(_) => "rotate",
            Self::Crop { .. } => "crop",
            Self::Scale(_) => "scale",
            Self::Brightness(_) => "brightness",
            Self::Contrast(_) => "contrast",
            Self::Saturation(_) => "saturation",
            Self::Blur(_) => "blur",
            Self::Noise(_) => "noise",
        }
    }

    /// Parses the text form of a step; `None` for any other text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let step = match text.split_once(':') {
            None => Some(Self::Flip),
            Some(("shift", pixels)) => {
                let (dx, dy) = pixels.split_once(':')?;
                let pixels = |text: &str| {
                    text.parse().ok().filter(|pixels| (-MOST_PIXELS..=MOST_PIXELS).contains(pixels))
                };
                Some(Self::Shift { dx: pixels(dx)?, dy: pixels(dy)? })
            }
            Some(("crop", crop)) => {
                let (part, place) = crop.split_once('@')?;
                let (_, at) = *Anchor::ALL.iter().find(|(name, _)| *name == place)?;
                Some(Self::Crop { part: crop_part(part)?, at })
            }
            Some((name, number)) => {
                let kind = NUMBERED.iter().find(|kind| kind.name == name)?;
                let number = hundredths(number).filter(|number| kind.range.contains(number))?;
                Some((kind.step)(number))
            }
        };
        step.filter(|step| step.to_string() == text && !step.changes_nothing())
    }

    fn changes_nothing(&self) -> bool {
        match *self {
            Self::Shift { dx, dy } => (dx, dy) == (0, 0),
            Self::Rotate(degrees) => degrees == 0,
            Self::Scale(factor)
            | Self::Brightness(factor)
            | Self::Contrast(factor)
            | Self::Saturation(factor) => factor == 100,
            Self::Flip | Self::Crop { .. } | Self::Blur(_) | Self::Noise(_) => false,
        }
    }

    /// Computes the changed pixels.
    pub fn apply(&self, source: &Pixels) -> Pixels {
        match *self {
            Self::Flip => geometry::flip(source),
            Self::Shift { dx, dy } => geometry::shift(source, dx.into(), dy.into()),
            Self::Rotate(degrees) => geometry::rotate(source, number(degrees)),
            Self::Crop { part, at } => geometry::crop(source, part as usize, at.halves()),
            Self::Scale(factor) => geometry::scale(source, factor as usize),
            Self::Brightness(factor) => levels::brightness(source, number(factor)),
            Self::Contrast(factor) => levels::contrast(source, number(factor)),
            Self::Saturation(factor) => levels::saturation(source, number(factor)),
            Self::Blur(deviation) => blur::gaussian(source, number(deviation)),
            Self::Noise(deviation) => levels::noise(source, number(deviation)),
        }
    }
}

/// The number that a text form has; the nearest float to its decimals.
fn number(hundredths: i16) -> f64 {
    f64::from(hundredths) / 100.0
}

/// Parses a number as hundredths.
pub(super) fn hundredths(text: &str) -> Option<i16> {
    let scaled = (text.parse::<f64>().ok()? * 100.0).round();
    (scaled.abs() <= f64::from(i16::MAX)).then_some(scaled as i16)
}

/// Parses the part of a side that a crop keeps.
pub(super) fn crop_part(text: &str) -> Option<i16> {
    hundredths(text).filter(|part| CROPS.contains(part))
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match *self {
            Self::Flip => f.write_str(name),
            Self::Shift { dx, dy } => write!(f, "{name}:{dx:+}:{dy:+}"),
            Self::Rotate(degrees) => write!(f, "{name}:{:+}", number(degrees)),
            Self::Crop { part, at } => write!(f, "{name}:{}@{}", number(part), at.name()),
            Self::Scale(value)
            | Self::Brightness(value)
            | Self::Contrast(value)
            | Self::Saturation(value)
            | Self::Blur(value)
            | Self::Noise(value) => write!(f, "{name}:{}", number(value)),
        }
    }
}
