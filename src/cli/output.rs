//! How a command ends: its result on stdout, refused files on stderr.

use super::options::Global;
use super::{progress, text};
use crate::data::dataset::Refused;
use crate::error::{Error, Kind, Result};
use crate::io::fs;
use serde::Serialize;
use std::path::Path;

/// How a command ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Everything is done.
    Done,
    /// Done, but some inputs were refused.
    WithRefusals,
    /// Done, and damage was found.
    Damaged,
}

/// Prints a result on stdout: `stats` as JSON with `--json`, else `text`.
pub(super) fn print_result(
    global: &Global,
    stats: &impl Serialize,
    text: impl FnOnce() -> String,
) -> Result<()> {
    let output = render(global, stats, text)?;
    if output.is_empty() { Ok(()) } else { progress::print_stdout(&output) }
}

/// Prints a result as [`print_result`] does, but on stderr when stdout holds the file `out` that was written.
pub(super) fn print_result_beside(
    out: &Path,
    global: &Global,
    stats: &impl Serialize,
    text: impl FnOnce() -> String,
) -> Result<()> {
    if !fs::is_stdout(out) {
        return print_result(global, stats, text);
    }
    progress::print_stderr(&render(global, stats, text)?);
    Ok(())
}

fn render(global: &Global, stats: &impl Serialize, text: impl FnOnce() -> String) -> Result<String> {
    let output = match global.json {
        true => serde_json::to_string_pretty(stats).map_err(|e| {
            Error::new(Kind::Io, "the work is done, but its result cannot be written as JSON").because(e)
        })?,
        false => super::text::escape_direction(&text()),
    };
    Ok(output.trim_end().into())
}

/// Lists refused files on stderr.
pub(super) fn list_refused(refused: &[Refused]) -> Outcome {
    for Refused { path, reason, .. } in refused {
        // The name of a file may hold control characters.
        progress::print_stderr(&text::printable(&format!("refused: {path}: {reason}")));
    }
    if refused.is_empty() { Outcome::Done } else { Outcome::WithRefusals }
}
