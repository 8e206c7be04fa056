//! The memory of L-BFGS: the latest steps and changes of the gradient, and the direction that they give.
//!
//! The inverse of the Hessian is approximated in its compact form (Byrd, Nocedal and Schnabel 1994, *Mathematical Programming*
//! 63, theorem 2.2). It needs the inner products of the steps and of the scaled changes with the gradient alone; those with its
//! changes are differences of these. So each iteration passes over the memory twice, in chunks on all threads: once for the
//! inner products and once for the direction.

use super::sums::{CHUNK, chunked_sums, threads_for};
use crate::head::kernel::Kernel;
use crate::math::parallel::in_chunks;
use std::collections::VecDeque;

/// Steps that are kept. Twenty instead of ten make searches shorter by a tenth where they are long.
const STEPS: usize = 20;

/// Steps that are kept of long vectors, which come from memory again and again.
const LONG_STEPS: usize = 10;

/// Values from which on a vector is long.
const LONG: usize = 1 << 16;

/// A gradient, and its product with the preconditioner.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScaledGradient<'a> {
    pub gradient: &'a [f64],
    pub scaled: &'a [f32],
}

/// The latest steps with the changes of the gradient along them, times a preconditioner that is the same for all of them. They
/// are kept in float32, because they shape the direction alone.
#[derive(Debug)]
pub(super) struct History {
    kernel: Kernel,
    threads: usize,
    steps: VecDeque<Step>,
}

#[derive(Debug)]
struct Step {
    /// The step.
    moved: Vec<f32>,
    /// The preconditioner times the change of the gradient.
    scaled: Vec<f32>,
    /// Inner products of this step with the changes along the steps from this one on.
    moved_changes: Vec<f64>,
    /// Inner products of the scaled change with the changes along the steps from this one on.
    scaled_changes: Vec<f64>,
    /// Inner product of the step with the latest gradient.
    moved_gradient: f64,
    /// Inner product of the scaled change with the latest gradient.
    scaled_gradient: f64,
}

impl History {
    pub fn new(kernel: Kernel, threads: usize) -> Self {
        Self { kernel, threads, steps: VecDeque::new() }
    }

    pub fn clear(&mut self) {
        self.steps.clear();
    }

    /// Records a step from one gradient to another. One along which the gradient does not grow is left out: the approximation
    /// would not stay positive.
    pub fn push(&mut self, moved: Vec<f32>, before: ScaledGradient, after: ScaledGradient) {
        let change = |of: &[f32], range: &[f64], old: &[f64]| {
            let change: Vec<f64> = range.iter().zip(old).map(|(new, old)| new - old).collect();
            self.kernel.dot(of, &change)
        };
        let mut scaled = vec![0.0f32; moved.len()];
        let threads = threads_for(self.threads, moved.len() * (2 * self.steps.len() + 4));
        let parts = in_chunks(threads, &mut scaled, CHUNK, |number, scaled| {
            let range = number * CHUNK..number * CHUNK + scaled.len();
            let (old, new) = (&before.gradient[range.clone()], &after.gradient[range.clone()]);
            let pairs = after.scaled[range.clone()].iter().zip(&before.scaled[range.clone()]);
            scaled.iter_mut().zip(pairs).for_each(|(to, (new, old))| *to = new - old);
            let moved = &moved[range.clone()];
            let mut sums = vec![
                change(moved, new, old),
                change(scaled, new, old),
                self.kernel.dot(moved, new),
                self.kernel.dot(scaled, new),
            ];
            for step in &self.steps {
                sums.push(self.kernel.dot(&step.moved[range.clone()], new));
                sums.push(self.kernel.dot(&step.scaled[range.clone()], new));
            }
            sums
        });
        let sums = chunked_sums(parts);
        let [moved_change, scaled_change, moved_gradient, scaled_gradient] = sums[..4] else { return };
        for (step, own) in self.steps.iter_mut().zip(sums[4..].chunks_exact(2)) {
            step.moved_changes.push(own[0] - step.moved_gradient);
            step.scaled_changes.push(own[1] - step.scaled_gradient);
            (step.moved_gradient, step.scaled_gradient) = (own[0], own[1]);
        }
        let grows = moved_change > 0.0 && scaled_change > 0.0 && (1.0 / moved_change).is_finite();
        if !grows {
            self.steps.iter_mut().for_each(Step::forget_latest);
            return;
        }
        if self.steps.len() == if moved.len() < LONG { STEPS } else { LONG_STEPS } {
            self.steps.pop_front();
        }
        self.steps.push_back(Step {
            moved,
            scaled,
            moved_changes: vec![moved_change],
            scaled_changes: vec![scaled_change],
            moved_gradient,
            scaled_gradient,
        });
    }

    /// Returns the direction of descent: minus the approximate inverse of the Hessian times the latest gradient, which is
    /// `scaled` by the preconditioner. The size of the preconditioner is fitted to the latest step.
    pub fn direction(&self, scaled: &[f32]) -> Vec<f32> {
        let size = self.steps.back().map_or(1.0, |step| step.moved_changes[0] / step.scaled_changes[0]);
        let factors = self.factors(size);
        let mut direction = vec![0.0f32; scaled.len()];
        let threads = threads_for(self.threads, scaled.len() * (2 * self.steps.len() + 1));
        in_chunks(threads, &mut direction, CHUNK, |number, direction| {
            let range = number * CHUNK..number * CHUNK + direction.len();
            self.kernel.add_scaled(direction, &scaled[range.clone()], -size as f32);
            for (step, (moved, scaled)) in self.steps.iter().zip(&factors) {
                self.kernel.add_scaled(direction, &step.moved[range.clone()], -moved as f32);
                self.kernel.add_scaled(direction, &step.scaled[range.clone()], -(size * scaled) as f32);
            }
        });
        direction
    }

    /// The factors of each step and, without `size`, of each scaled change in the product of the inverse with the gradient. With
    /// the upper triangle R of the products of steps and changes, its diagonal D, and the products Y of changes and scaled changes:
    /// `v = -R^-1 moved_gradient` and `u = R^-T (-(D + size Y) v - size scaled_gradient)`.
    fn factors(&self, size: f64) -> Vec<(f64, f64)> {
        let steps = &self.steps;
        let m = steps.len();
        let mut v = vec![0.0; m];
        for i in (0..m).rev() {
            let later: f64 = (i + 1..m).map(|j| steps[i].moved_changes[j - i] * v[j]).sum();
            v[i] = (-steps[i].moved_gradient - later) / steps[i].moved_changes[0];
        }
        let mut u = vec![0.0; m];
        for i in 0..m {
            let product = |j: usize| {
                let (first, second) = (i.min(j), i.max(j));
                steps[first].scaled_changes[second - first] * v[j]
            };
            let curved = size * (0..m).map(product).sum::<f64>();
            let right = -steps[i].moved_changes[0] * v[i] - curved - size * steps[i].scaled_gradient;
            let earlier: f64 = (0..i).map(|j| steps[j].moved_changes[i - j] * u[j]).sum();
            u[i] = (right - earlier) / steps[i].moved_changes[0];
        }
        u.into_iter().zip(v).collect()
    }
}

impl Step {
    /// Drops the products with a change that is not kept.
    fn forget_latest(&mut self) {
        self.moved_changes.pop();
        self.scaled_changes.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::random::Rng;

    fn noise(rng: &mut Rng, size: usize) -> Vec<f64> {
        (0..size).map(|_| f64::from(rng.normal())).collect()
    }

    fn dot(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    fn single(values: &[f64]) -> Vec<f32> {
        values.iter().map(|&value| value as f32).collect()
    }

    /// The two-loop recursion (Nocedal and Wright 2006, algorithm 7.4) over pairs of steps and changes, in float64.
    fn two_loops(pairs: &[(Vec<f64>, Vec<f64>)], diagonal: &[f64], gradient: &[f64]) -> Vec<f64> {
        let mut q = gradient.to_vec();
        let mut weights = Vec::new();
        for (s, y) in pairs.iter().rev() {
            let weight = dot(s, &q) / dot(s, y);
            q.iter_mut().zip(y).for_each(|(q, y)| *q -= weight * y);
            weights.push(weight);
        }
        let scaled = |y: &[f64]| -> Vec<f64> { y.iter().zip(diagonal).map(|(y, d)| y * d).collect() };
        let size = pairs.last().map_or(1.0, |(s, y)| dot(s, y) / dot(y, &scaled(y)));
        q = scaled(&q).iter().map(|q| size * q).collect();
        for ((s, y), weight) in pairs.iter().zip(weights.into_iter().rev()) {
            let other = dot(y, &q) / dot(s, y);
            q.iter_mut().zip(s).for_each(|(q, s)| *q += (weight - other) * s);
        }
        q.iter().map(|q| -q).collect()
    }

    #[test]
    fn the_direction_is_that_of_the_two_loop_recursion() {
        let size = 2 * CHUNK + 100;
        let mut rng = Rng::new(5, 9);
        let curvature: Vec<f64> = noise(&mut rng, size).iter().map(|x| 0.1 + x * x).collect();
        let diagonal: Vec<f64> = noise(&mut rng, size).iter().map(|x| 0.5 + x * x).collect();
        let scaled = |gradient: &[f64]| {
            single(&gradient.iter().zip(&diagonal).map(|(g, d)| g * d).collect::<Vec<_>>())
        };
        for threads in [1, 3] {
            let mut history = History::new(Kernel::new(), threads);
            let mut gradient = noise(&mut rng, size);
            let mut pairs = Vec::new();
            for round in 0..STEPS + 4 {
                let found = history.direction(&scaled(&gradient));
                let kept = pairs.len().saturating_sub(STEPS);
                let expected = two_loops(&pairs[kept..], &diagonal, &gradient);
                let off: f64 = found.iter().zip(&expected).map(|(a, b)| (f64::from(*a) - b).powi(2)).sum();
                assert!(off < 1e-9 * dot(&expected, &expected), "{round}: {off}");
                // A step along which the gradient falls is left out.
                let sign = if round == 3 { -1.0 } else { 1.0 };
                let moved = noise(&mut rng, size);
                let change: Vec<f64> = moved.iter().zip(&curvature).map(|(s, c)| sign * s * c).collect();
                let next: Vec<f64> = gradient.iter().zip(&change).map(|(g, y)| g + y).collect();
                let before = ScaledGradient { gradient: &gradient, scaled: &scaled(&gradient) };
                let after = ScaledGradient { gradient: &next, scaled: &scaled(&next) };
                history.push(single(&moved), before, after);
                if sign > 0.0 {
                    pairs.push((moved, change));
                }
                gradient = next;
            }
            history.clear();
            let first = history.direction(&scaled(&gradient));
            assert!(first.iter().zip(scaled(&gradient)).all(|(a, b)| *a == -b));
        }
    }
}
