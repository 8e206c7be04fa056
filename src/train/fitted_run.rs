//! A fitted head with everything that its run records, written to disk.

use super::calibration;
use super::inner_folds::OutOfFold;
use super::split_rows::SplitRows;
use super::training_set::TrainingSet;
use crate::error::Result;
use crate::head::decision::Decision;
use crate::head::rejection::RejectionDistances;
use crate::head::{Convergence, FeatureFormat, FitResult, SolverConfig};
use crate::io::digest::Digest;
use crate::run::{
    self, ClassCount, Prediction, Record, RunContents, SamePictures, Selection, WeightHistograms,
};
use std::collections::{BTreeSet, HashSet};
use std::path::Path;

/// A fitted head and how it came about.
#[derive(Debug, Clone)]
pub(crate) struct FittedRun<'a> {
    pub set: &'a TrainingSet,
    pub splits: &'a SplitRows,
    pub fitted: &'a FitResult,
    /// Answers of the folds that stand in for a missing validation split.
    pub out_of_fold: Option<&'a OutOfFold>,
    /// How the settings were chosen, where they were not given.
    pub selection: Option<Selection>,
    /// How an answer is decided, where it is not the most probable class.
    pub decision: Option<Decision>,
    /// Predictions for all held-out rows, sorted by image and variant.
    pub predictions: &'a [Prediction],
    /// Distances for open-set rejection.
    pub measured: &'a RejectionDistances,
    /// Pictures that are in two splits.
    pub same_pictures: SamePictures,
    /// Histograms of the weights over the epochs.
    pub histograms: &'a WeightHistograms,
    pub solver: SolverConfig,
    /// How near the optimum L-BFGS came; `None` for Adam.
    pub convergence: Option<Convergence>,
    /// The run whose head was the starting point.
    pub init: Option<&'a Path>,
    /// Images that the head of `init` was trained on.
    pub init_images: Option<&'a HashSet<Digest>>,
    /// Memory limit for features, in bytes.
    pub memory: Option<u64>,
    /// How the train rows were held in memory.
    pub features: FeatureFormat,
    /// The time to record, in seconds since 1970; 0 if unknown.
    pub time: u64,
    /// Wall time of the fit in seconds.
    pub seconds: f64,
}

impl FittedRun<'_> {
    /// Writes the run into the folder `run`, and returns its record.
    ///
    /// # Errors
    /// [`Kind::Run`](crate::error::Kind::Run) when the folder may not be replaced, and errors of the operating system.
    pub fn write(self, run: &Path) -> Result<Record> {
        // A head was trained on its own images and on those of every run that it started from.
        let earlier = self.init_images.into_iter().flatten().copied();
        let trained_on: BTreeSet<Digest> = self.splits.train.images().chain(earlier).collect();
        let trained_on: Vec<Digest> = trained_on.into_iter().collect();
        let record = self.record();
        let from_folds = self.out_of_fold.map(|answers| RejectionDistances {
            validation: answers.distances.clone(),
            ..self.measured.clone()
        });
        let finished = RunContents {
            record: &record,
            head: &self.fitted.head,
            predictions: self.predictions,
            trained_on: &trained_on,
            measured: Some(from_folds.as_ref().unwrap_or(self.measured)),
            histograms: self.histograms,
        };
        run::write(run, &finished)?;
        Ok(record)
    }

    fn record(&self) -> Record {
        Record {
            time: self.time,
            classes: self.class_counts(),
            memory: self.memory,
            features: self.features,
            init: self.init.map(|init| init.display().to_string()),
            seconds: self.seconds,
            convergence: self.convergence,
            inner_folds: self.out_of_fold.map(|answers| answers.score),
            selection: self.selection.clone(),
            temperature: calibration::temperature(
                self.out_of_fold.map_or(self.predictions, |answers| &answers.predictions),
                self.set.classes(),
            ),
            same_pictures: Some(self.same_pictures),
            decision: self.decision.clone(),
            ..base_record(self.set, self.splits, self.fitted, self.solver.clone())
        }
    }

    fn class_counts(&self) -> Vec<ClassCount> {
        let (classes, splits) = (self.set.classes(), self.splits);
        let [train, validation, test] = [&splits.train, &splits.validation, &splits.test]
            .map(|rows| rows.images_per_class(classes.len()));
        let class = |(i, name): (usize, &String)| ClassCount {
            name: name.clone(),
            train: train[i],
            validation: validation[i],
            test: test[i],
        };
        classes.iter().enumerate().map(class).collect()
    }
}

/// What the record of any fit has; the rest is as for a fit of which nothing else is known.
pub(super) fn base_record(
    set: &TrainingSet,
    splits: &SplitRows,
    fitted: &FitResult,
    config: SolverConfig,
) -> Record {
    let cache = set.path();
    Record {
        schema: run::SCHEMA.into(),
        version: env!("CARGO_PKG_VERSION").into(),
        time: 0,
        cache: std::path::absolute(cache).unwrap_or_else(|_| cache.to_path_buf()).display().to_string(),
        spec: set.spec().clone(),
        classes: Vec::new(),
        config,
        resplit: splits.resplit,
        memory: None,
        features: FeatureFormat::F32,
        variants: splits.variants.iter().map(ToString::to_string).collect(),
        train_rows: splits.train.keys.len(),
        init: None,
        history: fitted.history.clone(),
        best_epoch: fitted.best_epoch,
        seconds: 0.0,
        convergence: None,
        inner_folds: None,
        selection: None,
        temperature: None,
        same_pictures: None,
        decision: None,
        multi_label: None,
    }
}
