//! The subcommand `headstart experiment`: its arguments, and its result as text.

use super::options::{Global, now, parse};
use super::output::{Outcome, list_refused, print_result};
use super::progress::{Terminal, print_stdout};
use crate::backbone::Device;
use crate::error::Result;
use crate::experiment::{ExperimentConfig, experiment, experiment_text, markdown};
use std::path::PathBuf;

/// Run a whole experiment from a TOML file: from images to one page of tables
///
/// FILE.toml names caches, runs, switches, conditions and baselines; docs/experiments.md explains its keys. Three experiments
/// are built in: lfw10, that of the article, tuning, a small one to start from, and solvers, which compares solvers of the head. The
/// tables are printed and written to OUT/results.md and OUT/results.json; the first head of each run is kept in OUT/runs. An
/// experiment that was stopped extracts only what is missing when it is run again, and fits its heads anew.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  headstart experiment lfw10 --images lfw10\n  headstart experiment tuning --print > mine.toml\n  headstart experiment mine.toml --images photos --out runs/mine"
)]
pub(super) struct Args {
    /// File that describes the experiment, or the name of a built-in one: lfw10, tuning or solvers
    #[arg(value_name = "FILE.toml")]
    file: PathBuf,
    #[arg(
        long,
        value_name = "DIR",
        help = "Folder of images: DIR/<class>/<file>",
        required_unless_present = "print"
    )]
    images: Option<PathBuf>,
    /// Print the file instead of running it
    #[arg(long)]
    print: bool,
    /// Folder for caches, runs and results [default: runs/NAME for NAME.toml]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Device to extract on: auto, cpu, cuda, cuda:N, cuda:N,M or openvino
    #[arg(long, value_name = "D", default_value = "auto", value_parser = parse::<Device>)]
    device: Device,
    /// Number of threads [default: one per core]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    threads: usize,
}

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let Some(images) = args.images.filter(|_| !args.print) else {
        let text = experiment_text(&args.file)?;
        print_stdout(String::from_utf8_lossy(&text).trim_end())?;
        return Ok(Outcome::Done);
    };
    let named = || PathBuf::from("runs").join(args.file.file_stem().unwrap_or_default());
    let config = ExperimentConfig {
        out: args.out.clone().unwrap_or_else(named),
        file: args.file,
        images,
        models: global.models.clone(),
        device: args.device,
        threads: args.threads,
        time: now(),
    };
    terminal.stop_on_signals();
    let stats = experiment(&config, terminal)?;
    let ended = list_refused(&stats.refused);
    print_result(global, &stats, || markdown(&stats))?;
    Ok(ended)
}
