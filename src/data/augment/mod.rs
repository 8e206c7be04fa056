//! Augmentation: the variants of an image, their names and their pixels.

mod augmentation;
mod blur;
mod geometry;
mod levels;
mod step;

pub use augmentation::Augmentation;
pub use step::{Anchor, Step};

use crate::data::pixels::Pixels;
use crate::error::{Error, Kind, Result, did_you_mean};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// One augmentation of one image. The cache stores its text form, such as `none`, `flip`, `shift:+30:+0` or
/// `flip+rotate:+10`.
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
    /// Any other step, or several steps one after the other.
    Steps(Steps),
}

/// Steps of a variant at most.
const MOST_STEPS: usize = 3;

/// One to three steps, no two of one kind. Never a flip or a shift alone, which are variants of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Steps([Option<Step>; MOST_STEPS]);

impl Steps {
    /// The steps in the order in which they are made.
    pub fn iter(&self) -> impl Iterator<Item = Step> {
        self.0.into_iter().flatten()
    }
}

impl Variant {
    /// Returns the variant that makes `steps` one after the other. `None` without steps, with more than three, or with two of
    /// one kind.
    pub fn of_steps(steps: &[Step]) -> Option<Self> {
        let repeats = |(i, step): (usize, &Step)| steps[..i].iter().any(|other| other.name() == step.name());
        match *steps {
            [] => None,
            [Step::Flip] => Some(Self::Flip),
            [Step::Shift { dx, dy }] => Some(Self::Shift { dx: dx.into(), dy: dy.into() }),
            _ if steps.len() > MOST_STEPS || steps.iter().enumerate().any(repeats) => None,
            _ => Some(Self::Steps(Steps(std::array::from_fn(|i| steps.get(i).copied())))),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if text == "none" {
            return Some(Self::None);
        }
        // A shift alone may be larger than one among several steps.
        let shift = text.strip_prefix("shift:").and_then(|pixels| pixels.split_once(':'));
        if let Some((dx, dy)) = shift.and_then(|(dx, dy)| dx.parse().ok().zip(dy.parse().ok())) {
            return Some(Self::Shift { dx, dy });
        }
        let steps: Option<Vec<Step>> = step_names(text).into_iter().map(Step::parse).collect();
        Self::of_steps(&steps?)
    }

    /// Returns the name of the family: the names of the steps without their numbers, such as `none`, `shift` or
    /// `flip+rotate`.
    pub fn family(&self) -> Cow<'static, str> {
        match self {
            Self::None => "none".into(),
            Self::Flip => "flip".into(),
            Self::Shift { .. } => "shift".into(),
            Self::Steps(steps) => {
                let names: Vec<&str> = steps.iter().map(|step| step.name()).collect();
                names.join(SEPARATOR).into()
            }
        }
    }

    /// Returns whether `name` is the name of a family.
    pub fn is_family(name: &str) -> bool {
        name == "none" || name.split(SEPARATOR).all(|part| Step::NAMES.contains(&part))
    }

    /// Computes the pixels of the variant. A crop is smaller than `source`, all others are of its size.
    pub fn apply(&self, source: &Pixels) -> Pixels {
        match *self {
            Self::None => source.clone(),
            Self::Flip => geometry::flip(source),
            Self::Shift { dx, dy } => geometry::shift(source, dx, dy),
            Self::Steps(steps) => {
                let changed =
                    steps.iter().fold(Cow::Borrowed(source), |image, step| Cow::Owned(step.apply(&image)));
                changed.into_owned()
            }
        }
    }

    /// Returns how many pixels the variant moves the image, to a side, up or down.
    pub(crate) fn shifted_pixels(&self) -> u32 {
        let step = |step: Step| match step {
            Step::Shift { dx, dy } => dx.unsigned_abs().max(dy.unsigned_abs()).into(),
            _ => 0,
        };
        match *self {
            Self::Shift { dx, dy } => dx.unsigned_abs().max(dy.unsigned_abs()),
            Self::Steps(steps) => steps.iter().map(step).max().unwrap_or(0),
            _ => 0,
        }
    }
}

/// What stands between the names of steps.
const SEPARATOR: &str = "+";

/// Splits the name of a variant into those of its steps. A `+` before a digit is a sign.
fn step_names(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some((at, _)) = rest
        .match_indices(SEPARATOR)
        .find(|(at, _)| rest[at + 1..].starts_with(|c: char| c.is_ascii_lowercase()))
    {
        names.push(&rest[..at]);
        rest = &rest[at + 1..];
    }
    names.push(rest);
    names
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Flip => f.write_str("flip"),
            Self::Shift { dx, dy } => write!(f, "shift:{dx:+}:{dy:+}"),
            Self::Steps(steps) => {
                for (i, step) in steps.iter().enumerate() {
                    let separator = if i > 0 { SEPARATOR } else { "" };
                    write!(f, "{separator}{step}")?;
                }
                Ok(())
            }
        }
    }
}

/// Which kind of step the one before the first colon of `text` may have meant.
pub(crate) fn meant(text: &str) -> String {
    let kind = text.split(':').next().unwrap_or_default();
    let kinds = || std::iter::once("none").chain(Step::NAMES);
    if kinds().any(|known| known == kind) { String::new() } else { did_you_mean(kind, kinds()) }
}

impl FromStr for Variant {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parsed = Self::parse(text);
        parsed.filter(|variant| variant.to_string() == text).ok_or_else(|| {
            Error::new(Kind::Usage, format!("{text:?} is not a variant")).help(format!(
                "{}variants are none, flip, shift:+DX:+DY such as shift:+30:+0, {}, and up to {MOST_STEPS} of them such as \
                 flip+rotate:+10",
                meant(text),
                Step::EXAMPLES
            ))
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
        for name in [
            "none",
            "flip",
            "shift:+30:+0",
            "shift:-5:+7",
            "rotate:+10",
            "rotate:-7.5",
            "brightness:0.8",
            "contrast:1.25",
            "saturation:0",
            "blur:2",
            "noise:10",
            "crop:0.8@tl",
            "scale:1.2",
            "flip+rotate:+10",
            "shift:+30:+0+flip",
            "flip+rotate:-10+brightness:0.8",
        ] {
            let variant: Variant = name.parse().unwrap();
            assert_eq!(variant.to_string(), name);
            assert!(Variant::is_family(&variant.family()), "{name}");
        }
        for name in [
            "",
            "shift",
            "shift:30:0",
            "shift:+30",
            "flip:1",
            "none ",
            "Shift:+1:+0",
            "rotate:10",
            "rotate:+0",
            "rotate:+10.0",
            "rotate:+181",
            "rotate:+1.234",
            "brightness:1",
            "brightness:NaN",
            "contrast:-1",
            "crop:0.8",
            "crop:1@tl",
            "crop:0.8@xx",
            "flip+flip",
            "none+flip",
            "flip+",
            "flip+rotate:+10+brightness:0.8+blur:2",
        ] {
            assert!(name.parse::<Variant>().is_err(), "{name}");
        }
        assert_eq!("flip+rotate:+10".parse::<Variant>().unwrap().family(), "flip+rotate");
        assert!(!Variant::is_family("rotate:+10") && !Variant::is_family("spin"));
    }

    #[test]
    fn variants_of_earlier_versions_keep_their_order_and_stand_before_the_others() {
        let names = ["none", "flip", "shift:-30:+0", "shift:+0:-30", "shift:+30:+0", "flip+blur:2", "blur:2"];
        let variants: Vec<Variant> = names.iter().map(|name| name.parse().unwrap()).collect();
        assert!(variants.is_sorted(), "{variants:?}");
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
    fn steps_are_made_in_their_order() {
        let made = |name: &str| name.parse::<Variant>().unwrap().apply(&image());
        assert_eq!(
            made("flip+shift:+1:+0"),
            Variant::Shift { dx: 1, dy: 0 }.apply(&Variant::Flip.apply(&image()))
        );
        assert_ne!(made("flip+shift:+1:+0"), made("shift:+1:+0+flip"));
        let variant: Variant = "flip+shift:+1:-2".parse().unwrap();
        assert_eq!((variant.shifted_pixels(), Variant::Flip.shifted_pixels()), (2, 0));
    }

    #[test]
    fn noise_depends_on_the_picture_alone_and_has_the_deviation_of_its_name() {
        let grey = Pixels::new(100, 80, vec![128; 24_000]);
        let noisy = |image: &Pixels| "noise:10".parse::<Variant>().unwrap().apply(image);
        let once = noisy(&grey);
        assert_eq!(once, noisy(&grey));
        let differences = || once.data().iter().map(|&level| f64::from(level) - 128.0);
        let (mean, square) =
            (differences().sum::<f64>() / 24_000.0, differences().map(|d| d * d).sum::<f64>() / 24_000.0);
        assert!(mean.abs() < 0.3 && (square.sqrt() - 10.0).abs() < 0.2, "{mean} {}", square.sqrt());
        let mut other = grey.data().to_vec();
        other[0] = 129;
        assert_ne!(noisy(&Pixels::new(100, 80, other)).row(50), once.row(50));
    }
}
