//! `headstart compare`

use super::text::{headed, p_value, percent, points, score};
use super::{Ended, Global, parse, print};
use crate::compare::{CompareConfig, CompareStats, Difference, compare};
use crate::dataset::Split;
use crate::error::Result;
use crate::places::{PageOutput, WrittenPage};
use crate::report::comparison;
use serde::Serialize;
use std::path::PathBuf;

/// Runs side by side, on the images that all of them hold out.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  headstart compare runs/plain runs/shifts runs/flips\n  headstart compare runs/plain runs/shifts --out compared.html"
)]
pub(super) struct Args {
    /// Two runs or more; the others are compared with the first
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// validation or test
    #[arg(long, default_value = "test", value_parser = parse::<Split>)]
    split: Split,
    /// Write a page too: curves of all runs, differences with intervals; one of headstart that is there is replaced
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write each plot of the page here too, as SVG and as PNG; files of the same names are replaced
    #[arg(long, value_name = "DIR", requires = "out")]
    plots: Option<PathBuf>,
    /// Write each table of the page here too, as CSV; files of the same names are replaced
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

pub(super) fn run(args: Args, global: &Global) -> Result<Ended> {
    let Args { runs, split, out, plots, tables } = args;
    let output = out.map(|out| PageOutput { out, plots, tables });
    if let Some(output) = &output {
        comparison::check_output(&runs, output)?;
    }
    let stats = compare(&CompareConfig { runs, split })?;
    let page = output.map(|output| comparison::write(&stats, &output)).transpose()?;
    let output = Output { stats, page };
    print(global, &output, || told(&output))?;
    Ok(Ended::Done)
}

/// The last three columns are against the first run.
const NAMES: [&str; 9] = [
    "run",
    "fitted by",
    "trained on",
    "accuracy",
    "95 % interval",
    "macro F1",
    "points",
    "95 % interval",
    "p",
];

fn told(Output { stats, page }: &Output) -> String {
    let mut out = format!("{} {} images that all runs hold out", stats.images, stats.split);
    if stats.left_out > 0 {
        out.push_str(&format!("; {} that only some do are left out", stats.left_out));
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
            shown(&|d| points(d.difference)),
            shown(&|d| format!("{} to {}", points(d.interval[0]), points(d.interval[1]))),
            shown(&|d| p_value(d.p_value)),
        ]
    });
    out.push_str(&format!(
        "\n\n{}\npoints: against the first run on the same images, with Newcombe's interval for paired shares\n\
         p: McNemar's exact test of each run against the first, each pair by itself\n",
        headed(NAMES, rows)
    ));
    if let Some(page) = page {
        out.push_str(&format!("\n{}\n", page.out.display()));
    }
    out
}
