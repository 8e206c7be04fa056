//! The command line, one file a subcommand: arguments become the configuration of a stage, its result is printed.
//! Results go to stdout, everything else to stderr.

mod backbone;
mod cache;
mod compare;
mod data;
mod demo;
mod device;
mod evaluate;
mod experiment;
mod extract;
mod fields;
mod fit_options;
mod predict;
mod progress;
mod report;
mod reproduce;
mod setup;
mod shell;
mod signals;
mod sweep;
mod tensorboard;
mod text;
mod train;

use crate::dataset::Refused;
use crate::error::{Error, Kind, Result};
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use fields::FieldNames;
use progress::Terminal;
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

/// Turn folders of labelled images into a trained classifier
///
/// `extract` runs a frozen Inception-v3 once for each image and caches its features. `train` fits a softmax head to them
/// in seconds, as often as you like.
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

/// The default folder of built backbones.
const MODELS: &str = "models";

/// Help of a folder of images.
const IMAGES: &str = "Folder of images: IMAGES/<class>/<file>";

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

/// Each command is described where its arguments are declared.
#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Setup(setup::Args),
    Device(device::Args),
    Data(data::Args),
    Backbone(backbone::Args),
    Extract(extract::Args),
    Train(train::Args),
    Sweep(sweep::Args),
    Evaluate(evaluate::Args),
    Report(report::Args),
    Predict(predict::Args),
    Compare(compare::Args),
    Experiment(experiment::Args),
    Tensorboard(tensorboard::Args),
    Cache(cache::Args),
}

/// How a command ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Everything is done.
    Done,
    /// Done, but some inputs were refused.
    WithRefusals,
    /// Done, and damage was found.
    Damaged,
}

/// The whole command line as data, with every subcommand and option.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the program on the arguments of the process.
pub fn main() -> ExitCode {
    let matches = command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.format(&mut command()).exit());
    let terminal = Terminal::new(cli.global.yes, FieldNames::of(&running(&matches)));
    match dispatch(cli.command, &cli.global, &terminal) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::WithRefusals) => ExitCode::from(3),
        Ok(Outcome::Damaged) => ExitCode::from(1),
        Err(error) => {
            terminal.fail(&error);
            ExitCode::from(match (error.kind(), terminal.signal()) {
                (Kind::Usage, _) => 2,
                // The exit code that a shell reports for a program that a signal ended.
                (Kind::Interrupted, Some(signal)) => 128 + signal,
                _ => 1,
            })
        }
    }
}

/// The names of the subcommand that runs, such as `["cache", "verify"]`.
fn running(matches: &ArgMatches) -> Vec<&str> {
    match matches.subcommand() {
        Some((name, below)) => std::iter::once(name).chain(running(below)).collect(),
        None => Vec::new(),
    }
}

fn dispatch(command: Command, global: &Global, terminal: &Terminal) -> Result<Outcome> {
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

/// Prints a result on stdout: `stats` as JSON with `--json`, else `text`.
fn print_result(global: &Global, stats: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
    let output = match global.json {
        true => serde_json::to_string_pretty(stats).map_err(|e| {
            Error::new(Kind::Io, "the work is done, but its result cannot be written as JSON").because(e)
        })?,
        false => text(),
    };
    if output.is_empty() { Ok(()) } else { progress::print_stdout(output.trim_end()) }
}

/// Lists refused files on stderr.
fn list_refused(refused: &[Refused]) -> Outcome {
    for Refused { path, reason, .. } in refused {
        // The name of a file may hold control characters.
        progress::print_stderr(&text::printable(&format!("refused: {path}: {reason}")));
    }
    if refused.is_empty() { Outcome::Done } else { Outcome::WithRefusals }
}

/// Parses a value by the rules of its own type. The message of a failure includes the remedy.
fn parse<T: std::str::FromStr<Err = Error>>(text: &str) -> std::result::Result<T, String> {
    text.parse().map_err(|e: Error| {
        let names = FieldNames::of(&[]);
        match e.remedy() {
            Some(remedy) => format!("{}; {}", names.error(&e), names.render(remedy)),
            None => names.error(&e),
        }
    })
}

/// The present time, in seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_consistent_arguments() {
        command().debug_assert();
    }

    #[test]
    fn the_running_command_is_named_with_its_group() {
        let matches = command().get_matches_from(["headstart", "cache", "verify", "c", "--dry-run"]);
        assert_eq!(running(&matches), ["cache", "verify"]);
    }
}
