//! `headstart experiment`

use super::{Ended, Global, complain_of, now, parse, print, progress::Terminal};
use crate::backbone::Device;
use crate::error::Result;
use crate::experiment::{ExperimentConfig, experiment, markdown};
use std::path::PathBuf;

/// A named set of runs from images to a table: features, heads over seeds and splits, baselines, tests.
///
/// FILE.toml names caches, runs, switches, conditions and baselines; docs/experiments.md explains its keys. The table is
/// printed and written to OUT/results.md and OUT/results.json; the first head of each run is kept in OUT/runs. Stopped and
/// run again, it extracts what is missing; heads are fitted anew, which takes little.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  headstart experiment experiments/lfw10.toml --images lfw10 --out runs/lfw10"
)]
pub(super) struct Args {
    /// What is to be done
    #[arg(value_name = "FILE.toml")]
    file: PathBuf,
    /// Folder of images: `DIR/<class>/<file>`
    #[arg(long, value_name = "DIR")]
    images: PathBuf,
    /// Folder of caches, runs and results [default: runs/ and the file's name]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Where to extract: auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "D", default_value = "auto", value_parser = parse::<Device>)]
    device: Device,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    threads: usize,
}

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Ended> {
    let named = || PathBuf::from("runs").join(args.file.file_stem().unwrap_or_default());
    let config = ExperimentConfig {
        out: args.out.clone().unwrap_or_else(named),
        file: args.file,
        images: args.images,
        models: global.models.clone(),
        device: args.device,
        threads: args.threads,
        time: now(),
    };
    terminal.stop_on_signals();
    let stats = experiment(&config, terminal)?;
    let ended = complain_of(&stats.refused);
    print(global, &stats, || markdown(&stats))?;
    Ok(ended)
}
