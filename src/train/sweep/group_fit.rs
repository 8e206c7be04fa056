//! Fits the heads of one feature set and split together, and writes their runs.

use super::config::SweepConfig;
use super::grid::{Group, HeadName};
use super::results::{HeadResult, SplitSize};
use crate::error::Result;
use crate::head::rejection::RejectionDistances;
use crate::head::{Epoch, FeatureFormat, Head, SolverConfig};
use crate::math::parallel::in_parallel;
use crate::monitor::Task;
use crate::run::SamePictures;
use crate::train::fit_context::FitContext;
use crate::train::fitted_run::FittedRun;
use crate::train::fold_scores::fold_scores;
use crate::train::inner_folds::{InnerFolds, OutOfFold};
use crate::train::selection::FoldScores;
use crate::train::solvers::{FittedHead, OnEpoch, fit_heads};
use crate::train::warm_start::WarmStart;
use crate::train::{FeatureTable, TrainingSet};
use std::time::Instant;

/// What all groups of one cache share.
pub(super) struct GroupFit<'a> {
    pub config: &'a SweepConfig,
    pub set: &'a TrainingSet,
    pub table: &'a FeatureTable,
    pub warm_start: Option<&'a WarmStart>,
    /// Whether folds within the train images choose the best head.
    pub selects_by_folds: bool,
    /// Upper limit on threads of one group.
    pub threads: usize,
    pub task: &'a dyn Task,
}

/// Result of fitting one group.
pub(super) struct GroupResult {
    /// In the order of the settings.
    pub heads: Vec<HeadResult>,
    pub same_pictures: SamePictures,
    pub fit_seconds: f64,
    pub write_seconds: f64,
}

/// A head of a group after its fit.
struct GroupMember<'a> {
    settings: &'a SolverConfig,
    fitted: &'a ScoredHead,
}

/// A head with what the folds within the train images say of it.
struct ScoredHead {
    head: FittedHead,
    /// Where they stand in for validation images.
    out_of_fold: Option<OutOfFold>,
    /// Where they choose the best head.
    scores: Option<FoldScores>,
}

/// A group whose heads are fitted, ready to be written.
struct FittedGroup<'a> {
    group: &'a Group,
    context: FitContext<'a>,
    measured: RejectionDistances,
    same_pictures: SamePictures,
    size: SplitSize,
    fit_seconds: f64,
}

impl GroupFit<'_> {
    /// Fits one head for each of `settings`, and writes their runs.
    pub fn run(&self, group: &Group, settings: &[SolverConfig]) -> Result<GroupResult> {
        let started = Instant::now();
        let context =
            FitContext { set: self.set, splits: &group.splits, table: self.table, threads: self.threads };
        let mut on_epoch = |_: usize, _: &Epoch, _: &Head| self.task.advance(1);
        let fitted = self.fit(context, settings, &mut on_epoch)?;
        let fit_seconds = started.elapsed().as_secs_f64();
        let writing = Instant::now();
        let (measured, same_pictures) = (context.measure(), context.same_pictures());
        let size = SplitSize::of(&group.splits, self.set.classes().len());
        let group = FittedGroup { group, context, measured, same_pictures, size, fit_seconds };
        let members = settings.iter().zip(&fitted);
        let members: Vec<GroupMember> =
            members.map(|(settings, fitted)| GroupMember { settings, fitted }).collect();
        let heads = in_parallel(self.threads, &members, |member| self.write(&group, member))?;
        Ok(GroupResult { heads, same_pictures, fit_seconds, write_seconds: writing.elapsed().as_secs_f64() })
    }

    /// Fits the heads, and the folds where they are needed.
    fn fit(
        &self,
        context: FitContext,
        settings: &[SolverConfig],
        on_epoch: &mut OnEpoch,
    ) -> Result<Vec<ScoredHead>> {
        let folds = || InnerFolds::of(context.splits, self.set.classes());
        if context.splits.validation.keys.is_empty() {
            let heads = folds()?.fit_heads(context, settings, self.warm_start, on_epoch)?;
            let scored = |(head, answers): (FittedHead, OutOfFold)| ScoredHead {
                head,
                scores: Some(answers.fold_scores.clone()),
                out_of_fold: Some(answers),
            };
            return Ok(heads.into_iter().map(scored).collect());
        }
        let scores: Vec<Option<FoldScores>> = match self.selects_by_folds {
            true => {
                let scores = fold_scores(context, &folds()?.splits(), settings, self.warm_start)?;
                scores.into_iter().map(Some).collect()
            }
            false => vec![None; settings.len()],
        };
        let heads = fit_heads(context, settings, self.warm_start, on_epoch)?;
        let scored = |(head, scores)| ScoredHead { head, scores, out_of_fold: None };
        Ok(heads.into_iter().zip(scores).map(scored).collect())
    }

    /// Predicts the held-out rows of one head and writes its run; a head that failed has none.
    fn write(&self, group: &FittedGroup, member: &GroupMember) -> Result<HeadResult> {
        let FittedGroup { group, context, measured, same_pictures, size, fit_seconds } = group;
        let settings = member.settings;
        let name = HeadName::of(self.config, group, settings);
        let run = name.path(self.config);
        let result = HeadResult::new(&name, run.clone(), group.splits.resplit, settings);
        let fitted = match &member.fitted.head.fitted {
            Ok(fitted) => fitted,
            Err(error) => return Ok(result.with_failure(error)),
        };
        let predictions = context.predict_held_out(&fitted.head);
        let finished = FittedRun {
            set: self.set,
            splits: &group.splits,
            fitted,
            selection: None,
            decision: None,
            out_of_fold: member.fitted.out_of_fold.as_ref(),
            predictions: &predictions,
            measured,
            same_pictures: *same_pictures,
            histograms: &member.fitted.head.histograms,
            solver: settings.clone(),
            convergence: member.fitted.head.convergence,
            init: self.config.init.as_deref(),
            init_images: self.warm_start.map(WarmStart::images),
            memory: None,
            features: FeatureFormat::F32,
            time: self.config.time,
            seconds: *fit_seconds,
        };
        finished.write(&run)?;
        Ok(result.with_scores(fitted, &predictions, member.fitted.scores.clone(), *size))
    }
}
