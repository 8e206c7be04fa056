//! Everything that the page of a run is made from.

use super::examples::Examples;
use crate::evaluate::EvaluateStats;
use crate::run::Record;
use crate::store::Samples;
use std::path::PathBuf;

/// A command that belongs to making a run again.
#[derive(Debug, Clone)]
pub struct CommandLine {
    /// What it does, in a few words.
    pub label: String,
    /// The command for a POSIX shell; may continue over several lines.
    pub line: String,
}

/// A run with its scores and examples.
pub(super) struct RunData {
    pub run: PathBuf,
    pub record: Record,
    pub stats: EvaluateStats,
    /// `None` if the cache cannot be read.
    pub samples: Option<Samples>,
    pub examples: Examples,
    /// Commands that make the run again; may be empty.
    pub commands: Vec<CommandLine>,
}
