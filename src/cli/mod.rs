//! The command line, one file a subcommand: arguments become the configuration of a stage, its result is printed.
//! Results go to stdout, everything else to stderr.

mod auto;
mod backbone;
mod cache;
mod classify;
mod compare;
mod data;
mod demo;
mod device;
mod evaluate;
mod experiment;
mod export;
mod extract;
mod fields;
mod fit_options;
mod options;
mod output;
mod paths;
mod predict;
mod progress;
mod prove;
mod report;
mod reproduce;
mod setup;
mod shell;
mod signals;
mod sweep;
mod sweep_text;
mod tensorboard;
mod text;
mod train;

use crate::error::{Kind, Result};
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use fields::FieldNames;
use options::Global;
use output::Outcome;
use progress::Terminal;
use signals::Signals;
use std::process::ExitCode;

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
    Classify(classify::Args),
    Compare(compare::Args),
    Experiment(experiment::Args),
    Export(export::Args),
    Tensorboard(tensorboard::Args),
    Cache(cache::Args),
    #[command(name = prove::NAME, hide = true)]
    Prove(prove::Args),
}

/// The whole command line as data, with every subcommand and option.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the program on the arguments of the process.
pub fn main() -> ExitCode {
    let (matches, cli) = match parse() {
        Ok(parsed) => parsed,
        Err(error) => return print_parse_error(&error),
    };
    prove::prove_in_children();
    Signals::catch_file_limit();
    let terminal = Terminal::new(cli.global.yes, FieldNames::of(command(), &running(&matches)));
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

fn parse() -> std::result::Result<(ArgMatches, Cli), clap::Error> {
    let matches = command().try_get_matches()?;
    let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command()))?;
    Ok((matches, cli))
}

/// Prints help, the version, or what is wrong with the arguments, and returns the exit code.
fn print_parse_error(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    let shown = text::escape_direction(&text);
    if shown == text {
        // In colour, where the terminal has it. As `clap::Error::exit` does, it passes over a stream that is closed.
        let _ = error.print();
    } else {
        progress::print_stderr(shown.trim_end());
    }
    ExitCode::from(error.exit_code() as u8)
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
        Command::Device(args) => device::run(args, global, terminal),
        Command::Data(args) => data::run(args, global, terminal),
        Command::Backbone(args) => backbone::run(args, global, terminal),
        Command::Extract(args) => extract::run(args, global, terminal),
        Command::Train(args) => train::run(args, global, terminal),
        Command::Sweep(args) => sweep::run(args, global, terminal),
        Command::Evaluate(args) => evaluate::run(args, global, terminal),
        Command::Report(args) => report::run(args, global, terminal),
        Command::Predict(args) => predict::run(args, global, terminal),
        Command::Classify(args) => classify::run(args, global, terminal),
        Command::Compare(args) => compare::run(args, global),
        Command::Export(args) => export::run(args, global, terminal),
        Command::Experiment(args) => experiment::run(args, global, terminal),
        Command::Tensorboard(args) => tensorboard::run(args, global, terminal),
        Command::Cache(args) => cache::run(args, global, terminal),
        Command::Prove(args) => prove::run(args),
    }
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
