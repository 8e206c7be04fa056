//! Training beyond memory: train rows are read from the parts of the cache in blocks, each while the one before is
//! trained on.
//!
//! Each epoch shuffles the parts, joins as many of them to a block as fit, and shuffles the rows within each block. The
//! rows of one part therefore stay in one block of the epoch. With several blocks of many parts each, as nearly any limit
//! allows, batches are as mixed as those of a full shuffle, but the head differs from the one trained in memory. The last
//! batch of a block may be smaller. Every part is rehashed whenever it is read.

mod blocks;
mod budget;

use super::feature_table::FeatureTable;
use super::held_out;
use super::rejection;
use super::same_pictures::FeatureHashes;
use super::single_fit::{EpochLog, FitInputs, TrainResult, warn_unless_converged};
use super::split_rows::HeldOutRows;
use crate::data::dataset::Split;
use crate::error::{Error, Kind, Result};
use crate::head::rejection::RejectionDistances;
use crate::head::{
    Convergence, FeatureBlocks, FitConfig, FitParams, FitResult, Head, LabelledFeatures, LbfgsJob,
    LbfgsParams, LbfgsResult, Precision, SharedInputs, SolverConfig, fit_lbfgs_blocks, fit_many,
};
use crate::io::digest::Digest;
use crate::run::{Prediction, SamePictures, WeightHistograms};
use blocks::{BlockReader, PartRows};
use budget::{MemoryBudget, RowSizes};
use std::time::Instant;

/// Answers for all held-out rows.
struct HeldOutResult {
    predictions: Vec<Prediction>,
    measured: RejectionDistances,
    same_pictures: SamePictures,
}

/// The memory and the readers of a fit, with its validation rows.
struct Stream<'a> {
    train: BlockReader<'a>,
    validation: FeatureTable,
    budget: MemoryBudget,
}

/// What a fit gives besides the answers.
struct StreamedFit {
    solver: SolverConfig,
    fitted: FitResult,
    convergence: Option<Convergence>,
    histograms: WeightHistograms,
}

/// Fits a head with Adam and at most `memory` bytes for features, predicts the held-out rows and measures their distances.
///
/// # Errors
/// [`Kind::Usage`] when the memory is too small or a setting needs all rows at once, [`Kind::Cache`] when features are
/// damaged, [`Kind::Run`] when the loss is not a number.
pub(super) fn fit_adam(inputs: FitInputs, params: FitParams, memory: u64) -> Result<TrainResult> {
    let read_seconds = inputs.reading.elapsed().as_secs_f64();
    let started = Instant::now();
    let settings = params.settings().clone();
    let mut log = EpochLog::begin(inputs.monitor, &SolverConfig::Adam(settings.clone()), inputs.splits);
    check_order(&settings)?;
    inputs.set.require_equal_weights()?;
    inputs.set.require_validation(inputs.splits)?;
    let mut stream = Stream::open(inputs, memory, settings.order_seed())?;
    let standardizer = if settings.standardize { Some(stream.train.standardizer()?) } else { None };
    let validation = stream.validation.select(&inputs.splits.validation);
    let shared = SharedInputs {
        width: inputs.set.spec().width,
        validation: Some(validation.rows()),
        standardizer: standardizer.as_ref(),
        label_sets: None,
        row_weights: None,
        threads: inputs.threads,
    };
    let on_epoch = &mut |_, epoch: &_, head: &_| log.record(epoch, head);
    let mut all = fit_many(vec![inputs.job(params)?], &mut stream.train, shared, on_epoch)?;
    let fitted = all.pop().expect("one job, one head")?;
    drop(validation);
    let solver = SolverConfig::Adam(settings);
    let fit = StreamedFit { solver, fitted, convergence: None, histograms: log.finish() };
    stream.finish(inputs, fit, read_seconds, started)
}

/// Searches for the optimum with at most `memory` bytes for features: all parts are read twice in each iteration.
///
/// # Errors
/// Those of [`fit_adam`], and [`Kind::Run`] when the search ends before the optimum.
pub(super) fn fit_lbfgs(inputs: FitInputs, params: &LbfgsParams, memory: u64) -> Result<TrainResult> {
    let read_seconds = inputs.reading.elapsed().as_secs_f64();
    let started = Instant::now();
    inputs.set.check_classes(inputs.splits)?;
    inputs.set.require_equal_weights()?;
    let mut stream = Stream::open(inputs, memory, 0)?;
    let class_weights = inputs.set.class_weights(inputs.splits, &params.settings().class_weights)?;
    let job = LbfgsJob {
        params,
        class_weights: &class_weights,
        start: None,
        precision: Precision::Optimum,
        threads: inputs.threads,
    };
    let found = fit_lbfgs_blocks(job, inputs.set.spec().width, &mut stream.train)?;
    let validation = stream.validation.select(&inputs.splits.validation);
    let LbfgsResult { fitted, convergence } = found.scored_on(validation.rows());
    drop(validation);
    warn_unless_converged(&convergence, inputs.monitor);
    let fit = StreamedFit {
        solver: SolverConfig::Lbfgs(params.settings().clone()),
        fitted,
        convergence: Some(convergence),
        histograms: WeightHistograms::default(),
    };
    stream.finish(inputs, fit, read_seconds, started)
}

impl<'a> Stream<'a> {
    fn open(inputs: FitInputs<'a>, memory: u64, seed: u64) -> Result<Self> {
        let FitInputs { set, splits, threads, .. } = inputs;
        let parts = PartRows::of(set, &splits.train);
        let budget = budget(inputs, &parts, memory)?;
        let readers = threads.min(budget.readers);
        let validation = set.load_rows(&splits.validation, readers)?;
        let train = BlockReader::new(set, parts, budget.block_rows, seed, readers);
        Ok(Self { train, validation, budget: MemoryBudget { readers, ..budget } })
    }

    /// Frees the blocks, and predicts the held-out rows.
    fn finish(
        self,
        inputs: FitInputs,
        fit: StreamedFit,
        read_seconds: f64,
        started: Instant,
    ) -> Result<TrainResult> {
        let seconds = started.elapsed().as_secs_f64();
        let Self { train, validation, budget } = self;
        drop(train);
        let StreamedFit { solver, fitted, convergence, histograms } = fit;
        let HeldOutResult { predictions, measured, same_pictures } =
            predict(inputs, &fitted.head, validation, &budget)?;
        Ok(TrainResult {
            solver,
            fitted,
            convergence,
            out_of_fold: None,
            fold_answers: None,
            predictions,
            measured,
            same_pictures,
            histograms,
            read_seconds,
            seconds,
        })
    }
}

impl FeatureBlocks for BlockReader<'_> {
    fn visit(&mut self, visit: &mut dyn FnMut(LabelledFeatures)) -> Result<()> {
        self.in_order(&mut |_, rows| visit(rows))
    }
}

/// Divides the memory; `parts` are those of the train rows.
fn budget(inputs: FitInputs, parts: &[PartRows], memory: u64) -> Result<MemoryBudget> {
    let FitInputs { set, splits, .. } = inputs;
    let largest = |parts: &[PartRows]| parts.iter().map(PartRows::rows).max().unwrap_or(1);
    let held_out = splits.held_out().map(|part| largest(&PartRows::of(set, part.rows)));
    let sizes = RowSizes {
        row_bytes: set.row_bytes(),
        validation_rows: splits.validation.keys.len(),
        part_rows: held_out.into_iter().fold(largest(parts), usize::max),
    };
    MemoryBudget::of(memory, sizes).map_err(|least| {
        let message = "`memory` is too small for the validation rows and two blocks of train rows";
        Error::new(Kind::Usage, message).help(format!("give at least {}KiB", least.div_ceil(1 << 10)))
    })
}

/// Refuses settings that need all train rows at once: rows in blocks have an order of their own.
fn check_order(settings: &FitConfig) -> Result<()> {
    let message = match (settings.shuffle, settings.drop_last) {
        (false, _) => {
            "rows in the order of their keys (`shuffle` false) are not possible with `memory`, which reads rows in blocks"
        }
        (true, true) => "`drop_last` has no meaning with `memory`, which reads rows in blocks",
        (true, false) => return Ok(()),
    };
    Err(Error::new(Kind::Usage, message).help("leave one of the two out"))
}

/// Predicts all held-out rows and measures their distances from the classes.
fn predict(
    inputs: FitInputs,
    head: &Head,
    validation: FeatureTable,
    budget: &MemoryBudget,
) -> Result<HeldOutResult> {
    let FitInputs { set, splits, .. } = inputs;
    // As many rows as the two blocks had, in whose memory they are held.
    let reference = rejection::reference_rows(&splits.train, 2 * budget.block_rows);
    let table = set.load_rows(&reference, budget.readers)?;
    let distance = rejection::fit_distance(table.select(&reference).rows(), set.classes().len());
    drop(table);
    let rows = validation.select(&splits.validation);
    let part = HeldOutRows { split: Split::Validation, rows: &splits.validation };
    let mut predictions = held_out::predict(head, set, part, rows.rows());
    let of_validation = distance.of_rows(rows.rows());
    let mut hashes = hash_train(inputs, budget)?;
    hashes.add(Split::Validation, &splits.validation, rows.rows());
    drop(rows);
    drop(validation);
    let mut of_test: Vec<(Digest, f32)> = Vec::new();
    for part in splits.held_out() {
        if std::ptr::eq(part.rows, &splits.validation) {
            continue;
        }
        let parts = PartRows::of(set, part.rows);
        BlockReader::new(set, parts, budget.block_rows, 0, budget.readers).in_order(
            &mut |rows, features| {
                predictions.extend(held_out::predict(head, set, HeldOutRows { rows, ..part }, features));
                if std::ptr::eq(part.rows, &splits.test) {
                    of_test.extend(rows.images().zip(distance.of_rows(features)));
                    hashes.add(Split::Test, rows, features);
                }
            },
        )?;
    }
    // The distances are stored in the order of the digests.
    of_test.sort_unstable_by_key(|(image, _)| *image);
    let test = of_test.into_iter().map(|(_, distance)| distance).collect();
    let measured = RejectionDistances { distance, validation: of_validation, test };
    let predictions = held_out::sorted(predictions);
    Ok(HeldOutResult { predictions, measured, same_pictures: hashes.count() })
}

/// Hashes the features of the train images as they are: one reading of their parts.
fn hash_train(inputs: FitInputs, budget: &MemoryBudget) -> Result<FeatureHashes> {
    let FitInputs { set, splits, .. } = inputs;
    let mut hashes = FeatureHashes::default();
    let parts = PartRows::of(set, &splits.train.plain());
    BlockReader::new(set, parts, budget.block_rows, 0, budget.readers)
        .in_order(&mut |rows, features| hashes.add(Split::Train, rows, features))?;
    Ok(hashes)
}
