//! The command line: arguments to settings, one file a subcommand; results on stdout, everything else on stderr.
//! It refuses to do any of the work itself.

mod backbone;
mod cache;
mod commands;
mod compare;
mod data;
mod demo;
mod device;
mod evaluate;
mod experiment;
mod extract;
mod predict;
mod progress;
mod report;
mod setup;
mod signals;
mod sweep;
mod tensorboard;
mod text;
mod train;
mod tuning;

use crate::dataset::Refused;
use crate::error::{Error, Kind, Result};
use clap::{Args, Parser, Subcommand};
use progress::Terminal;
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

/// Folders of labelled images in, a trained classifier out.
///
/// `extract` runs a frozen Inception-v3 once for each image and caches its features; `train` fits a softmax head to
/// them in seconds, as often as you like.
#[derive(Debug, Parser)]
#[command(
    name = "headstart",
    version,
    after_help = "Examples:\n  headstart demo --yes\n  headstart extract photos --cache cache/photos\n  headstart train cache/photos --run runs/first\n  headstart evaluate runs/first"
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// The default place for built backbones.
const MODELS: &str = "models";

/// Options of every command.
#[derive(Debug, Clone, Args)]
struct Global {
    /// Print one JSON document on stdout instead of text
    #[arg(long, global = true, help_heading = "Options of every command")]
    json: bool,
    /// Install what the command needs without asking
    #[arg(long, global = true, help_heading = "Options of every command")]
    yes: bool,
    /// Folder of built backbones
    #[arg(long, global = true, value_name = "DIR", default_value = MODELS, help_heading = "Options of every command")]
    models: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The whole job on a built-in sample, from nothing to a prediction
    Demo(demo::Args),
    /// Install what is missing: ONNX Runtime and a backbone
    Setup(setup::Args),
    /// What can run here, and why the rest cannot
    Device(device::Args),
    /// Look at a folder of labelled images, or make one of its largest classes
    Data(data::Args),
    /// The known backbones
    Backbone(backbone::Args),
    /// Compute and cache the features of a folder of images
    Extract(extract::Args),
    /// Fit a head to cached features
    Train(train::Args),
    /// Fit many heads at once
    Sweep(sweep::Args),
    /// How good a run is
    Evaluate(evaluate::Args),
    /// A page about a run: what the head learned and where it fails
    Report(report::Args),
    /// Classify image files with a run
    Predict(predict::Args),
    /// Runs side by side, on the same images
    Compare(compare::Args),
    /// A named set of runs from images to a table
    Experiment(experiment::Args),
    /// Lay out runs for TensorBoard
    Tensorboard(tensorboard::Args),
    /// Look into a cache, check it, tidy it, or export it
    Cache(cache::Args),
}

/// How a command ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// All is done.
    Done,
    /// Done, with inputs refused.
    WithRefusals,
    /// Done, and what was found is bad.
    Bad,
}

/// Runs the program on the process's arguments.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let terminal = Terminal::new(cli.global.yes);
    match dispatch(cli.command, &cli.global, &terminal) {
        Ok(Ended::Done) => ExitCode::SUCCESS,
        Ok(Ended::WithRefusals) => ExitCode::from(3),
        Ok(Ended::Bad) => ExitCode::from(1),
        Err(error) => {
            progress::complain(&format!("error: {}", error.with_causes()));
            if let Some(remedy) = error.remedy() {
                progress::complain(&format!("  help: {remedy}"));
            }
            ExitCode::from(match (error.kind(), terminal.signal()) {
                (Kind::Usage, _) => 2,
                // As a shell tells of a program that a signal ended.
                (Kind::Interrupted, Some(signal)) => 128 + signal,
                _ => 1,
            })
        }
    }
}

fn dispatch(command: Command, global: &Global, terminal: &Terminal) -> Result<Ended> {
    match command {
        Command::Demo(args) => demo::run(args, global, terminal),
        Command::Setup(args) => setup::run(args, global, terminal),
        Command::Device(args) => device::run(args, global),
        Command::Data(args) => data::run(args, global, terminal),
        Command::Backbone(args) => backbone::run(args, global),
        Command::Extract(args) => extract::run(args, global, terminal),
        Command::Train(args) => train::run(args, global, terminal),
        Command::Sweep(args) => sweep::run(args, global, terminal),
        Command::Evaluate(args) => evaluate::run(args, global),
        Command::Report(args) => report::run(args, global, terminal),
        Command::Predict(args) => predict::run(args, global, terminal),
        Command::Compare(args) => compare::run(args, global),
        Command::Experiment(args) => experiment::run(args, global, terminal),
        Command::Tensorboard(args) => tensorboard::run(args, global, terminal),
        Command::Cache(args) => cache::run(args, global, terminal),
    }
}

/// Prints `stats` as JSON, or `text`.
fn print(global: &Global, stats: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
    let output = match global.json {
        true => serde_json::to_string_pretty(stats)
            .map_err(|e| Error::new(Kind::Io, "the work is done, but JSON cannot say it").because(e))?,
        false => text(),
    };
    if output.is_empty() { Ok(()) } else { progress::say(output.trim_end()) }
}

/// Names each refused file on stderr.
fn complain_of(refused: &[Refused]) -> Ended {
    for Refused { path, reason, .. } in refused {
        // A file's name may hold anything, also what moves a terminal's cursor.
        progress::complain(&text::printable(&format!("refused: {path}: {reason}")));
    }
    if refused.is_empty() { Ended::Done } else { Ended::WithRefusals }
}

/// Parses a value with its type's own rules, keeping the remedy in the message.
fn parse<T: std::str::FromStr<Err = Error>>(text: &str) -> std::result::Result<T, String> {
    text.parse().map_err(|e: Error| match e.remedy() {
        Some(remedy) => format!("{e}; {remedy}"),
        None => e.to_string(),
    })
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
