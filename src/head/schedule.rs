//! Learning-rate schedules, and the position of a fit in its schedule.

use super::adam::AdamStep;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How the learning rate falls from step to step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Schedule {
    /// The learning rate stays the same.
    #[default]
    Constant,
    /// The learning rate falls linearly, to zero after the last step of the last epoch.
    Linear,
    /// The learning rate falls along half a cosine, to zero after the last step of the last epoch (Loshchilov and Hutter
    /// 2017, eq. 5, without restarts).
    Cosine,
}

impl Schedule {
    /// The share (0 to 1) of the full learning rate at step `step`, counted from 0, of `steps` steps.
    pub fn share(self, step: usize, steps: usize) -> f64 {
        let passed = (step as f64 / steps.max(1) as f64).min(1.0);
        match self {
            Self::Constant => 1.0,
            Self::Linear => 1.0 - passed,
            Self::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * passed).cos()),
        }
    }
}

impl FromStr for Schedule {
    type Err = Error;

    /// Parses `constant`, `linear` or `cosine`.
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "constant" => Ok(Self::Constant),
            "linear" => Ok(Self::Linear),
            "cosine" => Ok(Self::Cosine),
            _ => Err(Error::not_one_of(text, "a schedule", &["constant", "linear", "cosine"])),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Constant => "constant",
            Self::Linear => "linear",
            Self::Cosine => "cosine",
        })
    }
}

/// A step of a fit.
#[derive(Debug, Clone, Copy)]
pub(super) struct StepPosition {
    /// Number of the step, from 0.
    pub number: usize,
    pub adam: AdamStep,
}

/// The position of a fit in its schedule, which gives the coefficients of each step.
#[derive(Debug)]
pub(super) struct StepSchedule {
    pub lr: f64,
    pub l2: f64,
    pub weight_decay: f64,
    pub schedule: Schedule,
    /// Steps taken so far.
    pub taken: usize,
    /// Steps of all epochs.
    pub total: usize,
}

impl StepSchedule {
    /// The step that comes `ahead` steps after those taken.
    pub fn step(&self, ahead: usize) -> StepPosition {
        let number = self.taken + ahead;
        let lr = self.lr * self.schedule.share(number, self.total);
        StepPosition { number, adam: AdamStep::new(lr, self.l2, self.weight_decay, number + 1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_begin_at_one_and_fall_towards_zero() {
        for (schedule, middle, last) in [
            (Schedule::Constant, 1.0, 1.0),
            (Schedule::Linear, 0.5, 0.01),
            (Schedule::Cosine, 0.5, 0.000_246_72),
        ] {
            assert_eq!(schedule.share(0, 100), 1.0);
            assert!((schedule.share(50, 100) - middle).abs() < 1e-12);
            assert!((schedule.share(99, 100) - last).abs() < 1e-8, "{}", schedule.share(99, 100));
            assert_eq!(schedule.to_string().parse::<Schedule>().unwrap(), schedule);
        }
        assert!("step".parse::<Schedule>().is_err());
    }
}
