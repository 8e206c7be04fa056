//! Training beyond memory: train rows are read from the parts of the cache in blocks, each while the one before is
//! trained on. Train rows in half the memory, as bfloat16, are read in the same way, once.
//!
//! Each epoch shuffles the parts, joins as many of them to a block as fit, and shuffles the rows within each block. The
//! rows of one part therefore stay in one block of the epoch. With several blocks of many parts each, as nearly any limit
//! allows, batches are as mixed as those of a full shuffle, but the head differs from the one trained in memory. The last
//! batch of a block may be smaller. Every part is rehashed whenever it is read.

mod adam;
mod answers;
mod blocks;
mod budget;
mod lbfgs;
mod stream;

pub(super) use adam::{fit_adam, fit_half};
pub(super) use lbfgs::fit_lbfgs;
