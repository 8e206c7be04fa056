//! How features are held in memory while a head is fitted.

use crate::error::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How train rows are held in memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum FeatureFormat {
    /// As the cache holds them, in float32.
    #[default]
    F32,
    /// Rounded to bfloat16, in half the memory.
    Bf16,
}

impl FromStr for FeatureFormat {
    type Err = Error;

    /// Parses `f32` or `bf16`.
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "f32" => Ok(Self::F32),
            "bf16" => Ok(Self::Bf16),
            _ => Err(Error::new(Kind::Usage, format!("{text:?} is not a format of features"))
                .help("use f32 or bf16")),
        }
    }
}

impl fmt::Display for FeatureFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        })
    }
}
