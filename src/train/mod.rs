//! Stage 2: from a cache of features to a fitted head with its predictions.

pub mod auto;
mod calibration;
mod config;
mod deal;
mod decision;
mod feature_table;
pub(crate) mod fit_context;
pub(crate) mod fitted_run;
pub(crate) mod fold_scores;
mod given_values;
pub(crate) mod held_out;
mod in_memory;
pub(crate) mod inner_folds;
mod labelled_rows;
pub mod layers;
mod multi_label;
mod path_fold;
mod path_scores;
mod penalty;
mod ranking;
mod rejection;
mod same_images;
mod same_pictures;
pub(crate) mod selection;
pub(crate) mod single_fit;
pub(crate) mod solvers;
mod split_images;
pub(crate) mod split_rows;
mod stats;
mod streaming;
pub mod sweep;
mod training_checks;
mod training_set;
mod variants;
pub(crate) mod warm_start;

pub use config::TrainConfig;
pub(crate) use feature_table::FeatureTable;
pub use labelled_rows::LabelledRows;
pub use stats::{TrainStats, ValidationScore};
pub use training_set::TrainingSet;

use crate::error::Result;
use crate::head::SolverParams;
use crate::math::parallel;
use crate::monitor::Monitor;
use crate::run::{self, LiveCurves, Selection};
use decision::DecisionPlan;
use fitted_run::FittedRun;
use multi_label::MultiLabelData;
use single_fit::{FitInputs, TrainResult};
use std::sync::Mutex;
use std::time::Instant;
use warm_start::WarmStart;

/// Seconds of a fit after which its training curves are written while it fits.
const LIVE_AFTER: f64 = 10.0;

/// Fits a head to the features in a cache and writes a run.
///
/// # Errors
/// [`Kind::Usage`](crate::error::Kind::Usage) for settings out of range, [`Kind::Input`](crate::error::Kind::Input) when
/// there are fewer than two classes, or neither validation
/// images nor two train images of each class, [`Kind::Cache`](crate::error::Kind::Cache) when features are
/// missing or damaged, [`Kind::Run`](crate::error::Kind::Run) when the run cannot be written there, `init` does not fit, or
/// the loss is not a number.
pub fn train(config: &TrainConfig, monitor: &dyn Monitor) -> Result<TrainStats> {
    train_selected(config, None, monitor)
}

/// The curves to write while the fit runs.
fn live_curves(config: &TrainConfig) -> Mutex<LiveCurves> {
    let after = config.live_after.unwrap_or(LIVE_AFTER);
    Mutex::new(LiveCurves::new(&config.run, config.time, &config.solver, after))
}

/// Fits the head, with features in memory or beyond it.
fn fit(inputs: FitInputs, params: SolverParams, config: &TrainConfig) -> Result<TrainResult> {
    match (params, config.memory) {
        (SolverParams::Adam(params), Some(memory)) => streaming::fit_adam(inputs, params, memory),
        (SolverParams::Adam(params), None) if config.is_streamed() => streaming::fit_half(inputs, params),
        (SolverParams::Lbfgs(params), Some(memory)) => streaming::fit_lbfgs(inputs, &params, memory),
        (_, _) => in_memory::fit(inputs, &config.solver, config.auto_l2),
    }
}

/// [`train`] with settings that were chosen as `selection` says.
fn train_selected(
    config: &TrainConfig,
    selection: Option<Selection>,
    monitor: &dyn Monitor,
) -> Result<TrainStats> {
    let params = config.check()?;
    run::check_target(&config.run)?;
    let threads = parallel::granted(config.threads, monitor);
    let reading = Instant::now();
    let set = TrainingSet::open_any(&config.cache, threads)?;
    set.warn_of_unnamed_specs(monitor)?;
    let splits = set.split_rows(config.resplit, config.variants.as_deref(), monitor)?;
    let (set, splits, live) = (&set, &splits, &live_curves(config));
    let (warm_start, wants_folds) = (None, false);
    let inputs = FitInputs { set, splits, warm_start, wants_folds, threads, monitor, live, reading };
    match MultiLabelData::of(set, splits) {
        Some(data) => multi_label::train(config, params, &data, inputs),
        None => train_classes(config, params, selection, inputs),
    }
}

/// Fits a head to images of one class each and writes a run.
fn train_classes(
    config: &TrainConfig,
    params: SolverParams,
    selection: Option<Selection>,
    inputs: FitInputs,
) -> Result<TrainStats> {
    let FitInputs { set, splits, monitor, .. } = inputs;
    let warm_start = config.init.as_deref().map(|init| WarmStart::open(init, set)).transpose()?;
    let warm_start = warm_start.as_ref();
    warm_start.map_or(Ok(()), |warm_start| warm_start.check(splits))?;
    let plan = DecisionPlan::check(config, set, splits)?;
    let inputs = FitInputs { warm_start, wants_folds: plan.wants_folds(), ..inputs };
    let result = fit(inputs, params, config)?;
    let decision = plan.decision(&result, monitor)?;
    let run = FittedRun {
        set,
        splits,
        fitted: &result.fitted,
        predictions: &result.predictions,
        measured: &result.measured,
        same_pictures: result.same_pictures,
        histograms: &result.histograms,
        out_of_fold: result.out_of_fold.as_ref(),
        selection,
        decision,
        solver: result.solver,
        convergence: result.convergence,
        init: config.init.as_deref(),
        init_images: warm_start.map(WarmStart::images),
        memory: config.memory,
        features: config.features,
        time: config.time,
        seconds: result.seconds,
    };
    let record = run.write(&config.run)?;
    Ok(TrainStats::of(&record, splits, &result.predictions, result.read_seconds))
}
