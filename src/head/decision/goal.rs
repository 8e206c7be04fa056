//! What a person wants of the answers of one class.

use crate::error::{Error, Kind, Result, did_you_mean};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A share of correct answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Measure {
    /// Share of the answers of a class that are correct.
    Precision,
    /// Share of the images of a class that are answered by it.
    Recall,
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Precision => "precision",
            Self::Recall => "recall",
        })
    }
}

/// A lower limit on precision or recall of a class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassGoal {
    /// The class.
    pub class: String,
    /// What is limited.
    pub measure: Measure,
    /// The limit, above 0 and below 1.
    pub at_least: f64,
}

impl FromStr for ClassGoal {
    type Err = Error;

    /// Parses `CLASS=precision>=0.95` or `CLASS=recall>=0.9`.
    fn from_str(text: &str) -> Result<Self> {
        // The name of a class may hold the same signs, so the last ones count.
        let parts = |measure: Measure| {
            let (class, limit) = text.rsplit_once(&format!("={measure}>="))?;
            let at_least = limit.trim().parse().ok().filter(|limit| *limit > 0.0 && *limit < 1.0)?;
            (!class.is_empty()).then(|| Self { class: class.into(), measure, at_least })
        };
        parts(Measure::Precision).or_else(|| parts(Measure::Recall)).ok_or_else(|| {
            let word = text.rsplit_once(">=").and_then(|(before, _)| Some(before.rsplit_once('=')?.1));
            let meant = word.filter(|word| !["precision", "recall"].contains(word));
            let meant = meant.map_or(String::new(), |word| did_you_mean(word, ["precision", "recall"]));
            Error::new(Kind::Usage, format!("{text:?} is not a goal for a class")).help(format!(
                "{meant}write CLASS=precision>=0.95 or CLASS=recall>=0.9, with a number above 0 and below 1"
            ))
        })
    }
}

impl fmt::Display for ClassGoal {
    /// Writes what [`ClassGoal::from_str`] reads back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}>={}", self.class, self.measure, self.at_least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_written_as_they_are_read() {
        for text in ["Tony Blair=recall>=0.9", "a=b=precision>=0.95", "x=recall>=0.1=precision>=0.5"] {
            assert_eq!(text.parse::<ClassGoal>().unwrap().to_string(), text);
        }
        for text in
            ["a=precision>=1", "a=recall>=0", "=recall>=0.5", "a=recall>0.5", "a=f1>=0.5", "a", "a=recall>=x"]
        {
            let error = text.parse::<ClassGoal>().unwrap_err().to_string();
            assert!(error.contains("is not a goal for a class"), "{error}");
        }
    }
}
