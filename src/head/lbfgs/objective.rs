//! The loss of a head over all train rows, and its gradient: matrix products in float32 on all threads, sums in float64.
//!
//! The search works on centred features, `(x - mean) * factor`, without making them: the weights and the bias of a head for
//! them are turned into those for features as they are. Centring changes the bias alone, which has no penalty, and so not
//! the optimum; it shortens the search several times.
//!
//! A point of the search is `[classes * stride]` weights, row after row with their padding, then `[classes]` biases.

use super::blocks::FeatureBlocks;
use super::covariance::{covariance, rows_used};
use super::preconditioner::{FeatureScales, Preconditioner, mean};
use super::softmax_rows::{Evaluation, LogitRows, RowLoss};
use super::sums::threads_for;
use crate::error::Result;
use crate::head::kernel::{Batch, Kernel};
use crate::head::labelled_features::LabelledFeatures;
use crate::head::softmax_head::Head;
use crate::head::standardize::RunningMoments;
use crate::math::matrix::{GROUP, Matrix};
use crate::math::parallel::{in_chunks, in_parallel};
use std::ops::Range;

/// Rows that a thread works on at once. Sums over rows are taken chunk by chunk, in order, whatever the number of threads.
const CHUNK: usize = 256;

/// Features of a gradient that a thread sums at once, at most.
const SPAN: usize = 512;

/// Iterations that a dense preconditioner leaves of those that the diagonal one needs: an eighth to three quarters on features
/// of networks.
const DENSE_ITERATIONS: f64 = 1.0 / 3.0;

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
    covariance: Covariance,
}

/// The covariance of the features, which is computed where a search takes long.
enum Covariance {
    Unknown,
    Known(Matrix),
    /// It is too large, or cannot be inverted.
    Unusable,
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
        let scales = FeatureScales::of(&moments, loss.standardize);
        let stride = Matrix::zeros(0, width).stride();
        // The covariance, the matrix to invert and the inverse.
        let covariance = match 3 * 4 * stride * stride <= blocks.spare_memory() {
            true => Covariance::Unknown,
            false => Covariance::Unusable,
        };
        let kernel = Kernel::new();
        Ok(Self { blocks, loss, targets, width, stride, scales, kernel, threads, covariance })
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
    fn unscaled<T: Copy + Into<f64> + Sync>(&self, point: &[T]) -> (Matrix, Vec<f64>) {
        let (classes, stride) = (self.classes(), self.stride);
        let (weights, bias) = point.split_at(classes * stride);
        let (FeatureScales { mean, factor, .. }, kernel, width) = (&self.scales, self.kernel, self.width);
        let mut unscaled = Matrix::zeros(classes, width);
        let threads = threads_for(self.threads, 4 * weights.len());
        let offsets = in_chunks(threads, unscaled.padded_mut(0..classes), stride, |class, to| {
            let row = &weights[class * stride..][..width];
            for ((to, &weight), factor) in to.iter_mut().zip(row).zip(factor) {
                *to = (weight.into() * factor) as f32;
            }
            bias[class].into() - kernel.dot(&to[..width], mean)
        });
        (unscaled, offsets)
    }

    /// The head of a point, for features as they are.
    pub fn head(&self, point: &[f64]) -> Head {
        let (weight, bias) = self.unscaled(point);
        Head::with_centred_biases(weight, &bias)
    }

    /// Computes the logits of all rows, or their change along a direction: `[rows, classes]`.
    pub fn logits<T: Copy + Into<f64> + Sync>(&mut self, point: &[T]) -> Result<Vec<f64>> {
        let (weight, offsets) = self.unscaled(point);
        let classes = offsets.len();
        let zero = vec![0.0f32; classes];
        let (kernel, threads) = (self.kernel, self.threads);
        let mut all = vec![0.0; self.targets.len() * classes];
        let mut from = 0;
        self.blocks.visit(&mut |rows| {
            let own = &mut all[from..from + rows.examples.len() * classes];
            from += own.len();
            in_chunks(threads, own, CHUNK * classes, |number, to| {
                let examples = &rows.examples[number * CHUNK..][..to.len() / classes];
                let mut out = vec![0.0f32; to.len()];
                let batch = Batch::of(LabelledFeatures { examples, ..rows });
                kernel.logits(batch, weight.padded(), &zero, &mut out);
                let sums = out.into_iter().zip(offsets.iter().cycle());
                to.iter_mut().zip(sums).for_each(|(to, (z, offset))| *to = f64::from(z) + offset);
            });
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

    /// The gradient of the loss with its penalty at `point`, where `loss` was evaluated.
    pub fn gradient(&mut self, point: &[f64], loss: &Evaluation) -> Result<Vec<f64>> {
        let (classes, stride) = (self.classes(), self.stride);
        // Products of a kernel are several times as fast as other operations.
        let threads = threads_for(self.threads, self.rows() * self.weights() / 4);
        let mut gradient = vec![0.0f64; classes * (stride + 1)];
        let (weights, bias) = gradient.split_at_mut(classes * stride);
        bias.copy_from_slice(&loss.bias_gradient);
        let kernel = self.kernel;
        let spans = spans(stride, threads);
        let few = threads_for(threads, 4 * weights.len());
        let mut from = 0;
        self.blocks.visit(&mut |rows| {
            let own = &loss.delta[from..from + rows.examples.len() * classes];
            from += own.len();
            let sums = in_parallel(threads, &spans, |span| {
                let mut out = vec![0.0f64; classes * span.len()];
                kernel.gradient(Batch::of(rows), own, span.clone(), &mut out);
                Ok(out)
            });
            let sums = sums.expect("products cannot fail");
            in_chunks(few, weights, stride, |class, row| {
                for (span, sums) in spans.iter().zip(&sums) {
                    let sums = &sums[class * span.len()..][..span.len()];
                    row[span.clone()].iter_mut().zip(sums).for_each(|(to, sum)| *to += sum);
                }
            });
        })?;
        let (FeatureScales { mean, factor, .. }, l2) = (&self.scales, self.loss.l2);
        in_chunks(few, weights, stride, |class, row| {
            let features = row.iter_mut().zip(&point[class * stride..]).zip(factor.iter().zip(mean));
            for ((gradient, weight), (factor, mean)) in features {
                *gradient = factor * (*gradient - mean * bias[class]) + l2 * weight;
            }
        });
        Ok(gradient)
    }

    /// A diagonal approximation of the inverse Hessian, where the logits have this curvature.
    pub fn diagonal(&self, curvature: &[f64]) -> Preconditioner {
        Preconditioner::diagonal(&self.scales, curvature, self.stride, self.loss.l2)
    }

    /// A dense approximation of the inverse Hessian, where the logits have this curvature; `None` if there is none.
    pub fn dense(&mut self, curvature: &[f64]) -> Result<Option<Preconditioner>> {
        let Self { blocks, loss, targets, scales, kernel, threads, .. } = self;
        if matches!(self.covariance, Covariance::Unknown) {
            let found = covariance(&mut **blocks, targets.len(), scales, *kernel, *threads)?;
            self.covariance = Covariance::Known(found);
        }
        let dense = match &self.covariance {
            Covariance::Known(known) => Preconditioner::dense(known, curvature, loss.l2, *kernel, *threads),
            Covariance::Unknown | Covariance::Unusable => None,
        };
        if dense.is_none() {
            self.covariance = Covariance::Unusable;
        }
        Ok(dense)
    }

    /// Whether a dense preconditioner differs from the diagonal one where the logits have this curvature: elsewhere the penalty
    /// outweighs the curvature in every direction.
    pub fn dense_differs(&self, curvature: &[f64]) -> bool {
        let total: f64 = self.scales.variance.iter().sum();
        mean(curvature) * total > self.loss.l2
    }

    /// Whether a dense preconditioner saves more products of two numbers than it takes, where the diagonal one needs so many more
    /// iterations.
    pub fn dense_pays(&self, iterations: f64) -> bool {
        let (rows, width, weights) = (self.rows() as f64, self.stride as f64, self.weights() as f64);
        let of_covariance = match &self.covariance {
            Covariance::Unusable => return false,
            Covariance::Known(_) => 0.0,
            Covariance::Unknown => rows_used(self.rows(), self.width) as f64 * width * width / 2.0,
        };
        // Those of the logits and of the gradient, and of the preconditioner with the gradient.
        let (diagonal, dense) = (2.0 * rows * weights, (2.0 * rows + width) * weights);
        iterations * (diagonal - dense * DENSE_ITERATIONS) > of_covariance + width.powi(3) / 2.0
    }

    /// The norm of weights that change the logits by 0.01 or less. Smaller ones count as this large when a distance is
    /// relative.
    pub fn least_weights(&self) -> f64 {
        0.01 / self.scales.variance.iter().sum::<f64>().sqrt().max(1.0)
    }

    /// How many of the first values of a point are weights; the biases follow.
    pub fn weights(&self) -> usize {
        self.classes() * self.stride
    }

    pub fn kernel(&self) -> Kernel {
        self.kernel
    }

    pub fn threads(&self) -> usize {
        self.threads
    }
}

/// Spans of features that share out a row among threads. Where they begin has no influence on any sum.
fn spans(stride: usize, threads: usize) -> Vec<Range<usize>> {
    let span = stride.div_ceil(threads.max(1)).next_multiple_of(GROUP).clamp(GROUP, SPAN);
    (0..stride).step_by(span).map(|from| from..(from + span).min(stride)).collect()
}
