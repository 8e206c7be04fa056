//! What a caller asks of `sweep`.

use crate::data::dataset::Resplit;
use crate::error::{Error, Result};
use crate::head::{FitConfig, SolverConfig};
use serde::Serialize;
use std::path::PathBuf;
use std::str::FromStr;

/// Settings of `sweep`. Lists hold every value to try; all combinations are fitted.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `caches` | none | folders of caches of the same images, such as those of several layers |
/// | `runs` | none | folder of the runs |
/// | `variants` | every complete family | feature sets |
/// | `resplits` | the splits of the cache | assignments of splits |
/// | `l2` | that of `base` | values to try |
/// | `lr`, `hidden`, `seeds` | those of `base` | values to try, for Adam alone |
/// | `base` | Adam with its default settings | the solver with all other settings |
/// | `select_by` | automatic | the validation images choose the best head, or folds where a class has fewer than 20 of them or there are several caches |
/// | `init` | `None` | fresh heads |
/// | `jobs` | 1 | groups fitted at the same time |
/// | `threads` | 0 | one thread per core |
/// | `time` | 0 | unknown |
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SweepConfig {
    /// Folders of caches of the same images with the same splits: those of several layers or backbones are compared.
    pub caches: Vec<PathBuf>,
    /// Folder in which each head gets a run.
    pub runs: PathBuf,
    /// Feature sets: families (`none`, `flip`, `shift`) or exact variants (`shift:+30:+0`) to train on. `None` takes every
    /// family that all train images have.
    pub variants: Vec<Option<Vec<String>>>,
    /// Assignments of splits; `None` stands for the splits of the cache.
    pub resplits: Vec<Option<Resplit>>,
    /// Learning rates.
    pub lr: Vec<f64>,
    /// L2 penalties.
    pub l2: Vec<f64>,
    /// Numbers of hidden units; 0 is a head without a hidden layer.
    pub hidden: Vec<usize>,
    /// Seeds of the initial weights.
    pub seeds: Vec<u64>,
    /// The solver with all other settings. With Adam all heads share one order of rows: that of `shuffle_seed`, or of seed 0
    /// where it is `None`.
    pub base: SolverConfig,
    /// What chooses the best head. The heads themselves are the same.
    pub select_by: Select,
    /// A run whose head is the starting point of every head.
    pub init: Option<PathBuf>,
    /// Number of groups (feature set and splits) that are fitted at the same time; 0 counts as 1.
    pub jobs: usize,
    /// Upper limit on threads; 0 means one per core. No head depends on the number.
    pub threads: usize,
    /// The time to record, in seconds since 1970; 0 if unknown.
    pub time: u64,
}

impl Default for SweepConfig {
    fn default() -> Self {
        let adam = FitConfig::default();
        Self {
            caches: Vec::new(),
            runs: PathBuf::new(),
            variants: vec![None],
            resplits: vec![None],
            lr: vec![adam.lr],
            l2: vec![adam.l2],
            hidden: vec![adam.hidden],
            seeds: vec![adam.seed],
            base: SolverConfig::Adam(adam),
            select_by: Select::Automatic,
            init: None,
            jobs: 1,
            threads: 0,
            time: 0,
        }
    }
}

/// What chooses the best head of a sweep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Select {
    /// The validation images where each class has 20 or more, or nothing but seeds is compared; else folds. Folds where there
    /// are several caches.
    #[default]
    Automatic,
    /// The validation images.
    Validation,
    /// Folds within the train images, in which every setting is fitted as well.
    Folds,
}

impl FromStr for Select {
    type Err = Error;

    /// Parses `auto`, `validation` or `folds`.
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Self::Automatic),
            "validation" => Ok(Self::Validation),
            "folds" => Ok(Self::Folds),
            _ => Err(Error::not_one_of(text, "what selects", &["auto", "validation", "folds"])),
        }
    }
}
