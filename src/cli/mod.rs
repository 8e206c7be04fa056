//! The command line, one file a subcommand: arguments become the configuration of a stage, its result is printed.
//! Results go to stdout, everything else to stderr.

mod auto;
mod backbone;
mod cache;
mod classify;
mod compare;
mod completions;
mod data;
mod decision_text;
mod demo;
mod device;
mod distributed;
mod doctor;
mod duplicates;
mod evaluate;
mod evaluate_new;
mod experiment;
mod export;
mod extract;
mod fidelity_text;
mod fields;
mod fit_options;
mod layers;
mod man;
mod members_text;
mod multi_label_text;
mod options;
mod output;
mod over_heads_text;
mod paths;
mod predict;
mod progress;
mod prove;
mod rejection_text;
mod report;
mod reproduce;
mod scores_text;
mod search;
mod setup;
mod shell;
mod signals;
mod suggest;
mod sweep;
mod sweep_text;
mod tensorboard;
mod text;
mod train;
mod train_text;
mod worker;

use crate::error::{Kind, Result};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use fields::FieldNames;
use options::Global;
use output::Outcome;
use progress::Terminal;
use signals::Signals;
use std::process::ExitCode;

/// Turn folders of labelled images into a trained classifier
///
/// `extract` runs a frozen network once for each image and caches its features. `train` fits a softmax head to them
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
    Doctor(doctor::Args),
    Data(data::Args),
    Backbone(backbone::Args),
    Extract(extract::Args),
    Worker(worker::Args),
    Layers(layers::Args),
    Duplicates(duplicates::Args),
    Search(search::Args),
    Train(train::Args),
    Suggest(suggest::Args),
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
    Completions(completions::Args),
    Man(man::Args),
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
    let matches = command()
        .try_get_matches()
        .map_err(|error| with_comma_tip(error, &std::env::args().collect::<Vec<_>>()))?;
    let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command()))?;
    Ok((matches, cli))
}

/// Adds to the error about a value too many, as in `--lr 0.001 0.01`, how several values of that option are written.
fn with_comma_tip(mut error: clap::Error, args: &[String]) -> clap::Error {
    let Some(ContextValue::String(surplus)) = error.get(ContextKind::InvalidArg) else { return error };
    let mut places = args.windows(3).filter(|window| {
        window[2] == *surplus && window[0].starts_with("--") && !window[1].starts_with("--")
    });
    let Some([option, first, second]) = places.next() else { return error };
    if error.kind() != ErrorKind::UnknownArgument || !takes_several(args, option) {
        return error;
    }
    let tip = format!("several values are separated by commas: {option} {first},{second}");
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    error
}

/// Whether an option of the subcommand that `args` name takes values separated by commas.
fn takes_several(args: &[String], option: &str) -> bool {
    let root = command();
    let mut running = &root;
    for arg in &args[1..] {
        let Some(below) = running.find_subcommand(arg) else { break };
        running = below;
    }
    let is_it = |arg: &&clap::Arg| arg.get_long().is_some_and(|long| option.strip_prefix("--") == Some(long));
    running.get_arguments().find(is_it).is_some_and(|arg| arg.get_value_delimiter() == Some(','))
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

fn dispatch(chosen: Command, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    match chosen {
        Command::Demo(args) => demo::run(args, global, terminal),
        Command::Setup(args) => setup::run(args, global, terminal),
        Command::Device(args) => device::run(args, global, terminal),
        Command::Doctor(args) => doctor::run(args, global, terminal),
        Command::Data(args) => data::run(args, global, terminal),
        Command::Backbone(args) => backbone::run(args, global, terminal),
        Command::Extract(args) => extract::run(args, global, terminal),
        Command::Worker(args) => worker::run(args, global, terminal),
        Command::Layers(args) => layers::run(args, global, terminal),
        Command::Duplicates(args) => duplicates::run(args, global, terminal),
        Command::Search(args) => search::run(args, global, terminal),
        Command::Train(args) => train::run(args, global, terminal),
        Command::Suggest(args) => suggest::run(args, global, terminal),
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
        Command::Completions(args) => completions::run(&args, &command()),
        Command::Man(args) => man::run(&args, command(), global),
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
    fn several_values_without_a_comma_are_told_about_it() {
        let told = |args: &[&str]| {
            let args: Vec<String> = args.iter().map(|arg| arg.to_string()).collect();
            with_comma_tip(command().try_get_matches_from(&args).unwrap_err(), &args).to_string()
        };
        let several = told(&["headstart", "sweep", "c", "--runs", "r", "--lr", "0.001", "0.01"]);
        assert!(several.contains("separated by commas: --lr 0.001,0.01"), "{several}");
        let single = told(&["headstart", "evaluate", "r", "--reject", "0.001", "0.01"]);
        assert!(single.contains("0.01") && !single.contains("commas"), "{single}");
    }

    #[test]
    fn the_running_command_is_named_with_its_group() {
        let matches = command().get_matches_from(["headstart", "cache", "verify", "c", "--dry-run"]);
        assert_eq!(running(&matches), ["cache", "verify"]);
    }
}
