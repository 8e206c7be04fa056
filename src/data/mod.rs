//! Folders of labelled images as such, before anything is computed: what they hold, and the classes with the most
//! images as a folder of their own.

mod select;
mod summary;

pub use select::{SelectConfig, SelectStats, Selected, select};
pub use summary::{ClassSummary, Looked, SummaryConfig, SummaryStats, look, summary};
