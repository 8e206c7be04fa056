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
use super::single_fit::{EpochLog, FitInputs, TrainResult};
use super::split_rows::HeldOutRows;
use crate::data::dataset::Split;
use crate::error::{Error, Kind, Result};
use crate::head::rejection::RejectionDistances;
use crate::head::{FitConfig, FitParams, Head, SharedInputs, fit_many};
use crate::io::digest::Digest;
use crate::run::{Prediction, SamePictures};
use blocks::{BlockReader, PartRows};
use budget::{MemoryBudget, RowSizes};
use std::time::Instant;

/// Answers for all held-out rows.
struct HeldOutResult {
    predictions: Vec<Prediction>,
    measured: RejectionDistances,
    same_pictures: SamePictures,
}

/// Fits a head with at most `memory` bytes for features, predicts the held-out rows and measures their distances.
///
/// # Errors
/// [`Kind::Usage`] when the memory is too small or a setting needs all rows at once, [`Kind::Cache`] when features are
/// damaged, [`Kind::Run`] when the loss is not a number.
pub(super) fn fit(inputs: FitInputs, params: FitParams, memory: u64) -> Result<TrainResult> {
    let read_seconds = inputs.reading.elapsed().as_secs_f64();
    let started = Instant::now();
    let FitInputs { set, splits, threads, .. } = inputs;
    let mut log = EpochLog::begin(inputs.monitor, &params);
    let settings = params.settings().clone();
    check_order(&settings)?;
    let parts = PartRows::of(set, &splits.train);
    let budget = budget(inputs, &parts, memory)?;
    let readers = threads.min(budget.readers);
    let validation_table = set.load_rows(&splits.validation, readers)?;
    let validation = validation_table.select(&splits.validation);
    let mut train = BlockReader::new(set, parts, budget.block_rows, settings.order_seed(), readers);
    let standardizer = if settings.standardize { Some(train.standardizer()?) } else { None };
    let shared = SharedInputs {
        width: set.spec().width,
        validation: Some(validation.rows()),
        standardizer: standardizer.as_ref(),
        threads,
    };
    let on_epoch = &mut |_, epoch: &_, head: &_| log.record(epoch, head);
    let mut all = fit_many(vec![inputs.job(params)?], &mut train, shared, on_epoch)?;
    let fitted = all.pop().expect("one job, one head")?;
    let seconds = started.elapsed().as_secs_f64();
    drop((train, validation));
    let histograms = log.finish();
    let HeldOutResult { predictions, measured, same_pictures } =
        predict(inputs, &fitted.head, validation_table, &MemoryBudget { readers, ..budget })?;
    Ok(TrainResult {
        fitted,
        converged: None,
        predictions,
        measured,
        same_pictures,
        histograms,
        read_seconds,
        seconds,
    })
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
