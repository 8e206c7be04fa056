//! `headstart compare`

use super::text::{headed, percent, points, score};
use super::{Ended, Global, parse, print};
use crate::compare::{CompareConfig, CompareStats, compare};
use crate::dataset::Split;
use crate::error::Result;
use crate::head::SolverConfig;
use std::path::PathBuf;

/// Runs side by side, on the images that all of them hold out.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  headstart compare runs/plain runs/shifts runs/flips")]
pub(super) struct Args {
    /// Two runs or more; the others are compared with the first
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// validation or test
    #[arg(long, default_value = "test", value_parser = parse::<Split>)]
    split: Split,
}

pub(super) fn run(args: Args, global: &Global) -> Result<Ended> {
    let stats = compare(&CompareConfig { runs: args.runs, split: args.split })?;
    print(global, &stats, || told(&stats))?;
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

fn told(stats: &CompareStats) -> String {
    let mut out = format!("{} {} images that all runs hold out", stats.images, stats.split);
    if stats.left_out > 0 {
        out.push_str(&format!("; {} that only some do are left out", stats.left_out));
    }
    let rows = stats.runs.iter().enumerate().map(|(i, run)| {
        let against = i.checked_sub(1).and_then(|i| stats.differences.get(i));
        let shown = |f: &dyn Fn(&crate::compare::Difference) -> String| against.map_or("-".into(), f);
        [
            run.run.clone(),
            settings(stats, i),
            families(&run.variants),
            percent(run.accuracy),
            format!("{} to {}", percent(run.interval[0]), percent(run.interval[1])),
            score(run.macro_f1),
            shown(&|d| points(d.difference)),
            shown(&|d| format!("{} to {}", points(d.interval[0]), points(d.interval[1]))),
            shown(&|d| if d.p_value < 0.0001 { "< 0.0001".into() } else { format!("{:.4}", d.p_value) }),
        ]
    });
    out.push_str(&format!(
        "\n\n{}\npoints: against the first run on the same images, with Newcombe's interval for paired shares\n\
         p: McNemar's exact test of each run against the first, each pair by itself\n",
        headed(NAMES, rows)
    ));
    out
}

/// The solver of a run, and those of its settings in which the runs of that solver differ.
fn settings(stats: &CompareStats, at: usize) -> String {
    let of = |config: &SolverConfig| match serde_json::to_value(config) {
        Ok(serde_json::Value::Object(settings)) => settings,
        _ => serde_json::Map::new(),
    };
    let own = of(&stats.runs[at].config);
    let alike: Vec<_> =
        stats.runs.iter().map(|run| of(&run.config)).filter(|o| o["solver"] == own["solver"]).collect();
    let differs = |name: &str| alike.iter().any(|other| other[name] != own[name]);
    let told = own.iter().filter(|(name, _)| differs(name)).map(|(name, value)| format!(", {name} {value}"));
    format!("{}{}", stats.runs[at].config.name(), told.collect::<String>())
}

/// The families of variants, each once.
fn families(variants: &[String]) -> String {
    let mut names: Vec<&str> =
        variants.iter().map(|variant| variant.split(':').next().unwrap_or(variant)).collect();
    names.dedup();
    names.join(",")
}
