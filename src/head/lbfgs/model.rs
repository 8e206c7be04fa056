//! The quadratic model of the loss that gives the directions of a search: a preconditioner, and the steps since it was made.

use super::history::{History, ScaledGradient};
use super::objective::Objective;
use super::preconditioner::Preconditioner;
use crate::error::Result;

/// Iterations by which the rate of convergence is judged, at least.
const WATCHED: usize = 10;

/// Gives directions of descent, and learns from the steps along them.
pub(super) struct Model {
    preconditioner: Option<Preconditioner>,
    history: History,
    /// The latest gradient times the preconditioner; empty before the first direction.
    scaled: Vec<f32>,
    /// Whether a dense preconditioner may be made.
    may_be_dense: bool,
    /// How far from the goal the search was when the preconditioner was made, and the iterations since.
    watched: (f64, usize),
}

/// Where the search is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Position<'a> {
    pub gradient: &'a [f64],
    /// Of the logits, per class.
    pub curvature: &'a [f64],
    /// Logarithm of the distance from the optimum over that at which the search ends.
    pub left: f64,
}

impl Model {
    pub fn new(objective: &Objective, may_be_dense: bool) -> Self {
        let history = History::new(objective.kernel(), objective.threads());
        Self { preconditioner: None, history, scaled: Vec::new(), may_be_dense, watched: (0.0, 0) }
    }

    /// Forgets all steps.
    pub fn forget_steps(&mut self) {
        self.history.clear();
        self.scaled.clear();
    }

    /// Returns the direction of descent.
    ///
    /// # Errors
    /// If rows cannot be read.
    pub fn direction(&mut self, objective: &mut Objective, at: Position) -> Result<Vec<f32>> {
        let Position { gradient, curvature, left } = at;
        let before = self.preconditioner.take();
        let was_dense = before.as_ref().is_some_and(Preconditioner::is_dense);
        let present = before.filter(|before| before.fits(curvature));
        let dense = match self.wants_dense(objective, at, was_dense, present.is_some()) {
            true => objective.dense(curvature)?,
            false => None,
        };
        if dense.is_some() || present.is_none() {
            self.forget_steps();
            self.watched = (left, 0);
        }
        let preconditioner = dense.or(present).unwrap_or_else(|| objective.diagonal(curvature));
        if self.scaled.is_empty() {
            self.scaled = preconditioner.apply(gradient, objective.kernel(), objective.threads());
        }
        self.preconditioner = Some(preconditioner);
        self.watched.1 += 1;
        Ok(self.history.direction(&self.scaled))
    }

    /// Whether a dense preconditioner is to be made, where the present one is dense or not, and fits the curvature or not.
    fn wants_dense(&self, objective: &Objective, at: Position, is_dense: bool, fits: bool) -> bool {
        let is_known = self.watched.1 >= WATCHED;
        match (is_dense, fits) {
            _ if !(self.may_be_dense && is_known && objective.dense_differs(at.curvature)) => false,
            (true, fits) => !fits,
            (false, false) => false,
            (false, true) => objective.dense_pays(self.iterations_left(at.left)),
        }
    }

    /// Iterations that are still needed at the rate since the preconditioner was made.
    fn iterations_left(&self, left: f64) -> f64 {
        let (first, iterations) = self.watched;
        let gained = first - left;
        if gained > 0.0 { left * iterations as f64 / gained } else { f64::INFINITY }
    }

    /// Learns from a step between two gradients.
    pub fn learn(&mut self, objective: &Objective, moved: Vec<f32>, before: &[f64], after: &[f64]) {
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
