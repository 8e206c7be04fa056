//! The softmax head: a linear layer over cached features, or two with hidden units between them, its training with Adam or
//! L-BFGS, and its file. The baselines and the open-set rejection that work on the same features are here too.
//!
//! - [`Head`] turns features into class probabilities; its output [`Layer`] has a weight `[classes, width]` and a bias `[classes]`.
//! - [`fit()`] trains one head with minibatches, Adam and early stopping; [`fit_many`] trains several heads at once.
//! - [`fit_lbfgs`] computes the optimum of the regularised loss, and [`fit_linfa`] the same with another search.
//! - [`SoftmaxRegression`] and [`SoftmaxClassifier`] are the same head as an estimator of [`linfa`].
//! - [`decision`] answers by goals for classes or by costs, rather than by the most probable class.
//! - [`LabelSets`] gives rows several labels, each with a probability of its own.
//! - [`rejection`] measures how far features lie from the known classes.

mod adam;
mod barrier;
mod block;
mod class_weights;
mod classifier;
mod config;
pub mod decision;
mod dropout;
mod early_stopping;
mod eigenvectors;
mod epoch;
mod estimator;
mod feature_format;
mod file;
mod fit;
mod half_rows;
mod head_state;
mod hidden_units;
pub(crate) mod inner_products;
mod kernel;
mod label_probabilities;
mod label_sets;
mod labelled_features;
mod layer;
mod lbfgs;
mod linfa_lbfgs;
mod loss;
mod nearest_mean;
mod nearest_neighbour;
mod output_state;
pub(crate) mod principal_axes;
mod principal_components;
pub mod rejection;
mod result;
mod row_source;
mod running_fit;
mod running_loss;
mod schedule;
mod score;
mod softmax;
mod softmax_head;
mod solver;
mod standardize;
mod thread_tuner;

pub use class_weights::ClassWeights;
pub use classifier::{LabelProbability, SoftmaxClassifier};
pub use config::{AUTO_EPOCHS, FitConfig, FitParams};
pub use early_stopping::StopOn;
pub use estimator::SoftmaxRegression;
pub use feature_format::FeatureFormat;
pub use file::{SavedHead, decode, load, save, save_multi_label};
pub use fit::{FitJob, SharedInputs, fit, fit_many};
pub use half_rows::HalfRows;
pub use label_sets::LabelSets;
pub use labelled_features::{Example, LabelledFeatures};
pub use layer::Layer;
pub(crate) use lbfgs::RowSpace;
pub use lbfgs::{
    Convergence, FeatureBlocks, InMemoryBlocks, LbfgsConfig, LbfgsJob, LbfgsParams, LbfgsResult, Precision,
    fit as fit_lbfgs, fit_blocks as fit_lbfgs_blocks,
};
pub use linfa_lbfgs::{LinfaConfig, LinfaParams, fit as fit_linfa};
pub use nearest_neighbour::nearest_neighbour_classes;
pub use principal_components::principal_components;
pub use result::{Epoch, FitResult};
pub use row_source::{InMemoryRows, RowSource};
pub use schedule::Schedule;
pub use softmax_head::Head;
pub use solver::{SOLVERS, SolverConfig, SolverParams};
pub use standardize::{RunningMoments, Standardizer};

pub use crate::math::matrix::{Probabilities, argmax};
/// The machine-learning framework whose traits [`SoftmaxRegression`] and [`SoftmaxClassifier`] implement.
pub use linfa;
/// The arrays that [`linfa`] and the views of this crate use.
pub use ndarray;
