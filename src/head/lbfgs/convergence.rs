//! How near the optimum a search has come.

use crate::error::{Error, Kind};
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// How near the optimum a search ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Precision {
    /// As near as the head is reported to be.
    Optimum,
    /// Near enough to compare heads by their held-out scores. The search may end before [`Convergence`] shows an optimum.
    Scores {
        /// The time at which the search is given up, wherever it is.
        until: Option<Instant>,
    },
}

impl Precision {
    /// Relative distance from the optimum at which the search ends.
    pub(super) fn target(self) -> f64 {
        match self {
            Self::Optimum => 5e-5,
            Self::Scores { .. } => 0.02,
        }
    }

    /// Whether the time of the search is over.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Scores { until: Some(until) } if Instant::now() >= until)
    }
}

/// Relative distance from the optimum up to which a head counts as optimal.
const OPTIMAL: f64 = 0.01;

/// A certificate of a head found by L-BFGS.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Convergence {
    /// Number of iterations; `None` if the solver does not report it.
    pub iterations: Option<usize>,
    /// Norm of the gradient of the loss with the penalty.
    pub gradient: f64,
    /// An upper bound on the distance of the weights from the optimum, relative to their norm: the norm of the gradient /
    /// (l2 times the norm of the weights). The loss is strongly convex in the weights with modulus l2, so they are no
    /// farther from the optimum than |gradient| / l2 (Nesterov 2004, *Introductory Lectures on Convex Optimization*,
    /// section 2.1.3). The bias counts as optimal.
    pub distance: f64,
}

impl Convergence {
    /// Computes the bound from the norms of gradient and weights.
    pub(in crate::head) fn new(iterations: Option<usize>, gradient: f64, weights: f64, l2: f64) -> Self {
        let distance = if gradient == 0.0 { 0.0 } else { gradient / (l2 * weights) };
        Self { iterations, gradient, distance }
    }

    /// Whether the weights are within 1 % of the optimum.
    pub fn is_optimum(&self) -> bool {
        self.distance <= OPTIMAL
    }

    /// What the bound says of the weights, as the end of a sentence. A bound of more than their norm says little.
    pub(crate) fn distance_text(&self) -> String {
        if self.distance <= 1.0 {
            format!("may be off by {:.0} %", 100.0 * self.distance)
        } else {
            "may be far off".to_string()
        }
    }

    /// The failure of a search that ended before the optimum.
    pub(in crate::head) fn error(&self) -> Error {
        let after = self.iterations.map_or(String::new(), |n| format!(" after {n} iterations"));
        let message = format!(
            "L-BFGS ended before the optimum{after}: its weights {} (gradient norm {:.1e})",
            self.distance_text(),
            self.gradient
        );
        Error::new(Kind::Run, message)
            .help("raise `l2` or `iterations`, or take the head as it is with `allow_unconverged`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_beyond_the_weights_themselves_is_no_percentage() {
        let text = |gradient| Convergence::new(None, gradient, 2.0, 0.5).distance_text();
        assert_eq!(text(0.25), "may be off by 25 %");
        assert_eq!(text(1.5), "may be far off");
    }
}
