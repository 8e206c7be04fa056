//! Everything that people look at: pages about runs, data sets, comparisons and predictions, plots, and TensorBoard.

pub mod comparison;
pub mod dataset;
pub(crate) mod explanation;
pub(crate) mod format;
pub(crate) mod html;
pub mod map;
pub mod output;
pub(crate) mod page;
pub(crate) mod plot;
pub mod prediction;
pub mod run;
pub mod suggestions;
pub mod tensorboard;
