//! The page of a data set, to look at before training: classes, examples, sizes, duplicates, and how variants enter the
//! network; with a cache also splits, near-duplicates across splits and label issues.

mod cache;
mod duplicates;
mod examine;
mod examples;
mod heads;
mod label_issues;
mod look;
mod near_duplicates;
mod page;
mod picture_sections;
mod pictures;
mod plots;
mod sizes;
mod splits;
mod tables;
mod variants;

pub use duplicates::DuplicateGroup;
pub use examine::{DatasetConfig, DatasetStats, examine};
pub use examples::{ClassExamples, ExampleFile};
pub use label_issues::{LabelIssue, LabelIssues};
pub use near_duplicates::{AccuracyWithout, NearDuplicatePair, NearDuplicates, PairImage, VariantDistance};
pub use page::{default_output, write};
pub use sizes::{ImageSizes, SizeCount};
pub use splits::ClassSplits;
pub use variants::{PreviewedVariant, VariantPreview};
