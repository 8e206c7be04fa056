//! Decisions other than for the most probable class: goals of precision or recall for single classes, or costs of confusions.

mod choose;
mod costs;
mod goal;
mod rule;

pub use choose::{ENOUGH_TO_CHOOSE, LabelledProbabilities, choose_thresholds, rows_needed};
pub use costs::CostMatrix;
pub use goal::{ClassGoal, Measure};
pub use rule::{AnswerSource, ClassThreshold, Decider, Decision, DecisionRule, ThresholdEvidence};
