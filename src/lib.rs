//! From folders of labelled images to a trained classifier, in two stages: [`extract()`](extract::extract) runs a frozen
//! network once for each (augmented) image and caches its features in Parquet; [`train()`](train::train) fits a softmax head
//! to the cached features in seconds, again and again.
//!
//! ```text
//! images -> data set (class, split) -> missing rows -> decode -> augment -> preprocess
//!        -> network -> Parquet part -> features -> fit -> head -> scores
//! ```
//!
//! # From images to predictions
//!
//! Each stage is one function from a `*Config` to its result. It reports to a [`Monitor`](monitor::Monitor), unless it only
//! reads a run as `evaluate` does, and never prints. [`Agreeing`](monitor::Agreeing) lets it install what is missing, ONNX Runtime and the network; with
//! [`Silent`](monitor::Silent) it fails instead and says what to install.
//!
//! ```no_run
//! use headstart::prelude::*;
//!
//! # fn main() -> headstart::error::Result<()> {
//! // Notes and warnings go to stderr, every question is answered with yes.
//! let monitor = Agreeing(LogMonitor::to_writer(std::io::stderr()));
//!
//! let mut config = ExtractConfig::new("photos", "cache/photos"); // photos/<class>/<file>
//! config.augment = vec![Augmentation::Flip];
//! let extracted = extract(&config, &monitor)?;
//! println!("{} feature rows, {} of them computed now", extracted.rows, extracted.computed);
//!
//! let trained = train(&TrainConfig::new("cache/photos", "runs/first"), &monitor)?;
//! println!("{} epochs in {:.1} s", trained.epochs, trained.seconds);
//! println!("test accuracy {:?}", evaluate(&EvaluateConfig::new("runs/first"))?.accuracy);
//!
//! let mut predictor = Predictor::open(&PredictorConfig::new("runs/first"), &monitor)?;
//! for file in predictor.predict_files(&["new/1.jpg".into(), "new/2.jpg".into()])? {
//!     let ranked = file.prediction.predictions; // the most probable class first
//!     println!("{}: {:?}", file.path, ranked.first().map(|class| &class.label));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Without images
//!
//! Training needs nothing but a cache. Here one is written by hand: two classes with two features each.
//!
//! ```
//! use headstart::cache::{BackboneSpec, CacheWriter, FeatureRows, Key, PreprocessingSpec, Samples, Spec};
//! use headstart::data::augment::Variant;
//! use headstart::data::dataset::{FolderLayout, Fractions, ImageFile, assign_splits};
//! use headstart::data::preprocess::Preprocessing;
//! use headstart::io::digest::sha256;
//! use headstart::prelude::*;
//! use headstart::run;
//!
//! # fn main() -> headstart::error::Result<()> {
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
//! let file = |i: u8| ImageFile {
//!     path: format!("{}/{i}.png", ["cat", "dog"][usize::from(i % 2)]),
//!     label: ["cat", "dog"][usize::from(i % 2)].into(),
//!     labels: None,
//!     fixed_split: None,
//!     group: None,
//!     weight: Default::default(),
//!     image_sha256: sha256(&[i]),
//!     width: 8,
//!     height: 8,
//!     bytes: 1,
//!     mtime_ns: 0,
//!     identity: Default::default(),
//! };
//! let files: Vec<ImageFile> = (0..40).map(file).collect();
//! let rows = FeatureRows {
//!     keys: files.iter().map(|f| Key { image_sha256: f.image_sha256, variant: Variant::None }).collect(),
//!     width: 2,
//!     embeddings: files.iter().flat_map(|f| if f.label == "cat" { [1.0, 0.0] } else { [0.0, 1.0] }).collect(),
//! };
//! let fractions: Fractions = "60/15/25".parse()?;
//! let rows_of_samples = assign_splits(files, 0, fractions);
//! let layout = FolderLayout::Classes;
//! let samples = Samples {
//!     rows: rows_of_samples,
//!     unlabelled: Vec::new(),
//!     root: "/photos".into(),
//!     seed: 0,
//!     fractions,
//!     layout,
//!     manifest: None,
//!     group_by: None,
//! };
//! let mut writer = CacheWriter::open_or_create(&cache, &spec)?;
//! writer.describe(&samples, &[])?;
//! writer.append(rows, Default::default())?;
//!
//! let trained = train(&TrainConfig::new(&cache, &first), &Silent)?;
//! let scores = evaluate(&EvaluateConfig::new(&first))?;
//! assert_eq!((trained.classes, scores.images, scores.accuracy), (2, 10, Some(1.0)));
//!
//! let trained = run::StoredRun::open(&first)?.head()?;
//! let probabilities = trained.head.probabilities(&[0.9, 0.1]);
//! assert_eq!(trained.classes[headstart::head::argmax(probabilities.row(0))], "cat");
//! # Ok(())
//! # }
//! ```
//!
//! # A tour of the modules
//!
//! **The stages**, one function each; they return data:
//! - [`extract`]: images to a cache of features. [`train`]: a cache to a run; [`train::sweep`] fits many heads at once,
//!   [`train::TrainingSet`] gives features and class indexes as arrays.
//! - [`evaluate`]: a run to scores; [`evaluate::comparison`] compares runs, [`evaluate::predict`] classifies files and
//!   images in memory.
//! - [`score`]: a run, and files and folders of any size, to a file of answers.
//! - [`experiment`]: a named set of runs from images to a table, and the demo.
//! - [`report`] (feature `report`): pages, plots and TensorBoard log directories about all of these.
//!
//! **State on disk**:
//! - [`cache`]: features with their images, splits and spec: read, write, verify, compact, export.
//! - [`run`](mod@run): a trained head with its settings, history and predictions.
//!
//! **The parts**, of use on their own:
//! - [`backbone`]: frozen networks, their installation, and [`backbone::ImageEmbedder`], from images to features.
//! - [`head`]: the softmax head and its solvers. [`head::SoftmaxRegression`] is an estimator of `linfa`.
//! - [`data`]: folders of images, decoding, augmentation, preprocessing, splits.
//! - [`metrics`]: scores, intervals, calibration, tests.
//!
//! **The ground**:
//! - [`error`]: the one error type, with kind, path, cause and remedy.
//! - [`monitor`]: notes, warnings, progress and consent.
//! - [`io`] and [`math`]: digests, atomic files, matrices, seeded random numbers.
//! - [`cli`] (feature `cli`): the program `headstart`.
//!
//! # Features
//!
//! Both are on by default. A library needs neither: `default-features = false` leaves out the command line and the
//! rendering of pages, and what they depend on.
//!
//! | feature | what it adds |
//! |---|---|
//! | `report` | the modules `report` and `export` |
//! | `cli` | the module `cli` and the program; needs `report` |
//!
//! # Names
//!
//! What is typed on the command line is parsed by `FromStr`, and printed by `Display` or as JSON under the same names:
//!
//! | type | names |
//! |---|---|
//! | [`Augmentation`](data::augment::Augmentation) | `flip`, `shift:30`, `rotate:10`, `crop:0.8`, `scale:0.8`, `brightness:0.8`, `contrast:1.2`, `saturation:0.5`, `blur:2`, `noise:10`, or up to three joined by `+` |
//! | [`Variant`](data::augment::Variant) | `none`, and one of an augmentation such as `shift:+30:+0` |
//! | [`Device`](backbone::Device) | `auto`, `cpu`, `cuda`, `cuda:N`, `cuda:N,M`, `openvino` |
//! | [`Fractions`](data::dataset::Fractions) | percentages of train, validation and test, such as `70/5/25` |
//! | [`Preprocessing::named`](data::preprocess::Preprocessing::named) | `unit`, `inception`, `imagenet`, `stretched`, `raw` |
//! | [`Pool`](backbone::Pool) | `cls`, `mean`, `mean-patches`, `channels-last` |
//! | [`SolverConfig`](head::SolverConfig) | `adam`, `lbfgs`, `lbfgs-linfa` |
//! | [`Schedule`](head::Schedule) | `constant`, `linear`, `cosine` |
//! | [`StopOn`](head::StopOn) | `loss`, `accuracy` |
//! | [`SuggestBy`](evaluate::suggest::SuggestBy) | `mix`, `margin`, `entropy`, `coverage` |
//! | [`ClassWeights`](head::ClassWeights) | `none`, `balanced`, or weights such as `ant=2,bee=0.5` |
//! | backbones | `nsfwjs`, `efficientnet-lite0` to `efficientnet-lite2`, `slim`, `torchvision`, `timm-tf_in1k`, `timm-tv_in1k`, `keras`, `fid`, and those that were added |
//! | layers | those of the network: [`NetworkSummary`](backbone::graph::NetworkSummary) lists them; several are joined by `+` |
//!
//! # Stability
//!
//! The API are the stages, the state on disk and the parts of the tour above, [`error`] and [`monitor`]. Before version 1.0
//! a minor version may change it, and `CHANGELOG.md` says what. Configurations, results and enums are `non_exhaustive`, so
//! that they can grow. [`io`], [`math`] and `cli` are public for programs beside this one, and may change with any version.
//!
//! Files outlive the API: caches and runs of every earlier version keep opening, and a file that changes gets a new version
//! name. The minimum Rust version is 1.92; only a minor version raises it.
//!
//! `examples/` has four small programs; `docs/architecture.md` in the repository says where things are.

pub mod backbone;
pub mod cache;
#[cfg(feature = "cli")]
pub mod cli;
pub mod data;
pub mod error;
pub mod evaluate;
pub mod experiment;
#[cfg(feature = "report")]
pub mod export;
pub mod extract;
pub mod head;
pub mod io;
pub(crate) mod limits;
pub mod math;
pub mod metrics;
pub mod monitor;
#[cfg(feature = "report")]
pub mod report;
pub mod run;
pub mod score;
pub mod train;

/// What most programs need: `use headstart::prelude::*;`.
pub mod prelude {
    pub use crate::backbone::{BackboneChoice, Device, ImageEmbedder};
    pub use crate::cache::FeatureCache;
    pub use crate::data::augment::Augmentation;
    pub use crate::data::dataset::{Resplit, Split};
    pub use crate::evaluate::predict::{Predictor, PredictorConfig};
    pub use crate::evaluate::{EvaluateConfig, evaluate};
    pub use crate::extract::{ExtractConfig, extract};
    pub use crate::head::{FitConfig, SoftmaxClassifier, SoftmaxRegression, SolverConfig};
    pub use crate::monitor::{Agreeing, LogMonitor, Monitor, Silent};
    pub use crate::train::{TrainConfig, TrainingSet, train};
}
