//! Settings of [`suggest`](super::suggest()).

use crate::error::{Error, Kind, Result};
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Settings of [`suggest`](super::suggest()).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SuggestConfig {
    /// The run.
    pub run: PathBuf,
    /// The cache of the run; `None` looks where it was and near the run.
    pub cache: Option<PathBuf>,
    /// Number of images to suggest, at least 1. Default: 50.
    pub n: usize,
    /// How images are ranked. Default: by margin.
    pub by: SuggestBy,
    /// Maximum number of threads; 0 for one per core.
    pub threads: usize,
}

/// How images are ranked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SuggestBy {
    /// Smallest difference of the two largest probabilities first (Scheffer et al. 2001).
    #[default]
    Margin,
    /// Largest entropy of the probabilities first.
    Entropy,
    /// Farthest from the images trained on and from those suggested before: greedy k-centre (Sener and Savarese 2018).
    Coverage,
    /// By coverage, among the [`MIX`] times `n` images of smallest margin (as Wei et al. 2015 filter by uncertainty first).
    Mix,
}

/// How many times as many images as are suggested a mix chooses from.
pub const MIX: usize = 5;

impl SuggestConfig {
    /// Suggests images by `run`, everything else by default.
    pub fn new(run: impl Into<PathBuf>) -> Self {
        Self { run: run.into(), ..Self::default() }
    }
}

impl Default for SuggestConfig {
    fn default() -> Self {
        Self { run: PathBuf::new(), cache: None, n: 50, by: SuggestBy::default(), threads: 0 }
    }
}

impl SuggestBy {
    /// All ways to rank images.
    pub const ALL: [Self; 4] = [Self::Margin, Self::Entropy, Self::Coverage, Self::Mix];
}

impl fmt::Display for SuggestBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Margin => "margin",
            Self::Entropy => "entropy",
            Self::Coverage => "coverage",
            Self::Mix => "mix",
        })
    }
}

impl FromStr for SuggestBy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|by| by.to_string() == text).ok_or_else(|| {
            Error::new(Kind::Usage, format!("{text:?} is no way to rank images"))
                .help("use margin, entropy, coverage or mix")
        })
    }
}
