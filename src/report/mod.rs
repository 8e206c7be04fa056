//! Everything that people look at: pages about runs, data sets, comparisons and predictions, plots, and TensorBoard.

pub mod comparison;
pub mod dataset;
pub mod format;
pub mod html;
pub mod output;
pub mod page;
pub mod plot;
pub mod prediction;
pub mod run;
pub mod tensorboard;
