//! Which of the two ways to fit a head, with its settings.

use super::config::{FitConfig, FitParams};
use super::lbfgs::{LbfgsConfig, LbfgsParams};
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// How a head is to be fitted, as typed and as it stands in `run.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "solver", rename_all = "lowercase")]
pub enum SolverConfig {
    /// Mini-batches, Adam, early stopping.
    Adam(FitConfig),
    /// The optimum by L-BFGS.
    Lbfgs(LbfgsConfig),
}

/// A way to fit a head whose settings have been checked.
#[derive(Debug, Clone)]
pub enum SolverParams {
    /// Mini-batches, Adam, early stopping.
    Adam(FitParams),
    /// The optimum by L-BFGS.
    Lbfgs(LbfgsParams),
}

impl SolverConfig {
    /// `adam` or `lbfgs`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Adam(_) => "adam",
            Self::Lbfgs(_) => "lbfgs",
        }
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`], naming the setting.
    pub fn check(self) -> Result<SolverParams> {
        match self {
            Self::Adam(config) => config.check().map(SolverParams::Adam),
            Self::Lbfgs(config) => config.check().map(SolverParams::Lbfgs),
        }
    }
}

impl Default for SolverConfig {
    fn default() -> Self {
        Self::Adam(FitConfig::default())
    }
}
