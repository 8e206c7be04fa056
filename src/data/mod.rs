//! Images on disk to a data set: finding and decoding files, augmentation, preprocessing, splits, summaries.

pub mod augment;
pub mod dataset;
pub mod decode;
mod fetch;
pub mod group_pattern;
pub mod manifest;
pub mod narrow;
pub mod perceptual;
pub mod pixels;
pub mod preprocess;
pub mod scan;
mod select;
mod summary;
pub mod thumbnail;
mod write_manifest;

pub use fetch::{
    DataSetSource, FetchDataConfig, FetchDataStats, fetch_data_set, fetch_from, known_data_sets,
};
pub use select::{SelectConfig, SelectStats, SelectedClass, select};
pub use summary::{ClassSummary, ImageFolder, SummaryConfig, SummaryStats, summary};
pub use write_manifest::{ManifestConfig, ManifestStats, write_manifest};
pub(crate) use write_manifest::{check_manifest_output, write_manifest_of};
