//! Builds backbones from published weights. One file per format reads the weights; all fill the same Inception-v3 graph.

pub mod keras;
mod known;
mod named_weights;
mod names;
mod pickle;
mod published;
pub mod pytorch;
pub mod safetensors;
pub mod tensorflow;
mod tensors;
pub mod tfjs;
mod weights_file;

pub use known::build_known;
pub use published::{ImportConfig, ImportStats, Labels, build_onnx, check_new_name, import, onnx_path};
pub use tensors::{Tensor, Tensors};
pub use weights_file::{Format, WeightsFile};
