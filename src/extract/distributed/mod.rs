//! Extraction by several processes, on one machine or many: a plan in chunks, workers that compute chunks and write receipts, and
//! the end, which checks every receipt and describes the data set. The cache is the one that [`extract`](super::extract()) would
//! have made.

mod chunk_files;
mod config;
mod finish;
mod planner;
mod shard;
mod supervisor;
mod wire;
mod worker;

pub use config::{FinishConfig, PlanConfig, WorkerConfig};
pub use finish::{FinishStats, finish};
pub use planner::{PlanStats, plan};
pub use shard::{Shard, ShardStats, work_on_shard};
pub use supervisor::supervise;
pub use worker::work;
