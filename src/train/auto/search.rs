//! Tries the candidates over repeated folds, and chooses one.

use super::features::{FeatureSet, Path};
use crate::error::{Error, Kind, Result};
use crate::head::{LbfgsConfig, SolverConfig, StopOn};
use crate::monitor::Task;
use crate::run::{Candidate, LeftOut, LeftOutReason, Selection};
use crate::train::FeatureTable;
use crate::train::fit_context::FitContext;
use crate::train::inner_folds::InnerFolds;
use crate::train::path_scores::{PathScoring, along_path, has_passed_the_minimum};
use crate::train::penalty;
use crate::train::selection::{FoldScores, Rule, ScoreTable, pooled};
use crate::train::training_set::TrainingSet;
use std::time::Instant;

/// Standard errors by which a feature set must be worse to be left out with more variants.
const CLEARLY: f64 = 2.0;

/// What all paths share.
pub(super) struct Search<'a> {
    pub sets: &'a [TrainingSet],
    /// Features of each cache.
    pub tables: &'a [FeatureTable],
    /// All settings but the penalty.
    pub base: &'a LbfgsConfig,
    pub repeats: usize,
    pub threads: usize,
    /// Seconds.
    pub budget: Option<f64>,
    pub started: Instant,
    /// The end of the budget.
    pub until: Option<Instant>,
    pub task: &'a dyn Task,
}

/// A path with its penalties and their scores.
struct Tried<'a> {
    path: Path<'a>,
    penalties: Vec<f64>,
    scores: Vec<FoldScores>,
}

/// The chosen candidate.
pub(super) struct Choice<'a> {
    pub path: Path<'a>,
    pub solver: SolverConfig,
    pub selection: Selection,
}

impl Search<'_> {
    /// Tries all `paths`, in their order, and chooses.
    ///
    /// # Errors
    /// [`Kind::Input`] when a class has too few images for folds, [`Kind::Run`] when no candidate could be fitted, or none within
    /// the budget.
    pub fn run<'p>(&self, paths: &[Path<'p>]) -> Result<Choice<'p>> {
        let (mut tried, mut left_out) = (Vec::<Tried>::new(), Vec::new());
        let mut folds = 0;
        for path in paths {
            let mut leave_out =
                |reason| left_out.push(LeftOut { features: path.recorded(self.sets), reason });
            if self.is_over() {
                leave_out(LeftOutReason::Budget);
            } else if is_clearly_worse(&tried, path, folds) {
                leave_out(LeftOutReason::Worse);
            } else {
                let own = self.folds(path.features)?;
                folds = own.per_repeat();
                match self.walk(*path, &own)? {
                    walked if walked.scores.is_empty() => leave_out(LeftOutReason::Budget),
                    walked => tried.push(walked),
                }
            }
        }
        if tried.is_empty() {
            let seconds = self.budget.unwrap_or_default();
            let message =
                format!("the `budget` of {seconds} s was over before any candidate was fitted in all folds");
            return Err(
                Error::new(Kind::Run, message).help("raise `budget`, or give `solver` and `l2` yourself")
            );
        }
        self.choose(&tried, left_out, folds)
    }

    fn is_over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    fn folds(&self, features: &FeatureSet) -> Result<InnerFolds> {
        InnerFolds::repeated(&features.splits, self.sets[features.cache].classes(), self.repeats)
    }

    /// The settings of a candidate. Its head is taken as the search leaves it, and the run is marked then: over few rows the optimum
    /// of a small penalty may be far, and the scores are those of heads that are not nearer.
    fn solver(&self, path: Path, l2: f64) -> SolverConfig {
        let (Path { standardize, label_smoothing, .. }, base) = (path, self.base.clone());
        SolverConfig::Lbfgs(LbfgsConfig { l2, standardize, label_smoothing, allow_unconverged: true, ..base })
    }

    /// Tries the penalties of one path, until their loss grows or the budget is used up. The latter may be before the first one.
    fn walk<'p>(&self, path: Path<'p>, folds: &InnerFolds) -> Result<Tried<'p>> {
        let FeatureSet { cache, splits, .. } = path.features;
        let context = FitContext {
            set: &self.sets[*cache],
            splits,
            table: &self.tables[*cache],
            threads: self.threads,
        };
        let penalties = penalty::path(&self.solver(path, 1.0));
        let mut goes_on = |scores: &[FoldScores]| {
            self.task.advance(folds.len() as u64);
            !has_passed_the_minimum(scores) && !self.is_over()
        };
        let scoring = PathScoring { calibrated: true, until: self.until };
        let scores = along_path(context, &folds.splits(), &penalties, scoring, &mut goes_on)?;
        let penalties = penalties.iter().take(scores.len()).map(SolverConfig::l2).collect();
        Ok(Tried { path, penalties, scores })
    }

    fn choose<'p>(&self, tried: &[Tried<'p>], left_out: Vec<LeftOut>, folds: usize) -> Result<Choice<'p>> {
        let scores: Vec<FoldScores> = tried.iter().flat_map(|tried| tried.scores.clone()).collect();
        // A larger penalty makes no simpler head, so the rule chooses among the best ones of each path.
        let groups: Vec<usize> =
            tried.iter().enumerate().flat_map(|(i, tried)| vec![i; tried.scores.len()]).collect();
        let rule = Rule::OneStandardError { groups: &groups };
        let table = ScoreTable { scores: &scores, folds, by: StopOn::Loss, rule };
        let chosen = table.choose().ok_or_else(|| {
            Error::new(Kind::Run, "L-BFGS reached the optimum of no candidate")
                .help("verify the cache; if it is sound, give `solver` and `l2` yourself")
        })?;
        let candidates = || tried.iter().flat_map(|tried| tried.penalties.iter().map(|&l2| (tried.path, l2)));
        let candidate = |(i, (path, l2)): (usize, (Path, f64))| {
            let (score, difference) = (pooled(&scores[i]), table.difference(i, chosen));
            Candidate {
                features: path.recorded(self.sets),
                l2,
                loss: score.map(|score| score.loss),
                accuracy: score.map(|score| score.accuracy),
                difference: difference.map(|difference| difference.mean),
                standard_error: difference.map(|difference| difference.standard_error),
            }
        };
        let (path, l2) = candidates().nth(chosen).expect("a candidate was chosen");
        let images = pooled(&scores[chosen]).map_or(0, |score| score.images) / self.repeats.max(1);
        let selection = Selection {
            folds,
            repeats: self.repeats,
            images,
            chosen,
            tried: candidates().enumerate().map(candidate).collect(),
            left_out,
            nested: table.nested(),
            budget: self.budget,
            seconds: self.started.elapsed().as_secs_f64(),
        };
        Ok(Choice { path, solver: self.solver(path, l2), selection })
    }
}

/// Whether the features of `path` were clearly worse with fewer variants than the best ones with as few.
fn is_clearly_worse(tried: &[Tried], path: &Path, folds: usize) -> bool {
    let first = || tried.iter().filter(|tried| tried.path.features.level == 0);
    let scores: Vec<FoldScores> = first().flat_map(|tried| tried.scores.clone()).collect();
    let table = ScoreTable { scores: &scores, folds, by: StopOn::Loss, rule: Rule::Best };
    let is_own = |tried: &Tried| tried.path.differs_in_variants_alone(path);
    let owned: Vec<bool> =
        first().flat_map(|tried| tried.scores.iter().map(move |_| is_own(tried))).collect();
    let Some(best) = table.choose().filter(|_| owned.contains(&true)) else { return false };
    let own = (0..scores.len()).filter(|&i| owned[i]);
    let is_near =
        |i| table.difference(i, best).is_some_and(|worse| worse.mean <= CLEARLY * worse.standard_error);
    !own.into_iter().any(is_near)
}
