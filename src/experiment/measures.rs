//! From whether each head has each test image right to what an experiment tells: shares with intervals, differences with
//! tests, and what each switch costs.

use super::baselines::Answered;
use super::file::Published;
use super::fits::All;
use super::plan::{Column, How, Plan, Scored};
use crate::metrics::{
    self, MeanWithInterval, PairedCounts, ResampledMean, corrected_resampled_t_test, mean_with_interval,
};
use serde::Serialize;

/// How often test images are answered right. Shares are 0 to 1.
#[derive(Debug, Clone, Serialize)]
pub struct Score {
    /// Test images of the caches' split that count.
    pub images: usize,
    /// Share of right answers of the first head on the caches' split.
    pub first: f64,
    /// Its 95 % interval (Wilson 1927).
    pub interval: [f64; 2],
    /// Over the heads on the caches' split.
    pub seeds: Option<MeanWithInterval>,
    /// Over other splits, a head each; the interval is that of the corrected resampled t-test.
    pub splits: Option<ResampledMean>,
    /// Share of right answers of each head on the caches' split.
    pub of_seeds: Vec<f64>,
    /// Of the head on each other split.
    pub of_splits: Vec<f64>,
}

/// A run in one condition.
#[derive(Debug, Clone, Serialize)]
pub struct RunScore {
    /// Its name.
    pub name: String,
    /// What somebody else reached.
    pub published: Option<Published>,
    /// How good it is.
    pub score: Score,
    /// Epochs of the heads on the caches' split.
    pub epochs: Option<MeanWithInterval>,
    /// Wall time of the heads on the caches' split, together.
    pub seconds: f64,
    /// How many these are.
    pub heads: usize,
}

/// Two runs on the same images.
#[derive(Debug, Clone, Serialize)]
pub struct Pair {
    /// The one.
    pub first: String,
    /// What it is compared with.
    pub second: String,
    /// Share of right answers of the first less that of the second, of the first heads on the caches' split.
    pub difference: f64,
    /// Its 95 % interval (Newcombe 1998, method 10).
    pub interval: [f64; 2],
    /// McNemar's exact test.
    pub p_value: f64,
    /// Over other splits (corrected resampled t-test).
    pub splits: Option<ResampledMean>,
}

/// All runs with some switches on.
#[derive(Debug, Clone, Serialize)]
pub struct ConditionScore {
    /// Its name.
    pub name: String,
    /// What is on.
    pub switches: Vec<String>,
    /// In the order of the file.
    pub runs: Vec<RunScore>,
    /// In the order of the file.
    pub pairs: Vec<Pair>,
}

/// What some switches change: shares of right answers with them less those without.
#[derive(Debug, Clone, Serialize)]
pub struct Cost {
    /// The switch, or the condition with all its switches.
    pub name: String,
    /// What it does.
    pub about: String,
    /// Over the runs that it changes: the mean of their differences.
    pub mean: Option<Change>,
    /// For each run, in the order of the file; `None` for one that it does not change.
    pub runs: Vec<Option<Change>>,
}

/// A difference.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Change {
    /// Over the heads on the caches' split, each against the one of the same seed.
    pub seeds: Option<MeanWithInterval>,
    /// Over other splits (corrected resampled t-test).
    pub splits: Option<ResampledMean>,
}

/// A baseline.
#[derive(Debug, Clone, Serialize)]
pub struct BaselineScore {
    /// Its name.
    pub name: String,
    /// How good it is.
    pub score: Score,
    /// Wall time over all splits.
    pub seconds: f64,
}

/// Whether test images are answered right: of each head on the caches' split, and on each other split.
struct Answers<'a> {
    own: Vec<&'a [bool]>,
    others: Vec<&'a [bool]>,
}

/// What measures are made of.
pub(super) struct Results<'a> {
    pub plan: &'a Plan,
    pub all: &'a All,
    pub answered: &'a [Option<Answered>],
    /// Test images / train images.
    pub ratio: f64,
}

fn share(right: &[bool]) -> f64 {
    right.iter().filter(|right| **right).count() as f64 / right.len().max(1) as f64
}

impl Answers<'_> {
    fn score(&self, ratio: f64) -> Score {
        let shares = |all: &[&[bool]]| all.iter().map(|right| share(right)).collect::<Vec<f64>>();
        let (of_seeds, of_splits) = (shares(&self.own), shares(&self.others));
        let first = self.own[0];
        let right = first.iter().filter(|right| **right).count();
        Score {
            images: first.len(),
            first: share(first),
            interval: metrics::wilson_interval(right, first.len()).unwrap_or([0.0, 1.0]),
            seeds: mean_with_interval(&of_seeds),
            splits: corrected_resampled_t_test(&of_splits, ratio),
            of_seeds,
            of_splits,
        }
    }
}

/// Differences of shares, one by one.
fn differences(first: &[&[bool]], second: &[&[bool]]) -> Vec<f64> {
    first.iter().zip(second).map(|(a, b)| share(a) - share(b)).collect()
}

/// The same on the images that both have: the one that is scored by whole batches has fewer, from the first on.
fn differences_on_common(first: &[&[bool]], second: &[&[bool]]) -> Vec<f64> {
    let common = |(a, b): (&&[bool], &&[bool])| {
        let images = a.len().min(b.len());
        share(&a[..images]) - share(&b[..images])
    };
    first.iter().zip(second).map(common).collect()
}

impl<'a> Results<'a> {
    fn scored(&self, scored: Scored) -> Answers<'a> {
        let done = &self.all[scored.fit];
        let counted = |right: &'a Vec<bool>| match scored.batch {
            Some(batch) => &right[..right.len() - right.len() % batch],
            None => &right[..],
        };
        Answers {
            own: done[0].right.iter().map(counted).collect(),
            others: done[1..].iter().map(|done| counted(&done.right[0])).collect(),
        }
    }

    fn baseline(&self, number: usize) -> Answers<'a> {
        match (&self.plan.baselines[number].how, &self.answered[number]) {
            (How::Head(scored), _) => self.scored(*scored),
            (_, Some(answered)) => Answers {
                own: vec![&answered.right[0]],
                others: answered.right[1..].iter().map(Vec::as_slice).collect(),
            },
            (_, None) => unreachable!("every baseline that is no head was answered"),
        }
    }

    /// All runs of a condition.
    pub fn condition(&self, column: &Column) -> ConditionScore {
        let run = |(scored, (name, published)): (&Scored, &(String, Option<Published>))| {
            let done = &self.all[scored.fit][0];
            let epochs: Vec<f64> = done.fitted.iter().map(|fitted| fitted.history.len() as f64).collect();
            RunScore {
                name: name.clone(),
                published: *published,
                score: self.scored(*scored).score(self.ratio),
                epochs: mean_with_interval(&epochs),
                seconds: done.seconds,
                heads: epochs.len(),
            }
        };
        ConditionScore {
            name: column.name.clone(),
            switches: column.switches.clone(),
            runs: column.runs.iter().zip(&self.plan.runs).map(run).collect(),
            pairs: self.plan.pairs.iter().map(|pair| self.pair(column, *pair)).collect(),
        }
    }

    fn pair(&self, column: &Column, pair: [usize; 2]) -> Pair {
        let runs = self.plan.runs.len();
        let [first, second] = pair.map(|place| match place.checked_sub(runs) {
            None => (&self.plan.runs[place].0, self.scored(column.runs[place])),
            Some(number) => (&self.plan.baselines[number].name, self.baseline(number)),
        });
        let counts = PairedCounts::count(first.1.own[0].iter().copied(), second.1.own[0].iter().copied());
        Pair {
            first: first.0.clone(),
            second: second.0.clone(),
            difference: counts.difference().unwrap_or(0.0),
            interval: metrics::paired_difference_interval(&counts).unwrap_or([-1.0, 1.0]),
            p_value: metrics::mcnemar_p_value(&counts),
            splits: corrected_resampled_t_test(
                &differences_on_common(&first.1.others, &second.1.others),
                self.ratio,
            ),
        }
    }

    /// What the switches of a column cost.
    pub fn cost(&self, column: &Column) -> Cost {
        let pairs: Vec<Option<[Vec<f64>; 2]>> = column
            .runs
            .iter()
            .zip(&self.plan.plain)
            .map(|(with, without)| {
                let (a, b) = (self.scored(*with), self.scored(*without));
                (with != without).then(|| [differences(&a.own, &b.own), differences(&a.others, &b.others)])
            })
            .collect();
        let change = |[own, others]: &[Vec<f64>; 2]| Change {
            seeds: mean_with_interval(own),
            splits: corrected_resampled_t_test(others, self.ratio),
        };
        let changed: Vec<&[Vec<f64>; 2]> = pairs.iter().flatten().collect();
        let mean = |which: usize| -> Vec<f64> {
            let lengths = changed.iter().map(|pair| pair[which].len());
            let mean =
                |i: usize| changed.iter().map(|pair| pair[which][i]).sum::<f64>() / changed.len() as f64;
            (0..lengths.min().unwrap_or(0)).map(mean).collect()
        };
        Cost {
            name: column.name.clone(),
            about: column.about.clone(),
            mean: (!changed.is_empty()).then(|| change(&[mean(0), mean(1)])),
            runs: pairs.iter().map(|pair| pair.as_ref().map(change)).collect(),
        }
    }

    /// All baselines.
    pub fn baselines(&self) -> Vec<BaselineScore> {
        let one = |number: usize| {
            let baseline = &self.plan.baselines[number];
            let seconds = match (&baseline.how, &self.answered[number]) {
                (How::Head(scored), _) => self.all[scored.fit].iter().map(|done| done.seconds).sum(),
                (_, answered) => answered.as_ref().map_or(0.0, |answered| answered.seconds),
            };
            BaselineScore {
                name: baseline.name.clone(),
                score: self.baseline(number).score(self.ratio),
                seconds,
            }
        };
        (0..self.plan.baselines.len()).map(one).collect()
    }
}
