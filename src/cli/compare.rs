//! The subcommand `headstart compare`: its arguments, and its result as text.

use super::options::{Global, parse};
use super::output::{Outcome, print_result, print_result_beside};
use super::text::{p_value, percent, percentage_points, score, table, table_with_header};
use crate::data::dataset::Split;
use crate::error::{Result, counted};
use crate::evaluate::comparison::{CompareConfig, CompareStats, Difference, RunScores, compare};
use crate::report::comparison;
use crate::report::output::{PageOutput, WrittenPage};
use serde::Serialize;
use std::path::PathBuf;

/// Compare runs on the images that all of them hold out
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  headstart compare runs/plain runs/shifts runs/flips\n  headstart compare runs/plain runs/shifts --out compared.html"
)]
pub(super) struct Args {
    /// Two or more runs; each is compared with the first
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Split to compare on: validation or test
    #[arg(long, default_value = "test", value_parser = parse::<Split>)]
    split: Split,
    /// Also write a page with the curves of all runs and their differences; an earlier page of headstart is replaced
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Also write each plot of the page into this folder, as SVG and PNG; earlier ones are replaced, other files refused
    #[arg(long, value_name = "DIR", requires = "out")]
    plots: Option<PathBuf>,
    /// Also write each table of the page into this folder, as CSV; earlier ones are replaced, other files refused
    #[arg(long, value_name = "DIR", requires = "out")]
    tables: Option<PathBuf>,
}

/// The JSON document: the comparison and, if it was written, its page.
#[derive(Serialize)]
struct Output {
    #[serde(flatten)]
    stats: CompareStats,
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<WrittenPage>,
}

pub(super) fn run(args: Args, global: &Global) -> Result<Outcome> {
    let Args { runs, split, out, plots, tables } = args;
    let output = out.map(|out| PageOutput { out, plots, tables });
    if let Some(output) = &output {
        comparison::check_output(&runs, output)?;
    }
    let stats = compare(&CompareConfig { runs, split })?;
    let page = output.map(|output| comparison::write(&stats, &output)).transpose()?;
    let output = Output { stats, page };
    match &output.page {
        Some(page) => print_result_beside(&page.out, global, &output, || summary(&output))?,
        None => print_result(global, &output, || summary(&output))?,
    }
    Ok(Outcome::Done)
}

/// Column names; the last five columns compare with the first run.
const NAMES: [&str; 11] = [
    "run",
    "fitted by",
    "trained on",
    "accuracy",
    "95 % interval",
    "macro F1",
    "points",
    "95 % interval",
    "p",
    "p (Holm)",
    "macro F1 points",
];

/// The difference of macro F1 with its interval, `+1.2 (-0.3 to +2.7)`.
fn macro_f1_points(difference: &Difference) -> String {
    match (difference.macro_f1_difference, difference.macro_f1_interval) {
        (Some(points), Some([low, high])) => {
            let [points, low, high] = [points, low, high].map(percentage_points);
            format!("{points} ({low} to {high})")
        }
        _ => "-".into(),
    }
}

/// What is the same in all runs, and what the caches and layers are where they differ.
fn shared(stats: &CompareStats) -> String {
    let mut out = String::new();
    for (name, get) in [
        ("cache", (|run| &run.cache) as fn(&RunScores) -> &str),
        ("backbone", |run| &run.backbone),
        ("layer", |run| &run.layer),
    ] {
        match stats.shared(get) {
            Some(value) => out.push_str(&format!("{name} of all runs: {value}\n")),
            None => {
                out.push_str(&format!("{name} of each run:\n"));
                out.push_str(&table(
                    &stats.runs.iter().map(|run| vec![run.run.clone(), get(run).into()]).collect::<Vec<_>>(),
                ));
            }
        }
    }
    stats.shared_settings().iter().for_each(|settings| out.push_str(&format!("{settings}\n")));
    out
}

fn summary(Output { stats, page }: &Output) -> String {
    let mut out =
        format!("{} that all runs hold out", counted(stats.images, &format!("{} image", stats.split)));
    if stats.left_out > 0 {
        out.push_str(&format!("; {} that only some runs hold out are left out", stats.left_out));
    }
    let rows = stats.runs.iter().enumerate().map(|(i, run)| {
        let against = i.checked_sub(1).and_then(|i| stats.differences.get(i));
        let shown = |f: &dyn Fn(&Difference) -> String| against.map_or("-".into(), f);
        [
            run.run.clone(),
            stats.solver_and_settings(i),
            run.variant_families(),
            percent(run.accuracy),
            format!("{} to {}", percent(run.interval[0]), percent(run.interval[1])),
            score(run.macro_f1),
            shown(&|d| percentage_points(d.difference)),
            shown(&|d| {
                format!("{} to {}", percentage_points(d.interval[0]), percentage_points(d.interval[1]))
            }),
            shown(&|d| p_value(d.p_value)),
            shown(&|d| p_value(d.holm_p_value)),
            shown(&|d| macro_f1_points(d)),
        ]
    });
    out.push_str(&format!(
        "\n\n{}\npoints: difference from the first run on the same images, with Newcombe's interval for paired proportions\n\
         p: McNemar's exact test against the first run alone; p (Holm): corrected for all of these runs\n\
         macro F1 points: difference from the first run, with its 95 % interval by the delta method for paired images\n",
        table_with_header(NAMES, rows)
    ));
    out.push_str(&shared(stats));
    if let Some(page) = page {
        out.push_str(&format!("\n{}\n", page.out.display()));
    }
    out
}
