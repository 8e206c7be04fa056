//! Folders of labelled images before anything is computed: a summary, and a selection of the largest classes.

mod select;
mod summary;

pub use select::{SelectConfig, SelectStats, SelectedClass, select};
pub use summary::{ClassSummary, ImageFolder, SummaryConfig, SummaryStats, summary};
