//! What a person asks for: one or several variants that are added to images.

use super::step::{Anchor, MOST_PIXELS, Step, crop_part, hundredths};
use super::{Variant, meant, step_names};
use crate::error::{Error, Kind, Result};
use std::str::FromStr;

/// Variants that are added to images. The text form is that of a variant, or leaves a direction out: `shift:N`, `rotate:N` and
/// `crop:F` stand for all directions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Augmentation {
    /// Four shifts by this many pixels of the source image: right, left, down, up.
    Shift(u32),
    /// The image mirrored left to right.
    Flip,
    /// Other variants.
    Variants(Vec<Variant>),
}

impl Augmentation {
    /// Returns the variants that are added to an image, without [`Variant::None`].
    pub fn variants(&self) -> Vec<Variant> {
        match self {
            Self::Flip => vec![Variant::Flip],
            Self::Shift(n) => {
                let directions = directions(*n as i32);
                directions.map(|(dx, dy)| Variant::Shift { dx, dy }).to_vec()
            }
            Self::Variants(variants) => variants.clone(),
        }
    }
}

/// Right, left, down, up.
fn directions<T: Copy + Default + std::ops::Neg<Output = T>>(n: T) -> [(T, T); 4] {
    let zero = T::default();
    [(n, zero), (-n, zero), (zero, n), (zero, -n)]
}

/// The steps that one part of a text stands for; `None` when it is none.
fn alternatives(text: &str) -> Option<Vec<Step>> {
    if let Some(step) = Step::parse(text) {
        return Some(vec![step]);
    }
    match text.split_once(':')? {
        ("shift", n) => {
            let n = n.parse().ok().filter(|n| (1..=MOST_PIXELS).contains(n))?;
            Some(directions(n).map(|(dx, dy)| Step::Shift { dx, dy }).to_vec())
        }
        ("rotate", degrees) => {
            let degrees = hundredths(degrees).filter(|degrees| (1..18_000).contains(degrees))?;
            Some(vec![Step::Rotate(degrees), Step::Rotate(-degrees)])
        }
        ("crop", part) => {
            let part = crop_part(part)?;
            Some(Anchor::ALL.map(|(_, at)| Step::Crop { part, at }).to_vec())
        }
        _ => None,
    }
}

/// The variants of all combinations of the steps that the parts of a text stand for.
fn combinations(text: &str) -> Option<Vec<Variant>> {
    let mut all: Vec<Vec<Step>> = vec![Vec::new()];
    for part in step_names(text) {
        let steps = alternatives(part)?;
        let longer = |before: &Vec<Step>| {
            let before = before.clone();
            steps.clone().into_iter().map(move |step| [&before[..], &[step]].concat())
        };
        all = all.iter().flat_map(longer).collect();
        // More steps than a variant may have would multiply for nothing.
        Variant::of_steps(&all[0])?;
    }
    all.iter().map(|steps| Variant::of_steps(steps)).collect()
}

impl FromStr for Augmentation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let shift = |n: &str| n.parse().ok().filter(|n| (1..=MOST_PIXELS as u32).contains(n));
        let parsed = match text {
            "flip" => Some(Self::Flip),
            _ => match text.strip_prefix("shift:").and_then(shift) {
                Some(n) => Some(Self::Shift(n)),
                None => combinations(text).map(Self::Variants),
            },
        };
        parsed.ok_or_else(|| {
            let help = format!(
                "{}use flip, shift:N with N from 1 to {MOST_PIXELS} pixels, {}, or up to three of them such as flip+rotate:+10; \
                 rotate:10 turns both ways, crop:0.8 keeps each corner and the centre",
                meant(text),
                Step::EXAMPLES
            );
            Error::new(Kind::Usage, format!("{text:?} is not an augmentation")).help(help)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn augmentations_parse_strictly() {
        assert_eq!("shift:30".parse::<Augmentation>().unwrap(), Augmentation::Shift(30));
        assert_eq!(Augmentation::Shift(30).variants().len(), 4);
        for bad in [
            "",
            "none",
            "shift",
            "shift:0",
            "shift:-3",
            "shift:x",
            "flip:2",
            "rotate",
            "rotate:0",
            "spin:3",
            "brightness:1",
            "flip+none",
            "crop:0.8@",
            "flip+flip",
            "crop:0.8+crop:0.8+crop:0.8+crop:0.8",
        ] {
            assert!(bad.parse::<Augmentation>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_leaves_a_direction_out_stands_for_all_of_them() {
        let names = |text: &str| -> Vec<String> {
            text.parse::<Augmentation>().unwrap().variants().iter().map(Variant::to_string).collect()
        };
        assert_eq!(names("rotate:10"), ["rotate:+10", "rotate:-10"]);
        assert_eq!(names("rotate:-10"), ["rotate:-10"]);
        assert_eq!(names("shift:+3:-2"), ["shift:+3:-2"]);
        assert_eq!(names("crop:0.8").len(), 5);
        assert_eq!(names("flip+rotate:7.5"), ["flip+rotate:+7.5", "flip+rotate:-7.5"]);
        assert_eq!(names("shift:5+rotate:3+brightness:0.8").len(), 8);
    }
}
