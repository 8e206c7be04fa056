//! From which test images each head answers correctly to scores: accuracies with intervals, differences with tests, and the
//! effect of each switch.

use super::baselines::BaselineResult;
use super::fitting::FitResults;
use super::plan::{BaselineMethod, Condition, Contestant, ExperimentPlan, PlannedRun, ScoredFit};
use super::scores::{
    AccuracyChange, BaselineScore, ConditionScore, PairScore, RunScore, SwitchEffect, TestScore,
};
use crate::metrics::{self, MeanWithInterval, PairedCounts, corrected_resampled_t_test, mean_with_interval};

/// For each head, whether it answers each test image correctly.
struct Answers<'a> {
    /// Of all heads on the splits of the caches.
    own: Vec<&'a [bool]>,
    /// Of the head on each other split.
    others: Vec<&'a [bool]>,
}

/// A run or baseline in a comparison.
struct Side<'a> {
    name: &'a str,
    answers: Answers<'a>,
}

/// Differences of accuracies of a run with and without switches.
struct Differences {
    own: Vec<f64>,
    others: Vec<f64>,
}

/// Results of all fits and baselines, ready to be scored.
pub(super) struct Scoring<'a> {
    pub plan: &'a ExperimentPlan,
    pub fits: &'a FitResults,
    /// In the order of the plan; `None` for baselines that are heads.
    pub baselines: &'a [Option<BaselineResult>],
    /// Number of test images divided by that of train images.
    pub test_ratio: f64,
}

fn accuracy(correct: &[bool]) -> f64 {
    correct.iter().filter(|correct| **correct).count() as f64 / correct.len().max(1) as f64
}

impl Answers<'_> {
    fn score(&self, test_ratio: f64) -> TestScore {
        let accuracies = |all: &[&[bool]]| all.iter().map(|correct| accuracy(correct)).collect::<Vec<f64>>();
        let (of_seeds, of_splits) = (accuracies(&self.own), accuracies(&self.others));
        let first = self.own[0];
        let correct = first.iter().filter(|correct| **correct).count();
        TestScore {
            images: first.len(),
            first: accuracy(first),
            interval: metrics::wilson_interval(correct, first.len()).unwrap_or([0.0, 1.0]),
            seeds: mean_with_interval(&of_seeds).map(MeanWithInterval::of_shares),
            splits: corrected_resampled_t_test(&of_splits, test_ratio)
                .map(|mean| mean.of_shares(self.others[0].len())),
            of_seeds,
            of_splits,
        }
    }
}

impl Differences {
    fn change(&self, test_ratio: f64) -> AccuracyChange {
        AccuracyChange {
            seeds: mean_with_interval(&self.own),
            splits: corrected_resampled_t_test(&self.others, test_ratio),
        }
    }

    /// Head by head the mean over several runs.
    fn mean(all: &[&Self]) -> Self {
        let mean = |of: fn(&Self) -> &Vec<f64>| -> Vec<f64> {
            let heads = all.iter().map(|differences| of(differences).len()).min().unwrap_or(0);
            let sum = |i: usize| all.iter().map(|differences| of(differences)[i]).sum::<f64>();
            (0..heads).map(|i| sum(i) / all.len() as f64).collect()
        };
        Self { own: mean(|differences| &differences.own), others: mean(|differences| &differences.others) }
    }
}

/// Differences of accuracies, head by head.
fn differences(first: &[&[bool]], second: &[&[bool]]) -> Vec<f64> {
    first.iter().zip(second).map(|(a, b)| accuracy(a) - accuracy(b)).collect()
}

/// Differences of accuracies on the images that both have. A side that is scored by whole batches has fewer: the first ones.
fn differences_on_common(first: &[&[bool]], second: &[&[bool]]) -> Vec<f64> {
    let common = |(a, b): (&&[bool], &&[bool])| {
        let images = a.len().min(b.len());
        accuracy(&a[..images]) - accuracy(&b[..images])
    };
    first.iter().zip(second).map(common).collect()
}

impl<'a> Scoring<'a> {
    /// Scores all runs and pairs of a condition.
    pub fn condition(&self, condition: &Condition) -> ConditionScore {
        let runs = condition.runs.iter().zip(&self.plan.runs);
        ConditionScore {
            name: condition.name.clone(),
            switches: condition.switches.clone(),
            runs: runs.map(|(scored, run)| self.run(*scored, run)).collect(),
            pairs: self.pairs(condition),
        }
    }

    /// Scores all pairs, and corrects their p values for their number.
    fn pairs(&self, condition: &Condition) -> Vec<PairScore> {
        let mut pairs: Vec<PairScore> =
            self.plan.pairs.iter().map(|pair| self.pair(condition, *pair)).collect();
        let p_values: Vec<f64> =
            pairs.iter().map(|pair| pair.splits.map_or(pair.p_value, |splits| splits.p_value)).collect();
        for (pair, adjusted) in pairs.iter_mut().zip(metrics::holm_adjusted(&p_values)) {
            pair.adjusted_p_value = adjusted;
        }
        pairs
    }

    /// Scores the effect of the switches of a condition.
    pub fn effect(&self, condition: &Condition) -> SwitchEffect {
        let compare = |(with, without): (&ScoredFit, &ScoredFit)| {
            let (a, b) = (self.answers(*with), self.answers(*without));
            (with != without).then(|| Differences {
                own: differences(&a.own, &b.own),
                others: differences(&a.others, &b.others),
            })
        };
        let runs: Vec<Option<Differences>> =
            condition.runs.iter().zip(&self.plan.plain).map(compare).collect();
        let changed: Vec<&Differences> = runs.iter().flatten().collect();
        let change = |differences: &Differences| differences.change(self.test_ratio);
        SwitchEffect {
            name: condition.name.clone(),
            about: condition.about.clone(),
            mean: (!changed.is_empty()).then(|| change(&Differences::mean(&changed))),
            runs: runs.iter().map(|run| run.as_ref().map(change)).collect(),
        }
    }

    /// Scores all baselines.
    pub fn baselines(&self) -> Vec<BaselineScore> {
        let score = |number: usize| {
            let baseline = &self.plan.baselines[number];
            let seconds = match (&baseline.method, &self.baselines[number]) {
                (BaselineMethod::Head(scored), _) => self.fits.seconds(scored.fit),
                (_, result) => result.as_ref().map_or(0.0, |result| result.seconds),
            };
            let score = self.baseline_answers(number).score(self.test_ratio);
            BaselineScore { name: baseline.name.clone(), score, seconds }
        };
        (0..self.plan.baselines.len()).map(score).collect()
    }

    fn run(&self, scored: ScoredFit, run: &PlannedRun) -> RunScore {
        let result = self.fits.on_own_splits(scored.fit);
        let epochs: Vec<f64> = result.fitted.iter().map(|fitted| fitted.history.len() as f64).collect();
        RunScore {
            name: run.name.clone(),
            published: run.published,
            score: self.answers(scored).score(self.test_ratio),
            epochs: mean_with_interval(&epochs),
            seconds: result.seconds,
            heads: epochs.len(),
        }
    }

    fn pair(&self, condition: &Condition, pair: [Contestant; 2]) -> PairScore {
        let [first, second] = pair.map(|contestant| match contestant {
            Contestant::Run(run) => {
                Side { name: &self.plan.runs[run].name, answers: self.answers(condition.runs[run]) }
            }
            Contestant::Baseline(baseline) => {
                Side { name: &self.plan.baselines[baseline].name, answers: self.baseline_answers(baseline) }
            }
        });
        let (a, b) = (&first.answers, &second.answers);
        let counts = PairedCounts::count(a.own[0].iter().copied(), b.own[0].iter().copied());
        PairScore {
            first: first.name.into(),
            second: second.name.into(),
            difference: counts.difference().unwrap_or(0.0),
            interval: metrics::paired_difference_interval(&counts).unwrap_or([-1.0, 1.0]),
            p_value: metrics::mcnemar_p_value(&counts),
            splits: corrected_resampled_t_test(&differences_on_common(&a.others, &b.others), self.test_ratio),
            adjusted_p_value: 1.0,
        }
    }

    fn answers(&self, scored: ScoredFit) -> Answers<'a> {
        let counted = |correct: &'a Vec<bool>| match scored.batch {
            Some(batch) => &correct[..correct.len() - correct.len() % batch],
            None => &correct[..],
        };
        let others = self.fits.on_other_splits(scored.fit).iter();
        Answers {
            own: self.fits.on_own_splits(scored.fit).correct.iter().map(counted).collect(),
            others: others.map(|result| counted(&result.correct[0])).collect(),
        }
    }

    fn baseline_answers(&self, number: usize) -> Answers<'a> {
        match (&self.plan.baselines[number].method, &self.baselines[number]) {
            (BaselineMethod::Head(scored), _) => self.answers(*scored),
            (_, Some(result)) => Answers {
                own: vec![&result.correct[0]],
                others: result.correct[1..].iter().map(Vec::as_slice).collect(),
            },
            (_, None) => unreachable!("every baseline that is no head has a result"),
        }
    }
}
