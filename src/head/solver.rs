//! The choice of solver, with its settings.

use super::config::{FitConfig, FitParams};
use super::lbfgs::{LbfgsConfig, LbfgsParams};
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// A solver with its settings, not checked yet. `run.json` stores it in this form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(tag = "solver", rename_all = "lowercase")]
pub enum SolverConfig {
    /// Minibatches, Adam, early stopping.
    Adam(FitConfig),
    /// The optimum of the regularised loss, by L-BFGS.
    Lbfgs(LbfgsConfig),
}

/// A solver with checked settings.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SolverParams {
    /// Minibatches, Adam, early stopping.
    Adam(FitParams),
    /// The optimum of the regularised loss, by L-BFGS.
    Lbfgs(LbfgsParams),
}

impl SolverConfig {
    /// The name of the solver: `adam` or `lbfgs`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Adam(_) => "adam",
            Self::Lbfgs(_) => "lbfgs",
        }
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`] if a value is out of range; the message names the field.
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
