//! The subcommand `headstart report`: its arguments, and its result as text.

use super::options::{Global, parse};
use super::output::{Outcome, print_result_beside};
use super::paths::with_cache_if_given;
use super::progress::Terminal;
use super::reproduce;
use super::text::seconds;
use crate::backbone::Device;
use crate::data::dataset::Split;
use crate::error::{Result, counted};
use crate::evaluate::predict::PredictorConfig;
use crate::report::run::{ReportConfig, ReportStats, report_run};
use crate::run::StoredRun;
use std::path::PathBuf;

/// Write a page about a run: scores, curves, and the images it gets wrong
///
/// The page is one HTML file that needs no network. Its pictures come from the folder of images that the cache was made
/// from; where they are gone, the page says which are missing.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  headstart report runs/first\n  headstart report runs/first --out first.html --plots plots --tables tables\n  headstart report runs/first --explain"
)]
pub(super) struct Args {
    /// Run that `train` wrote
    run: PathBuf,
    /// The page to write; an earlier page of headstart is replaced, another file refused [default: report.html in the run]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Folder of images, if it has moved since `extract`
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Cache of the run, if it has moved since `train`, or its URL
    #[arg(long, value_name = "CACHE")]
    cache: Option<PathBuf>,
    /// Also write each plot into this folder, as SVG and PNG; earlier ones are replaced, other files refused
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
    /// Also write each table into this folder, as CSV; earlier ones are replaced, other files refused
    #[arg(long, value_name = "DIR")]
    tables: Option<PathBuf>,
    /// Show where the network looked in the most confident errors: what each position adds to the logits of the predicted and
    /// of the true class. This opens the backbone
    #[arg(long)]
    explain: bool,
    /// ONNX file of the backbone, if it has moved since `extract`
    #[arg(long, value_name = "FILE", requires = "explain")]
    backbone: Option<PathBuf>,
    /// Device to run on with --explain: auto, cpu, cuda, cuda:N, cuda:N,M or openvino
    #[arg(long, value_name = "D", default_value = "auto", value_parser = parse::<Device>, requires = "explain")]
    device: Device,
    /// Split to report on: validation or test
    #[arg(long, default_value = "test", value_parser = parse::<Split>)]
    split: Split,
}

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let given = args.cache.clone();
    with_cache_if_given(given.as_deref(), terminal, |cache| run_on(Args { cache, ..args }, global, terminal))
}

/// Writes the page, with the folder of the cache.
fn run_on(args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let Args { run, out, images, cache, plots, tables, split, explain, backbone, device } = args;
    // The page and its commands are about the same run, also while it is trained again.
    let stored = StoredRun::open_any(&run)?;
    // A run that is damaged is reported by the stage itself.
    let commands = reproduce::commands(&stored, cache.as_deref(), &global.models).unwrap_or_default();
    let explain = explain.then(|| {
        let (run, models) = (run.clone(), global.models.clone());
        PredictorConfig { run, models, backbone, device, ..PredictorConfig::default() }
    });
    let config = ReportConfig { run, split, out, images, cache, plots, tables, explain, commands };
    let stats = report_run(&stored, &config, terminal)?;
    print_result_beside(&stats.out, global, &stats, || summary(&stats))?;
    Ok(Outcome::Done)
}

fn summary(stats: &ReportStats) -> String {
    format!(
        "{}, {} and {} in {}: {} kB\n{}\n",
        counted(stats.plots.len(), "plot"),
        counted(stats.tables.len(), "table"),
        counted(stats.pictures, "picture"),
        seconds(stats.seconds),
        stats.bytes.div_ceil(1000),
        stats.out.display()
    )
}
