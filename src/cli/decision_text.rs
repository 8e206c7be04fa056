//! Rules of decision and what they reach, as text.

use super::text::{few, percent, percent_number, table_with_header};
use crate::evaluate::{DecisionStats, EvaluateStats, GoalStats};
use crate::head::decision::{AnswerSource, ClassThreshold, Decision, DecisionRule, Measure};

/// The rule of a new run.
pub(super) fn chosen(decision: &Decision) -> String {
    match &decision.rule {
        DecisionRule::Thresholds(thresholds) => thresholds.iter().map(threshold).collect(),
        DecisionRule::Costs(costs) => format!("answers of least expected cost by {}\n", costs.file),
    }
}

fn threshold(threshold: &ClassThreshold) -> String {
    let ClassThreshold { goal, threshold, chosen_on } = threshold;
    let from = match chosen_on.from {
        AnswerSource::Validation => "validation images",
        AnswerSource::Folds => "train images, by folds",
    };
    let shares = [Measure::Precision, Measure::Recall].map(|measure| percent(chosen_on.rate(measure)));
    let [precision, recall] = shares;
    format!(
        "{goal}: threshold {threshold:.4}, with a precision of {precision} and a recall of {recall} on {} {from}, {} of them \
         of the class{}\n",
        chosen_on.images,
        chosen_on.of_class,
        few(chosen_on.of_class)
    )
}

/// What the rule of a run reaches on the evaluated images.
pub(super) fn reached(stats: &EvaluateStats) -> String {
    let Some(decision) = &stats.decision else { return String::new() };
    let [low, high] = decision.answered_interval.unwrap_or([0.0, 1.0]);
    let mut out = format!(
        "\nby the rule of the run, as predict answers: {} of {} images answered, {} unsure; accuracy of the answers {} (95 % \
         interval {} to {})\n",
        decision.answered,
        stats.images,
        decision.unsure,
        percent(decision.answered_accuracy),
        percent(low),
        percent(high)
    );
    if let Some(costs) = &decision.costs {
        let interval = costs.interval.map_or("-".into(), |[low, high]| format!("{low:.4} to {high:.4}"));
        out.push_str(&format!(
            "mean cost {:.4}, of the most probable class {:.4}: difference {:.4} (95 % interval {interval})\n",
            costs.mean, costs.most_probable, costs.difference
        ));
    }
    out + &goals(decision)
}

fn goals(decision: &DecisionStats) -> String {
    if decision.goals.is_empty() {
        return String::new();
    }
    let row = |goal: &GoalStats| {
        [
            goal.threshold.goal.to_string(),
            format!("{:.4}", goal.threshold.threshold),
            percent(goal.chosen_rate),
            percent(goal.rate),
            goal.interval.map_or("-".into(), |[low, high]| {
                format!("{} to {}", percent_number(low), percent_number(high))
            }),
            percent(goal.precision),
            percent(goal.recall),
        ]
    };
    let header = ["goal", "threshold", "where chosen", "here", "95 % interval", "precision", "recall"];
    table_with_header(header, decision.goals.iter().map(row))
}
