//! The search for the optimum: L-BFGS (Liu and Nocedal 1989) with a diagonal approximation of the Hessian.

use super::convergence::{Convergence, Precision};
use super::history::History;
use super::line_search;
use super::objective::Objective;
use super::softmax_rows::Evaluation;
use crate::error::{Error, Kind, Result};
use crate::head::linear::Head;
use crate::head::running_loss::MeanLoss;

/// Times that logits are computed anew near the optimum. Logits are updated along each direction; what float32 products
/// lose on the way is mended by computing them from the weights once more.
const REFRESHES: usize = 4;

/// Where a search ended.
pub(super) struct Optimum {
    pub head: Head,
    pub convergence: Convergence,
    /// Unweighted and unsmoothed loss over the train rows.
    pub score: MeanLoss,
}

/// A point of the search.
struct State {
    point: Vec<f64>,
    logits: Vec<f64>,
    /// Without the penalty.
    loss: Evaluation,
    gradient: Vec<f64>,
    /// Whether the logits were computed from the point itself, not updated along the way.
    is_exact: bool,
}

/// Searches from `start`, or from zero, for at most `iterations` iterations.
pub(super) fn search(
    objective: &mut Objective,
    start: Option<&Head>,
    precision: Precision,
    iterations: usize,
) -> Result<Optimum> {
    let target = precision.target();
    let mut state = State::at(objective, objective.start(start))?;
    let mut history = History::default();
    let (mut done, mut refreshes) = (0, 0);
    while done < iterations {
        if precision.is_over() {
            return Err(Error::new(Kind::Run, "the time of the search was over before the optimum"));
        }
        let moved = match state.convergence(objective, done).distance > target {
            true => {
                done += 1;
                state.step(objective, &mut history)?
            }
            false => false,
        };
        if moved {
            continue;
        }
        if state.is_exact || refreshes == REFRESHES {
            break;
        }
        refreshes += 1;
        history.clear();
        state = State::at(objective, state.point)?;
    }
    if !state.is_exact {
        state = State::at(objective, state.point)?;
    }
    let convergence = state.convergence(objective, done);
    if !(convergence.gradient.is_finite() && state.loss.value.is_finite()) {
        return Err(Error::new(Kind::Run, "L-BFGS ended at weights that are not finite")
            .help("try a larger `l2`; if that does not help, run `cache::verify`"));
    }
    let score = state.loss.score.mean(objective.rows());
    Ok(Optimum { head: objective.head(&state.point), convergence, score })
}

impl State {
    fn at(objective: &mut Objective, point: Vec<f64>) -> Result<Self> {
        let logits = objective.logits(&point)?;
        let loss = objective.evaluate(&logits, None, 0.0);
        let gradient = objective.gradient(&point, &loss.delta)?;
        Ok(Self { point, logits, loss, gradient, is_exact: true })
    }

    fn convergence(&self, objective: &Objective, iterations: usize) -> Convergence {
        // Where features say nothing the optimum is at zero, from which every distance is relatively large.
        let weights = norm(objective.weights(&self.point)).max(objective.least_weights());
        Convergence::new(Some(iterations), norm(&self.gradient), weights, objective.l2())
    }

    /// Moves along the direction of the history. Returns whether that improved the loss.
    fn step(&mut self, objective: &mut Objective, history: &mut History) -> Result<bool> {
        let l2 = objective.l2();
        let diagonal = objective.inverse_diagonal(&self.loss.curvature);
        let direction = history.direction(&self.gradient, &diagonal);
        let change = objective.logits(&direction)?;
        let (w, d) = (objective.weights(&self.point), objective.weights(&direction));
        let (ww, wd, dd) = (dot(w, w), dot(w, d), dot(d, d));
        let at = |step: f64| {
            let mut loss = objective.evaluate(&self.logits, Some(&change), step);
            loss.value += 0.5 * l2 * (ww + step * (2.0 * wd + step * dd));
            loss.directional_derivative += l2 * (wd + step * dd);
            loss
        };
        let derivative =
            self.loss.delta.iter().zip(&change).map(|(&delta, z)| f64::from(delta) * z).sum::<f64>();
        let value = self.loss.value + 0.5 * l2 * ww;
        let Some((step, mut loss)) = line_search::search(value, derivative + l2 * wd, at) else {
            return Ok(false);
        };
        self.point.iter_mut().zip(&direction).for_each(|(w, d)| *w += step * d);
        self.logits.iter_mut().zip(&change).for_each(|(z, change)| *z += step * change);
        loss.value -= 0.5 * l2 * (ww + step * (2.0 * wd + step * dd));
        let gradient = objective.gradient(&self.point, &loss.delta)?;
        let moved = direction.iter().map(|d| (step * d) as f32).collect();
        let grown = gradient.iter().zip(&self.gradient).map(|(new, old)| (new - old) as f32).collect();
        history.push(moved, grown);
        (self.loss, self.gradient, self.is_exact) = (loss, gradient, false);
        Ok(true)
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}
