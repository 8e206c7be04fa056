//! The weight of an image in the loss.

use crate::error::{Error, Kind, Result};
use std::fmt;
use std::str::FromStr;

/// Smallest weight above 0 that a text may give: products with it are far from what 32 bits cannot hold.
const SMALLEST: f64 = 1e-6;
/// Largest weight that a text may give.
const LARGEST: f64 = 1e6;

/// How much an image counts in the loss: a finite number of at least 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weight(f32);

// It is never NaN.
impl Eq for Weight {}

impl Weight {
    /// Takes a number; `None` where it is none of at least 0, or not finite.
    pub fn new(value: f32) -> Option<Self> {
        (value >= 0.0 && value.is_finite()).then_some(Self(value))
    }

    /// The number.
    pub fn get(self) -> f32 {
        self.0
    }
}

impl Default for Weight {
    /// 1, the weight of an image that has no other.
    fn default() -> Self {
        Self(1.0)
    }
}

impl FromStr for Weight {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let exact: Option<f64> = text.parse().ok();
        let is_usual = |weight: &f64| *weight == 0.0 || (SMALLEST..=LARGEST).contains(weight);
        exact.filter(is_usual).and_then(|weight| Self::new(weight as f32)).ok_or_else(|| {
            Error::new(Kind::Usage, format!("{text:?} is not a weight"))
                .help(format!("use 0, or a number of {SMALLEST} to {LARGEST}"))
        })
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
