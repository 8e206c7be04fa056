//! Everything that the page of a run is made from.

use super::examples::Examples;
use crate::cache::Samples;
use crate::evaluate::EvaluateStats;
use crate::report::format::date_time;
use crate::report::map::FeatureMap;
use crate::run::Record;
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
    /// The images of the cache in two dimensions; `None` if it cannot be read.
    pub map: Option<FeatureMap>,
    /// Commands that make the run again; may be empty.
    pub commands: Vec<CommandLine>,
    /// The folder of images that the scores are about; `None` for a split of the run.
    pub new_images: Option<PathBuf>,
}

impl RunData {
    /// When the run was trained; `None` if the run does not say.
    pub fn trained(&self) -> Option<String> {
        trained(&self.record)
    }
}

/// When a run was trained; `None` if it does not say.
pub(super) fn trained(record: &Record) -> Option<String> {
    known_date_time(record.time)
}

/// The day and minute of seconds since 1970; `None` for 0, which stands for an unknown time.
fn known_date_time(seconds: u64) -> Option<String> {
    (seconds > 0).then(|| date_time(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_time_is_not_1970() {
        assert_eq!(known_date_time(0), None);
        assert_eq!(known_date_time(951_827_696).unwrap(), "2000-02-29 12:34 UTC");
    }
}
