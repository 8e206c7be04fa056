//! One head while it is fitted: its weights with Adam's moments, and the slope of its loss.

use super::adam::{self, Bias};
use super::config::FitConfig;
use super::kernel::{Example, Kernel, Rule, Weights};
use super::softmax::{Tally, tally};
use super::{Head, Scale};
use std::ops::Range;

/// A head under way. Where features are standardised, its weights are those of the standardised ones.
#[derive(Debug)]
pub(super) struct Learner {
    pub course: Course,
    head: Head,
    /// First and second moments of the weights and of the bias.
    moments: [Head; 2],
}

/// What a step needs to know beside the weights.
#[derive(Debug)]
pub(super) struct Course {
    config: FitConfig,
    /// Of each class, how much its rows count.
    factors: Vec<f32>,
    /// Steps taken, and steps of all epochs.
    pub steps: (usize, usize),
}

/// Some classes of a learner, for one thread to work on.
#[derive(Debug)]
pub(super) struct Block<'a> {
    /// Number of the learner.
    pub learner: usize,
    pub classes: Range<usize>,
    pub weights: Weights<'a>,
    pub bias: Bias<'a>,
}

impl Learner {
    pub fn new(head: Head, config: FitConfig, factors: Vec<f32>, steps: usize) -> Self {
        assert_eq!(factors.len(), head.classes(), "one factor a class");
        let moments = [(); 2].map(|()| Head::zeros(head.width(), head.classes()));
        Self { course: Course { config, factors, steps: (0, steps) }, head, moments }
    }

    pub fn classes(&self) -> usize {
        self.head.classes()
    }

    /// The head as it stands, for plain features.
    pub fn head(&self, scale: Option<&Scale>) -> Head {
        scale.map_or_else(|| self.head.clone(), |scale| scale.folded(&self.head))
    }

    /// What steps need to know, and the classes in blocks that end at `ends`.
    pub fn split(&mut self, learner: usize, ends: &[usize]) -> (&Course, Vec<Block<'_>>) {
        let [first, second] = &mut self.moments;
        let classes = self.head.classes();
        let stride = self.head.weight.stride();
        let mut rest = [&mut self.head, first, second]
            .map(|head| (head.weight.padded_mut(0..classes), head.bias.as_mut_slice()));
        let mut blocks = Vec::new();
        let mut start = 0;
        for &end in ends {
            let [w, m, v] = rest.each_mut().map(|(weight, bias)| {
                let (head, tail) = std::mem::take(weight).split_at_mut((end - start) * stride);
                let (some, others) = std::mem::take(bias).split_at_mut(end - start);
                (*weight, *bias) = (tail, others);
                (head, some)
            });
            blocks.push(Block {
                learner,
                classes: start..end,
                weights: Weights { weight: w.0, first: m.0, second: v.0 },
                bias: Bias { value: w.1, first: m.1, second: v.1 },
            });
            start = end;
        }
        (&self.course, blocks)
    }

    /// The running mean of gradients.
    #[cfg(test)]
    pub fn first_moment(&self) -> &crate::matrix::Matrix {
        &self.moments[0].weight
    }
}

impl Course {
    pub fn classes(&self) -> usize {
        self.factors.len()
    }

    /// What Adam does in the step that is `ahead` of those taken.
    pub fn rule(&self, ahead: usize) -> Rule {
        let step = self.steps.0 + ahead;
        let lr = self.config.lr * self.config.schedule.share(step, self.steps.1);
        adam::rule(lr, self.config.l2, step + 1)
    }

    /// Replaces logits `[rows, classes]` by the slope of the loss at them, and tells how right they were. The loss is the
    /// mean over the batch of each row's cross entropy with its smoothed target, times the factor of its class; its
    /// slope is factor / rows * (softmax - smoothed target).
    pub fn slope(&self, kernel: Kernel, z: &mut [f32], rows: &[Example], shifted: &mut Vec<f32>) -> Tally {
        let classes = self.classes();
        let told = tally(kernel, z, rows, shifted);
        let smoothing = self.config.label_smoothing as f32;
        let spread = smoothing / classes as f32;
        let share = 1.0 / rows.len() as f32;
        for ((row, example), total) in z.chunks_exact_mut(classes).zip(rows).zip(shifted) {
            let target = example.target as usize;
            let factor = self.factors[target] * share;
            let inverse = 1.0 / *total;
            for p in row.iter_mut() {
                *p = (*p * inverse - spread) * factor;
            }
            row[target] -= (1.0 - smoothing) * factor;
        }
        told
    }
}
