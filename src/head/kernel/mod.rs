//! The arithmetic of a step, in blocks that stay in registers, with the widest vectors that the processor has. The only
//! door to `pulp`.
//!
//! Every sum is taken in one fixed order, sixteen partial sums wide and with fused multiply-adds, whatever the width of the
//! vectors: the same input gives the same bits on every machine.

mod batch;
mod candidates;
mod elementwise;
mod gradient;
mod logits;
mod step;
mod vectors;
mod weight_state;

use super::adam::AdamStep;
use candidates::Candidates;
use elementwise::{Exp, Standardize};
use gradient::Gradient;
use logits::Logits;
use pulp::Arch;
use std::ops::Range;
use step::{MANY_ROWS, Step};
use vectors::{AddScaled, Dot};

pub(super) use batch::Batch;
pub(crate) use candidates::{BoundedRows, PANEL};
pub(super) use weight_state::WeightState;

/// The arithmetic for this processor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kernel(Arch);

impl Kernel {
    /// Detects the processor's vector instructions.
    pub fn new() -> Self {
        Self(Arch::new())
    }

    /// `out[row, class] = features[row] . weight[class] + bias[class]`.
    pub fn logits(&self, batch: Batch, weight: &[f32], bias: &[f32], out: &mut [f32]) {
        let features = 0..batch.stride;
        self.0.dispatch(Logits { batch, weight, bias, features, out });
    }

    /// `out[row, other] = features[row] . others[other]` over the features of `span`, whose ends are multiples of
    /// [`GROUP`](crate::math::matrix::GROUP), with `others` as `[others, stride]`.
    pub fn products(&self, batch: Batch, others: &[f32], span: Range<usize>, out: &mut [f32]) {
        let bias = vec![0.0; out.len() / batch.examples.len().max(1)];
        self.0.dispatch(Logits { batch, weight: others, bias: &bias, features: span, out });
    }

    /// Finds for each row of `[rows, width]` the rows of the panels whose product with it is large enough, and adds them to `found`,
    /// a list a row. Stops soon after `most` of them, and returns whether all pairs were compared.
    pub fn candidates(
        &self,
        [rows, panels]: [BoundedRows; 2],
        width: usize,
        found: &mut [Vec<u32>],
        most: usize,
    ) -> bool {
        self.0.dispatch(Candidates { rows, panels, width, found, most })
    }

    /// Performs one step of Adam with weight decay along `delta^T features + l2 weight`, with `delta` as `[rows, classes]`.
    pub fn step(&self, batch: Batch, delta: &[f32], weights: WeightState, step: AdamStep) {
        self.0.dispatch(Step { batch, delta, weights, step, many_rows: MANY_ROWS });
    }

    /// `out[class, feature] += delta^T features` for the features of `span`, whose ends are multiples of
    /// [`GROUP`](crate::math::matrix::GROUP), with `delta` as `[rows, classes]`. Products are float32, sums float64.
    pub fn gradient(&self, batch: Batch, delta: &[f32], span: Range<usize>, out: &mut [f64]) {
        self.0.dispatch(Gradient { batch, delta, span, out });
    }

    /// `out = (row - mean) * inverse`, element by element.
    pub fn standardize(&self, row: &[f32], mean: &[f32], inverse: &[f32], out: &mut [f32]) {
        self.0.dispatch(Standardize { row, mean, inverse, out });
    }

    /// Replaces every value, none of them above zero, by its exponential.
    pub fn exp(&self, values: &mut [f32]) {
        self.0.dispatch(Exp(values));
    }

    /// The inner product of two vectors of one length, summed in float64.
    pub fn dot<A: Copy + Into<f64>, B: Copy + Into<f64>>(&self, a: &[A], b: &[B]) -> f64 {
        self.0.dispatch(Dot(a, b))
    }

    /// `to += factor * from`, element by element.
    pub fn add_scaled(&self, to: &mut [f32], from: &[f32], factor: f32) {
        self.0.dispatch(AddScaled { to, from, factor });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::labelled_features::{Example, LabelledFeatures};
    use crate::math::matrix::Matrix;
    use crate::math::random::Rng;

    fn noise(rows: usize, width: usize, seed: u64) -> Matrix {
        let mut rng = Rng::new(seed, 9);
        Matrix::from_rows(width, &(0..rows * width).map(|_| rng.normal()).collect::<Vec<_>>())
    }

    fn examples(rows: usize) -> Vec<Example> {
        (0..rows as u32).rev().map(|row| Example { row, target: 0 }).collect()
    }

    fn archs() -> Vec<Kernel> {
        let mut archs = vec![Kernel::new(), Kernel(Arch::Scalar)];
        #[cfg(target_arch = "x86_64")]
        archs.extend(pulp::x86::V3::try_new().map(|v3| Kernel(Arch::V3(v3))));
        archs
    }

    /// Logits, and weights after one step.
    fn results(kernel: Kernel, rows: usize, classes: usize, width: usize) -> (Vec<f32>, Vec<f32>) {
        let (x, mut w) = (noise(rows, width, 1), noise(classes, width, 2));
        let (mut m, mut v) = (noise(classes, width, 3), Matrix::zeros(classes, width));
        let (bias, delta) = (noise(1, classes, 4), noise(rows, classes, 5));
        let order = examples(rows);
        let batch = Batch::of(LabelledFeatures { features: &x, examples: &order });
        let mut out = vec![0.0; rows * classes];
        kernel.logits(batch, w.padded(), bias.row(0), &mut out);
        // Those of two spans add up to those of all features, but for rounding.
        let parts = [0..x.stride() / 128 * 64, x.stride() / 128 * 64..x.stride()].map(|span| {
            let mut part = vec![0.0; rows * classes];
            kernel.products(batch, w.padded(), span, &mut part);
            part
        });
        for (i, logit) in out.iter().enumerate() {
            assert!((parts[0][i] + parts[1][i] + bias.row(0)[i % classes] - logit).abs() < 1e-4);
        }
        let delta: Vec<f32> = delta.values().collect();
        let weights = WeightState {
            weight: w.padded_mut(0..classes),
            first: m.padded_mut(0..classes),
            second: v.padded_mut(0..classes),
        };
        let step = AdamStep { rate: 0.1, root: 3.0, l2: 0.01, kept: 0.98 };
        kernel.step(batch, &delta, weights, step);
        (out, w.values().collect())
    }

    #[test]
    fn candidates_are_the_pairs_whose_product_is_large_enough_in_every_vector_width() {
        for width in [1, 5, 32] {
            let (rows, others) = (noise(8, width, 1), noise(2 * PANEL, width, 2));
            let values: Vec<f32> = rows.values().collect();
            let panels: Vec<f32> = (0..2 * width * PANEL)
                .map(|i| others.row(i / (width * PANEL) * PANEL + i % PANEL)[i / PANEL % width])
                .collect();
            let numbers = [(8, 3), (8, 4), (2 * PANEL, 5), (2 * PANEL, 6)];
            let [least, terms, other_least, other_terms] =
                numbers.map(|(count, seed)| noise(1, count, seed).values().collect::<Vec<f32>>());
            let sides = [
                BoundedRows { values: &values, least: &least, terms: &terms },
                BoundedRows { values: &panels, least: &other_least, terms: &other_terms },
            ];
            let expected: Vec<Vec<u32>> = (0..8)
                .map(|i| {
                    let is_large = |j: &u32| {
                        let j = *j as usize;
                        let product =
                            rows.row(i).iter().zip(others.row(j)).fold(0.0, |sum, (a, b)| a.mul_add(*b, sum));
                        product >= (least[i] - other_terms[j]).min(other_least[j] - terms[i])
                    };
                    (0..2 * PANEL as u32).filter(is_large).collect()
                })
                .collect();
            let all: usize = expected.iter().map(Vec::len).sum();
            assert!((100..1_000).contains(&all), "{all}");
            for kernel in archs() {
                let mut found = vec![Vec::new(); 8];
                assert!(kernel.candidates(sides, width, &mut found, usize::MAX));
                assert_eq!(found, expected);
                let mut found = vec![Vec::new(); 8];
                assert!(!kernel.candidates(sides, width, &mut found, 10));
                assert!(found[4..].iter().all(Vec::is_empty));
            }
        }
    }

    #[test]
    fn gradients_agree_with_sums_in_float64_and_have_the_same_bits_in_every_vector_width() {
        for (rows, classes, width) in [(150, 13, 130), (64, 5, 64), (1, 1, 3), (65, 4, 200)] {
            let (x, delta) = (noise(rows, width, 1), noise(rows, classes, 5));
            let (order, delta) = (examples(rows), delta.values().collect::<Vec<f32>>());
            let batch = Batch::of(LabelledFeatures { features: &x, examples: &order });
            let of = |kernel: Kernel, span: Range<usize>| {
                let mut out = vec![0.0; classes * span.len()];
                kernel.gradient(batch, &delta, span, &mut out);
                out
            };
            let all: Vec<Vec<f64>> = archs().into_iter().map(|kernel| of(kernel, 0..x.stride())).collect();
            assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{rows} {classes} {width}");
            let last = of(Kernel::new(), x.stride() - 64..x.stride());
            for class in 0..classes {
                let whole = &all[0][class * x.stride()..(class + 1) * x.stride()];
                assert_eq!(whole[x.stride() - 64..], last[class * 64..(class + 1) * 64]);
                for (i, sum) in whole[..width].iter().enumerate() {
                    let part = |row: usize| {
                        f64::from(delta[row * classes + class]) * f64::from(x.row(rows - 1 - row)[i])
                    };
                    let expected: f64 = (0..rows).map(part).sum();
                    assert!((sum - expected).abs() < 1e-5 * (rows as f64).sqrt(), "{sum} {expected}");
                }
            }
        }
    }

    #[test]
    fn long_vectors_have_the_same_sums_in_every_vector_width() {
        for width in [0, 1, 15, 64, 1003] {
            let (a, b) = (noise(1, width, 1), noise(1, width, 2));
            let doubles: Vec<f64> = b.values().map(|b| f64::from(b) / 3.0).collect();
            let of = |kernel: Kernel| {
                let mut to: Vec<f32> = a.values().collect();
                kernel.add_scaled(&mut to, &b.values().collect::<Vec<f32>>(), 0.3);
                (kernel.dot(&to, &doubles), to)
            };
            let all: Vec<(f64, Vec<f32>)> = archs().into_iter().map(of).collect();
            assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{width}");
            let expected: f64 = all[0].1.iter().zip(&doubles).map(|(&to, b)| f64::from(to) * b).sum();
            assert!((all[0].0 - expected).abs() < 1e-9, "{width}");
            assert!(all[0].1.iter().zip(a.values().zip(b.values())).all(|(to, (a, b))| *to == a + 0.3 * b));
        }
    }

    #[test]
    fn rows_that_are_copied_together_first_give_the_same_bits() {
        for (rows, classes, width) in [(64, 13, 130), (150, 5, 70), (7, 6, 64), (300, 12, 70)] {
            let (x, delta) = (noise(rows, width, 1), noise(rows, classes, 5));
            let (order, delta) = (examples(rows), delta.values().collect::<Vec<f32>>());
            for kernel in archs() {
                let weights = |many_rows: usize| {
                    let [mut w, mut m, mut v] = [2, 3, 4].map(|seed| noise(classes, width, seed));
                    (0..classes).for_each(|class| v.row_mut(class).iter_mut().for_each(|v| *v = v.abs()));
                    let batch = Batch::of(LabelledFeatures { features: &x, examples: &order });
                    let weights = WeightState {
                        weight: w.padded_mut(0..classes),
                        first: m.padded_mut(0..classes),
                        second: v.padded_mut(0..classes),
                    };
                    let step = AdamStep { rate: 0.1, root: 3.0, l2: 0.01, kept: 0.98 };
                    kernel.0.dispatch(Step { batch, delta: &delta, weights, step, many_rows });
                    [w, m, v].map(|matrix| matrix.values().collect::<Vec<f32>>())
                };
                assert!(weights(0) == weights(usize::MAX), "{rows} {classes} {width}");
            }
        }
    }

    #[test]
    fn numbers_too_small_to_move_a_weight_become_zero() {
        // With subnormal numbers some processors take a hundred times as long.
        for (rows, kernel) in
            [7, 200].into_iter().flat_map(|rows| archs().into_iter().map(move |kernel| (rows, kernel)))
        {
            let (x, order) = (noise(rows, 70, 1), examples(rows));
            let batch = Batch::of(LabelledFeatures { features: &x, examples: &order });
            let mut w = noise(3, 70, 2);
            let before = w.clone();
            let [mut m, mut v] = [1e-37f32, 1.3e-38].map(|small| Matrix::from_rows(70, &[small; 210]));
            let weights = WeightState {
                weight: w.padded_mut(0..3),
                first: m.padded_mut(0..3),
                second: v.padded_mut(0..3),
            };
            let step = AdamStep { rate: 0.1, root: 1.0, l2: 0.0, kept: 1.0 };
            kernel.step(batch, &vec![1e-23; 3 * rows], weights, step);
            assert!(w == before && m.values().chain(v.values()).all(|moment| moment == 0.0), "{rows}");
        }
    }

    #[test]
    fn every_vector_width_gives_the_same_bits() {
        for (rows, classes, width) in [
            (7, 13, 130),
            (32, 5, 64),
            (1, 1, 3),
            (5, 4, 200),
            (6, 2, 65),
            (64, 13, 130),
            (150, 4, 70),
            (257, 8, 130),
            (7, 13, 600),
            (1, 1, 1003),
            (5, 6, 513),
            (32, 7, 1408),
        ] {
            let all: Vec<_> =
                archs().into_iter().map(|kernel| results(kernel, rows, classes, width)).collect();
            assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{rows} {classes} {width}");
        }
    }

    #[test]
    fn logits_and_steps_agree_with_plain_sums_in_float64() {
        for (rows, classes, width) in [(11, 8, 150), (100, 8, 150), (400, 8, 150), (11, 7, 700)] {
            agree_with_plain_sums(rows, classes, width);
        }
    }

    fn agree_with_plain_sums(rows: usize, classes: usize, width: usize) {
        let (logits, weights) = results(Kernel::new(), rows, classes, width);
        let (x, w) = (noise(rows, width, 1), noise(classes, width, 2));
        let (m, bias, delta) = (noise(classes, width, 3), noise(1, classes, 4), noise(rows, classes, 5));
        let f = f64::from;
        for (row, logits) in logits.chunks(classes).enumerate() {
            for (class, &logit) in logits.iter().enumerate() {
                let x = x.row(rows - 1 - row).iter().zip(w.row(class));
                let expected = x.map(|(a, b)| f(*a) * f(*b)).sum::<f64>() + f(bias.row(0)[class]);
                assert!((f(logit) - expected).abs() < 1e-4, "{logit} {expected}");
            }
        }
        for (class, weights) in weights.chunks(width).enumerate() {
            for (i, &weight) in weights.iter().enumerate() {
                let old = f(w.row(class)[i]);
                let part = |row: usize| f(delta.row(row)[class]) * f(x.row(rows - 1 - row)[i]);
                let gradient = (0..rows).map(part).sum::<f64>() + 0.01 * old;
                let first = 0.9 * f(m.row(class)[i]) + 0.1 * gradient;
                let change = 0.1 * first / ((0.001 * gradient * gradient).sqrt() * 3.0 + 1e-8);
                let expected = 0.98 * old - change;
                let error = (f(weight) - expected).abs();
                assert!(error < 1e-3 * expected.abs().max(1.0), "{weight} {expected}");
            }
        }
    }
}
