//! Names of the objects of a plan, below the folder of the cache.

/// The folder of everything that is removed when the plan is finished.
pub(crate) const PLAN: &str = "plan";
/// What all chunks share.
pub(crate) const HEADER: &str = "plan/plan.json";
/// The chunks.
pub(super) const CHUNKS: &str = "plan/chunks.parquet";
/// The receipts of the pass under way.
pub(super) const RECEIPTS: &str = "plan/receipts";
/// What a pass over the files found.
pub(crate) const FILES: &str = "plan/files";
/// The folder of unfinished objects.
pub(crate) const STAGING: &str = "plan/unfinished";
/// The folder of parts.
pub(crate) const FEATURES: &str = super::super::layout::FEATURES;
/// The receipts of finished plans.
pub(super) const KEPT: &str = "receipts";
