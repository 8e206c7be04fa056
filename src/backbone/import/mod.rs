//! Readers of published weights: each fills the one Inception-v3 table from one kind of file. They refuse to build
//! graphs.

pub mod tfjs;
