//! The section of the page of a run about single classes.

use super::curve_plots;
use crate::evaluate::{DecisionStats, EvaluateStats};
use crate::report::format::{count, percent};
use crate::report::html::{Markup, html};
use crate::report::page::Parts;

/// The table of the areas of more classes is folded.
const MOST_CLASSES_OPEN: usize = 12;

/// Precision and recall of the answers, then against one another, then what the rule of the run reaches.
pub(super) fn classes(stats: &EvaluateStats, parts: Parts) -> Markup {
    let further = curve_plots::further(stats);
    let names: Vec<&str> = further.iter().map(String::as_str).collect();
    let few = stats.classes.len() <= MOST_CLASSES_OPEN;
    html! {
        (parts.figure_beside("class-scores", parts.table("classes")))
        @if few { (parts.figure_beside(curve_plots::FIRST, parts.table("areas"))) }
        @else {
            (parts.figures(&[&[curve_plots::FIRST], &names[..names.len().min(1)]].concat()))
            (parts.folded_table("areas"))
        }
        @let others = if few { &names[..] } else { &names[names.len().min(1)..] };
        @if !others.is_empty() {
            details { summary { "The curves of other classes" } (parts.figures(others)) }
        }
        @if let Some(decision) = &stats.decision { (rule(stats, decision, parts)) }
    }
}

/// What the run answers by its thresholds or costs.
fn rule(stats: &EvaluateStats, decision: &DecisionStats, parts: Parts) -> Markup {
    html! {
        h3 { "By the rule of the run" }
        p {
            "The other scores of this page are those of the most probable class. By the rule of the run, as "
            code { "predict" } " answers, " (count(decision.answered)) " of " (count(stats.images)) " images are answered, "
            (count(decision.unsure)) " are unsure; of the answers " (percent(decision.answered_accuracy)) " are correct"
            @if let Some([low, high]) = decision.answered_interval {
                " (95 % interval " (percent(low)) " to " (percent(high)) ")"
            }
            "."
        }
        @if let Some(costs) = &decision.costs {
            p {
                "The mean cost of an image is " (format!("{:.4}", costs.mean)) ", that of the most probable class "
                (format!("{:.4}", costs.most_probable)) "; the difference is " (format!("{:.4}", costs.difference))
                @if let Some([low, high]) = costs.interval { " (95 % interval " (format!("{low:.4} to {high:.4}")) ")" }
                "."
            }
        }
        @if !decision.goals.is_empty() { (parts.table("goals")) }
    }
}
