//! From folders of labelled images to a trained classifier, in two stages: [`extract`] runs a frozen network once for
//! each (augmented) image and caches its features in Parquet; [`train`] fits a softmax head to the cached features in
//! seconds, again and again.
//!
//! Data flow one way:
//!
//! ```text
//! images -> manifest (class, split) -> wanted rows -> misses only -> decode -> augment -> preprocess
//!        -> Backbone::embed -> Parquet part -> feature table -> fit -> head -> metrics
//! ```
//!
//! The stages are one function each, from a `*Config` to `*Stats`, and tell what they do to a [`monitor::Monitor`]:
//!
//! ```no_run
//! use headstart::head::{FitConfig, SolverConfig};
//! use headstart::{evaluate, monitor::Silent, train};
//!
//! let config = train::TrainConfig {
//!     cache: "cache/photos".into(),
//!     run: "runs/first".into(),
//!     variants: None,
//!     init: None,
//!     solver: SolverConfig::Adam(FitConfig { seed: 1, ..FitConfig::default() }),
//!     time: 0,
//! };
//! let trained = train::train(&config, &Silent)?;
//! let scores = evaluate::evaluate(&evaluate::EvaluateConfig {
//!     run: config.run,
//!     split: headstart::dataset::Split::Test,
//! })?;
//! println!("epoch {}: {:?} of {} images", trained.best_epoch, scores.accuracy, scores.images);
//! # Ok::<(), headstart::error::Error>(())
//! ```
//!
//! Where things are: `docs/architecture.md`.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod archive;
pub mod augment;
pub mod backbone;
pub mod cli;
pub mod compare;
pub mod data;
pub mod dataset;
pub mod demo;
pub mod digest;
pub mod error;
pub mod evaluate;
pub mod extract;
pub mod fs;
pub mod head;
pub mod image_io;
pub mod images;
pub mod metrics;
pub mod monitor;
pub mod pixels;
pub mod predict;
pub mod preprocess;
pub mod registry;
pub mod rng;
pub mod run;
pub mod runtime;
pub mod setup;
pub mod store;
pub mod tensors;
pub mod train;
