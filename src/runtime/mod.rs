//! ONNX Runtime on disk: finding the library, and installing it from a pinned wheel. Nothing here loads it.

pub mod client;
mod library;
pub mod staging;
pub mod wheel;

pub use library::{Library, find_library, has_nvidia_driver};
