//! Numbers: matrices of float32 rows, seeded random numbers, and work shared among threads.

pub mod half;
pub mod matrix;
pub(crate) mod parallel;
pub mod random;
