//! The page of a comparison: accuracies and differences of runs with their intervals, and their learning curves.

mod measures;
mod plots;
mod tables;

use crate::error::Result;
use crate::evaluate::comparison::{CompareStats, RunScores};
use crate::report::format::{count, p_value, percent, percentage_points};
use crate::report::html::{Markup, html};
use crate::report::output::{PageContent, PageOutput, WrittenPage};
use crate::report::page::{self, Fact, Page, Section, Table};
use crate::report::plot::{Figure, curve_sample};
use std::path::PathBuf;

/// Checks, before the comparison is computed, that its page may be written to `output`.
///
/// # Errors
/// Those of [`PageOutput::check_for_run`] for each of `runs`.
pub fn check_output(runs: &[PathBuf], output: &PageOutput) -> Result<()> {
    runs.iter().try_for_each(|run| output.check_for_run(run, None))
}

/// Writes the page of a comparison, with its plots and tables.
///
/// # Errors
/// Those of [`PageOutput::write`].
pub fn write(stats: &CompareStats, output: &PageOutput) -> Result<WrittenPage> {
    output.write(&content(stats))
}

fn content(stats: &CompareStats) -> PageContent {
    let names = short_names(&stats.runs.iter().map(|run| run.run.as_str()).collect::<Vec<_>>());
    let intervals = [plots::accuracies(stats, &names), plots::differences(stats, &names)];
    let curves = plots::curves(stats, &names);
    let (runs, differences) = (tables::runs(stats, &names), tables::differences(stats, &names));
    let sections = vec![
        Section::new("summary", "Summary", summary(stats, &names)),
        Section::new("accuracy", "Accuracy", accuracy(stats, &intervals, &[&runs, &differences])),
        Section::new("curves", "Learning curves", learning_curves(stats, &names, &curves)),
    ];
    let lead = html! {
        "Measured on the " (count(stats.images)) " " (stats.split.name()) " images that all runs hold out"
        @if stats.left_out > 0 { "; " (count(stats.left_out)) " that only some runs hold out are left out" }
        "."
    };
    let page = Page { title: format!("{} runs compared", stats.runs.len()), lead, sections };
    let figures = intervals.into_iter().chain(curves).collect();
    PageContent { page, figures, tables: vec![runs, differences, tables::curves(stats)] }
}

/// The shortest endings of the paths, in whole components, that differ from each other.
fn short_names(paths: &[&str]) -> Vec<String> {
    let parts =
        |path: &str| path.split(['/', '\\']).filter(|part| !part.is_empty()).map(String::from).collect();
    let all: Vec<Vec<String>> = paths.iter().map(|path| parts(path)).collect();
    let longest = all.iter().map(Vec::len).max().unwrap_or(1);
    let endings = |n: usize| -> Vec<String> {
        all.iter().map(|parts| parts[parts.len().saturating_sub(n)..].join("/")).collect()
    };
    let differ = |names: &Vec<String>| {
        (0..names.len()).all(|i| !names[..i].contains(&names[i]) || paths[..i].contains(&paths[i]))
    };
    (1..=longest)
        .map(endings)
        .find(differ)
        .unwrap_or_else(|| paths.iter().map(|path| (*path).into()).collect())
}

fn summary(stats: &CompareStats, names: &[String]) -> Markup {
    let best = (0..stats.runs.len())
        .reduce(|best, i| if stats.runs[i].accuracy > stats.runs[best].accuracy { i } else { best });
    let (first, best) = (&stats.runs[0], best.unwrap_or(0));
    let interval = |run: &RunScores| {
        format!("95 % interval {} to {}", percent(run.interval[0]), percent(run.interval[1]))
    };
    let mut facts = vec![
        Fact::new("First run", percent(first.accuracy), format!("{}, {}", names[0], interval(first))),
        Fact::new(
            "Highest accuracy",
            percent(stats.runs[best].accuracy),
            format!("{}, {}", names[best], interval(&stats.runs[best])),
        ),
    ];
    if let Some(difference) = best.checked_sub(1).map(|at| &stats.differences[at]) {
        let [low, high] = difference.interval.map(percentage_points);
        let note = format!("percentage points, {low} to {high}, p {}", p_value(difference.p_value));
        facts.push(Fact::new("Difference", percentage_points(difference.difference), note));
    }
    page::facts(&facts)
}

fn accuracy(stats: &CompareStats, figures: &[Figure], tables: &[&Table]) -> Markup {
    let pairs = stats.differences.len();
    html! {
        (page::side_by_side(figures.iter().map(page::figure)))
        (shared(stats))
        @for table in tables { (table.markup()) }
        p.note {
            "Each difference is the accuracy of the run minus that of the first, on the same images, with Newcombe's interval for paired "
            "proportions. p is the p value of McNemar's exact test for that pair alone."
            @if pairs > 1 {
                " These are " (pairs) " tests, and the largest of several differences overstates the true one. p (Holm) is corrected for all "
                "of them: where it is below 0.05 a difference is statistically significant at 5 %, whatever the others are."
            }
        }
    }
}

/// What all runs have in common, which the table of runs then leaves out.
fn shared(stats: &CompareStats) -> Markup {
    let variants: Vec<String> = stats.runs.iter().map(RunScores::variant_families).collect();
    let same_variants = variants.iter().all(|other| *other == variants[0]).then(|| variants[0].clone());
    let facts = [
        ("cache", stats.shared(|run| &run.cache).map(String::from)),
        ("backbone", stats.shared(|run| &run.backbone).map(String::from)),
        ("layer", stats.shared(|run| &run.layer).map(String::from)),
        ("variants", same_variants),
    ];
    let shared: Vec<(&str, String)> =
        facts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    html! {
        @if !shared.is_empty() {
            p {
                "The same in all runs: "
                @for (i, (name, value)) in shared.iter().enumerate() {
                    @if i > 0 { ", " } (name) " " (page::breakable(value))
                }
                "."
            }
        }
        @for settings in stats.shared_settings() { p.quiet { "The same in " (settings) "." } }
    }
}

/// The curves that are in colour, as a table with their scores.
fn legend(stats: &CompareStats, names: &[String]) -> Markup {
    let curves = plots::Curves::of(stats);
    let row = |sample: Option<usize>, at: usize| {
        let run = &stats.runs[at];
        html! {
            tr {
                td { (curve_sample(sample)) }
                th scope="row" { (page::breakable(&names[at])) }
                td.number { (percent(run.accuracy)) }
                td.number { (count(run.best_epoch)) " of " (count(run.history.len())) }
            }
        }
    };
    let others = curves.context.len();
    let table = html! {
        table.legend {
            caption { span { "Runs with a curve" @if others > 0 { ", the most accurate first" } } }
            thead {
                tr {
                    td {} th scope="col" { "Run" } th.number scope="col" { "Accuracy" } th.number scope="col" { "Best epoch" }
                }
            }
            tbody {
                @for (i, at) in curves.highlighted.iter().enumerate() { (row(Some(i), *at)) }
                @if others > 0 {
                    tr { td { (curve_sample(None)) } th scope="row" { (count(others)) " others, in grey" } td colspan="2" {} }
                }
            }
        }
    };
    page::scrolled("Runs with a curve", table)
}

fn learning_curves(stats: &CompareStats, names: &[String], figures: &[Figure]) -> Markup {
    let without: Vec<&str> = (0..stats.runs.len())
        .filter(|&at| stats.runs[at].history.len() < 2)
        .map(|at| names[at].as_str())
        .collect();
    html! {
        @if !figures.is_empty() {
            p {
                "A train loss is the mean over an epoch in which the head still changes; a validation loss is measured after the epoch. "
                "Losses of runs with different variants, label smoothing or class weights are not comparable: compare their accuracies."
            }
            (legend(stats, names))
            (page::side_by_side(figures.iter().map(page::figure)))
        }
        @if !without.is_empty() { p { "Without a curve, fitted in one step: " (without.join(", ")) "." } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_named_by_the_shortest_endings_that_differ() {
        assert_eq!(short_names(&["runs/a", "runs/b/"]), ["a", "b"]);
        assert_eq!(short_names(&["x/one/a", "x/two/a"]), ["one/a", "two/a"]);
        assert_eq!(short_names(&["r", "r"]), ["r", "r"]);
        assert_eq!(short_names(&["a", "x/a"]), ["a", "x/a"]);
    }
}
