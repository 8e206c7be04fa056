//! The rule by which a run decides its answers: thresholds chosen on held-out images, or costs read from a file.

use super::calibration;
use super::config::TrainConfig;
use super::inner_folds::OutOfFold;
use super::single_fit::TrainResult;
use super::split_rows::SplitRows;
use super::training_set::TrainingSet;
use crate::data::augment::Variant;
use crate::data::dataset::{Split, which_classes};
use crate::error::{Error, Kind, Result};
use crate::head::decision::{
    AnswerSource, ClassGoal, ClassThreshold, CostMatrix, Decision, DecisionRule, ENOUGH_TO_CHOOSE,
    LabelledProbabilities, Measure, choose_thresholds, rows_needed,
};
use crate::metrics::{Temperature, apply_temperature, percent_number};
use crate::monitor::Monitor;
use crate::run::Prediction;
use std::fs;

/// What decides, checked before the fit.
#[derive(Debug)]
pub(super) struct DecisionPlan<'a> {
    goals: &'a [ClassGoal],
    costs: Option<CostMatrix>,
    classes: &'a [String],
    /// Whether a class with a goal has too few validation images.
    wants_folds: bool,
}

impl<'a> DecisionPlan<'a> {
    /// Checks that the goals can be met by the images there are, and reads the costs.
    ///
    /// # Errors
    /// [`Kind::Usage`] where a goal or a cost is of no class, goals contradict one another or the costs; [`Kind::Input`] where a
    /// class has too few images for its goal; errors of the operating system.
    pub fn check(config: &'a TrainConfig, set: &'a TrainingSet, splits: &SplitRows) -> Result<Self> {
        let (goals, classes) = (config.threshold.as_slice(), set.classes());
        check_goals(goals, classes)?;
        let costs = match &config.costs {
            Some(_) if !goals.is_empty() => {
                let message = "`threshold` and `costs` are two ways to decide an answer";
                return Err(Error::new(Kind::Usage, message).help("leave one of the two out"));
            }
            Some(path) => {
                let text = fs::read_to_string(path).map_err(|e| Error::io("read", path, e))?;
                Some(CostMatrix::parse(&text, path, classes)?)
            }
            None => None,
        };
        let [train, validation] =
            [&splits.train, &splits.validation].map(|rows| rows.images_per_class(classes.len()));
        let mut wants_folds = false;
        for goal in goals {
            let class = classes.binary_search(&goal.class).unwrap_or_default();
            if validation[class] >= rows_needed(goal.at_least).max(ENOUGH_TO_CHOOSE) {
                continue;
            }
            wants_folds = true;
            check_images(goal, train[class], validation[class], config.is_streamed())?;
        }
        Ok(Self { goals, costs, classes, wants_folds })
    }

    /// Whether thresholds are chosen by folds within the train images.
    pub fn wants_folds(&self) -> bool {
        self.wants_folds
    }

    /// Chooses the thresholds on the held-out answers of a fit, or takes the costs; `None` where the most probable class is the
    /// answer.
    ///
    /// # Errors
    /// Those of [`choose_thresholds`].
    pub fn decision(self, result: &TrainResult, monitor: &dyn Monitor) -> Result<Option<Decision>> {
        if let Some(costs) = self.costs {
            return Ok(Some(Decision::new(DecisionRule::Costs(costs))));
        }
        if self.goals.is_empty() {
            return Ok(None);
        }
        let calibrated_on = predictions(result.out_of_fold.as_ref(), result);
        let temperature = Temperature::effective(calibration::temperature(calibrated_on, self.classes));
        let of_folds = result.fold_answers.as_ref().or(result.out_of_fold.as_ref());
        let from = if of_folds.is_some() { AnswerSource::Folds } else { AnswerSource::Validation };
        let rows = held_out(predictions(of_folds, result), self.classes, temperature);
        let thresholds = choose_thresholds(self.goals, self.classes, &rows, from)?;
        thresholds.iter().for_each(|threshold| warn_if_missed(threshold, monitor));
        Ok(Some(Decision::new(DecisionRule::Thresholds(thresholds))))
    }
}

/// The answers of folds, or else those for the validation and test images.
fn predictions<'a>(folds: Option<&'a OutOfFold>, result: &'a TrainResult) -> &'a [Prediction] {
    folds.map_or(&result.predictions, |answers| &answers.predictions)
}

/// The validation images as they are, which the images of folds are too, with their probabilities at the temperature.
fn held_out(predictions: &[Prediction], classes: &[String], temperature: f64) -> Vec<LabelledProbabilities> {
    let is_held_out = |row: &&Prediction| row.split == Split::Validation && row.variant == Variant::None;
    let row = |row: &Prediction| {
        let truth = classes.binary_search(&row.label).ok()?;
        Some(LabelledProbabilities {
            truth,
            probabilities: apply_temperature(&row.probabilities, temperature),
        })
    };
    predictions.iter().filter(is_held_out).filter_map(row).collect()
}

fn check_goals(goals: &[ClassGoal], classes: &[String]) -> Result<()> {
    for (i, goal) in goals.iter().enumerate() {
        if !classes.contains(&goal.class) {
            let message = format!("`threshold` names {:?}, which is not a class", goal.class);
            return Err(Error::new(Kind::Usage, message).help(which_classes(&goal.class, classes)));
        }
        if goals[..i].iter().any(|other| other.class == goal.class) {
            let message = format!("`threshold` gives the class {:?} two goals", goal.class);
            return Err(Error::new(Kind::Usage, message).help("give each class one goal"));
        }
        if !(goal.at_least > 0.0 && goal.at_least < 1.0) {
            let message = format!("`threshold` {goal} is not between 0 and 1");
            return Err(Error::new(Kind::Usage, message).help("try 0.95"));
        }
    }
    Ok(())
}

/// Checks that folds within the train images can choose the threshold of a class.
fn check_images(goal: &ClassGoal, train: usize, validation: usize, is_streamed: bool) -> Result<()> {
    let needed = rows_needed(goal.at_least);
    if train < needed {
        let message = format!(
            "too few images to know whether {goal} is reached: it needs {needed} images of this class, and there are {train} \
             train and {validation} validation images"
        );
        return Err(Error::new(Kind::Input, message)
            .help("set a lower goal as `threshold`, or add images of the class"));
    }
    if is_streamed {
        let least = needed.max(ENOUGH_TO_CHOOSE);
        let message = format!(
            "{goal} needs {least} validation images of this class with `memory` or `features` bf16, and there are {validation}"
        );
        return Err(Error::new(Kind::Usage, message).help(
            "leave `memory` out, or give the validation split more images, by `extract` with another `split`",
        ));
    }
    Ok(())
}

/// Warns where a goal is missed because other classes have goals too.
fn warn_if_missed(threshold: &ClassThreshold, monitor: &dyn Monitor) {
    let ClassThreshold { goal, chosen_on, .. } = threshold;
    let rate = chosen_on.rate(goal.measure).unwrap_or(0.0);
    if rate + 1e-9 < goal.at_least {
        let which = match goal.measure {
            Measure::Precision => "precision",
            Measure::Recall => "recall",
        };
        monitor.warn(&format!(
            "{goal} is missed on the images that its threshold was chosen on, because classes with other goals take answers \
             from it: {which} {} %",
            percent_number(rate)
        ));
    }
}
