//! Adam over train rows that are read block by block, or held in memory as bfloat16.

use super::blocks::BlockReader;
use super::stream::{Stream, StreamedFit, least_memory};
use crate::error::{Error, Kind, Result};
use crate::head::{
    FitConfig, FitParams, FitResult, HalfRows, RowSource, SharedInputs, SolverConfig, Standardizer, fit_many,
};
use crate::math::half::HalfMatrix;
use crate::train::feature_table::FeatureTable;
use crate::train::single_fit::{EpochLog, FitInputs, TrainResult};
use std::time::Instant;

/// Fits a head with Adam and at most `memory` bytes for features, predicts the held-out rows and measures their distances.
///
/// # Errors
/// [`Kind::Usage`] when the memory is too small or a setting needs all rows at once, [`Kind::Cache`] when features are
/// damaged, [`Kind::Run`] when the loss is not a number.
pub fn fit_adam(inputs: FitInputs, params: FitParams, memory: u64) -> Result<TrainResult> {
    let read_seconds = inputs.reading.elapsed().as_secs_f64();
    let started = Instant::now();
    let settings = params.settings().clone();
    let mut log = EpochLog::begin(inputs, &SolverConfig::Adam(settings.clone()));
    check_order(&settings)?;
    inputs.set.require_equal_weights()?;
    inputs.set.require_validation(inputs.splits)?;
    let mut stream = Stream::open(inputs, memory, settings.order_seed())?;
    let standardizer = if settings.standardize { Some(stream.train.standardizer()?) } else { None };
    let Stream { train, validation, .. } = &mut stream;
    let fitted = fit(inputs, params, validation, train, standardizer.as_ref(), &mut log)?;
    let solver = SolverConfig::Adam(settings);
    let fit = StreamedFit { solver, fitted, convergence: None, histograms: log.finish() };
    stream.finish(inputs, fit, read_seconds, started)
}

/// Fits a head with Adam to train rows in memory as bfloat16, in the order in which they would be taken as they are, predicts the
/// held-out rows and measures their distances.
///
/// # Errors
/// Those of [`fit_adam`], but for those of the order of rows.
pub fn fit_half(inputs: FitInputs, params: FitParams) -> Result<TrainResult> {
    let settings = params.settings().clone();
    let mut log = EpochLog::begin(inputs, &SolverConfig::Adam(settings.clone()));
    inputs.set.require_equal_weights()?;
    inputs.set.require_validation(inputs.splits)?;
    let bytes = inputs.splits.train.keys.len() as u64 * inputs.set.row_bytes();
    let memory = least_memory(inputs).max(bytes / 8);
    let mut stream = Stream::open(inputs, memory, settings.order_seed())?;
    let features = half_matrix(inputs, &mut stream.train)?;
    let mut rows = HalfRows::new(features, &inputs.splits.train.targets, &settings, inputs.threads);
    let read_seconds = inputs.reading.elapsed().as_secs_f64();
    let started = Instant::now();
    let standardizer = settings.standardize.then(|| rows.standardizer());
    let solver = SolverConfig::Adam(settings);
    let fitted = fit(inputs, params, &stream.validation, &mut rows, standardizer.as_ref(), &mut log)?;
    drop(rows);
    let fit = StreamedFit { solver, fitted, convergence: None, histograms: log.finish() };
    stream.finish(inputs, fit, read_seconds, started)
}

/// Reads all train rows, each into its place in the order of keys.
fn half_matrix(inputs: FitInputs, train: &mut BlockReader) -> Result<HalfMatrix> {
    let keys = &inputs.splits.train.keys;
    let mut features = HalfMatrix::zeros(keys.len(), inputs.set.spec().width);
    train.in_order(&mut |selection, rows| {
        for (key, row) in selection.keys.iter().zip(rows.feature_rows()) {
            let place = keys.binary_search(key).expect("a key of the train rows");
            features.set_row(place, row);
        }
    })?;
    Ok(features)
}

/// Fits one head with Adam to the rows of a source.
fn fit(
    inputs: FitInputs,
    params: FitParams,
    validation: &FeatureTable,
    source: &mut dyn RowSource,
    standardizer: Option<&Standardizer>,
    log: &mut EpochLog,
) -> Result<FitResult> {
    let validation = validation.select(&inputs.splits.validation);
    let shared = SharedInputs {
        width: inputs.set.spec().width,
        validation: Some(validation.rows()),
        standardizer,
        label_sets: None,
        row_weights: None,
        threads: inputs.threads,
    };
    let on_epoch = &mut |_, epoch: &_, head: &_| log.record(epoch, head);
    let mut all = fit_many(vec![inputs.job(params)?], source, shared, on_epoch)?;
    all.pop().expect("one job, one head")
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
