//! The subcommand `headstart completions`: the script by which a shell completes commands and options. The only door to
//! `clap_complete`.

use super::output::Outcome;
use super::progress;
use crate::error::Result;
use clap_complete::{Shell, generate};

/// Print the completions of commands and options for a shell
///
/// The shell reads them when it starts, from the places that its manual names.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  headstart completions bash > headstart.bash\n  headstart completions zsh > _headstart"
)]
pub(super) struct Args {
    /// The shell
    shell: Shell,
}

pub(super) fn run(args: &Args, command: &clap::Command) -> Result<Outcome> {
    // Hidden commands would be offered too.
    let shown = command.get_subcommands().filter(|below| !below.is_hide_set()).cloned();
    let mut shown = clap::Command::new("headstart").args(command.get_arguments().cloned()).subcommands(shown);
    let mut script = Vec::new();
    generate(args.shell, &mut shown, "headstart", &mut script);
    progress::print_stdout(String::from_utf8_lossy(&script).trim_end())?;
    Ok(Outcome::Done)
}
