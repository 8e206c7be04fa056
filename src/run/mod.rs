//! A run on disk: the head, `run.json`, the predictions, the digests of the images it was fitted on, the measure of
//! distance, an event file for TensorBoard. Written beside and swapped into place whole; read by `evaluate`, `predict` and `train --init`.

mod curves;
mod predictions;
mod reject;

pub use curves::{Snapshots, event_file};
pub use predictions::{Prediction, check_split, class_index, read_predictions};
pub use reject::Reject;

use crate::dataset::Division;
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::events::file_name;
use crate::fs;
use crate::head::reject::Measured;
use crate::head::{self, Epoch, Head, SolverConfig};
use crate::metrics::Temperature;
use crate::store::Spec;
use crate::store::table::{ColumnData, ColumnType, Table};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::HashSet;
use std::path::Path;

/// The version of the files in a run.
pub const SCHEMA: &str = "run-v1";

const RECORD: &str = "run.json";
const HEAD: &str = "head.safetensors";
const TRAINED_ON: &str = "train-images.parquet";
const REJECT: &str = "reject.safetensors";
/// The page of `report`, where it is not written elsewhere.
pub const REPORT: &str = "report.html";
const FILES: [&str; 6] = [RECORD, HEAD, predictions::FILE, TRAINED_ON, REJECT, REPORT];

/// The content of `run.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of the tool.
    pub version: String,
    /// When the run was started, in seconds since 1970.
    pub time: u64,
    /// The cache, absolute.
    pub cache: String,
    /// What the features are.
    pub spec: Spec,
    /// In the order that numbers them.
    pub classes: Vec<ClassCount>,
    /// Settings of the fit.
    #[serde(deserialize_with = "solver_or_adam")]
    pub config: SolverConfig,
    /// Other splits than the cache's own, where the run has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub division: Option<Division>,
    /// Bytes of memory for features, where the run was given a limit: train rows then came in blocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Variants that were trained on.
    pub variants: Vec<String>,
    /// Feature rows that were trained on.
    pub train_rows: usize,
    /// The run whose head was the start, if any.
    pub init: Option<String>,
    /// All epochs.
    pub history: Vec<Epoch>,
    /// The epoch that was kept, from 1.
    pub best_epoch: usize,
    /// Wall time of the fit.
    pub seconds: f64,
    /// The temperature that fits the validation images; none where they tell none, or from before there were any.
    #[serde(default)]
    pub temperature: Option<Temperature>,
}

impl Record {
    /// The classes' names, in the order that numbers them.
    pub fn class_names(&self) -> Vec<String> {
        self.classes.iter().map(|class| class.name.clone()).collect()
    }
}

/// The settings of a fit; those that name no solver are Adam's, from when there was no other.
fn solver_or_adam<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<SolverConfig, D::Error> {
    let mut settings = serde_json::Map::deserialize(from)?;
    settings.entry("solver").or_insert_with(|| "adam".into());
    serde_json::from_value(settings.into()).map_err(serde::de::Error::custom)
}

/// Distinct images of one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassCount {
    /// The class.
    pub name: String,
    /// In the train split.
    pub train: usize,
    /// In the validation split.
    pub validation: usize,
    /// In the test split.
    pub test: usize,
}

/// A finished run to be written.
#[derive(Debug)]
pub struct Finished<'a> {
    /// For `run.json`.
    pub record: &'a Record,
    /// For `head.safetensors`.
    pub head: &'a Head,
    /// For `predictions.parquet`.
    pub predictions: &'a [Prediction],
    /// Digests of the images that were trained on.
    pub trained_on: &'a [Digest],
    /// For `reject.safetensors`.
    pub measured: &'a Measured,
    /// For the event file.
    pub snapshots: &'a Snapshots,
}

/// Checks that a run may be written at `path`: nothing there, an empty folder, or a run.
///
/// # Errors
/// [`Kind::Run`] for any other folder or file.
pub fn check_target(path: &Path) -> Result<()> {
    let refuse = |message: &str| {
        Err(Error::new(Kind::Run, message)
            .at(path)
            .help("choose a new folder for --run, or one that holds a run"))
    };
    match path.symlink_metadata().is_ok() {
        false => Ok(()),
        true if path.is_symlink() => refuse("the run cannot be written here: it is a link"),
        true if !path.is_dir() => refuse("the run cannot be written here: it is a file"),
        true if is_current_folder(path) => refuse("a run needs a folder of its own, not the current one"),
        true if fs::list(path)?.is_empty() => Ok(()),
        true => match read_record(path) {
            Ok(record) => match foreign(path, &record)? {
                Some(name) => {
                    refuse(&format!("the run there cannot be replaced: its folder holds {name:?} as well"))
                }
                None => Ok(()),
            },
            Err(_) => refuse("the folder is not empty and holds no run, so it is left alone"),
        },
    }
}

/// Something in the folder of a run that is not the run's: the whole folder is replaced with it. Other programs' event files
/// are called otherwise than a run's own.
fn foreign(path: &Path, record: &Record) -> Result<Option<String>> {
    let own = file_name(record.time);
    let mut names = fs::list(path)?.into_iter().map(|entry| entry.name);
    Ok(names.find(|name| !FILES.contains(&name.as_str()) && *name != own))
}

fn is_current_folder(path: &Path) -> bool {
    let here = std::env::current_dir().and_then(|here| here.canonicalize());
    here.is_ok_and(|here| path.canonicalize().is_ok_and(|path| path == here))
}

/// Writes a run beside `path` and swaps it in.
///
/// # Errors
/// When the operating system refuses; what stood at `path` then still stands.
pub fn write(path: &Path, run: &Finished) -> Result<()> {
    check_target(path)?;
    fs::write_folder(path, |folder| write_files(folder, run))
}

fn write_files(folder: &Path, run: &Finished) -> Result<()> {
    let classes = run.record.class_names();
    let spec = serde_json::to_value(&run.record.spec).expect("plain data");
    head::save(&folder.join(HEAD), run.head, &classes, spec)?;
    predictions::write(folder, run.predictions, classes.len())?;
    head::reject::save(&folder.join(REJECT), run.measured)?;
    let trained_on = Table::new([("image_sha256", ColumnData::Digests(run.trained_on.to_vec()))]);
    fs::write_atomic(&folder.join(TRAINED_ON), &trained_on.encode())?;
    let events = event_file(run.record, run.snapshots, run.head);
    fs::write_atomic(&folder.join(file_name(run.record.time)), &events)?;
    let record = serde_json::to_vec_pretty(run.record).expect("plain data");
    fs::write_atomic(&folder.join(RECORD), &record)
}

/// Whether a folder holds a run, of whatever version.
pub fn is_run(folder: &Path) -> bool {
    folder.join(RECORD).exists()
}

/// Reads `run.json`.
///
/// # Errors
/// [`Kind::Run`] when the folder holds no run, or one of another version.
pub fn read_record(run: &Path) -> Result<Record> {
    let path = run.join(RECORD);
    if !path.exists() {
        let message = if run.exists() { "not a run: it holds no run.json" } else { "no such run" };
        return Err(Error::new(Kind::Run, message)
            .at(run)
            .help("`headstart train CACHE --run RUN` makes one"));
    }
    let unread =
        || Error::new(Kind::Run, "not a record that this version reads").at(&path).help("train again");
    let record: Record = serde_json::from_slice(&fs::read(&path)?).map_err(|e| unread().because(e))?;
    match record.schema == SCHEMA {
        true => Ok(record),
        false => Err(unread().because(format!("its schema is {}, not {SCHEMA}", record.schema))),
    }
}

fn damaged(path: &Path, error: Error) -> Error {
    error.of_kind(Kind::Run).at(path).help("train again")
}

/// Reads the head with its classes and the spec of its features.
///
/// # Errors
/// [`Kind::Run`] when the folder holds no run, or its head is damaged.
pub fn read_head(run: &Path) -> Result<(Head, Vec<String>, Spec)> {
    read_record(run)?;
    let path = run.join(HEAD);
    let (head, classes, spec) = head::load(&path)?;
    let spec = serde_json::from_value(spec).map_err(|e| {
        Error::new(Kind::Run, "its spec is not one that this version reads").at(&path).because(e)
    })?;
    Ok((head, classes, spec))
}

/// Reads the digests of the images that the run was trained on.
///
/// # Errors
/// [`Kind::Run`] when the file is missing or damaged.
pub fn read_trained_on(run: &Path) -> Result<HashSet<Digest>> {
    let path = run.join(TRAINED_ON);
    let mut table =
        Table::read(&path, &[("image_sha256", ColumnType::Digests)]).map_err(|e| damaged(&path, e))?;
    Ok(table.take_digests("image_sha256").into_iter().collect())
}
