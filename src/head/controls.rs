//! What can be turned on a fit beside numbers: the fall of the learning rate, what has to improve, how much classes
//! count.

use crate::error::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// How the learning rate falls from step to step, from its full value down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// Not at all.
    #[default]
    Constant,
    /// In a straight line, to zero after the last step of the last epoch.
    Linear,
    /// Along half a cosine, likewise to zero (Loshchilov and Hutter 2017, eq. 5, without restarts).
    Cosine,
}

impl Schedule {
    /// The share of the full rate for step `step` (from 0) of `steps`.
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

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "constant" => Ok(Self::Constant),
            "linear" => Ok(Self::Linear),
            "cosine" => Ok(Self::Cosine),
            _ => Err(Error::new(Kind::Usage, format!("{text:?} is not a schedule"))
                .help("use constant, linear or cosine")),
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

/// What decides which epoch is the best and when to stop, on the validation rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StopOn {
    /// The mean cross entropy must fall.
    #[default]
    Loss,
    /// The share of right answers must rise.
    Accuracy,
}

impl FromStr for StopOn {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "loss" => Ok(Self::Loss),
            "accuracy" => Ok(Self::Accuracy),
            _ => Err(Error::new(Kind::Usage, format!("{text:?} is nothing to stop on"))
                .help("use loss or accuracy")),
        }
    }
}

impl fmt::Display for StopOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Loss => "loss",
            Self::Accuracy => "accuracy",
        })
    }
}

/// How much the rows of each class count in the loss: a factor on their cross entropy.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum ClassWeights {
    /// All the same: 1.
    #[default]
    #[serde(rename = "none")]
    Even,
    /// `rows / (classes * rows of the class)`, so that all classes count the same together (King and Zeng 2001, as
    /// scikit-learn's `balanced`).
    #[serde(rename = "balanced")]
    Balanced,
    /// These; 1 for classes that are not named.
    #[serde(rename = "given")]
    Given(BTreeMap<String, f64>),
}

impl ClassWeights {
    pub(super) fn check(&self) -> Result<()> {
        match self {
            Self::Given(all) if !all.values().all(|w| *w >= 0.0 && w.is_finite()) => {
                Err(Error::new(Kind::Usage, "--class-weights must be numbers of at least 0"))
            }
            _ => Ok(()),
        }
    }

    /// The factor of each of `classes`, of which `counts` has the train rows.
    ///
    /// # Errors
    /// [`Kind::Usage`] for a class that is not there.
    pub fn factors(&self, classes: &[String], counts: &[usize]) -> Result<Vec<f32>> {
        match self {
            Self::Even => Ok(vec![1.0; counts.len()]),
            Self::Balanced => {
                let total: usize = counts.iter().sum();
                let factor = |&n: &usize| total as f64 / (counts.len() * n.max(1)) as f64;
                Ok(counts.iter().map(|n| factor(n) as f32).collect())
            }
            Self::Given(all) => {
                if let Some(name) = all.keys().find(|name| !classes.contains(name)) {
                    return Err(Error::new(
                        Kind::Usage,
                        format!("--class-weights names {name:?}, which is no class"),
                    )
                    .help(format!("the classes are {}", classes.join(", "))));
                }
                Ok(classes.iter().map(|name| all.get(name).map_or(1.0, |w| *w as f32)).collect())
            }
        }
    }
}

impl FromStr for ClassWeights {
    type Err = Error;

    /// `none`, `balanced`, or `ant=2,bee=0.5`.
    fn from_str(text: &str) -> Result<Self> {
        let one = |pair: &str| {
            let (name, weight) = pair.rsplit_once('=')?;
            Some((name.to_string(), weight.parse().ok()?))
        };
        match text {
            "none" => Ok(Self::Even),
            "balanced" => Ok(Self::Balanced),
            _ => text.split(',').map(one).collect::<Option<_>>().map(Self::Given).ok_or_else(|| {
                Error::new(Kind::Usage, format!("{text:?} are not weights of classes"))
                    .help("use none, balanced, or numbers such as ant=2,bee=0.5")
            }),
        }
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
        assert!("step".parse::<Schedule>().is_err() && "f1".parse::<StopOn>().is_err());
    }

    #[test]
    fn balanced_classes_count_the_same_together() {
        let names = ["a".to_string(), "b".into(), "c".into()];
        let counts = [10, 20, 70];
        let factors = ClassWeights::Balanced.factors(&names, &counts).unwrap();
        for (factor, count) in factors.iter().zip(counts) {
            assert!((f64::from(*factor) * count as f64 - 100.0 / 3.0).abs() < 1e-4);
        }
        let given: ClassWeights = "b=2,c=0.5".parse().unwrap();
        assert_eq!(given.factors(&names, &counts).unwrap(), [1.0, 2.0, 0.5]);
        let wrong: ClassWeights = "x=y=2".parse().unwrap();
        assert!(wrong.factors(&names, &counts).unwrap_err().to_string().contains("\"x=y\""));
        assert!("heavy".parse::<ClassWeights>().is_err());
    }
}
