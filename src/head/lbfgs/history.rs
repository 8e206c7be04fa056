//! The memory of L-BFGS: the latest steps and changes of the gradient, and the direction that they give.

use std::collections::VecDeque;

/// Steps that are kept.
const STEPS: usize = 20;

/// The latest steps with the changes of the gradient along them. They are kept in float32, because they shape the direction
/// alone.
#[derive(Debug, Default)]
pub(super) struct History(VecDeque<Step>);

#[derive(Debug)]
struct Step {
    moved: Vec<f32>,
    change: Vec<f32>,
    /// `1 / (moved . change)`.
    inverse: f64,
}

impl History {
    /// Records a step. One along which the gradient does not grow is left out: the approximation would not stay positive.
    pub fn push(&mut self, moved: Vec<f32>, change: Vec<f32>) {
        let product = dot(&moved, &change);
        if !(product > 0.0 && (1.0 / product).is_finite()) {
            return;
        }
        if self.0.len() == STEPS {
            self.0.pop_front();
        }
        self.0.push_back(Step { moved, change, inverse: 1.0 / product });
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns the direction of descent: minus the inverse Hessian times the gradient, by the two-loop recursion (Nocedal
    /// 1980; Nocedal and Wright 2006, algorithm 7.4). `diagonal` is the inverse of a diagonal approximation of the Hessian;
    /// its size is fitted to the latest step.
    pub fn direction(&self, gradient: &[f64], diagonal: &[f64]) -> Vec<f64> {
        let mut q: Vec<f64> = gradient.to_vec();
        let mut weights = Vec::with_capacity(self.0.len());
        for step in self.0.iter().rev() {
            let weight = step.inverse * dot_mixed(&step.moved, &q);
            add(&mut q, &step.change, -weight);
            weights.push(weight);
        }
        let scale = self.0.back().map_or(1.0, |step| {
            let curved = step.change.iter().zip(diagonal).map(|(&y, d)| f64::from(y).powi(2) * d);
            1.0 / (step.inverse * curved.sum::<f64>())
        });
        q.iter_mut().zip(diagonal).for_each(|(q, d)| *q *= scale * d);
        for (step, weight) in self.0.iter().zip(weights.into_iter().rev()) {
            let other = step.inverse * dot_mixed(&step.change, &q);
            add(&mut q, &step.moved, weight - other);
        }
        q.iter_mut().for_each(|q| *q = -*q);
        q
    }
}

/// Partial sums, which the compiler keeps in vectors. Their number fixes the order of the sum.
const LANES: usize = 16;

fn dot(a: &[f32], b: &[f32]) -> f64 {
    let mut sums = [0.0f64; LANES];
    let (a_chunks, b_chunks) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a_chunks.0.iter().zip(b_chunks.0) {
        for i in 0..LANES {
            sums[i] += f64::from(a[i]) * f64::from(b[i]);
        }
    }
    let rest = a_chunks.1.iter().zip(b_chunks.1).map(|(a, b)| f64::from(*a) * f64::from(*b));
    sums.iter().sum::<f64>() + rest.sum::<f64>()
}

fn dot_mixed(a: &[f32], b: &[f64]) -> f64 {
    let mut sums = [0.0f64; LANES];
    let (a_chunks, b_chunks) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a_chunks.0.iter().zip(b_chunks.0) {
        for i in 0..LANES {
            sums[i] += f64::from(a[i]) * b[i];
        }
    }
    let rest = a_chunks.1.iter().zip(b_chunks.1).map(|(a, b)| f64::from(*a) * b);
    sums.iter().sum::<f64>() + rest.sum::<f64>()
}

/// `to += factor * from`.
fn add(to: &mut [f64], from: &[f32], factor: f64) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += factor * f64::from(*from));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_direction_solves_a_quadratic_whose_steps_are_known() {
        // The Hessian [[2, 1], [1, 3]], seen along two steps that are conjugate.
        let hessian = |v: [f64; 2]| [2.0 * v[0] + v[1], v[0] + 3.0 * v[1]];
        let mut history = History::default();
        for step in [[1.0, 0.0], [-0.5, 1.0]] {
            let change = hessian(step);
            history.push(step.map(|v| v as f32).to_vec(), change.map(|v| v as f32).to_vec());
        }
        let direction = history.direction(&[4.0, -7.0], &[1.0, 1.0]);
        let back = hessian([direction[0], direction[1]]);
        assert!((back[0] + 4.0).abs() < 1e-6 && (back[1] - 7.0).abs() < 1e-6, "{direction:?}");
        history.push(vec![1.0, 0.0], vec![-1.0, 0.0]);
        assert_eq!(history.direction(&[4.0, -7.0], &[1.0, 1.0]), direction, "no step of negative curvature");
        history.clear();
        assert_eq!(history.direction(&[4.0, -7.0], &[0.5, 1.0]), [-2.0, 7.0]);
    }
}
