//! The hidden subcommand `headstart prove-runtime`: proves an ONNX Runtime in a process of its own, which may crash.

use super::output::Outcome;
use crate::backbone::{Device, install, proof};
use crate::error::Result;
use crate::monitor::Silent;
use std::path::PathBuf;

/// Prove that an ONNX Runtime works, for another headstart
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The library
    library: PathBuf,
}

/// The name of the subcommand.
pub(super) const NAME: &str = "prove-runtime";

/// Makes this process start the subcommand before it loads a library of unknown digest.
pub(super) fn prove_in_children() {
    if let Ok(program) = std::env::current_exe() {
        install::prove_in_children(vec![program.into(), NAME.into()]);
    }
}

pub(super) fn run(args: Args) -> Result<Outcome> {
    proof::prove(&args.library, Device::Cpu, &Silent)?;
    Ok(Outcome::Done)
}
