//! The choice of solver, with its settings.

use super::config::{FitConfig, FitParams};
use super::lbfgs::{LbfgsConfig, LbfgsParams};
use super::linfa_lbfgs::{LinfaConfig, LinfaParams};
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// A solver with its settings, not checked yet. `run.json` stores it in this form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(tag = "solver", rename_all = "lowercase")]
pub enum SolverConfig {
    /// Minibatches, Adam, early stopping.
    Adam(FitConfig),
    /// The optimum of the regularised loss, by L-BFGS on this crate's kernel.
    Lbfgs(LbfgsConfig),
    /// The same optimum by the L-BFGS of `linfa-logistic`.
    #[serde(rename = "lbfgs-linfa")]
    Linfa(LinfaConfig),
}

/// A solver with checked settings.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SolverParams {
    /// Minibatches, Adam, early stopping.
    Adam(FitParams),
    /// The optimum of the regularised loss, by L-BFGS on this crate's kernel.
    Lbfgs(LbfgsParams),
    /// The same optimum by the L-BFGS of `linfa-logistic`.
    Linfa(LinfaParams),
}

/// Names of all solvers.
pub const SOLVERS: [&str; 3] = ["adam", "lbfgs", "lbfgs-linfa"];

impl SolverConfig {
    /// The solver called `name` with its default settings; `None` if there is none of that name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "adam" => Some(Self::Adam(FitConfig::default())),
            "lbfgs" => Some(Self::Lbfgs(LbfgsConfig::default())),
            "lbfgs-linfa" => Some(Self::Linfa(LinfaConfig::default())),
            _ => None,
        }
    }

    /// The name of the solver, one of [`SOLVERS`].
    pub fn name(&self) -> &'static str {
        match self {
            Self::Adam(_) => "adam",
            Self::Lbfgs(_) => "lbfgs",
            Self::Linfa(_) => "lbfgs-linfa",
        }
    }

    /// Number of hidden units; 0 without a hidden layer.
    pub fn hidden_units(&self) -> usize {
        match self {
            Self::Adam(config) => config.hidden,
            Self::Lbfgs(_) | Self::Linfa(_) => 0,
        }
    }

    /// The L2 penalty.
    pub fn l2(&self) -> f64 {
        match self {
            Self::Adam(config) => config.l2,
            Self::Lbfgs(config) => config.l2,
            Self::Linfa(config) => config.l2,
        }
    }

    /// The learning rate of the first step of epoch `epoch`, from 1; `None` for L-BFGS. A schedule depends on the share of finished
    /// steps, which equals that of finished epochs.
    pub fn learning_rate(&self, epoch: usize) -> Option<f64> {
        match self {
            Self::Adam(config) => Some(config.lr * config.schedule.share(epoch - 1, config.epochs)),
            Self::Lbfgs(_) | Self::Linfa(_) => None,
        }
    }

    /// The same solver with another L2 penalty.
    pub fn with_l2(self, l2: f64) -> Self {
        match self {
            Self::Adam(config) => Self::Adam(FitConfig { l2, ..config }),
            Self::Lbfgs(config) => Self::Lbfgs(LbfgsConfig { l2, ..config }),
            Self::Linfa(config) => Self::Linfa(LinfaConfig { l2, ..config }),
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
            Self::Linfa(config) => config.check().map(SolverParams::Linfa),
        }
    }
}

impl Default for SolverConfig {
    fn default() -> Self {
        Self::Adam(FitConfig::default())
    }
}
