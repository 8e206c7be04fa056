//! What CUDA needs on a machine besides ONNX Runtime: NVIDIA's driver, and libraries of CUDA and cuDNN. Says what is missing.

mod driver;
mod libraries;
mod obstacle;

pub use driver::{Driver, nvidia_driver};
pub(super) use libraries::preload;
pub use libraries::{LibraryFolders, MissingLibrary, use_libraries_in};
pub use obstacle::{CudaFacts, Obstacle, obstacle};
