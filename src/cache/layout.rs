//! Names of the files and folders in a cache.

pub(super) const SPEC: &str = "spec.json";
pub(super) const SAMPLES: &str = "samples.parquet";
pub(super) const REFUSED: &str = "refused.parquet";
/// Rows that the network gave no numbers for.
pub(super) const REFUSED_ROWS: &str = "refused-rows.parquet";
/// The folder of parts.
pub(super) const FEATURES: &str = "features";
/// The folder to which damaged parts are moved.
pub(super) const DAMAGED: &str = "damaged";
/// The file that a writer locks.
pub(super) const LOCK: &str = ".lock";
