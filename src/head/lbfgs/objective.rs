//! The loss of a head over all train rows, and its gradient: matrix products in float32 on all threads, sums in float64.
//!
//! The search works on centred features, `(x - mean) * factor`, without making them: the weights and the bias of a head for
//! them are turned into those for features as they are. Centring changes the bias alone, which has no penalty, and so not
//! the optimum; it shortens the search several times.
//!
//! A point of the search is `[classes * stride]` weights, row after row with their padding, then `[classes]` biases.

use super::blocks::FeatureBlocks;
use super::preconditioner::{FeatureScales, inverse_diagonal};
use super::softmax_rows::{Evaluation, LogitRows, RowLoss};
use crate::error::Result;
use crate::head::kernel::{Batch, Kernel};
use crate::head::labelled_features::LabelledFeatures;
use crate::head::layer::Layer;
use crate::head::softmax_head::Head;
use crate::head::standardize::RunningMoments;
use crate::math::matrix::{GROUP, Matrix};
use crate::math::parallel::in_parallel;
use std::ops::Range;

/// Rows that a thread works on at once. Sums over rows are taken chunk by chunk, in order, whatever the number of threads.
const CHUNK: usize = 256;

/// Features of a gradient that a thread sums at once, at most.
const SPAN: usize = 512;

/// What the loss is made of, beside the rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Penalised<'a> {
    pub class_weights: &'a [f32],
    pub label_smoothing: f64,
    pub l2: f64,
    pub standardize: bool,
}

/// The loss over all rows.
pub(super) struct Objective<'a> {
    blocks: &'a mut dyn FeatureBlocks,
    loss: Penalised<'a>,
    /// Class index of each row, in the order of the blocks.
    targets: Vec<u32>,
    width: usize,
    stride: usize,
    scales: FeatureScales,
    kernel: Kernel,
    threads: usize,
}

impl<'a> Objective<'a> {
    /// Reads all rows once, for their classes, means and variances.
    pub fn new(
        blocks: &'a mut dyn FeatureBlocks,
        width: usize,
        loss: Penalised<'a>,
        threads: usize,
    ) -> Result<Self> {
        let mut targets = Vec::new();
        let mut moments = RunningMoments::new(width);
        blocks.visit(&mut |rows| {
            targets.extend(rows.examples.iter().map(|example| example.target));
            rows.feature_rows().for_each(|row| moments.add(row));
        })?;
        let (mean, mut variance) = (moments.mean().to_vec(), moments.variance());
        let mut factor = vec![1.0; width];
        if loss.standardize {
            factor = moments.deviations().into_iter().map(f64::recip).collect();
            variance.iter_mut().zip(&factor).for_each(|(variance, factor)| *variance *= factor * factor);
        }
        let scales = FeatureScales { mean, factor, variance };
        let stride = Matrix::zeros(0, width).stride();
        Ok(Self { blocks, loss, targets, width, stride, scales, kernel: Kernel::new(), threads })
    }

    pub fn l2(&self) -> f64 {
        self.loss.l2
    }

    fn classes(&self) -> usize {
        self.loss.class_weights.len()
    }

    /// Number of rows of each class.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes()];
        self.targets.iter().for_each(|&target| counts[target as usize] += 1);
        counts
    }

    pub fn rows(&self) -> usize {
        self.targets.len()
    }

    /// The point of a head for features as they are, or the origin.
    pub fn start(&self, head: Option<&Head>) -> Vec<f64> {
        let mut point = vec![0.0; self.classes() * (self.stride + 1)];
        let Some(head) = head else { return point };
        let (weights, bias) = point.split_at_mut(self.classes() * self.stride);
        for (class, row) in weights.chunks_exact_mut(self.stride).enumerate() {
            bias[class] = f64::from(head.output.bias[class]);
            for (j, &w) in head.output.weight.row(class).iter().enumerate() {
                row[j] = f64::from(w) / self.scales.factor[j];
                bias[class] += f64::from(w) * self.scales.mean[j];
            }
        }
        point
    }

    /// The weights of a point for features as they are, in float32, and its biases for them.
    fn unscaled(&self, point: &[f64]) -> (Matrix, Vec<f64>) {
        let (weights, bias) = point.split_at(self.classes() * self.stride);
        let mut unscaled = Matrix::zeros(self.classes(), self.width);
        let mut offsets = bias.to_vec();
        for (class, row) in weights.chunks_exact(self.stride).enumerate() {
            let to = unscaled.row_mut(class);
            for j in 0..self.width {
                to[j] = (row[j] * self.scales.factor[j]) as f32;
                offsets[class] -= f64::from(to[j]) * self.scales.mean[j];
            }
        }
        (unscaled, offsets)
    }

    /// The head of a point, for features as they are. The mean of its biases is 0: a constant in all of them changes nothing.
    pub fn head(&self, point: &[f64]) -> Head {
        let (weight, bias) = self.unscaled(point);
        let mean = bias.iter().sum::<f64>() / bias.len() as f64;
        let bias = bias.iter().map(|bias| (bias - mean) as f32).collect();
        Head { hidden: None, output: Layer { weight, bias } }
    }

    /// The logits of all rows, or their change along a direction: `[rows, classes]`.
    pub fn logits(&mut self, point: &[f64]) -> Result<Vec<f64>> {
        let (weight, offsets) = self.unscaled(point);
        let zero = vec![0.0f32; offsets.len()];
        let (kernel, threads) = (self.kernel, self.threads);
        let mut all = Vec::with_capacity(self.targets.len() * offsets.len());
        self.blocks.visit(&mut |rows| {
            let chunks: Vec<_> = rows.examples.chunks(CHUNK).collect();
            let products = in_parallel(threads, &chunks, |examples| {
                let mut out = vec![0.0f32; examples.len() * zero.len()];
                let batch = Batch::of(LabelledFeatures { examples, ..rows });
                kernel.logits(batch, weight.padded(), &zero, &mut out);
                Ok(out)
            });
            for chunk in products.expect("products cannot fail") {
                let offsets = offsets.iter().cycle();
                all.extend(chunk.into_iter().zip(offsets).map(|(z, offset)| f64::from(z) + offset));
            }
        })?;
        Ok(all)
    }

    /// Evaluates the loss at `logits + step * change`, without the penalty.
    pub fn evaluate(&self, logits: &[f64], change: Option<&[f64]>, step: f64) -> Evaluation {
        let classes = self.classes();
        let loss = RowLoss {
            class_weights: self.loss.class_weights,
            label_smoothing: self.loss.label_smoothing,
            rows: self.targets.len(),
        };
        let (kernel, targets) = (self.kernel, &self.targets);
        let starts: Vec<usize> = (0..targets.len()).step_by(CHUNK).collect();
        let parts = in_parallel(self.threads, &starts, |&start| {
            let end = (start + CHUNK).min(targets.len());
            let own = start * classes..end * classes;
            let rows = LogitRows {
                logits: &logits[own.clone()],
                change: change.map(|change| &change[own]),
                targets: &targets[start..end],
            };
            Ok(loss.evaluate(kernel, rows, step))
        });
        let mut whole = Evaluation::default();
        parts.expect("an evaluation cannot fail").into_iter().for_each(|part| whole.append(part));
        whole
    }

    /// The gradient of the loss with its penalty at `point`, where its gradient at the logits is `delta`.
    pub fn gradient(&mut self, point: &[f64], delta: &[f32]) -> Result<Vec<f64>> {
        let (classes, stride) = (self.classes(), self.stride);
        let mut gradient = vec![0.0f64; classes * (stride + 1)];
        let (weights, bias) = gradient.split_at_mut(classes * stride);
        for row in delta.chunks_exact(classes) {
            bias.iter_mut().zip(row).for_each(|(sum, &delta)| *sum += f64::from(delta));
        }
        let (kernel, threads) = (self.kernel, self.threads);
        let spans = spans(stride, threads);
        let mut from = 0;
        self.blocks.visit(&mut |rows| {
            let own = &delta[from..from + rows.examples.len() * classes];
            from += own.len();
            let sums = in_parallel(threads, &spans, |span| {
                let mut out = vec![0.0f64; classes * span.len()];
                kernel.gradient(Batch::of(rows), own, span.clone(), &mut out);
                Ok(out)
            });
            for (span, sums) in spans.iter().zip(sums.expect("products cannot fail")) {
                for (row, sums) in weights.chunks_exact_mut(stride).zip(sums.chunks_exact(span.len())) {
                    row[span.clone()].iter_mut().zip(sums).for_each(|(to, sum)| *to += sum);
                }
            }
        })?;
        let FeatureScales { mean, factor, .. } = &self.scales;
        for ((row, own), bias) in weights.chunks_exact_mut(stride).zip(point.chunks_exact(stride)).zip(&*bias)
        {
            for j in 0..self.width {
                row[j] = factor[j] * (row[j] - mean[j] * bias) + self.loss.l2 * own[j];
            }
        }
        Ok(gradient)
    }

    /// The inverse of a diagonal approximation of the Hessian, where the logits have this curvature.
    pub fn inverse_diagonal(&self, curvature: &[f64]) -> Vec<f64> {
        inverse_diagonal(&self.scales, curvature, self.stride, self.loss.l2)
    }

    /// The norm of weights that change the logits by 0.01 or less. Smaller ones count as this large when a distance is
    /// relative.
    pub fn least_weights(&self) -> f64 {
        0.01 / self.scales.variance.iter().sum::<f64>().sqrt().max(1.0)
    }

    /// The weights of a point, without the biases.
    pub fn weights<'p>(&self, point: &'p [f64]) -> &'p [f64] {
        &point[..self.classes() * self.stride]
    }
}

/// Spans of features that share out a row among threads. Where they begin has no influence on any sum.
fn spans(stride: usize, threads: usize) -> Vec<Range<usize>> {
    let span = stride.div_ceil(threads.max(1)).next_multiple_of(GROUP).clamp(GROUP, SPAN);
    (0..stride).step_by(span).map(|from| from..(from + span).min(stride)).collect()
}
