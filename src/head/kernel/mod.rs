//! The arithmetic of a step, in blocks that stay in registers, by the widest vectors that the processor has: the only
//! door to `pulp`. Every sum is taken in one fixed order, sixteen partial sums wide and with fused multiply-adds,
//! whatever the width of the vectors: the same input gives the same bits on every machine.
//! It refuses to know of epochs, threads and files.

mod elementwise;
mod logits;

use elementwise::{Exp, Standardize};
use logits::Logits;
use pulp::{Arch, Simd, WithSimd};

/// A row of features with its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    /// Number of the row in its matrix.
    pub row: u32,
    /// Number of the class.
    pub target: u32,
}

/// Some rows of a matrix.
#[derive(Debug, Clone, Copy)]
pub(super) struct Batch<'a> {
    /// The whole matrix, filled up.
    pub features: &'a [f32],
    /// Floats from row to row: a multiple of [`crate::matrix::GROUP`].
    pub stride: usize,
    /// Which rows.
    pub examples: &'a [Example],
}

impl<'a> Batch<'a> {
    #[inline(always)]
    fn row(&self, i: usize) -> &'a [f32] {
        let from = self.examples[i].row as usize * self.stride;
        &self.features[from..from + self.stride]
    }
}

/// What Adam does in one step, beside the gradient (see `adam.rs`).
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    /// Learning rate over the bias correction of the first moment.
    pub rate: f32,
    /// One over the root of the bias correction of the second moment.
    pub root: f32,
    /// Of the penalty.
    pub l2: f32,
}

/// Rows of weights, one a class, with their moments: each `classes * stride` floats.
#[derive(Debug)]
pub(super) struct Weights<'a> {
    pub weight: &'a mut [f32],
    pub first: &'a mut [f32],
    pub second: &'a mut [f32],
}

impl Weights<'_> {
    /// The same for a while.
    pub fn reborrow(&mut self) -> Weights<'_> {
        Weights { weight: self.weight, first: self.first, second: self.second }
    }
}

/// The arithmetic for this processor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kernel(Arch);

impl Kernel {
    /// Looks at what the processor can do.
    pub fn new() -> Self {
        Self(Arch::new())
    }

    /// `out[row, class] = features[row] . weight[class] + bias[class]`.
    pub fn logits(&self, batch: Batch, weight: &[f32], bias: &[f32], out: &mut [f32]) {
        self.0.dispatch(Logits { batch, weight, bias, out });
    }

    /// One step of Adam along `delta^T features + l2 weight`, `delta` as `[rows, classes]`.
    pub fn step(&self, batch: Batch, delta: &[f32], weights: Weights, rule: Rule) {
        self.0.dispatch(Step { batch, delta, weights, rule });
    }

    /// `out = (row - mean) * inverse`, number by number.
    pub fn standardize(&self, row: &[f32], mean: &[f32], inverse: &[f32], out: &mut [f32]) {
        self.0.dispatch(Standardize { row, mean, inverse, out });
    }

    /// Replaces every value, none of them above zero, by its exponential.
    pub fn exp(&self, values: &mut [f32]) {
        self.0.dispatch(Exp(values));
    }
}

/// Partial sums in the fixed order of all sums.
const LANES: usize = 16;

/// Classes in a block of registers.
const BLOCK: usize = 5;

struct Step<'a> {
    batch: Batch<'a>,
    delta: &'a [f32],
    weights: Weights<'a>,
    rule: Rule,
}

impl WithSimd for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let classes = self.delta.len() / self.batch.examples.len().max(1);
        for class in (0..classes).step_by(BLOCK) {
            let from = (class, classes);
            match (classes - class, S::F32_LANES == LANES) {
                (1, true) => self.classes::<S, 1, 4>(simd, from),
                (2, true) => self.classes::<S, 2, 4>(simd, from),
                (3, true) => self.classes::<S, 3, 4>(simd, from),
                (4, true) => self.classes::<S, 4, 4>(simd, from),
                (_, true) => self.classes::<S, BLOCK, 4>(simd, from),
                (1, _) => self.classes::<S, 1, 2>(simd, from),
                (2, _) => self.classes::<S, 2, 2>(simd, from),
                (3, _) => self.classes::<S, 3, 2>(simd, from),
                (4, _) => self.classes::<S, 4, 2>(simd, from),
                (_, _) => self.classes::<S, BLOCK, 2>(simd, from),
            }
        }
    }
}

impl Step<'_> {
    /// `K` classes, `V` vectors of features at a time: their gradient in registers, and Adam upon that of the vectors before
    /// them. Roots and quotients take long and need other parts of the processor than sums of products do, so that
    /// both go on at once where they alternate.
    #[inline(always)]
    fn classes<S: Simd, const K: usize, const V: usize>(
        &mut self,
        simd: S,
        (class, classes): (usize, usize),
    ) {
        let stride = self.batch.stride;
        let rule = self.rule;
        let Weights { weight, first, second } = &mut self.weights;
        let [weight, first, second] = [weight, first, second]
            .map(|all| S::as_mut_simd_f32s(&mut all[class * stride..(class + K) * stride]).0);
        let vectors = stride / S::F32_LANES;
        let rows = self.batch.examples.len();
        let share = rows.div_ceil(K);
        let mut before = [[simd.splat_f32s(0.0); V]; K];
        for at in (0..vectors).step_by(V) {
            let mut gradient = [[simd.splat_f32s(0.0); V]; K];
            for (part, before) in before.iter().enumerate() {
                for i in (part * share).min(rows)..((part + 1) * share).min(rows) {
                    let delta = &self.delta[i * classes + class..][..K];
                    let delta: &[f32; K] = delta.try_into().expect("K classes");
                    let x = S::as_simd_f32s(self.batch.row(i)).0;
                    let x: &[S::f32s; V] = x[at..at + V].try_into().expect("V vectors");
                    for k in 0..K {
                        let delta = simd.splat_f32s(delta[k]);
                        for v in 0..V {
                            gradient[k][v] = simd.mul_add_f32s(delta, x[v], gradient[k][v]);
                        }
                    }
                }
                if at > 0 {
                    let weights = [&mut *weight, &mut *first, &mut *second];
                    adam_all(simd, rule, before, (weights, part * vectors + at - V));
                }
            }
            before = gradient;
        }
        for (k, before) in before.iter().enumerate() {
            let weights = [&mut *weight, &mut *first, &mut *second];
            adam_all(simd, rule, before, (weights, (k + 1) * vectors - V));
        }
    }
}

/// One step of Adam on some vectors of weights with their moments, from the `from`th on.
#[inline(always)]
fn adam_all<S: Simd, const V: usize>(
    simd: S,
    rule: Rule,
    gradient: &[S::f32s; V],
    (weights, from): ([&mut [S::f32s]; 3], usize),
) {
    let [w, m, v] = weights.map(|all| &mut all[from..from + V]);
    for (((w, m), v), &g) in w.iter_mut().zip(m).zip(v).zip(gradient) {
        adam(simd, rule, g, (w, m, v));
    }
}

/// One step of Adam on a vector of weights; `super::adam::Bias::step` is the same for single numbers.
#[inline(always)]
fn adam<S: Simd>(
    simd: S,
    rule: Rule,
    gradient: S::f32s,
    (w, m, v): (&mut S::f32s, &mut S::f32s, &mut S::f32s),
) {
    use crate::head::adam::{BETA1, BETA2, EPSILON};
    let splat = |value| simd.splat_f32s(value);
    let g = simd.mul_add_f32s(splat(rule.l2), *w, gradient);
    *m = simd.mul_add_f32s(splat(1.0 - BETA1), simd.sub_f32s(g, *m), *m);
    *v = simd.mul_add_f32s(splat(1.0 - BETA2), simd.sub_f32s(simd.mul_f32s(g, g), *v), *v);
    let root = simd.mul_add_f32s(simd.sqrt_f32s(*v), splat(rule.root), splat(EPSILON));
    *w = simd.sub_f32s(*w, simd.div_f32s(simd.mul_f32s(splat(rule.rate), *m), root));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::Matrix;
    use crate::rng::Rng;

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

    /// Logits, and weights after a step, for any number of rows and classes.
    fn results(kernel: Kernel, rows: usize, classes: usize, width: usize) -> (Vec<f32>, Vec<f32>) {
        let (x, mut w) = (noise(rows, width, 1), noise(classes, width, 2));
        let (mut m, mut v) = (noise(classes, width, 3), Matrix::zeros(classes, width));
        let (bias, delta) = (noise(1, classes, 4), noise(rows, classes, 5));
        let order = examples(rows);
        let batch = Batch { features: x.padded(), stride: x.stride(), examples: &order };
        let mut out = vec![0.0; rows * classes];
        kernel.logits(batch, w.padded(), bias.row(0), &mut out);
        let delta: Vec<f32> = delta.values().collect();
        let weights = Weights {
            weight: w.padded_mut(0..classes),
            first: m.padded_mut(0..classes),
            second: v.padded_mut(0..classes),
        };
        kernel.step(batch, &delta, weights, Rule { rate: 0.1, root: 3.0, l2: 0.01 });
        (out, w.values().collect())
    }

    #[test]
    fn every_vector_width_gives_the_same_bits() {
        for (rows, classes, width) in [(7, 13, 130), (32, 5, 64), (1, 1, 3), (5, 4, 200), (6, 2, 65)] {
            let all: Vec<_> =
                archs().into_iter().map(|kernel| results(kernel, rows, classes, width)).collect();
            assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{rows} {classes} {width}");
        }
    }

    #[test]
    fn logits_and_steps_agree_with_plain_sums_in_float64() {
        let (rows, classes, width) = (11, 8, 150);
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
                let slope = |row: usize| f(delta.row(row)[class]) * f(x.row(rows - 1 - row)[i]);
                let gradient = (0..rows).map(slope).sum::<f64>() + 0.01 * old;
                let first = 0.9 * f(m.row(class)[i]) + 0.1 * gradient;
                let expected = old - 0.1 * first / ((0.001 * gradient * gradient).sqrt() * 3.0 + 1e-8);
                let error = (f(weight) - expected).abs();
                assert!(error < 1e-3 * expected.abs().max(1.0), "{weight} {expected}");
            }
        }
    }
}
