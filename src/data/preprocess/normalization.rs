//! Mapping of pixel values to the floats that a network expects.

use crate::error::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Mapping of 8-bit pixel values to the floats that a network expects.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Normalization {
    /// `x / 255`, in `[0, 1]`.
    Unit,
    /// `x / 127.5 - 1`, in `[-1, 1]`.
    Symmetric,
    /// `(x / 255 - mean) / deviation` with the ImageNet statistics of each channel.
    Imagenet,
    /// `(x - 128) / 128`, as Google's network of 2015-12-05 takes it.
    #[serde(rename = "inception-2015")]
    Inception2015,
    /// `x`, from 0 to 255.
    None,
    /// `(x / divisor - mean) / deviation` with a mean and a deviation of each channel: red, green, blue.
    Custom {
        /// Divisor of the pixel values: 255 for values from 0 to 1.
        divisor: f32,
        /// Mean of each channel, after the division.
        mean: [f32; 3],
        /// Standard deviation of each channel, after the division.
        deviation: [f32; 3],
    },
}

impl fmt::Display for Normalization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unit => "scaled to 0 to 1",
            Self::Symmetric => "scaled to -1 to 1",
            Self::Imagenet => "normalized with the mean and standard deviation of ImageNet",
            Self::Inception2015 => "less 128, divided by 128",
            Self::None => "as they are",
            Self::Custom { divisor, mean, deviation } => {
                return write!(f, "divided by {divisor}, less {mean:?}, divided by {deviation:?}");
            }
        })
    }
}

/// A step of a normalization, in float32, with one operand for each channel.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Arithmetic {
    /// Division by the operand.
    Divide([f32; 3]),
    /// Subtraction of the operand.
    Subtract([f32; 3]),
}

impl Normalization {
    /// Returns the steps that turn a byte into a network input. In this order and in float32 they give the same bits
    /// everywhere.
    pub fn steps(self) -> Vec<Arithmetic> {
        use Arithmetic::{Divide, Subtract};
        match self {
            Self::Unit => vec![Divide([255.0; 3])],
            Self::Symmetric => vec![Divide([127.5; 3]), Subtract([1.0; 3])],
            Self::Inception2015 => vec![Subtract([128.0; 3]), Divide([128.0; 3])],
            // The ImageNet statistics as torchvision publishes them.
            Self::Imagenet => {
                vec![Divide([255.0; 3]), Subtract([0.485, 0.456, 0.406]), Divide([0.229, 0.224, 0.225])]
            }
            Self::None => Vec::new(),
            Self::Custom { divisor, mean, deviation } => {
                vec![Divide([divisor; 3]), Subtract(mean), Divide(deviation)]
            }
        }
    }

    /// Checks values that were read from a file.
    ///
    /// # Errors
    /// [`Kind::Usage`] when a divisor is not a positive number or a mean is not a number.
    pub(super) fn check(self) -> Result<()> {
        let Self::Custom { divisor, mean, deviation } = self else { return Ok(()) };
        let is_divisor = |value: &f32| value.is_finite() && *value > 0.0;
        let is_usable = is_divisor(&divisor) && deviation.iter().all(is_divisor);
        match is_usable && mean.iter().all(|value| value.is_finite()) {
            true => Ok(()),
            false => {
                let message = format!("pixel values cannot be {self}");
                Err(Error::new(Kind::Usage, message).help("give positive divisors and deviations"))
            }
        }
    }

    /// Normalizes one value of a channel.
    pub fn apply(self, value: f32, channel: usize) -> f32 {
        self.steps().iter().fold(value, |value, step| match step {
            Arithmetic::Divide(by) => value / by[channel],
            Arithmetic::Subtract(by) => value - by[channel],
        })
    }
}
