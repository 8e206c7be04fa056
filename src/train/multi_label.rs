//! Training on images with several labels: one sigmoid for each label, and a threshold for each, chosen on the validation images.

use super::config::TrainConfig;
use super::fit_context::FitContext;
use super::fitted_run::base_record;
use super::held_out::{predictions, sorted};
use super::single_fit::{EpochLog, FitInputs};
use super::split_rows::{HeldOutRows, RowSelection, SplitRows};
use super::stats::TrainStats;
use super::training_set::TrainingSet;
use crate::data::augment::Variant;
use crate::data::dataset::{Split, label_set_text, refuse_for_label_sets};
use crate::error::{Error, Kind, Result};
use crate::head::{
    ClassWeights, FeatureFormat, FitJob, FitParams, FitResult, Head, InMemoryRows, LabelSets, SharedInputs,
    SolverConfig, SolverParams, Standardizer, fit_many,
};
use crate::io::digest::Digest;
use crate::metrics::best_f1_threshold;
use crate::run::{self, ClassCount, MultiLabel, Prediction, Record, RunContents, WeightHistograms};
use std::collections::BTreeSet;
use std::time::Instant;

/// A training set whose images have several labels. Its classes are texts of sets of labels.
pub(super) struct MultiLabelData<'a> {
    pub set: &'a TrainingSet,
    pub splits: &'a SplitRows,
    /// Names of the labels, sorted.
    pub labels: Vec<String>,
    /// The labels of each class.
    pub sets: LabelSets,
}

/// Fits a head with Adam to images with several labels and writes a run.
///
/// # Errors
/// [`Kind::Usage`] for settings that are for one class an image; [`Kind::Input`] without validation images, or when a label has no
/// train image; those of [`train`](super::train()).
pub(super) fn train(
    config: &TrainConfig,
    params: SolverParams,
    data: &MultiLabelData,
    inputs: FitInputs,
) -> Result<TrainStats> {
    let params = check(config, params)?;
    let MultiLabelData { set, splits, labels, .. } = data;
    set.require_validation(splits)?;
    set.require_some_weight(splits)?;
    let counts = data.checked_counts()?;
    let class_weights = vec![1.0; labels.len()];
    let table = set.load([*splits])?;
    let FitInputs { threads, reading, .. } = inputs;
    let read_seconds = reading.elapsed().as_secs_f64();
    let started = Instant::now();
    let context = FitContext { set, splits, table: &table, threads };
    let job = FitJob { start: None, params: params.clone(), class_weights };
    let (fitted, histograms) = fit(context, job, data, inputs)?;
    let seconds = started.elapsed().as_secs_f64();
    let mut predictions = predict(context, &fitted.head);
    let multi_label = data.thresholds(&predictions);
    for row in &mut predictions {
        row.predicted = data.answer(&multi_label, &row.probabilities);
    }
    let same_pictures = Some(context.same_pictures());
    let record = Record {
        schema: run::MULTI_LABEL_SCHEMA.into(),
        classes: counts,
        time: config.time,
        seconds,
        same_pictures,
        multi_label: Some(multi_label),
        ..base_record(set, splits, &fitted, SolverConfig::Adam(params.settings().clone()))
    };
    let trained_on: BTreeSet<Digest> = splits.train.images().collect();
    let trained_on: Vec<Digest> = trained_on.into_iter().collect();
    let contents = RunContents {
        record: &record,
        head: &fitted.head,
        predictions: &predictions,
        trained_on: &trained_on,
        measured: None,
        histograms: &histograms,
    };
    run::write(&config.run, &contents)?;
    Ok(TrainStats::of(&record, splits, &predictions, read_seconds))
}

/// Refuses settings that have no meaning for several labels.
fn check(config: &TrainConfig, params: SolverParams) -> Result<FitParams> {
    let refuse = |field: &str| refuse_for_label_sets(field).at(&config.cache);
    let SolverParams::Adam(params) = params else { return Err(refuse("solver").help("use `solver` adam")) };
    let has_class_weights = params.settings().class_weights != ClassWeights::Even;
    let given = [
        ("memory", config.memory.is_some()),
        ("features", config.features != FeatureFormat::F32),
        ("hidden", params.settings().hidden > 0),
        ("init", config.init.is_some()),
        ("threshold", !config.threshold.is_empty()),
        ("costs", config.costs.is_some()),
        ("class_weights", has_class_weights),
    ];
    match given.iter().find(|(_, is_given)| *is_given) {
        Some((field, _)) => Err(refuse(field)),
        None => Ok(params),
    }
}

fn fit(
    context: FitContext,
    job: FitJob,
    data: &MultiLabelData,
    inputs: FitInputs,
) -> Result<(FitResult, WeightHistograms)> {
    let FitContext { set, splits, table, threads } = context;
    let settings = job.params.settings().clone();
    let (train, validation) = (table.select(&splits.train), table.select(&splits.validation));
    let standardizer = settings.standardize.then(|| Standardizer::fit(train.rows()));
    let row_weights = set.row_weights(table);
    let shared = SharedInputs {
        width: set.spec().width,
        validation: Some(validation.rows()),
        standardizer: standardizer.as_ref(),
        label_sets: Some(&data.sets),
        row_weights: row_weights.as_deref(),
        threads,
    };
    let mut source = InMemoryRows::new(train.rows(), &settings);
    let mut log = EpochLog::begin(inputs, &SolverConfig::Adam(settings));
    let mut fitted = fit_many(vec![job], &mut source, shared, &mut |_, epoch, head| log.record(epoch, head))?;
    let fitted = fitted.pop().expect("one job, one head")?;
    Ok((fitted, log.finish()))
}

/// Predictions for all held-out rows, still without answers.
fn predict(context: FitContext, head: &Head) -> Vec<Prediction> {
    let FitContext { set, splits, table, .. } = context;
    let of_part = |part: HeldOutRows| {
        let probabilities = head.label_probabilities_of(table.select(part.rows).rows());
        predictions(set, part, &probabilities, |_| String::new())
    };
    sorted(splits.held_out().into_iter().flat_map(of_part).collect())
}

impl<'a> MultiLabelData<'a> {
    /// The labels of a training set; `None` where its images have one class each.
    pub fn of(set: &'a TrainingSet, splits: &'a SplitRows) -> Option<Self> {
        let (labels, sets) = set.label_sets()?;
        Some(Self { set, splits, labels, sets })
    }

    /// Number of images of each label in each split.
    ///
    /// # Errors
    /// [`Kind::Input`] when a label has no train image.
    fn checked_counts(&self) -> Result<Vec<ClassCount>> {
        let counts = self.counts();
        match counts.iter().find(|label| label.train == 0) {
            None => Ok(counts),
            Some(label) => {
                let message = format!("the label {:?} has no images in the train split", label.name);
                let help = "add images with it, or run `extract` with a larger train share";
                let help = self.set.remedy_for(Split::Train, help);
                Err(Error::new(Kind::Input, message).at(self.set.path()).help(help))
            }
        }
    }

    /// Number of images of each label in each split.
    fn counts(&self) -> Vec<ClassCount> {
        let of = |rows: &RowSelection, label: usize| {
            let per_set = rows.images_per_class(self.set.classes().len());
            let own = per_set.iter().enumerate().filter(|(set, _)| self.sets.of(*set)[label]);
            own.map(|(_, images)| images).sum()
        };
        let count = |(label, name): (usize, &String)| ClassCount {
            name: name.clone(),
            train: of(&self.splits.train, label),
            validation: of(&self.splits.validation, label),
            test: of(&self.splits.test, label),
        };
        self.labels.iter().enumerate().map(count).collect()
    }

    /// The thresholds of largest F1 on the validation images as they are.
    fn thresholds(&self, predictions: &[Prediction]) -> MultiLabel {
        let is_used = |row: &&Prediction| row.split == Split::Validation && row.variant == Variant::None;
        let rows: Vec<&Prediction> = predictions.iter().filter(is_used).collect();
        let set =
            |row: &Prediction| self.set.classes().binary_search(&row.label).expect("a class of the set");
        let of = |label: usize| {
            let scores: Vec<f32> = rows.iter().map(|row| row.probabilities[label]).collect();
            let truth: Vec<bool> = rows.iter().map(|row| self.sets.of(set(row))[label]).collect();
            best_f1_threshold(&scores, &truth)
        };
        MultiLabel { thresholds: (0..self.labels.len()).map(of).collect() }
    }

    /// The text of the labels that are answered.
    fn answer(&self, multi_label: &MultiLabel, probabilities: &[f32]) -> String {
        let answers = self.labels.iter().zip(multi_label.answers(probabilities));
        let names: Vec<&String> = answers.filter(|(_, is_answer)| *is_answer).map(|(name, _)| name).collect();
        label_set_text(&names)
    }
}
