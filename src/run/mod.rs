//! A run on disk: the names of its files, and reading and writing them. A run is written beside its final place and swapped
//! in whole.

mod curves;
mod live;
mod predictions;
mod record;
mod rejection;
mod selection;
mod stored;

pub use curves::{WeightHistograms, event_file};
pub use live::{LiveCurves, live_folder};
pub use predictions::{Prediction, check_split};
pub use record::{ClassCount, FoldScore, MULTI_LABEL_SCHEMA, MultiLabel, Record, SCHEMA, SamePictures};
pub use rejection::RejectionRule;
pub use selection::{Candidate, CandidateFeatures, LeftOut, LeftOutReason, Selection};
pub use stored::StoredRun;

use crate::cache::Spec;
use crate::error::{Error, Kind, Result};
use crate::head::rejection::{RejectionDistances, save as save_distances};
use crate::head::{self, Head};
use crate::io::digest::Digest;
use crate::io::events::event_file_name;
use crate::io::parquet::{ColumnData, Table};
use crate::io::{fs, json};
use std::path::Path;

const RECORD: &str = "run.json";
const HEAD: &str = "head.safetensors";
const PREDICTIONS: &str = "predictions.parquet";
const TRAINED_ON: &str = "train-images.parquet";
const REJECT: &str = "reject.safetensors";
/// Name of the report, where it is written into the run.
pub const REPORT: &str = "report.html";
/// All files of a run except its event file, whose name holds the start of the run.
const FILES: [&str; 6] = [RECORD, HEAD, PREDICTIONS, TRAINED_ON, REJECT, REPORT];

/// What a run consists of when it is written.
#[derive(Debug)]
pub struct RunContents<'a> {
    /// Content of `run.json`.
    pub record: &'a Record,
    /// The head.
    pub head: &'a Head,
    /// Predictions for the validation and test images, by image digest, then variant.
    pub predictions: &'a [Prediction],
    /// Digests of the images that the head was trained on.
    pub trained_on: &'a [Digest],
    /// The distance measure, with the distances of the validation and test images; `None` where images have several labels.
    pub measured: Option<&'a RejectionDistances>,
    /// Histograms for the event file.
    pub histograms: &'a WeightHistograms,
}

/// The head of a run with its classes and the spec of its features.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainedHead {
    /// Weights and bias.
    pub head: Head,
    /// Names of the classes, in the order of their indices.
    pub classes: Vec<String>,
    /// What the features are.
    pub spec: Spec,
}

/// Checks that a run may be written at `path`: nothing, an empty folder, or a run is there.
///
/// # Errors
/// [`Kind::Run`] for any other folder or file; [`Kind::Io`] when a file or a link that leads nowhere is above it,
/// [`Kind::Usage`] for a path that is not UTF-8.
pub fn check_target(path: &Path) -> Result<()> {
    fs::require_utf8(path)?;
    let refuse = |message: &str| {
        Err(Error::new(Kind::Run, message).at(path).help("choose a new folder, or one that holds a run"))
    };
    match path.symlink_metadata().is_ok() {
        false => fs::check_place(path),
        true if path.is_symlink() => refuse("the run cannot be written here: it is a link"),
        true if !path.is_dir() => refuse("the run cannot be written here: it is a file"),
        true if is_current_folder(path) => refuse("a run needs a folder of its own, not the current one"),
        true if fs::list(path)?.is_empty() => Ok(()),
        true => match read_record(path) {
            Ok(record) => match foreign_file(path, &record)? {
                Some(name) => {
                    refuse(&format!("the run there cannot be replaced: its folder holds {name:?} as well"))
                }
                None => Ok(()),
            },
            Err(_) => refuse("the folder is not empty and holds no run, so it is left alone"),
        },
    }
}

/// Finds a file in the folder of a run that is not part of the run. Replacing the run would delete it. Event files of other
/// programs have other names than that of the run.
fn foreign_file(path: &Path, record: &Record) -> Result<Option<String>> {
    let event_file = event_file_name(record.time);
    let mut names = fs::list(path)?.into_iter().map(|entry| entry.name);
    Ok(names.find(|name| !FILES.contains(&name.as_str()) && *name != event_file))
}

fn is_current_folder(path: &Path) -> bool {
    let here = std::env::current_dir().and_then(|here| here.canonicalize());
    here.is_ok_and(|here| path.canonicalize().is_ok_and(|path| path == here))
}

/// Writes a run beside `path` and swaps it in.
///
/// # Errors
/// Those of [`check_target`], and [`Kind::Io`] when writing fails. What was at `path` before is then unchanged.
pub fn write(path: &Path, run: &RunContents) -> Result<()> {
    check_target(path)?;
    fs::write_folder(path, |folder| write_files(folder, run))
}

fn write_files(folder: &Path, run: &RunContents) -> Result<()> {
    let classes = run.record.class_names();
    let spec = json::to_value(&run.record.spec);
    let save = if run.record.multi_label.is_some() { head::save_multi_label } else { head::save };
    save(&folder.join(HEAD), run.head, &classes, spec)?;
    predictions::write(&folder.join(PREDICTIONS), run.predictions, classes.len())?;
    run.measured.map_or(Ok(()), |measured| save_distances(&folder.join(REJECT), measured))?;
    let trained_on = Table::new([("image_sha256", ColumnData::Digests(run.trained_on.to_vec()))]);
    fs::write_atomic(&folder.join(TRAINED_ON), &trained_on.encode())?;
    let events = event_file(run.record, run.histograms, run.head);
    fs::write_atomic(&folder.join(event_file_name(run.record.time)), &events)?;
    let record = json::encode_pretty(run.record);
    fs::write_atomic(&folder.join(RECORD), &record)
}

/// Whether a folder holds a run of any version.
pub fn is_run(folder: &Path) -> bool {
    folder.join(RECORD).exists()
}

/// Reads `run.json` alone.
///
/// # Errors
/// Those of [`StoredRun::open`].
pub fn read_record(run: &Path) -> Result<Record> {
    StoredRun::open_any(run).map(|run| run.record().clone())
}

/// Returns the index of a class in a run's order.
///
/// # Errors
/// [`Kind::Run`] when the run has no such class.
pub fn class_index(run: &Path, names: &[String], name: &str) -> Result<usize> {
    names.iter().position(|known| known == name).ok_or_else(|| {
        Error::new(Kind::Run, format!("its predictions name an unknown class {name:?}"))
            .at(run)
            .help("train again")
    })
}
