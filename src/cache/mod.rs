//! A cache of features on disk (features-v1): its spec, its samples, and its parts, which are only ever appended.
//! Readers are never disturbed; one process writes at a time.
//!
//! ```text
//! CACHE/spec.json                what the features are            spec.rs
//! CACHE/samples.parquet          the data set, one row per file   samples.rs
//! CACHE/refused.parquet          files that cannot be used        refused.rs
//! CACHE/refused-rows.parquet     rows without numbers             refused_rows.rs
//! CACHE/features/part-*.parquet  the features                     part.rs
//! CACHE/plan, CACHE/receipts     work of several processes        plan/
//! ```
//!
//! A cache by URL is opened through [`with_local_copy`]. [`FeatureCache`] reads a cache, [`CacheWriter`] adds to it, and [`Catalog`] loads selected rows into a matrix.

pub mod catalog;
pub mod compact;
mod digest;
mod duplicates;
pub mod export;
mod image_check;
pub mod info;
mod joined_rows;
pub mod key;
pub mod layers;
mod layout;
mod local_copy;
pub mod near_duplicates;
pub mod near_images;
mod npy;
pub mod part;
pub mod plan;
mod reader;
mod refused;
mod refused_rows;
mod samples;
mod samples_metadata;
pub mod spec;
mod split_remedy;
#[cfg(test)]
pub(crate) mod test_data;
mod verify;
mod writer;

pub use catalog::{Catalog, KeyedFeatures, PartSelection};
pub use digest::{CacheDigest, digest};
pub use image_check::ImageCheck;
pub use key::Key;
pub use local_copy::{Access, with_local_copy};
pub use part::{FeatureRows, MAX_PART_ROWS, Part};
pub use reader::FeatureCache;
pub use refused::{RefusedList, read_refused};
pub use refused_rows::read_refused_rows;
pub use samples::Samples;
pub use spec::{BackboneSpec, PreprocessingSpec, Spec};
pub use verify::{VerifyConfig, VerifyStats, verify};
pub(crate) use writer::RowTarget;
pub use writer::{CacheWriter, check_layers_target, check_target};
