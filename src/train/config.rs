//! What a caller asks of `train`.

use crate::data::dataset::Resplit;
use crate::error::{Error, Kind, Result};
use crate::head::decision::ClassGoal;
use crate::head::{FeatureFormat, SolverConfig, SolverParams};
use crate::io::fs;
use std::path::PathBuf;

/// Settings of `train`.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `cache` | none | folder of the cache |
/// | `run` | none | folder of the run to write |
/// | `variants` | `None` | every complete family |
/// | `init` | `None` | a fresh head |
/// | `solver` | Adam | Adam with its default settings |
/// | `auto_l2` | no | the penalty of `solver` |
/// | `resplit` | `None` | the splits of the cache |
/// | `memory` | `None` | all features in memory |
/// | `features` | f32 | as the cache holds them |
/// | `threshold` | none | the most probable class is the answer |
/// | `costs` | `None` | the most probable class is the answer |
/// | `live_after` | `None` | 10 seconds |
/// | `threads` | 0 | one thread per core |
/// | `time` | 0 | unknown |
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct TrainConfig {
    /// Folder of the cache.
    pub cache: PathBuf,
    /// Folder of the run to write. A run that is there is replaced.
    pub run: PathBuf,
    /// Variants of the train images to train on: families (`none`, `flip`, `shift`) or exact variants (`shift:+30:+0`).
    /// `None` takes every family that all train images have.
    pub variants: Option<Vec<String>>,
    /// A run whose head is the starting point (Adam only).
    pub init: Option<PathBuf>,
    /// The solver and its settings.
    pub solver: SolverConfig,
    /// Whether the L2 penalty is chosen (L-BFGS only): by the validation images where each class has 20 or more, else by folds
    /// within the train images. That of `solver` is then ignored.
    pub auto_l2: bool,
    /// Splits that replace those of the cache for this run.
    pub resplit: Option<Resplit>,
    /// Memory for features in bytes (not with linfa's L-BFGS). Train rows that do not fit are read again in each epoch or
    /// iteration, block by block; Adam takes them in an order of their own (see `docs/architecture.md`). `None` holds all features in memory.
    pub memory: Option<u64>,
    /// How train rows are held in memory (bf16 for Adam alone, without `memory`). Features of other splits stay as they are.
    pub features: FeatureFormat,
    /// Goals of precision or recall for classes. Their thresholds are chosen on the validation images, or by folds within the train
    /// images where a class has too few of them.
    pub threshold: Vec<ClassGoal>,
    /// A CSV file with the costs of confusions, by which answers are decided.
    pub costs: Option<PathBuf>,
    /// Seconds of a fit after which its training curves are written while it fits, for TensorBoard, in a folder beside `run` (see
    /// [`live_folder`](crate::run::live_folder)). `None` is 10.
    pub live_after: Option<f64>,
    /// Upper limit on threads; 0 means one per core. The head does not depend on the number.
    pub threads: usize,
    /// The time to record, in seconds since 1970; 0 if unknown.
    pub time: u64,
}

impl TrainConfig {
    /// Trains on `cache` into `run`, everything else by default.
    pub fn new(cache: impl Into<PathBuf>, run: impl Into<PathBuf>) -> Self {
        Self { cache: cache.into(), run: run.into(), ..Self::default() }
    }

    /// Whether features are not all in memory as they are in the cache.
    pub(super) fn is_streamed(&self) -> bool {
        self.memory.is_some() || self.features != FeatureFormat::F32
    }

    /// Checks the settings of the solver, and that the other settings apply to it.
    pub(super) fn check(&self) -> Result<SolverParams> {
        let params = match self.auto_l2 {
            // Any penalty that passes stands in for the one to come.
            true => self.solver.clone().with_l2(1.0).check()?,
            false => self.solver.clone().check()?,
        };
        if self.auto_l2 && (matches!(params, SolverParams::Adam(_)) || self.memory.is_some()) {
            return Err(Error::new(
                Kind::Usage,
                "`l2` is chosen for L-BFGS alone, with all features in memory",
            )
            .help("use `solver` lbfgs without `memory`, or give `l2` as a number"));
        }
        if self.features != FeatureFormat::F32
            && (!matches!(params, SolverParams::Adam(_)) || self.memory.is_some())
        {
            let message = "`features` bf16 is for Adam, without `memory`";
            return Err(Error::new(Kind::Usage, message)
                .help("leave `features` out, or use `solver` adam without `memory`"));
        }
        // The run records these paths.
        fs::require_utf8(&self.cache)?;
        self.init.as_deref().map_or(Ok(()), fs::require_utf8)?;
        self.costs.as_deref().map_or(Ok(()), fs::require_utf8)?;
        if let SolverParams::Adam(_) = &params {
            return Ok(params);
        }
        if let Some(init) = &self.init {
            let message =
                "`init` cannot be used with the L-BFGS solver: the optimum is the same from any start";
            return Err(Error::new(Kind::Usage, message)
                .at(init)
                .help("leave `init` out, or use `solver` adam"));
        }
        if self.memory.is_some() && matches!(params, SolverParams::Linfa(_)) {
            let message = "`memory` cannot be used with the solver lbfgs-linfa, which holds two copies of all features in memory";
            return Err(
                Error::new(Kind::Usage, message).help("leave `memory` out, or use `solver` adam or lbfgs")
            );
        }
        Ok(params)
    }
}
