//! The quadratic model of the loss that gives the directions of a search: a preconditioner, and the steps since it was made.

use super::history::{History, ScaledGradient};
use super::objective::Objective;
use super::preconditioner::Preconditioner;
use crate::error::Result;

/// How many times the cost of a dense preconditioner iterations may cost before it is made. It shortens some searches seven times
/// and others not at all, and nothing tells beforehand which; so no search costs much more than the better way would have.
const PATIENCE: f64 = 2.0;

/// Gives directions of descent, and learns from the steps along them.
pub(super) struct Model {
    preconditioner: Option<Preconditioner>,
    history: History,
    /// The latest gradient times the preconditioner; empty before the first direction.
    scaled: Vec<f32>,
    /// Whether a dense preconditioner may be made.
    may_be_dense: bool,
    /// Products of two numbers since the last dense preconditioner was made, or since the search began.
    spent: f64,
}

impl Model {
    pub fn new(objective: &Objective, may_be_dense: bool) -> Self {
        let history = History::new(objective.kernel(), objective.threads());
        Self { preconditioner: None, history, scaled: Vec::new(), may_be_dense, spent: 0.0 }
    }

    /// Forgets all steps.
    pub fn forget_steps(&mut self) {
        self.history.clear();
        self.scaled.clear();
    }

    /// Returns the direction of descent at a gradient, where the logits have this curvature.
    ///
    /// # Errors
    /// If rows cannot be read.
    pub fn direction(
        &mut self,
        objective: &mut Objective,
        gradient: &[f64],
        curvature: &[f64],
    ) -> Result<Vec<f32>> {
        let present = self.preconditioner.take().filter(|present| present.fits(curvature));
        let is_dense = present.as_ref().is_some_and(Preconditioner::is_dense);
        let dense = match !is_dense && self.has_earned_a_dense_one(objective, curvature) {
            true => objective.dense(curvature)?,
            false => None,
        };
        if dense.is_some() {
            self.spent = 0.0;
        }
        if dense.is_some() || present.is_none() {
            self.forget_steps();
        }
        let preconditioner = dense.or(present).unwrap_or_else(|| objective.diagonal(curvature));
        if self.scaled.is_empty() {
            self.scaled = preconditioner.apply(gradient, objective.kernel(), objective.threads());
        }
        self.preconditioner = Some(preconditioner);
        Ok(self.history.direction(&self.scaled))
    }

    fn has_earned_a_dense_one(&self, objective: &Objective, curvature: &[f64]) -> bool {
        let cost = objective.cost_of_dense(curvature);
        self.may_be_dense && cost.is_some_and(|cost| self.spent >= PATIENCE * cost)
    }

    /// Learns from a step between two gradients.
    pub fn learn(&mut self, objective: &Objective, moved: Vec<f32>, before: &[f64], after: &[f64]) {
        self.spent += objective.cost_of_iteration();
        let Some(preconditioner) = &self.preconditioner else { return };
        let scaled = preconditioner.apply(after, objective.kernel(), objective.threads());
        self.history.push(
            moved,
            ScaledGradient { gradient: before, scaled: &self.scaled },
            ScaledGradient { gradient: after, scaled: &scaled },
        );
        self.scaled = scaled;
    }
}
