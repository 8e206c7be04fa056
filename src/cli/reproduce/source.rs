//! What is known about a run, its cache and the run that it started from.

use crate::backbone::{CPU_PROVIDER, CUDA_PROVIDER, OPENVINO_PROVIDER};
use crate::cache::{FeatureCache, Samples};
use crate::cli::options::Layout;
use crate::data::augment::Variant;
use crate::data::dataset::{Fractions, Sample, Split};
use crate::data::manifest::Manifest;
use crate::error::Result;
use crate::io::digest::Digest;
use crate::io::fs;
use crate::run::{Prediction, Record, StoredRun};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What is known about a run and the cache it was trained on.
#[derive(Debug)]
pub(super) struct Source {
    pub folder: PathBuf,
    pub record: Record,
    /// `None` when the cache is gone or holds other features by now.
    pub cache: Option<Cache>,
    /// Variants of the images of validation and test.
    pub held_out_variants: BTreeSet<Variant>,
    /// Whether the cache splits its images as it did when the run was trained.
    pub has_same_split: bool,
}

/// What a cache knows about its images.
#[derive(Debug)]
pub(super) struct Cache {
    pub root: PathBuf,
    /// The manifest that lists the images.
    pub manifest: Option<Manifest>,
    /// The expression by which paths are grouped.
    pub group_by: Option<String>,
    pub seed: u64,
    pub fractions: Fractions,
    /// The flag without which the folders would be taken otherwise.
    pub layout: Option<&'static str>,
    /// The device that computed every part; `None` when several did.
    pub device: Option<String>,
}

pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

pub(super) fn identity(folder: &Path) -> PathBuf {
    folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf())
}

impl Source {
    pub fn read(run: &StoredRun, cache: Option<&Path>) -> Result<Self> {
        let mut record = run.record().clone();
        let predictions = run.predictions()?;
        let store = run.open_cache(cache).ok();
        if let Some(store) = &store {
            record.cache = absolute(store.root()).display().to_string();
        }
        let samples = store.as_ref().and_then(|store| store.samples().ok());
        Ok(Self {
            folder: run.path().to_path_buf(),
            held_out_variants: predictions.iter().map(|row| row.variant).collect(),
            has_same_split: samples
                .as_ref()
                .is_none_or(|samples| is_split_of(samples, &record, &predictions)),
            cache: store.zip(samples).map(|(store, samples)| Cache {
                layout: samples.layout_choice().map(Layout::flag),
                root: samples.images_root(store.root()),
                group_by: samples.group_by.as_ref().map(ToString::to_string),
                seed: samples.seed,
                fractions: samples.fractions,
                device: device(&store),
                manifest: samples.manifest,
            }),
            record,
        })
    }

    /// The run whose head this one started from, if it can still be read.
    pub fn start(&self) -> Option<Self> {
        let init = PathBuf::from(self.record.init.as_ref()?);
        let open = |place: PathBuf| Self::read(&StoredRun::open(&place).ok()?, None).ok();
        fs::places_after_a_move(&init, &self.folder).into_iter().find_map(open)
    }

    /// Variants that were trained on or predicted.
    pub fn variants(&self) -> impl Iterator<Item = Variant> {
        let trained_on = self.record.variants.iter().filter_map(|name| name.parse().ok());
        trained_on.chain(self.held_out_variants.iter().copied())
    }

    /// Whether images have variants that the cache holds out. Another split than its own trains on some of them.
    pub fn needs_all_splits(&self) -> bool {
        self.record.resplit.is_some() || self.held_out_variants.iter().any(|one| *one != Variant::None)
    }

    /// The last part of its path.
    pub fn name(&self) -> String {
        self.folder.file_name().map_or_else(|| "run".into(), |name| name.to_string_lossy().into_owned())
    }
}

/// Whether the images of validation and test are those that the run predicted.
fn is_split_of(samples: &Samples, record: &Record, predictions: &[Prediction]) -> bool {
    let divided = record.resplit.map(|resplit| resplit.assign(&samples.rows, samples.resplit_fractions()));
    let rows: &[Sample] = divided.as_deref().unwrap_or(&samples.rows);
    let held_out = rows.iter().filter(|sample| sample.split != Split::Train);
    let now: BTreeSet<(Digest, Split)> =
        held_out.map(|sample| (sample.file.image_sha256, sample.split)).collect();
    let plain = predictions.iter().filter(|row| row.variant == Variant::None);
    now == plain.map(|row| (row.image_sha256, row.split)).collect()
}

/// The `--device` that computed all parts, as far as it can be known.
fn device(store: &FeatureCache) -> Option<String> {
    let mut devices = BTreeSet::new();
    for part in store.parts().ok()? {
        let mut noted = part.metadata().ok()?;
        let asked = noted.remove("headstart.device").unwrap_or_default();
        devices.insert(match noted.remove("headstart.provider")?.as_str() {
            CPU_PROVIDER => "cpu".to_string(),
            CUDA_PROVIDER if asked.starts_with("cuda") => asked,
            CUDA_PROVIDER => "cuda".to_string(),
            OPENVINO_PROVIDER => "openvino".to_string(),
            _ => return None,
        });
    }
    if devices.len() == 1 { devices.pop_first() } else { None }
}
