//! `headstart report`

use super::commands::commands;
use super::text::seconds;
use super::{Ended, Global, parse, print, progress::Terminal};
use crate::dataset::Split;
use crate::error::Result;
use crate::report::{ReportConfig, ReportStats, report};
use std::path::PathBuf;

/// A page about a run: what the head learned and where it fails, with pictures.
///
/// One HTML file that needs no network. Pictures come from the folder that the cache was made from; without it the page
/// says which are missing.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  headstart report runs/first\n  headstart report runs/first --out first.html --plots plots --tables tables"
)]
pub(super) struct Args {
    /// The run that `train` wrote
    run: PathBuf,
    /// The page; one of headstart that is there is replaced [default: report.html in the run]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The folder of images, if it has moved since `extract`
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Write each plot here too, as SVG and as PNG; files of the same names are replaced
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
    /// Write each table here too, as CSV; files of the same names are replaced
    #[arg(long, value_name = "DIR")]
    tables: Option<PathBuf>,
    /// validation or test
    #[arg(long, default_value = "test", value_parser = parse::<Split>)]
    split: Split,
}

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Ended> {
    let Args { run, out, images, plots, tables, split } = args;
    let commands = commands(&run)?;
    let stats = report(&ReportConfig { run, split, out, images, plots, tables, commands }, terminal)?;
    print(global, &stats, || told(&stats))?;
    Ok(Ended::Done)
}

fn told(stats: &ReportStats) -> String {
    format!(
        "{} plots, {} tables and {} pictures in {}: {} kB\n{}\n",
        stats.plots.len(),
        stats.tables.len(),
        stats.pictures,
        seconds(stats.seconds),
        stats.bytes.div_ceil(1000),
        stats.out.display()
    )
}
