//! Fitting heads: shuffled mini-batches, Adam, early stopping on the validation rows. Any number of heads that share
//! their features, their order of rows and their batches are fitted at once. It refuses to read features: a
//! [`Source`] hands them out.

use super::config::{FitConfig, FitParams};
use super::controls::StopOn;
use super::crew::{self, Pass};
use super::kernel::{Example, Kernel};
use super::learner::Learner;
use super::pace::Pace;
use super::score::score;
use super::{Head, Scale};
use crate::error::{Error, Kind, Result};
use crate::matrix::Matrix;
use crate::rng::Rng;
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Labelled feature rows.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// Features, these rows among others.
    pub features: &'a Matrix,
    /// Which rows, and their classes.
    pub examples: &'a [Example],
}

/// Where train rows come from, epoch after epoch.
pub trait Source {
    /// Batches of `batch` rows in an epoch.
    fn steps(&self, batch: usize) -> usize;
    /// Hands out all rows once, in one block or several, each in the order in which it is to be trained on.
    ///
    /// # Errors
    /// When rows cannot be read.
    fn epoch(&mut self, visit: &mut dyn FnMut(Rows)) -> Result<()>;
}

/// Rows in memory, in a new order each epoch.
#[derive(Debug)]
pub struct Shuffled<'a> {
    features: &'a Matrix,
    order: Vec<Example>,
    rng: Rng,
}

impl<'a> Shuffled<'a> {
    /// `rows` in orders that follow from `seed`.
    pub fn new(rows: Rows<'a>, seed: u64) -> Self {
        Self { features: rows.features, order: rows.examples.to_vec(), rng: Rng::new(seed, 1) }
    }
}

impl Source for Shuffled<'_> {
    fn steps(&self, batch: usize) -> usize {
        self.order.len().div_ceil(batch)
    }

    fn epoch(&mut self, visit: &mut dyn FnMut(Rows)) -> Result<()> {
        self.rng.shuffle(&mut self.order);
        visit(Rows { features: self.features, examples: &self.order });
        Ok(())
    }
}

/// A head to be fitted.
#[derive(Debug, Clone)]
pub struct Job {
    /// Where to start; a fresh head of the settings' seed when there is none.
    pub start: Option<Head>,
    /// How.
    pub params: FitParams,
    /// Of each class, how much its rows count in the loss.
    pub factors: Vec<f32>,
}

/// What all heads that are fitted at once share, beside the train rows.
#[derive(Debug, Clone, Copy)]
pub struct Common<'a> {
    /// Floats in a feature row.
    pub width: usize,
    /// What decides which epoch is the best; `None` keeps the last.
    pub validation: Option<Rows<'a>>,
    /// How features are standardised, if they are.
    pub scale: Option<&'a Scale>,
    /// At most so many are used, where they pay; they change no bit.
    pub threads: usize,
}

/// What one epoch did.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// From 1.
    pub epoch: usize,
    /// Mean cross entropy over the epoch's batches, each before its step; all rows count the same.
    pub train_loss: f64,
    /// Share of right answers, likewise.
    pub train_accuracy: f64,
    /// Mean cross entropy of the validation rows after the epoch.
    pub validation_loss: f64,
    /// Share of right answers on the validation rows.
    pub validation_accuracy: f64,
    /// Wall time, of all heads that took the epoch together.
    pub seconds: f64,
}

impl Epoch {
    /// Whether its losses are numbers.
    fn is_finite(&self) -> bool {
        self.train_loss.is_finite() && self.validation_loss.is_finite()
    }
}

/// A fitted head and how it came about.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// The head after its best epoch, for plain features.
    pub head: Head,
    /// The epoch with the smallest validation loss, or the largest accuracy, from 1.
    pub best_epoch: usize,
    /// All epochs.
    pub history: Vec<Epoch>,
}

/// A head under way, with what it has reached.
struct Attempt {
    learner: Learner,
    config: FitConfig,
    best: Option<Fitted>,
    history: Vec<Epoch>,
    ended: Option<Result<()>>,
}

/// Fits all `jobs` at once to the rows of `source`; each keeps the state that was the best on the validation rows. A head
/// comes out with the same bits whatever others are fitted beside it and on however many threads. `on_epoch`
/// hears of each epoch of each head, by its number, and what the head then was.
///
/// # Errors
/// [`Kind::Run`] when either set is empty, and what `source` says. A head whose loss is not a number fails by itself.
///
/// # Panics
/// When the jobs differ in the size of a batch: their steps could not be taken together.
pub fn fit_many(
    jobs: Vec<Job>,
    source: &mut dyn Source,
    common: Common,
    on_epoch: &mut dyn FnMut(usize, &Epoch, &Head),
) -> Result<Vec<Result<Fitted>>> {
    let batch = jobs.first().map_or(1, |job| job.params.settings().batch);
    assert!(jobs.iter().all(|job| job.params.settings().batch == batch), "one size of batches for all");
    if source.steps(batch) == 0 || common.validation.is_some_and(|rows| rows.examples.is_empty()) {
        return Err(Error::new(Kind::Run, "there are no train or no validation rows"));
    }
    let steps = source.steps(batch);
    let mut attempts: Vec<Attempt> = jobs.into_iter().map(|job| Attempt::new(job, steps, common)).collect();
    let mut epoch = 0;
    let mut pace = Pace::default();
    while attempts.iter().any(Attempt::is_under_way) {
        epoch += 1;
        let started = Instant::now();
        let mut active: Vec<(usize, &mut Attempt)> =
            attempts.iter_mut().enumerate().filter(|(_, attempt)| attempt.is_under_way()).collect();
        let means = train_epoch(&mut active, source, (batch, &mut pace), common)?;
        let heads: Vec<Head> = active.iter().map(|(_, attempt)| attempt.learner.head(common.scale)).collect();
        let scores = match common.validation {
            Some(rows) => score(&heads, rows, common.threads),
            None => vec![(0.0, 0.0); heads.len()],
        };
        let seconds = started.elapsed().as_secs_f64();
        for (((number, attempt), head), (mean, score)) in
            active.into_iter().zip(heads).zip(means.iter().zip(scores))
        {
            let done = Epoch {
                epoch,
                train_loss: mean.0,
                train_accuracy: mean.1,
                validation_loss: score.0,
                validation_accuracy: score.1,
                seconds,
            };
            if done.is_finite() {
                on_epoch(number, &done, &head);
            }
            attempt.take(done, head, common.validation.is_some());
        }
    }
    Ok(attempts.into_iter().map(Attempt::end).collect())
}

/// One epoch of all heads: mean loss and share of right answers of each on the way.
fn train_epoch(
    active: &mut [(usize, &mut Attempt)],
    source: &mut dyn Source,
    (batch, pace): (usize, &mut Pace),
    common: Common,
) -> Result<Vec<(f64, f64)>> {
    let kernel = Kernel::new();
    let mut learners: Vec<&mut Learner> =
        active.iter_mut().map(|(_, attempt)| &mut attempt.learner).collect();
    let mut sums = vec![super::softmax::Tally::default(); learners.len()];
    let mut rows = 0;
    source.epoch(&mut |block| {
        let Rows { features, examples } = block;
        let pass = Pass { kernel, features, examples, scale: common.scale, batch, threads: common.threads };
        let told = crew::run(&mut learners, pass, pace);
        sums.iter_mut().zip(told).for_each(|(sum, told)| *sum += told);
        rows += examples.len();
    })?;
    let n = rows as f64;
    Ok(sums.iter().map(|sum| (sum.loss / n, sum.hits as f64 / n)).collect())
}

impl Attempt {
    fn new(job: Job, steps: usize, common: Common) -> Self {
        let config = job.params.settings().clone();
        let head = match (job.start, common.scale) {
            (Some(head), Some(scale)) => scale.unfolded(&head),
            (Some(head), None) => head,
            (None, _) => Head::fresh(common.width, job.factors.len(), config.seed),
        };
        let learner = Learner::new(head, config.clone(), job.factors, steps * config.epochs);
        Self { learner, config, best: None, history: Vec::new(), ended: None }
    }

    fn is_under_way(&self) -> bool {
        self.ended.is_none()
    }

    /// Notes an epoch after which the head was `head`, and decides whether to go on.
    fn take(&mut self, done: Epoch, head: Head, validated: bool) {
        let epoch = done.epoch;
        if !done.is_finite() {
            self.ended = Some(Err(not_a_number(epoch)));
            return;
        }
        self.history.push(done);
        let best = self.best.as_ref().map(|best| self.history[best.best_epoch - 1]);
        if !validated || best.is_none_or(|best| self.improves(&done, &best)) {
            self.best = Some(Fitted { head, best_epoch: epoch, history: Vec::new() });
        }
        let since = epoch - self.best.as_ref().map_or(epoch, |best| best.best_epoch);
        if since >= self.config.patience || epoch == self.config.epochs {
            self.ended = Some(Ok(()));
        }
    }

    /// Whether an epoch is better than the best so far by more than the least improvement.
    fn improves(&self, done: &Epoch, best: &Epoch) -> bool {
        let least = self.config.min_delta;
        match self.config.stop_on {
            StopOn::Loss => done.validation_loss < best.validation_loss - least,
            StopOn::Accuracy => done.validation_accuracy > best.validation_accuracy + least,
        }
    }

    fn end(self) -> Result<Fitted> {
        let best = self.ended.unwrap_or(Ok(())).map(|()| self.best);
        best.map(|best| Fitted { history: self.history, ..best.expect("every fit has an epoch") })
    }
}

fn not_a_number(epoch: usize) -> Error {
    Error::new(Kind::Run, format!("the loss is not a number in epoch {epoch}"))
        .help("try a smaller --lr; if that does not help, run `headstart cache verify CACHE`")
}

/// Fits one head to rows in memory; a shorter way to [`fit_many`].
///
/// # Errors
/// [`Kind::Run`] when either set is empty, or a loss is not a number.
pub fn fit(
    job: Job,
    train: Rows,
    validation: Option<Rows>,
    threads: usize,
    on_epoch: &mut dyn FnMut(&Epoch, &Head),
) -> Result<Fitted> {
    let config = job.params.settings();
    let scale = config.standardize.then(|| Scale::of(train.features, train.examples));
    let mut source = Shuffled::new(train, config.order_seed());
    let common = Common { width: train.features.width(), validation, scale: scale.as_ref(), threads };
    let mut all = fit_many(vec![job], &mut source, common, &mut |_, epoch, head| on_epoch(epoch, head))?;
    all.pop().expect("one job, one head")
}

#[cfg(test)]
mod tests {
    use super::super::controls::{ClassWeights, Schedule};
    use super::*;

    /// Blobs around the corners of a simplex, `width` features for each of `classes` classes.
    fn blobs(n: u32, classes: u32, seed: u64) -> (Matrix, Vec<Example>) {
        let mut rng = Rng::new(seed, 9);
        let examples: Vec<Example> = (0..n).map(|row| Example { row, target: row % classes }).collect();
        let row = |e: &Example| (0..classes).map(|i| f32::from(i == e.target) + 0.3 * rng.normal()).collect();
        let values: Vec<Vec<f32>> = examples.iter().map(row).collect();
        (Matrix::from_rows(classes as usize, &values.concat()), examples)
    }

    fn job(config: &FitConfig, classes: usize) -> Job {
        Job { start: None, params: config.clone().check().unwrap(), factors: vec![1.0; classes] }
    }

    fn fit_blobs(config: &FitConfig) -> Fitted {
        let (x, y) = blobs(200, 2, 1);
        let (vx, vy) = blobs(60, 2, 2);
        let validation = Rows { features: &vx, examples: &vy };
        fit(job(config, 2), Rows { features: &x, examples: &y }, Some(validation), 1, &mut |_, _| {}).unwrap()
    }

    #[test]
    fn it_learns_and_the_same_seed_gives_the_same_bits() {
        let config = FitConfig { epochs: 30, ..FitConfig::default() };
        let fitted = fit_blobs(&config);
        assert!(fitted.history.last().unwrap().validation_accuracy > 0.95);
        assert_eq!(fitted.head, fit_blobs(&config).head);
        assert_ne!(fitted.head, fit_blobs(&FitConfig { seed: 1, ..config.clone() }).head);
        assert_ne!(fitted.head, fit_blobs(&FitConfig { shuffle_seed: Some(1), ..config.clone() }).head);
        assert_eq!(fitted.head, fit_blobs(&FitConfig { shuffle_seed: Some(0), ..config }).head);
    }

    #[test]
    fn heads_fitted_together_on_any_number_of_threads_have_the_bits_of_heads_fitted_alone() {
        // Wide and long enough that more threads than one are worth having.
        let (x, y) = blobs(700, 130, 3);
        let (vx, vy) = blobs(130, 130, 4);
        let (train, validation) =
            (Rows { features: &x, examples: &y }, Rows { features: &vx, examples: &vy });
        let base =
            FitConfig { epochs: 4, batch: 64, patience: 1, shuffle_seed: Some(5), ..FitConfig::default() };
        let configs: Vec<FitConfig> = [(0.01, 0.0, 1), (0.3, 0.01, 2), (2.0, 0.0, 3), (0.001, 0.1, 4)]
            .map(|(lr, l2, seed)| FitConfig { lr, l2, seed, ..base.clone() })
            .into();
        for standardize in [false, true] {
            let configs: Vec<FitConfig> =
                configs.iter().map(|config| FitConfig { standardize, ..config.clone() }).collect();
            let alone = |config| fit(job(config, 130), train, Some(validation), 1, &mut |_, _| {}).unwrap();
            let alone: Vec<Fitted> = configs.iter().map(alone).collect();
            let scale = standardize.then(|| Scale::of(&x, &y));
            for threads in [1, 2, 3, 7] {
                let jobs = configs.iter().map(|config| job(config, 130)).collect();
                let common =
                    Common { width: 130, validation: Some(validation), scale: scale.as_ref(), threads };
                let together =
                    fit_many(jobs, &mut Shuffled::new(train, 5), common, &mut |_, _, _| {}).unwrap();
                for (alone, together) in alone.iter().zip(together) {
                    let together = together.unwrap();
                    assert_eq!(alone.head, together.head, "{threads} threads");
                    assert_eq!(alone.history.len(), together.history.len());
                }
            }
        }
    }

    #[test]
    fn it_stops_after_patience_epochs_without_an_improvement_and_keeps_the_best() {
        // A huge rate oscillates, so that the loss soon stops shrinking.
        let config = FitConfig { lr: 3.0, patience: 4, ..FitConfig::default() };
        let fitted = fit_blobs(&config);
        assert_eq!(fitted.history.len(), fitted.best_epoch + 4);
        let losses: Vec<f64> = fitted.history.iter().map(|e| e.validation_loss).collect();
        let best = losses[fitted.best_epoch - 1];
        assert!(losses.iter().all(|&loss| loss >= best));
        let (vx, vy) = blobs(60, 2, 2);
        assert_eq!(fitted.head.score(Rows { features: &vx, examples: &vy }).0, best);
        // With a least improvement that cannot be reached the first epoch is the best.
        let strict = fit_blobs(&FitConfig { min_delta: 100.0, ..config.clone() });
        assert_eq!((strict.best_epoch, strict.history.len()), (1, 5));
        let by_accuracy = fit_blobs(&FitConfig { stop_on: StopOn::Accuracy, lr: 0.001, ..config });
        let accuracies: Vec<f64> = by_accuracy.history.iter().map(|e| e.validation_accuracy).collect();
        let best = accuracies[by_accuracy.best_epoch - 1];
        assert!(accuracies.iter().all(|&accuracy| accuracy <= best));
        assert!(accuracies[..by_accuracy.best_epoch - 1].iter().all(|&accuracy| accuracy < best));
        assert!(by_accuracy.history.len() < 100);
    }

    /// The loss as its documentation has it, in float64 and without any of the code that is tested.
    fn loss(head: &Head, (x, y): &(Matrix, Vec<Example>), config: &FitConfig, factors: &[f32]) -> f64 {
        let (weight, bias) = (head.weight(), head.bias());
        let classes = bias.len();
        let mut sum = 0.0;
        for example in y {
            let z: Vec<f64> = (0..classes)
                .map(|class| {
                    let w = &weight[class * head.width()..];
                    let products = x.row(example.row as usize).iter().zip(w);
                    products.map(|(x, w)| f64::from(*x) * f64::from(*w)).sum::<f64>() + f64::from(bias[class])
                })
                .collect();
            let total: f64 = z.iter().map(|z| z.exp()).sum();
            for (class, z) in z.iter().enumerate() {
                let hot = f64::from(u8::from(class == example.target as usize));
                let smooth = (1.0 - config.label_smoothing) * hot + config.label_smoothing / classes as f64;
                sum -= f64::from(factors[example.target as usize]) * smooth * (z.exp() / total).ln();
            }
        }
        let squares: f64 = weight.iter().map(|&w| f64::from(w).powi(2)).sum();
        sum / y.len() as f64 + config.l2 / 2.0 * squares
    }

    #[test]
    fn the_gradient_agrees_with_finite_differences() {
        // The gradient is taken from the moments after one step: first = (1 - 0.9) * gradient.
        let data = blobs(12, 3, 5);
        let head = Head::fresh(3, 3, 3);
        for (label_smoothing, factors) in [(0.0, [1.0; 3]), (0.2, [1.0; 3]), (0.1, [2.0, 0.5, 1.5])] {
            let config = FitConfig { l2: 0.3, batch: 12, label_smoothing, ..FitConfig::default() };
            let mut learner = Learner::new(head.clone(), config.clone(), factors.to_vec(), 100);
            let (kernel, features, examples) = (Kernel::new(), &data.0, &data.1[..]);
            let pass = Pass { kernel, features, examples, scale: None, batch: 12, threads: 1 };
            crew::run(&mut [&mut learner], pass, &mut Pace::default());
            for (i, moment) in learner.first_moment().values().enumerate() {
                let mut moved = [head.clone(), head.clone()];
                let h = 1e-2f32;
                moved[0].weight.row_mut(i / 3)[i % 3] += h;
                moved[1].weight.row_mut(i / 3)[i % 3] -= h;
                let [above, below] = moved.map(|head| loss(&head, &data, &config, &factors));
                let slope = (above - below) / f64::from(2.0 * h);
                let own = f64::from(moment) / 0.1;
                assert!((own - slope).abs() < 2e-4, "weight {i}: {own} against {slope}");
            }
        }
    }

    #[test]
    fn each_epoch_hands_out_its_head_and_the_best_is_kept() {
        let ((x, y), (vx, vy)) = (blobs(200, 2, 1), blobs(60, 2, 2));
        let validation = Rows { features: &vx, examples: &vy };
        let config = FitConfig { lr: 3.0, patience: 4, standardize: true, ..FitConfig::default() };
        let mut heads = Vec::new();
        let mut on_epoch = |epoch: &Epoch, head: &Head| {
            assert_eq!(head.score(validation), (epoch.validation_loss, epoch.validation_accuracy));
            heads.push(head.clone());
        };
        let train = Rows { features: &x, examples: &y };
        let fitted = fit(job(&config, 2), train, Some(validation), 1, &mut on_epoch).unwrap();
        assert_eq!((heads.len(), &heads[fitted.best_epoch - 1]), (fitted.history.len(), &fitted.head));
    }

    #[test]
    fn a_loss_that_is_no_number_fails_its_own_head_only() {
        let (x, y) = blobs(40, 2, 1);
        let rows = Rows { features: &x, examples: &y };
        let jobs = [1e38, 0.01].map(|lr| job(&FitConfig { lr, epochs: 3, ..FitConfig::default() }, 2));
        let common = Common { width: 2, validation: Some(rows), scale: None, threads: 1 };
        let mut ended =
            fit_many(jobs.into(), &mut Shuffled::new(rows, 0), common, &mut |_, _, _| {}).unwrap();
        assert_eq!(ended.pop().unwrap().unwrap().history.len(), 3);
        let error = ended.pop().unwrap().unwrap_err();
        assert!(error.to_string().contains("not a number in epoch"), "{error}");
        let mut odd = x.clone();
        odd.row_mut(3)[1] = f32::NAN;
        let rows = Rows { features: &odd, examples: &y };
        let error = fit(job(&FitConfig::default(), 2), rows, Some(rows), 1, &mut |_, _| {}).unwrap_err();
        assert!(error.to_string().contains("not a number in epoch 1"), "{error}");
        assert!(
            fit(job(&FitConfig::default(), 2), Rows { features: &x, examples: &[] }, None, 1, &mut |_, _| {})
                .is_err()
        );
    }

    #[test]
    fn without_validation_the_last_epoch_is_kept() {
        let (x, y) = blobs(40, 2, 1);
        let config = FitConfig { epochs: 7, patience: 1, schedule: Schedule::Cosine, ..FitConfig::default() };
        let config = FitConfig { class_weights: ClassWeights::Balanced, ..config };
        let fitted =
            fit(job(&config, 2), Rows { features: &x, examples: &y }, None, 1, &mut |_, _| {}).unwrap();
        assert_eq!((fitted.best_epoch, fitted.history.len()), (7, 7));
    }
}
