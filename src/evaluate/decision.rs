//! The answers of a run that decides otherwise than by the most probable class.

use crate::error::Result;
use crate::head::decision::{ClassThreshold, Decider, DecisionRule, Measure};
use crate::metrics::{self, ClassScore};
use crate::run::StoredRun;
use serde::Serialize;

/// Scores of the answers that the rule of a run gives. Fractions are 0 to 1; undefined values are `None`.
#[derive(Debug, Clone, Serialize)]
pub struct DecisionStats {
    /// Number of images with an answer.
    pub answered: usize,
    /// Number of images whose answer is withheld: `unsure`.
    pub unsure: usize,
    /// Share of the answers that are correct.
    pub answered_accuracy: Option<f64>,
    /// The 95 % Wilson interval of that share.
    pub answered_interval: Option<[f64; 2]>,
    /// The goals and how well these images reach them; empty for costs.
    pub goals: Vec<GoalStats>,
    /// The costs of the answers, where the run decides by costs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub costs: Option<CostStats>,
    /// Scores of each class by these answers, in class order.
    pub classes: Vec<ClassScore>,
    /// Counts, `[classes, classes + 1]`: rows are labels, columns answers in class order, the last one `unsure`.
    pub confusion: Vec<Vec<usize>>,
}

/// A goal of precision or recall, and what was reached.
#[derive(Debug, Clone, Serialize)]
pub struct GoalStats {
    /// The goal, with its threshold and the images that it was chosen on.
    #[serde(flatten)]
    pub threshold: ClassThreshold,
    /// The rate on the images that the threshold was chosen on.
    pub chosen_rate: Option<f64>,
    /// The rate on the evaluated images.
    pub rate: Option<f64>,
    /// The 95 % Wilson interval of the rate.
    pub interval: Option<[f64; 2]>,
    /// Precision of the class.
    pub precision: Option<f64>,
    /// Recall of the class.
    pub recall: Option<f64>,
}

/// Mean costs of an image.
#[derive(Debug, Clone, Serialize)]
pub struct CostStats {
    /// Of the answers of least expected cost.
    pub mean: f64,
    /// Of always answering the most probable class.
    pub most_probable: f64,
    /// The first less the second.
    pub difference: f64,
    /// Its 95 % interval, by the bootstrap over images; `None` where no image changes it.
    pub interval: Option<[f64; 2]>,
}

/// The rule of a run, ready to be measured.
#[derive(Debug)]
pub(super) struct RunDecision<'a> {
    rule: &'a DecisionRule,
    decider: Decider,
    names: &'a [String],
}

impl<'a> RunDecision<'a> {
    /// The rule of `run`, whose classes are called `names`; `None` where the most probable class is the answer.
    pub fn of(run: &'a StoredRun, names: &'a [String]) -> Result<Option<Self>> {
        let decider = run.record().decider(run.path())?;
        let decision = run.record().decision.as_ref();
        Ok(decision.zip(decider).map(|(decision, decider)| Self { rule: &decision.rule, decider, names }))
    }

    /// Decides for images, and scores the answers. `predicted` holds their most probable classes.
    pub fn measure(&self, truth: &[usize], predicted: &[usize], probabilities: &[Vec<f64>]) -> DecisionStats {
        let answers: Vec<Option<usize>> = probabilities.iter().map(|row| self.decider.answer(row)).collect();
        let mut confusion = vec![vec![0; self.names.len() + 1]; self.names.len()];
        for (&truth, answer) in truth.iter().zip(&answers) {
            confusion[truth][answer.unwrap_or(self.names.len())] += 1;
        }
        let classes = metrics::class_scores(self.names, &confusion);
        let answered = answers.iter().flatten().count();
        let correct = answers.iter().zip(truth).filter(|(answer, truth)| **answer == Some(**truth)).count();
        DecisionStats {
            answered,
            unsure: answers.len() - answered,
            answered_accuracy: (answered > 0).then(|| correct as f64 / answered as f64),
            answered_interval: metrics::wilson_interval(correct, answered),
            goals: self.goals(&classes),
            costs: self.costs(truth, predicted, &answers),
            classes,
            confusion,
        }
    }

    fn goals(&self, classes: &[ClassScore]) -> Vec<GoalStats> {
        let DecisionRule::Thresholds(thresholds) = self.rule else { return Vec::new() };
        let goal = |threshold: &ClassThreshold| {
            let class = classes.iter().find(|class| class.name == threshold.goal.class)?;
            let (rate, interval) = match threshold.goal.measure {
                Measure::Precision => (class.precision, class.precision_interval),
                Measure::Recall => (class.recall, class.recall_interval),
            };
            let chosen_rate = threshold.chosen_on.rate(threshold.goal.measure);
            let (threshold, precision, recall) = (threshold.clone(), class.precision, class.recall);
            Some(GoalStats { threshold, chosen_rate, rate, interval, precision, recall })
        };
        thresholds.iter().filter_map(goal).collect()
    }

    fn costs(&self, truth: &[usize], predicted: &[usize], answers: &[Option<usize>]) -> Option<CostStats> {
        let DecisionRule::Costs(matrix) = self.rule else { return None };
        if truth.is_empty() {
            return None;
        }
        let cost = |truth: usize, answer: usize| matrix.costs[truth][answer];
        let pairs = truth.iter().zip(answers).zip(predicted);
        let (own, plain): (Vec<f64>, Vec<f64>) = pairs
            .filter_map(|((&truth, answer), &predicted)| {
                Some((cost(truth, (*answer)?), cost(truth, predicted)))
            })
            .unzip();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let differences: Vec<f64> = own.iter().zip(&plain).map(|(own, plain)| own - plain).collect();
        Some(CostStats {
            mean: mean(&own),
            most_probable: mean(&plain),
            difference: mean(&differences),
            interval: metrics::bootstrap_mean_interval(&differences),
        })
    }
}
