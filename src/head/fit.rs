//! Fits heads with shuffled minibatches, Adam and early stopping. Heads that share their train rows, the order of the rows
//! and the batch size are fitted together.

use super::config::FitParams;
use super::epoch::EpochRun;
use super::head_state::HeadState;
use super::kernel::Kernel;
use super::label_sets::LabelSets;
use super::labelled_features::LabelledFeatures;
use super::result::{Epoch, FitResult};
use super::row_source::{InMemoryRows, RowSource};
use super::running_fit::RunningFit;
use super::running_loss::{MeanLoss, RunningLoss};
use super::score::score;
use super::softmax_head::Head;
use super::standardize::Standardizer;
use super::thread_tuner::ThreadTuner;
use crate::error::{Error, Kind, Result};
use std::sync::Arc;
use std::time::Instant;

/// A head to fit.
#[derive(Debug, Clone)]
pub struct FitJob {
    /// The head to start from, for features that are not standardized. `None` starts from [`Head::with_hidden`] with the
    /// settings' hidden units and seed.
    pub start: Option<Head>,
    /// The settings.
    pub params: FitParams,
    /// The weight of each class in the loss, in class order, 0 and up; their number is the number of classes. See
    /// [`ClassWeights::per_class`](super::ClassWeights::per_class).
    pub class_weights: Vec<f32>,
}

/// What all heads that are fitted together share, beside the train rows.
#[derive(Debug, Clone, Copy)]
pub struct SharedInputs<'a> {
    /// Number of features.
    pub width: usize,
    /// The rows that decide which epoch is the best and when to stop. `None` runs all epochs and keeps the last.
    pub validation: Option<LabelledFeatures<'a>>,
    /// Mean and standard deviation of the train rows, to standardize features during the fit; `None` leaves features as
    /// they are.
    pub standardizer: Option<&'a Standardizer>,
    /// The labels that each target stands for, where rows have several; `None` where targets are classes.
    pub label_sets: Option<&'a LabelSets>,
    /// The weight of each row of the train features in the loss; `None` where all are 1. Validation rows all count alike.
    pub row_weights: Option<&'a [f32]>,
    /// Upper limit on threads. Fewer are used when that is faster; the result does not depend on the number.
    pub threads: usize,
}

/// Fits all `jobs` together to the rows of `source`. Each head keeps the state of its best epoch on the validation rows.
/// A head gets the same bits whatever heads are fitted beside it and on however many threads.
///
/// `on_epoch` is called after each epoch of each head with the index of its job, the epoch, and the head after it.
///
/// # Errors
/// [`Kind::Run`] if there are no train rows or an empty set of validation rows, and the errors of `source`. A head whose
/// loss is not finite has an error of its own in the result; the other heads go on.
///
/// # Panics
/// If the jobs differ in the batch size, a start has another shape than the job's `class_weights` and `width` say, or a
/// target is not a class of every job.
pub fn fit_many(
    jobs: Vec<FitJob>,
    source: &mut dyn RowSource,
    shared: SharedInputs,
    on_epoch: &mut dyn FnMut(usize, &Epoch, &Head),
) -> Result<Vec<Result<FitResult>>> {
    let batch = jobs.first().map_or(1, |job| job.params.settings().batch);
    assert!(jobs.iter().all(|job| job.params.settings().batch == batch), "one batch size for all heads");
    let steps = source.steps(batch);
    check_rows(steps, &jobs, shared)?;
    let mut fits: Vec<RunningFit> = jobs.into_iter().map(|job| started(job, steps, shared)).collect();
    let mut tuner = ThreadTuner::default();
    let mut epoch = 0;
    while fits.iter().any(RunningFit::is_running) {
        epoch += 1;
        let started = Instant::now();
        let mut running: Vec<(usize, &mut RunningFit)> =
            fits.iter_mut().enumerate().filter(|(_, fit)| fit.is_running()).collect();
        let mut states: Vec<&mut HeadState> = running.iter_mut().map(|(_, fit)| &mut fit.state).collect();
        let train = train_epoch(&mut states, source, batch, shared, &mut tuner)?;
        let heads: Vec<Head> = states.iter().map(|state| state.head(shared.standardizer)).collect();
        let validation = match shared.validation {
            Some(rows) => score(&heads, rows, shared.label_sets, shared.threads),
            None => vec![MeanLoss::default(); heads.len()],
        };
        let seconds = started.elapsed().as_secs_f64();
        for (((job, fit), head), (train, validation)) in
            running.into_iter().zip(heads).zip(train.iter().zip(validation))
        {
            let epoch = Epoch {
                epoch,
                train_loss: train.loss,
                train_accuracy: train.accuracy,
                validation_loss: validation.loss,
                validation_accuracy: validation.accuracy,
                seconds,
            };
            if epoch.is_finite() {
                on_epoch(job, &epoch, &head);
            }
            fit.record(epoch, head);
        }
    }
    Ok(fits.into_iter().map(RunningFit::finish).collect())
}

/// Checks that there are rows to train on and to validate with.
fn check_rows(steps: usize, jobs: &[FitJob], shared: SharedInputs) -> Result<()> {
    if steps == 0 && jobs.iter().any(|job| job.params.settings().drop_last) {
        return Err(Error::new(
            Kind::Run,
            "the train rows fill no batch, and an incomplete batch is dropped",
        )
        .help("use a smaller `batch`, or leave `drop_last` out"));
    }
    match steps == 0 || shared.validation.is_some_and(|rows| rows.examples.is_empty()) {
        true => Err(Error::new(Kind::Run, "there are no train rows or no validation rows")),
        false => Ok(()),
    }
}

/// Starts the fit of one job that has `steps` steps per epoch.
fn started(job: FitJob, steps: usize, shared: SharedInputs) -> RunningFit {
    let config = job.params.settings();
    let head = match (job.start, shared.standardizer) {
        (Some(head), Some(standardizer)) => standardizer.unfolded(&head),
        (Some(head), None) => head,
        (None, _) => Head::with_hidden(shared.width, config.hidden, job.class_weights.len(), config.seed),
    };
    let rows = (shared.label_sets.cloned(), shared.row_weights.map(Arc::from));
    let state = HeadState::new(head, config, job.class_weights, rows, steps * config.epochs);
    RunningFit::new(state, config, shared.validation.is_some())
}

/// Trains all heads for one epoch. Returns the mean loss of each, measured before each step.
fn train_epoch(
    heads: &mut [&mut HeadState],
    source: &mut dyn RowSource,
    batch: usize,
    shared: SharedInputs,
    tuner: &mut ThreadTuner,
) -> Result<Vec<MeanLoss>> {
    let kernel = Kernel::new();
    let mut sums = vec![RunningLoss::default(); heads.len()];
    let mut count = 0;
    source.epoch(&mut |rows| {
        let SharedInputs { standardizer, threads: max_threads, .. } = shared;
        let losses = EpochRun { kernel, rows, standardizer, batch, max_threads }.run(heads, tuner);
        sums.iter_mut().zip(losses).for_each(|(sum, loss)| *sum += loss);
        count += rows.examples.len();
    })?;
    Ok(sums.iter().map(|sum| sum.mean(count)).collect())
}

/// Fits one head to rows in memory: [`fit_many`] for one job, with the shuffling, standardization and dropping of an
/// incomplete batch that its settings ask for.
///
/// # Errors
/// [`Kind::Run`] if there are no train rows or an empty set of validation rows, or a loss is not finite.
///
/// # Panics
/// As [`fit_many`].
pub fn fit(
    job: FitJob,
    train: LabelledFeatures,
    validation: Option<LabelledFeatures>,
    threads: usize,
    on_epoch: &mut dyn FnMut(&Epoch, &Head),
) -> Result<FitResult> {
    let config = job.params.settings();
    let standardizer = config.standardize.then(|| Standardizer::fit(train));
    let mut source = InMemoryRows::new(train, config);
    let shared = SharedInputs {
        width: train.features.width(),
        validation,
        standardizer: standardizer.as_ref(),
        label_sets: None,
        row_weights: None,
        threads,
    };
    let mut all = fit_many(vec![job], &mut source, shared, &mut |_, epoch, head| on_epoch(epoch, head))?;
    all.pop().expect("one job, one head")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::{ClassWeights, Example, FitConfig, Layer, Schedule, StopOn};
    use crate::math::matrix::Matrix;
    use crate::math::random::Rng;

    /// Blobs around the corners of a simplex, `width` features for each of `classes` classes.
    fn blobs(n: u32, classes: u32, seed: u64) -> (Matrix, Vec<Example>) {
        let mut rng = Rng::new(seed, 9);
        let examples: Vec<Example> = (0..n).map(|row| Example { row, target: row % classes }).collect();
        let row = |e: &Example| (0..classes).map(|i| f32::from(i == e.target) + 0.3 * rng.normal()).collect();
        let values: Vec<Vec<f32>> = examples.iter().map(row).collect();
        (Matrix::from_rows(classes as usize, &values.concat()), examples)
    }

    fn job(config: &FitConfig, classes: usize) -> FitJob {
        FitJob { start: None, params: config.clone().check().unwrap(), class_weights: vec![1.0; classes] }
    }

    fn fit_blobs(config: &FitConfig) -> FitResult {
        let (x, y) = blobs(200, 2, 1);
        let (vx, vy) = blobs(60, 2, 2);
        let validation = LabelledFeatures { features: &vx, examples: &vy };
        fit(
            job(config, 2),
            LabelledFeatures { features: &x, examples: &y },
            Some(validation),
            1,
            &mut |_, _| {},
        )
        .unwrap()
    }

    #[test]
    fn a_fit_learns_and_the_same_seed_gives_the_same_bits() {
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
        // Large enough that several threads pay.
        let (x, y) = blobs(700, 130, 3);
        let (vx, vy) = blobs(130, 130, 4);
        let (train, validation) = (
            LabelledFeatures { features: &x, examples: &y },
            LabelledFeatures { features: &vx, examples: &vy },
        );
        let base =
            FitConfig { epochs: 4, batch: 64, patience: 1, shuffle_seed: Some(5), ..FitConfig::default() };
        let mut configs: Vec<FitConfig> = [(0.01, 0.0, 1), (0.3, 0.01, 2), (2.0, 0.0, 3), (0.001, 0.1, 4)]
            .map(|(lr, l2, seed)| FitConfig { lr, l2, seed, ..base.clone() })
            .into();
        configs.extend([(9, 0.0), (20, 0.4)].map(|(hidden, dropout)| FitConfig {
            hidden,
            dropout,
            weight_decay: 0.1,
            ..base.clone()
        }));
        for standardize in [false, true] {
            let configs: Vec<FitConfig> =
                configs.iter().map(|config| FitConfig { standardize, ..config.clone() }).collect();
            let alone = |config| fit(job(config, 130), train, Some(validation), 1, &mut |_, _| {}).unwrap();
            let alone: Vec<FitResult> = configs.iter().map(alone).collect();
            let standardizer = standardize.then(|| Standardizer::fit(train));
            for threads in [1, 2, 3, 7] {
                let jobs = configs.iter().map(|config| job(config, 130)).collect();
                let shared = SharedInputs {
                    width: 130,
                    validation: Some(validation),
                    standardizer: standardizer.as_ref(),
                    label_sets: None,
                    row_weights: None,
                    threads,
                };
                let mut source = InMemoryRows::new(train, &base);
                let together = fit_many(jobs, &mut source, shared, &mut |_, _, _| {}).unwrap();
                for (alone, together) in alone.iter().zip(together) {
                    let together = together.unwrap();
                    assert_eq!(alone.head, together.head, "{threads} threads");
                    assert_eq!(alone.history.len(), together.history.len());
                }
            }
        }
    }

    #[test]
    fn a_fit_stops_after_patience_epochs_without_an_improvement_and_keeps_the_best() {
        // With a huge learning rate the loss oscillates and soon stops falling.
        let config = FitConfig { lr: 3.0, patience: 4, ..FitConfig::default() };
        let fitted = fit_blobs(&config);
        assert_eq!(fitted.history.len(), fitted.best_epoch + 4);
        let losses: Vec<f64> = fitted.history.iter().map(|e| e.validation_loss).collect();
        let best = losses[fitted.best_epoch - 1];
        assert!(losses.iter().all(|&loss| loss >= best));
        let (vx, vy) = blobs(60, 2, 2);
        assert_eq!(fitted.head.score(LabelledFeatures { features: &vx, examples: &vy }).loss, best);
        // With a minimum improvement that cannot be reached, the first epoch is the best.
        let strict = fit_blobs(&FitConfig { min_delta: 100.0, ..config.clone() });
        assert_eq!((strict.best_epoch, strict.history.len()), (1, 5));
        let by_accuracy = fit_blobs(&FitConfig { stop_on: StopOn::Accuracy, lr: 0.001, ..config });
        let accuracies: Vec<f64> = by_accuracy.history.iter().map(|e| e.validation_accuracy).collect();
        let best = accuracies[by_accuracy.best_epoch - 1];
        assert!(accuracies.iter().all(|&accuracy| accuracy <= best));
        assert!(accuracies[..by_accuracy.best_epoch - 1].iter().all(|&accuracy| accuracy < best));
        assert!(by_accuracy.history.len() < 100);
    }

    /// The documented loss, in float64 and without any of the code that is tested.
    fn loss(head: &Head, (x, y): &(Matrix, Vec<Example>), config: &FitConfig, weights: &[f32]) -> f64 {
        let apply = |layer: &Layer, x: &[f64]| -> Vec<f64> {
            let output = |output: usize| {
                let products = x.iter().zip(layer.weight_of(output)).map(|(x, &w)| x * f64::from(w));
                products.sum::<f64>() + f64::from(layer.bias()[output])
            };
            (0..layer.outputs()).map(output).collect()
        };
        let classes = head.classes();
        let mut sum = 0.0;
        for example in y {
            let mut inputs: Vec<f64> = x.row(example.row as usize).iter().map(|&x| f64::from(x)).collect();
            if let Some(hidden) = head.hidden() {
                inputs = apply(hidden, &inputs).into_iter().map(|z| z.max(0.0)).collect();
            }
            let z = apply(head.output(), &inputs);
            let total: f64 = z.iter().map(|z| z.exp()).sum();
            for (class, z) in z.iter().enumerate() {
                let hot = f64::from(u8::from(class == example.target as usize));
                let smooth = (1.0 - config.label_smoothing) * hot + config.label_smoothing / classes as f64;
                sum -= f64::from(weights[example.target as usize]) * smooth * (z.exp() / total).ln();
            }
        }
        let layers = head.hidden().into_iter().chain([head.output()]);
        let squares: f64 = layers.flat_map(Layer::weight).map(|w| f64::from(w).powi(2)).sum();
        sum / y.len() as f64 + config.l2 / 2.0 * squares
    }

    #[test]
    fn the_gradient_agrees_with_finite_differences() {
        // The gradient follows from the first moment after one step: (1 - 0.9) * gradient.
        let data = blobs(12, 3, 5);
        for (hidden, label_smoothing, weights) in
            [(0, 0.0, [1.0; 3]), (0, 0.2, [1.0; 3]), (0, 0.1, [2.0, 0.5, 1.5]), (5, 0.1, [2.0, 0.5, 1.5])]
        {
            let head = Head::with_hidden(3, hidden, 3, 3);
            let config = FitConfig { l2: 0.3, batch: 12, label_smoothing, hidden, ..FitConfig::default() };
            let mut state = HeadState::new(head.clone(), &config, weights.to_vec(), (None, None), 100);
            let rows = LabelledFeatures { features: &data.0, examples: &data.1 };
            let run = EpochRun { kernel: Kernel::new(), rows, standardizer: None, batch: 12, max_threads: 1 };
            run.run(&mut [&mut state], &mut ThreadTuner::default());
            for (i, moment) in state.first_moments().into_iter().enumerate() {
                let h = 1e-3f32;
                let moved = [h, -h].map(|h| {
                    let mut head = head.clone();
                    let first = head.first_mut().weight().len();
                    let (layer, i) =
                        if i < first { (head.first_mut(), i) } else { (&mut head.output, i - first) };
                    let inputs = layer.inputs();
                    layer.weight.row_mut(i / inputs)[i % inputs] += h;
                    head
                });
                let [above, below] = moved.map(|head| loss(&head, &data, &config, &weights));
                let difference = (above - below) / f64::from(2.0 * h);
                let gradient = f64::from(moment) / 0.1;
                assert!((gradient - difference).abs() < 2e-4, "weight {i}: {gradient} against {difference}");
            }
        }
    }

    #[test]
    fn each_epoch_reports_its_head_and_the_best_is_kept() {
        let ((x, y), (vx, vy)) = (blobs(200, 2, 1), blobs(60, 2, 2));
        let validation = LabelledFeatures { features: &vx, examples: &vy };
        let config = FitConfig { lr: 3.0, patience: 4, standardize: true, ..FitConfig::default() };
        let mut heads = Vec::new();
        let mut on_epoch = |epoch: &Epoch, head: &Head| {
            let expected = MeanLoss { loss: epoch.validation_loss, accuracy: epoch.validation_accuracy };
            assert_eq!(head.score(validation), expected);
            heads.push(head.clone());
        };
        let train = LabelledFeatures { features: &x, examples: &y };
        let fitted = fit(job(&config, 2), train, Some(validation), 1, &mut on_epoch).unwrap();
        assert_eq!((heads.len(), &heads[fitted.best_epoch - 1]), (fitted.history.len(), &fitted.head));
    }

    #[test]
    fn a_loss_that_is_nan_fails_its_own_head_only() {
        let (x, y) = blobs(40, 2, 1);
        let rows = LabelledFeatures { features: &x, examples: &y };
        let jobs = [1e38, 0.01].map(|lr| job(&FitConfig { lr, epochs: 3, ..FitConfig::default() }, 2));
        let shared = SharedInputs {
            width: 2,
            validation: Some(rows),
            standardizer: None,
            label_sets: None,
            row_weights: None,
            threads: 1,
        };
        let mut ended = fit_many(
            jobs.into(),
            &mut InMemoryRows::new(rows, &FitConfig::default()),
            shared,
            &mut |_, _, _| {},
        )
        .unwrap();
        assert_eq!(ended.pop().unwrap().unwrap().history.len(), 3);
        let error = ended.pop().unwrap().unwrap_err();
        assert!(error.to_string().contains("not a number in epoch"), "{error}");
        let mut odd = x.clone();
        odd.row_mut(3)[1] = f32::NAN;
        let rows = LabelledFeatures { features: &odd, examples: &y };
        let error = fit(job(&FitConfig::default(), 2), rows, Some(rows), 1, &mut |_, _| {}).unwrap_err();
        assert!(error.to_string().contains("not a number in epoch 1"), "{error}");
        assert!(
            fit(
                job(&FitConfig::default(), 2),
                LabelledFeatures { features: &x, examples: &[] },
                None,
                1,
                &mut |_, _| {}
            )
            .is_err()
        );
    }

    #[test]
    fn a_dropped_last_batch_is_as_if_its_rows_were_not_there() {
        let (x, y) = blobs(70, 2, 1);
        let config = FitConfig { epochs: 5, batch: 16, shuffle: false, ..FitConfig::default() };
        let of = |config: &FitConfig, y: &[Example]| {
            fit(job(config, 2), LabelledFeatures { features: &x, examples: y }, None, 1, &mut |_, _| {})
                .unwrap()
        };
        let dropped = of(&FitConfig { drop_last: true, ..config.clone() }, &y);
        let truncated = of(&config, &y[..64]);
        assert_eq!(dropped.head, truncated.head);
        assert_eq!(dropped.history[4].train_loss, truncated.history[4].train_loss);
        assert_ne!(dropped.head, of(&config, &y).head);
        // With shuffling, other rows are dropped each time, and all rows are seen.
        let shuffled = FitConfig { drop_last: true, shuffle: true, ..config };
        let mut source = InMemoryRows::new(LabelledFeatures { features: &x, examples: &y }, &shuffled);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..20 {
            source
                .epoch(&mut |rows| {
                    assert_eq!(rows.examples.len(), 64);
                    seen.extend(rows.examples.iter().map(|example| example.row));
                })
                .unwrap();
        }
        assert_eq!((source.steps(16), seen.len()), (4, 70));
    }

    #[test]
    fn patience_that_never_resets_counts_all_epochs_without_an_improvement() {
        let losses =
            |fitted: &FitResult| fitted.history.iter().map(|e| e.validation_loss).collect::<Vec<_>>();
        for (lr, patience) in [(0.1, 2), (0.3, 2), (1.0, 2), (1.0, 3), (3.0, 3), (3.0, 7)] {
            let config = FitConfig { lr, patience, ..FitConfig::default() };
            let resets = losses(&fit_blobs(&config));
            let total = losses(&fit_blobs(&FitConfig { patience_resets: false, ..config }));
            let is_worse = |i: &usize| total[..*i].iter().any(|earlier| *earlier <= total[*i]);
            let worse = (0..total.len()).filter(is_worse).count();
            assert!(worse == patience || total.len() == 100, "{lr}: {total:?}");
            assert_eq!(resets[..total.len()], total);
        }
    }

    #[test]
    fn without_validation_the_last_epoch_is_kept() {
        let (x, y) = blobs(40, 2, 1);
        let config = FitConfig { epochs: 7, patience: 1, schedule: Schedule::Cosine, ..FitConfig::default() };
        let config = FitConfig { class_weights: ClassWeights::Balanced, ..config };
        let fitted =
            fit(job(&config, 2), LabelledFeatures { features: &x, examples: &y }, None, 1, &mut |_, _| {})
                .unwrap();
        assert_eq!((fitted.best_epoch, fitted.history.len()), (7, 7));
    }
}
