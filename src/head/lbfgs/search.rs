//! The search for the optimum: L-BFGS (Liu and Nocedal 1989) with a preconditioner.

use super::convergence::{Convergence, Precision};
use super::line_search;
use super::model::{Model, Position};
use super::objective::Objective;
use super::softmax_rows::Evaluation;
use super::sums::{CHUNK, sums, threads_for};
use crate::error::{Error, Kind, Result};
use crate::head::running_loss::MeanLoss;
use crate::head::softmax_head::Head;
use crate::math::parallel::in_chunks;

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

/// Directions, one after the other, by which the optimum must be near before a search for scores ends.
const AGREEING: usize = 2;

/// What came of a step.
enum Step {
    /// The loss is smaller.
    Done,
    /// No step along the direction makes the loss smaller.
    Stuck,
    /// The model says that the optimum is near enough, so no step was made.
    Near,
}

/// A point of the search.
struct State {
    point: Vec<f64>,
    logits: Vec<f64>,
    /// Without the penalty.
    loss: Evaluation,
    gradient: Vec<f64>,
    /// Squared norms of the weights and of the gradient.
    squares: [f64; 2],
    /// Whether the logits were computed from the point itself, not updated along the way.
    is_exact: bool,
    /// Directions until now, one after the other, by which the optimum is near.
    near: usize,
}

/// Searches from `start`, or from zero, for at most `iterations` iterations.
pub(super) fn search(
    objective: &mut Objective,
    start: Option<&Head>,
    precision: Precision,
    iterations: usize,
) -> Result<Optimum> {
    let target = precision.target();
    let is_final = precision == Precision::Optimum;
    let mut state = State::at(objective, objective.start(start))?;
    let mut model = Model::new(objective, is_final);
    let (mut done, mut refreshes) = (0, 0);
    while done < iterations {
        if precision.is_over() {
            return Err(Error::new(Kind::Run, "the time of the search was over before the optimum"));
        }
        let distance = state.convergence(objective, done).distance;
        if distance > target {
            let step = state.step(objective, &mut model, precision, (distance / target).ln())?;
            done += usize::from(!matches!(step, Step::Near));
            if matches!(step, Step::Done) {
                continue;
            }
        }
        if state.is_exact || refreshes == REFRESHES || !is_final {
            break;
        }
        refreshes += 1;
        model.forget_steps();
        state = State::at(objective, state.point)?;
    }
    if !state.is_exact && is_final {
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
        let gradient = objective.gradient(&point, &loss)?;
        let squares = squares(objective, &point, &gradient);
        Ok(Self { point, logits, loss, gradient, squares, is_exact: true, near: 0 })
    }

    fn convergence(&self, objective: &Objective, iterations: usize) -> Convergence {
        let [weights, gradient] = self.squares.map(f64::sqrt);
        // Where features say nothing the optimum is at zero, from which every distance is relatively large.
        let weights = weights.max(objective.least_weights());
        Convergence::new(Some(iterations), gradient, weights, objective.l2())
    }

    /// Whether the optimum is near enough for scores, by the model that gave this direction and those before it. It is a
    /// quadratic one, so the loss is above its smallest value by half the product of the gradient with the direction; by the same
    /// strong convexity as in [`Convergence`], that is at least l2/2 times the squared distance.
    fn is_near(&mut self, objective: &Objective, direction: &[f32], target: f64) -> bool {
        let decrease = -0.5 * objective.kernel().dot(&self.gradient, direction);
        let weights = self.squares[0].max(objective.least_weights().powi(2));
        let is_near = decrease <= 0.5 * objective.l2() * weights * target * target;
        self.near = if is_near { self.near + 1 } else { 0 };
        self.near == AGREEING
    }

    /// Moves along the direction of the model, where `left` is the logarithm of the distance from the optimum over that at which
    /// the search ends.
    fn step(
        &mut self,
        objective: &mut Objective,
        model: &mut Model,
        precision: Precision,
        left: f64,
    ) -> Result<Step> {
        let (l2, kernel, threads) = (objective.l2(), objective.kernel(), objective.threads());
        let (gradient, curvature) = (&*self.gradient, &*self.loss.curvature);
        let mut direction = model.direction(objective, Position { gradient, curvature, left })?;
        if precision != Precision::Optimum && self.is_near(objective, &direction, precision.target()) {
            return Ok(Step::Near);
        }
        let change = objective.logits(&direction)?;
        let ww = self.squares[0];
        let [wd, dd] = sums(threads, objective.weights(), |range| {
            let direction = &direction[range.clone()];
            [kernel.dot(&self.point[range], direction), kernel.dot(direction, direction)]
        });
        let at = |step: f64| {
            let mut loss = objective.evaluate(&self.logits, Some(&change), step);
            loss.value += 0.5 * l2 * (ww + step * (2.0 * wd + step * dd));
            loss.directional_derivative += l2 * (wd + step * dd);
            loss
        };
        let [derivative] =
            sums(
                threads,
                change.len(),
                |range| [kernel.dot(&self.loss.delta[range.clone()], &change[range])],
            );
        let value = self.loss.value + 0.5 * l2 * ww;
        let Some((step, mut loss)) = line_search::search(value, derivative + l2 * wd, at) else {
            return Ok(Step::Stuck);
        };
        loss.value -= 0.5 * l2 * (ww + step * (2.0 * wd + step * dd));
        move_along(threads, &mut self.point, &direction, step);
        move_along(threads, &mut self.logits, &change, step);
        let gradient = objective.gradient(&self.point, &loss)?;
        direction.iter_mut().for_each(|d| *d = (step * f64::from(*d)) as f32);
        model.learn(objective, direction, &self.gradient, &gradient);
        self.squares = squares(objective, &self.point, &gradient);
        (self.loss, self.gradient, self.is_exact) = (loss, gradient, false);
        Ok(Step::Done)
    }
}

/// Squared norms of the weights of a point, and of a gradient.
fn squares(objective: &Objective, point: &[f64], gradient: &[f64]) -> [f64; 2] {
    let (kernel, threads, weights) = (objective.kernel(), objective.threads(), objective.weights());
    let square =
        |of: &[f64], len: usize| sums(threads, len, |range| [kernel.dot(&of[range.clone()], &of[range])])[0];
    [square(point, weights), square(gradient, gradient.len())]
}

/// `values += step * direction`.
fn move_along<T: Copy + Into<f64> + Sync>(threads: usize, values: &mut [f64], direction: &[T], step: f64) {
    let threads = threads_for(threads, 2 * values.len());
    in_chunks(threads, values, CHUNK, |number, values| {
        let direction = &direction[number * CHUNK..];
        values.iter_mut().zip(direction).for_each(|(value, &d)| *value += step * d.into());
    });
}
