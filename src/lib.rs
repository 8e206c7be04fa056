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
//! The stages are one function each, from a `*Config` to `*Stats`, and tell what they do to a [`monitor::Monitor`]. The
//! first one needs images, ONNX Runtime and a backbone, which [`setup`] installs:
//!
//! ```no_run
//! use headstart::extract::{ExtractConfig, extract};
//! use headstart::{augment::Augmentation, monitor::Silent};
//!
//! let mut config = ExtractConfig::default();
//! config.images = "photos".into(); // photos/<class>/<file>
//! config.cache = "cache/photos".into();
//! config.backbone.models = "models".into();
//! config.augment = vec![Augmentation::Flip];
//! let stats = extract(&config, &Silent)?;
//! println!("{} rows, {} of them computed now", stats.rows, stats.computed);
//! # Ok::<(), headstart::error::Error>(())
//! ```
//!
//! All others need nothing but the cache. Here one is made by hand, of two classes whose two features tell them apart;
//! then a head is trained, evaluated, and opened again:
//!
//! ```
//! use headstart::data::dataset::{Fractions, ImageFile, assign_splits};
//! use headstart::evaluate::{EvaluateConfig, evaluate};
//! use headstart::head::{FitConfig, SolverConfig};
//! use headstart::train::{TrainConfig, train};
//! use headstart::cache::{BackboneSpec, Key, FeatureRows, PreprocessingSpec, Samples, Spec, CacheWriter};
//! use headstart::{augment::Variant, digest::sha256, monitor::Silent, preprocess::Preprocessing, run};
//!
//! # let folder = tempfile::tempdir().unwrap();
//! # let (cache, first) = (folder.path().join("cache"), folder.path().join("run"));
//! let spec = Spec {
//!     schema: headstart::cache::spec::SCHEMA.into(),
//!     backbone: BackboneSpec { name: "by hand".into(), title: "none".into(), graph_sha256: sha256(b"none") },
//!     layer: "PreLogits".into(),
//!     width: 2,
//!     preprocessing: PreprocessingSpec { decode: "none".into(), steps: Preprocessing::named("unit")? },
//!     known_answer: None,
//! };
//! let files: Vec<ImageFile> = (0..40)
//!     .map(|i| ImageFile {
//!         path: format!("{}/{i}.png", if i % 2 == 0 { "cat" } else { "dog" }),
//!         label: if i % 2 == 0 { "cat" } else { "dog" }.into(),
//!         image_sha256: sha256(&[i]),
//!         width: 8,
//!         height: 8,
//!         bytes: 1,
//!         mtime_ns: 0,
//!     })
//!     .collect();
//! let rows = FeatureRows {
//!     keys: files
//!         .iter()
//!         .map(|file| Key { image_sha256: file.image_sha256, variant: Variant::None })
//!         .collect(),
//!     width: 2,
//!     embeddings: files.iter().flat_map(|f| if f.label == "cat" { [1.0, 0.0] } else { [0.0, 1.0] }).collect(),
//! };
//! let fractions: Fractions = "60/15/25".parse()?;
//! let samples =
//!     Samples { rows: assign_splits(files, 0, fractions), root: "/photos".into(), seed: 0, fractions };
//! let mut writer = CacheWriter::open_or_create(&cache, &spec)?;
//! writer.describe(&samples, &[])?;
//! writer.append(rows, Default::default())?;
//!
//! let mut settings = FitConfig::default();
//! settings.lr = 0.5;
//! let trained = train(
//!     &TrainConfig {
//!         cache,
//!         run: first.clone(),
//!         solver: SolverConfig::Adam(settings),
//!         ..TrainConfig::default()
//!     },
//!     &Silent,
//! )?;
//! let mut config = EvaluateConfig::default();
//! config.run = first.clone();
//! let scores = evaluate(&config)?;
//! assert_eq!((trained.classes, scores.images, scores.accuracy), (2, 10, Some(1.0)));
//!
//! let trained = run::read_head(&first)?;
//! let probabilities = trained.head.probabilities(&[0.9, 0.1]);
//! assert_eq!(trained.classes[headstart::head::argmax(probabilities.row(0))], "cat");
//! # Ok::<(), headstart::error::Error>(())
//! ```
//!
//! The head is an estimator of `linfa` too: [`head::SoftmaxRegression`].
//!
//! Where things are: `docs/architecture.md`.

#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod backbone;
pub mod cache;
pub mod cli;
pub mod data;
pub mod error;
pub mod evaluate;
pub mod experiment;
pub mod extract;
pub mod head;
pub mod io;
pub mod math;
pub mod metrics;
pub mod monitor;
pub mod report;
pub mod run;
pub mod train;
