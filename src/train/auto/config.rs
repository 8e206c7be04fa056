//! What a caller asks of `auto`.

use crate::data::dataset::Resplit;
use crate::error::{Error, Kind, Result};
use crate::head::LbfgsConfig;
use crate::io::fs;
use std::path::PathBuf;

/// Settings of `auto`.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `caches` | none | folders of caches of the same images, the preferred one first |
/// | `run` | none | folder of the run to write |
/// | `variants` | `None` | sets of more and more families |
/// | `base` | L-BFGS with its default settings | every other setting of the head |
/// | `resplit` | `None` | the splits of the cache |
/// | `budget` | 60 | seconds for the search; `None` for no limit |
/// | `threads` | 0 | one thread per core |
/// | `time` | 0 | unknown |
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AutoConfig {
    /// Folders of caches of the same images with the same splits, such as those of several layers. The first ones are preferred
    /// where scores do not differ clearly.
    pub caches: Vec<PathBuf>,
    /// Folder of the run to write. A run that is there is replaced.
    pub run: PathBuf,
    /// Variants of the train images to train on, as one set. `None` tries `none` alone, then with more and more of the families
    /// that all train images have.
    pub variants: Option<Vec<String>>,
    /// The solver with all settings that are not searched. Its `l2` is ignored, and `allow_unconverged` is on; `standardize`
    /// leaves features that are not standardized out of the search, and `label_smoothing` above 0 every other one.
    pub base: LbfgsConfig,
    /// Splits that replace those of the caches for this run.
    pub resplit: Option<Resplit>,
    /// Seconds after which the search ends, wherever it is; a candidate that was not fitted in all folds by then is left out. The
    /// fit of the chosen one to all train images comes on top.
    pub budget: Option<f64>,
    /// Upper limit on threads; 0 means one per core. No head depends on the number, but a budget may end the search elsewhere.
    pub threads: usize,
    /// The time to record, in seconds since 1970; 0 if unknown.
    pub time: u64,
}

impl Default for AutoConfig {
    fn default() -> Self {
        Self {
            caches: Vec::new(),
            run: PathBuf::new(),
            variants: None,
            base: LbfgsConfig::default(),
            resplit: None,
            budget: Some(60.0),
            threads: 0,
            time: 0,
        }
    }
}

impl AutoConfig {
    pub(super) fn check(&self) -> Result<()> {
        // Any penalty that passes stands in for the one to come.
        LbfgsConfig { l2: 1.0, ..self.base.clone() }.check()?;
        if self.caches.is_empty() {
            return Err(Error::new(Kind::Usage, "there is no cache to train on: `caches` is empty"));
        }
        if let Some(seconds) = self.budget
            && !(seconds >= 0.0 && seconds.is_finite())
        {
            return Err(Error::new(Kind::Usage, "`budget` must be a number of seconds of at least 0"));
        }
        self.caches.iter().try_for_each(|cache| fs::require_utf8(cache))
    }
}
