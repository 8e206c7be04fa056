//! Fitting a head: shuffled mini-batches, Adam, early stopping on the validation loss.

use super::adam::{Moments, step_size};
use super::softmax::{cross_entropy_sum, slope_in_place};
use super::{Head, argmax, view};
use crate::error::{Error, Kind, Result};
use crate::rng::Rng;
use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Settings of a fit as typed.
///
/// | field | default | range |
/// |---|---|---|
/// | `lr` | 0.01 | above 0 |
/// | `batch` | 32 | 1 and up |
/// | `epochs` | 100 | 1 and up |
/// | `patience` | 20 | 1 and up |
/// | `l2` | 0 | 0 and up |
/// | `seed` | 0 | any |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FitConfig {
    /// Learning rate of Adam.
    pub lr: f64,
    /// Rows in a batch; the last batch of an epoch may be smaller.
    pub batch: usize,
    /// The most epochs.
    pub epochs: usize,
    /// Epochs in a row without a strictly smaller validation loss after which fitting stops.
    pub patience: usize,
    /// The loss is mean cross entropy + l2/2 times the squared weights, the bias left out.
    pub l2: f64,
    /// Of the first weights and of the order of rows.
    pub seed: u64,
}

/// Settings that have been checked.
#[derive(Debug, Clone, Copy)]
pub struct FitParams(FitConfig);

impl Default for FitConfig {
    fn default() -> Self {
        Self { lr: 0.01, batch: 32, epochs: 100, patience: 20, l2: 0.0, seed: 0 }
    }
}

impl FitConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Kind::Usage`], naming the setting.
    pub fn check(self) -> Result<FitParams> {
        let checks = [
            (self.lr > 0.0 && self.lr.is_finite(), "--lr must be a number above 0"),
            (self.batch >= 1, "--batch must be at least 1"),
            (self.epochs >= 1, "--epochs must be at least 1"),
            (self.patience >= 1, "--patience must be at least 1"),
            (self.l2 >= 0.0 && self.l2.is_finite(), "--l2 must be a number of at least 0"),
        ];
        match checks.iter().find(|(holds, _)| !holds) {
            Some((_, message)) => Err(Error::new(Kind::Usage, *message)),
            None => Ok(FitParams(self)),
        }
    }
}

impl FitParams {
    /// The settings.
    pub fn settings(&self) -> FitConfig {
        self.0
    }

    /// Settings that somebody has yet to check.
    pub(super) fn unchecked(config: FitConfig) -> Self {
        Self(config)
    }
}

/// Labelled feature rows.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// `targets.len() * width` floats.
    pub features: &'a [f32],
    /// Class index of each row.
    pub targets: &'a [usize],
}

/// What one epoch did.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// From 1.
    pub epoch: usize,
    /// Mean cross entropy over the epoch's batches, each before its step.
    pub train_loss: f64,
    /// Share of right answers, likewise.
    pub train_accuracy: f64,
    /// Mean cross entropy of the validation rows after the epoch.
    pub validation_loss: f64,
    /// Share of right answers on the validation rows.
    pub validation_accuracy: f64,
    /// Wall time.
    pub seconds: f64,
}

/// A fitted head and how it came about.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// The head after its best epoch.
    pub head: Head,
    /// The epoch with the smallest validation loss, from 1.
    pub best_epoch: usize,
    /// All epochs.
    pub history: Vec<Epoch>,
}

/// Fits `head` to `train`, keeping the state with the smallest loss on `validation`. Runs on one thread; the same
/// input gives the same bits.
///
/// # Errors
/// [`Kind::Run`] when either set is empty, or a loss is not a number.
pub fn fit(
    head: Head,
    train: Rows,
    validation: Rows,
    params: FitParams,
    on_epoch: &mut dyn FnMut(&Epoch),
) -> Result<Fitted> {
    let FitParams(settings) = params;
    if train.targets.is_empty() || validation.targets.is_empty() {
        return Err(Error::new(Kind::Run, "there are no train or no validation rows"));
    }
    let mut fitter = Fitter::new(head, train, settings);
    let mut best = (f64::INFINITY, 0, fitter.head.clone());
    let mut history = Vec::new();
    for epoch in 1..=settings.epochs {
        let started = Instant::now();
        let (train_loss, train_accuracy) = fitter.epoch();
        let (validation_loss, validation_accuracy) = fitter.head.score(validation);
        let seconds = started.elapsed().as_secs_f64();
        let done = Epoch { epoch, train_loss, train_accuracy, validation_loss, validation_accuracy, seconds };
        if !(train_loss.is_finite() && validation_loss.is_finite()) {
            return Err(not_a_number(epoch));
        }
        on_epoch(&done);
        history.push(done);
        if validation_loss < best.0 {
            best = (validation_loss, epoch, fitter.head.clone());
        } else if epoch - best.1 >= settings.patience {
            break;
        }
    }
    Ok(Fitted { head: best.2, best_epoch: best.1, history })
}

/// Fits `head` to `train` for all epochs and keeps the last state: for rows without a validation part.
///
/// # Errors
/// [`Kind::Run`] when there are no rows, or a loss is not a number.
pub(super) fn fit_all_epochs(head: Head, train: Rows, params: FitParams) -> Result<Head> {
    if train.targets.is_empty() {
        return Err(Error::new(Kind::Run, "there are no train rows"));
    }
    let mut fitter = Fitter::new(head, train, params.0);
    for epoch in 1..=params.0.epochs {
        if !fitter.epoch().0.is_finite() {
            return Err(not_a_number(epoch));
        }
    }
    Ok(fitter.head)
}

fn not_a_number(epoch: usize) -> Error {
    Error::new(Kind::Run, format!("the loss is not a number in epoch {epoch}"))
        .help("try a smaller --lr; if that does not help, run `headstart cache verify CACHE`")
}

impl Head {
    /// Mean cross entropy and share of right answers.
    pub(super) fn score(&self, rows: Rows) -> (f64, f64) {
        let logits = self.logits(view(rows.features, self.width()));
        let n = rows.targets.len() as f64;
        (cross_entropy_sum(&logits, rows.targets) / n, right(&logits, rows.targets) as f64 / n)
    }
}

struct Fitter<'a> {
    head: Head,
    features: ArrayView2<'a, f32>,
    targets: &'a [usize],
    order: Vec<usize>,
    rng: Rng,
    moments: [Moments; 2],
    steps: i32,
    settings: FitConfig,
}

impl<'a> Fitter<'a> {
    fn new(head: Head, train: Rows<'a>, settings: FitConfig) -> Self {
        let moments = [Moments::zeros(head.weight.len()), Moments::zeros(head.bias.len())];
        let features = view(train.features, head.width());
        let order = (0..train.targets.len()).collect();
        let rng = Rng::new(settings.seed, 1);
        Self { head, features, targets: train.targets, order, rng, moments, steps: 0, settings }
    }

    /// One pass over the rows in a new order; mean loss and accuracy along the way.
    fn epoch(&mut self) -> (f64, f64) {
        let mut order = std::mem::take(&mut self.order);
        self.rng.shuffle(&mut order);
        let (mut loss, mut hits) = (0.0, 0);
        for rows in order.chunks(self.settings.batch) {
            let batch = self.features.select(Axis(0), rows);
            let targets: Vec<usize> = rows.iter().map(|&row| self.targets[row]).collect();
            let (batch_loss, batch_hits) = self.step(&batch, &targets);
            loss += batch_loss;
            hits += batch_hits;
        }
        let n = order.len() as f64;
        self.order = order;
        (loss / n, hits as f64 / n)
    }

    /// One step of Adam along the gradient of the loss.
    fn step(&mut self, batch: &Array2<f32>, targets: &[usize]) -> (f64, usize) {
        let mut delta = self.head.logits(batch.view());
        let scores = (cross_entropy_sum(&delta, targets), right(&delta, targets));
        slope_in_place(&mut delta, targets);
        let mut weight = batch.t().dot(&delta).as_standard_layout().into_owned();
        if self.settings.l2 > 0.0 {
            weight.scaled_add(self.settings.l2 as f32, &self.head.weight);
        }
        self.steps += 1;
        let size = step_size(self.settings.lr, self.steps);
        self.moments[0].step(&mut self.head.weight, &weight, size);
        self.moments[1].step(&mut self.head.bias, &delta.sum_axis(Axis(0)), size);
        scores
    }
}

fn right(logits: &Array2<f32>, targets: &[usize]) -> usize {
    let hit = |(row, &target): (ndarray::ArrayView1<f32>, &usize)| {
        argmax(row.as_slice().expect("rows in standard layout")) == target
    };
    logits.rows().into_iter().zip(targets).filter(|pair| hit((pair.0, pair.1))).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two blobs around (1, 0) and (0, 1).
    fn blobs(n: usize, seed: u64) -> (Vec<f32>, Vec<usize>) {
        let mut rng = Rng::new(seed, 9);
        let targets: Vec<usize> = (0..n).map(|i| i % 2).collect();
        let features = targets.iter().flat_map(|&t| {
            let (x, y) = if t == 0 { (1.0, 0.0) } else { (0.0, 1.0) };
            [x + 0.3 * rng.normal(), y + 0.3 * rng.normal()]
        });
        (features.collect(), targets)
    }

    fn fit_blobs(config: FitConfig) -> Fitted {
        let (x, y) = blobs(200, 1);
        let (vx, vy) = blobs(60, 2);
        let train = Rows { features: &x, targets: &y };
        let validation = Rows { features: &vx, targets: &vy };
        fit(Head::fresh(2, 2, 0), train, validation, config.check().unwrap(), &mut |_| {}).unwrap()
    }

    #[test]
    fn it_learns_and_the_same_seed_gives_the_same_bits() {
        let config = FitConfig { epochs: 30, ..FitConfig::default() };
        let fitted = fit_blobs(config);
        assert!(fitted.history.last().unwrap().validation_accuracy > 0.95);
        assert_eq!(fitted.head, fit_blobs(config).head);
        assert_ne!(fitted.head, fit_blobs(FitConfig { seed: 1, ..config }).head);
    }

    #[test]
    fn it_stops_after_patience_epochs_without_a_smaller_loss_and_keeps_the_best() {
        // A huge rate oscillates, so that the loss soon stops shrinking.
        let fitted = fit_blobs(FitConfig { lr: 3.0, patience: 4, ..FitConfig::default() });
        assert_eq!(fitted.history.len(), fitted.best_epoch + 4);
        let losses: Vec<f64> = fitted.history.iter().map(|e| e.validation_loss).collect();
        let best = losses[fitted.best_epoch - 1];
        assert!(losses.iter().all(|&loss| loss >= best));
        let (vx, vy) = blobs(60, 2);
        let (loss, _) = fitted.head.score(Rows { features: &vx, targets: &vy });
        assert_eq!(loss, best);
    }

    #[test]
    fn the_gradient_agrees_with_finite_differences() {
        // One step from zero moments moves each weight by the sign of its gradient; here the gradient itself is
        // wanted, so it is taken from the moments: first = (1 - 0.9) * gradient.
        let (x, y) = blobs(12, 5);
        let head = Head::fresh(2, 2, 3);
        let l2 = 0.3;
        let config = FitConfig { l2, batch: 12, ..FitConfig::default() };
        let loss = |head: &Head| {
            let squares: f64 = head.weight.iter().map(|&w| f64::from(w).powi(2)).sum();
            head.score(Rows { features: &x, targets: &y }).0 + l2 / 2.0 * squares
        };
        let mut fitter = Fitter::new(head.clone(), Rows { features: &x, targets: &y }, config);
        fitter.epoch();
        let first: Vec<f64> = fitter.moments[0].first().iter().map(|&m| f64::from(m)).collect();
        for (i, moment) in first.iter().enumerate() {
            let mut moved = [head.clone(), head.clone()];
            let h = 1e-2f32;
            moved[0].weight.as_slice_mut().unwrap()[i] += h;
            moved[1].weight.as_slice_mut().unwrap()[i] -= h;
            let slope = (loss(&moved[0]) - loss(&moved[1])) / f64::from(2.0 * h);
            assert!((moment / 0.1 - slope).abs() < 2e-4, "weight {i}: {} against {slope}", moment / 0.1);
        }
    }

    #[test]
    fn a_loss_that_is_no_number_fails_the_fit() {
        let (mut x, y) = blobs(40, 1);
        x[7] = f32::NAN;
        let rows = Rows { features: &x, targets: &y };
        let params = FitConfig::default().check().unwrap();
        let error = fit(Head::fresh(2, 2, 0), rows, rows, params, &mut |_| {}).unwrap_err();
        assert!(error.to_string().contains("not a number in epoch 1"), "{error}");
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let base = FitConfig::default();
        for (config, name) in [
            (FitConfig { lr: 0.0, ..base }, "--lr"),
            (FitConfig { lr: f64::NAN, ..base }, "--lr"),
            (FitConfig { batch: 0, ..base }, "--batch"),
            (FitConfig { epochs: 0, ..base }, "--epochs"),
            (FitConfig { patience: 0, ..base }, "--patience"),
            (FitConfig { l2: -1.0, ..base }, "--l2"),
        ] {
            assert!(config.check().unwrap_err().to_string().starts_with(name));
        }
    }
}
