//! A run opened for reading. All of its files are of one training, also while `train` replaces the run.

use super::predictions::{self, Prediction};
use super::record::Record;
use super::rejection::{self, RejectionRule};
use super::{HEAD, PREDICTIONS, RECORD, REJECT, TRAINED_ON, TrainedHead, is_run};
use crate::cache::{FeatureCache, Samples};
use crate::data::dataset::refuse_for_label_sets;
use crate::error::{Error, Kind, Result};
use crate::head::rejection::decode as decode_distances;
use crate::head::{self, SavedHead};
use crate::io::digest::{Digest, sha256};
use crate::io::events::{event_file_name, is_event_file_name};
use crate::io::fs::{self, FolderSnapshot, places_after_a_move};
use crate::io::parquet::{ColumnSpec, ColumnType, Table};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// A run opened for reading.
#[derive(Debug)]
pub struct StoredRun {
    files: FolderSnapshot,
    record: Record,
}

impl StoredRun {
    /// Opens the run in the folder `run` and reads its record.
    ///
    /// # Errors
    /// [`Kind::Run`] when the folder holds no run, one of another version, or one on images with several labels.
    pub fn open(run: &Path) -> Result<Self> {
        let stored = Self::open_any(run)?;
        match stored.record.multi_label {
            None => Ok(stored),
            Some(_) => {
                let message = "its images have several labels each, which this cannot take";
                let help = "`evaluate`, `predict` and `report` take such a run, and `export` as `onnx`";
                Err(Error::new(Kind::Run, message).at(run).help(help))
            }
        }
    }

    /// Opens the run as [`StoredRun::open`] does, for a setting that is about one class an image.
    ///
    /// # Errors
    /// Those of [`StoredRun::open`]; [`Kind::Usage`] naming the `field` for a run on images with several labels.
    pub fn open_for(run: &Path, field: &str) -> Result<Self> {
        let stored = Self::open_any(run)?;
        match stored.record.multi_label {
            None => Ok(stored),
            Some(_) => Err(refuse_for_label_sets(field).at(run)),
        }
    }

    /// Opens a run as [`StoredRun::open`] does, also one on images with several labels.
    ///
    /// # Errors
    /// [`Kind::Run`] when the folder holds no run, or one of another version.
    pub fn open_any(run: &Path) -> Result<Self> {
        if !is_run(run) {
            if let Some(obstacle) = fs::obstacle(run) {
                return Err(obstacle.of_kind(Kind::Run));
            }
            let (message, meant) = match run.exists() {
                true => ("not a run: it holds no run.json", String::new()),
                false => ("no such run", fs::meant_beside(run, is_run)),
            };
            return Err(Error::new(Kind::Run, message).at(run).help(format!("{meant}`train` makes one")));
        }
        let is_wanted = |name: &str| {
            [RECORD, HEAD, PREDICTIONS, TRAINED_ON, REJECT].contains(&name) || is_event_file_name(name)
        };
        let files = FolderSnapshot::open(run, is_wanted)?;
        let record = Record::decode(&files.read(RECORD)?, &files.path(RECORD))?;
        Ok(Self { files, record })
    }

    /// The folder, as it was given.
    pub fn path(&self) -> &Path {
        self.files.folder()
    }

    /// The content of `run.json`.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Reads the head.
    ///
    /// # Errors
    /// [`Kind::Run`] when its file is missing or damaged.
    pub fn head(&self) -> Result<TrainedHead> {
        let path = self.files.path(HEAD);
        let SavedHead { head, classes, spec, .. } = head::decode(&self.files.read(HEAD)?, &path)?;
        let spec = serde_json::from_value(spec).map_err(|e| {
            Error::new(Kind::Run, "its spec is not one that this version reads").at(&path).because(e)
        })?;
        Ok(TrainedHead { head, classes, spec })
    }

    /// Digest of the file of the head, by which a run is told from another.
    ///
    /// # Errors
    /// [`Kind::Io`] when it cannot be read.
    pub fn head_sha256(&self) -> Result<Digest> {
        self.files.read(HEAD).map(|bytes| sha256(&bytes))
    }

    /// Reads the predictions, by image digest, then variant.
    ///
    /// # Errors
    /// [`Kind::Run`] when the file is missing or damaged, or names an unknown split or variant.
    pub fn predictions(&self) -> Result<Vec<Prediction>> {
        let path = self.files.path(PREDICTIONS);
        let bytes = self.files.read(PREDICTIONS).map_err(|e| damaged(&path, e))?;
        predictions::decode(bytes, &path).map_err(|e| damaged(&path, e))
    }

    /// Reads the digests of the images that the head was trained on.
    ///
    /// # Errors
    /// [`Kind::Run`] when the file is missing or damaged.
    pub fn trained_on(&self) -> Result<HashSet<Digest>> {
        let path = self.files.path(TRAINED_ON);
        let bytes = self.files.read(TRAINED_ON).map_err(|e| damaged(&path, e))?;
        let mut table = Table::decode(bytes, &[ColumnSpec::new("image_sha256", ColumnType::Digests)], &path)
            .map_err(|e| damaged(&path, e))?;
        Ok(table.take_digests("image_sha256").into_iter().collect())
    }

    /// Reads the distance measure and calibrates it, where `reject` says so: of images like those of the validation split at
    /// most a share of `reject` is rejected. This holds on average over the choice of the validation images or, given a
    /// `confidence`, for that share of choices.
    ///
    /// # Errors
    /// [`Kind::Usage`] where a value is not above 0 and below 1, `reject` is too small for the number of validation
    /// images, or `confidence` stands alone;
    /// [`Kind::Run`] when the file is damaged, or the run is of a version without the measure.
    pub fn rejection(&self, reject: Option<f64>, confidence: Option<f64>) -> Result<Option<RejectionRule>> {
        let Some(alpha) = reject else {
            return match confidence {
                None => Ok(None),
                Some(_) => {
                    Err(Error::new(Kind::Usage, "`confidence` needs `reject`").help("try `reject` 0.05"))
                }
            };
        };
        rejection::check_alpha(alpha)?;
        confidence.map_or(Ok(()), rejection::check_confidence)?;
        let path = self.files.path(REJECT);
        if !self.files.contains(REJECT) {
            if self.record.multi_label.is_some() {
                return Err(refuse_for_label_sets("reject").at(self.path()));
            }
            let message = "it is missing: the run was written by a version without `reject`";
            return Err(Error::new(Kind::Run, message).at(&path).help("train again"));
        }
        let measured = decode_distances(&self.files.read(REJECT)?, &path)?;
        RejectionRule::calibrate(self.path(), measured, alpha, confidence).map(Some)
    }

    /// Reads the event file; `None` for a run of an older version, which has none.
    ///
    /// # Errors
    /// [`Kind::Io`] when it cannot be read.
    pub fn events(&self) -> Result<Option<Vec<u8>>> {
        let name = event_file_name(self.record.time);
        if self.files.contains(&name) { self.files.read(&name).map(Some) } else { Ok(None) }
    }

    /// Opens the cache that the run was trained on: `given`, or where it was then, or where it is after the project was
    /// moved. A cache that was found elsewhere must know an image of the run.
    ///
    /// # Errors
    /// [`Kind::Cache`] when there is none, or it holds other features by now.
    pub fn open_cache(&self, given: Option<&Path>) -> Result<FeatureCache> {
        if let Some(given) = given {
            return self.own_cache(given);
        }
        let stored = PathBuf::from(&self.record.cache);
        let missing = match self.own_cache(&stored) {
            Err(e) if !stored.exists() => e,
            found => return found,
        };
        let elsewhere = places_after_a_move(&stored, self.path()).into_iter().skip(1);
        let found = elsewhere.filter_map(|place| self.own_cache(&place).ok());
        let mut own =
            found.filter(|cache| cache.samples().is_ok_and(|samples| self.knows_an_image(&samples)));
        own.next().ok_or_else(|| missing.help("set `cache` to the folder where it is now"))
    }

    /// The cache at a path, if its features are those of the run.
    fn own_cache(&self, path: &Path) -> Result<FeatureCache> {
        let cache = FeatureCache::open(path)?;
        cache.spec().require(&self.record.spec, path)?;
        Ok(cache)
    }

    fn knows_an_image(&self, samples: &Samples) -> bool {
        let images: HashSet<Digest> = samples.rows.iter().map(|sample| sample.file.image_sha256).collect();
        self.trained_on().is_ok_and(|own| own.iter().any(|image| images.contains(image)))
    }
}

fn damaged(path: &Path, error: Error) -> Error {
    error.of_kind(Kind::Run).at(path).help("train again")
}
