//! Work on a cache that several processes share: what is to be done, in chunks, and what was done.
//!
//! ```text
//! CACHE/plan/plan.json             the pass under way: what all chunks share           header.rs
//! CACHE/plan/chunks.parquet/*      one file a chunk: paths, or paths and keys          chunk.rs
//! CACHE/plan/receipts/*            one file a chunk that is done                       receipt.rs
//! CACHE/plan/files/*               what the files are, found by a pass over them       found_files.rs
//! CACHE/features/part-*            the features, one part a chunk
//! CACHE/receipts/*.parquet         the receipts of finished plans                      kept_receipts.rs
//! ```

mod chunk;
mod found_files;
mod header;
mod kept_receipts;
mod layout;
mod planned_part;
mod receipt;

pub use chunk::{Chunk, ChunkImage, MAX_CHUNK_ROWS, write_plan};
pub(crate) use found_files::{encode_found_files, read_found_files};
pub use header::{Pass, PlanHeader};
pub(crate) use kept_receipts::{keep_receipts, read_kept};
pub(crate) use layout::{FEATURES, FILES, HEADER, PLAN, STAGING};
pub(crate) use planned_part::{PlannedPart, WrittenPart, is_planned};
pub use receipt::{Receipt, RefusedImage, RefusedKey};
