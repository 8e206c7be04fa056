//! Frozen networks that turn images into features: the trait and its ONNX Runtime implementation.

pub mod add;
mod batch_norm;
pub mod catalog;
pub mod certificate;
mod choice;
pub mod cuda;
mod device;
pub mod efficientnet_lite;
mod embedder;
mod embeddings;
pub mod fetch;
pub mod graph;
pub mod import;
pub mod inception_v3;
pub mod install;
pub mod known_answer;
pub mod machine_default;
mod memory;
mod model_file;
pub mod onnx_runtime;
pub mod proof;
pub mod quantize;
pub mod registry;
mod resolved;
mod runtime_log;
pub mod speed;
mod use_backbone;

pub use choice::{BackboneChoice, OWN};
pub use device::{CudaDevices, Device};
pub use embedder::ImageEmbedder;
pub use embeddings::{Embeddings, NotFinite};
pub use graph::Pool;
pub use memory::NetworkMemory;
pub use resolved::{BackboneSearch, RecordedBackbone, ResolvedBackbone};
pub use use_backbone::{MachineDefault, use_backbone};

use crate::error::Result;

/// The default layer to embed: 2048 features after the last average pool of Inception-v3.
pub const PRELOGITS: &str = "PreLogits";

/// The name of the CPU provider in caches and reports.
pub const CPU_PROVIDER: &str = "CPUExecutionProvider";
/// The name of the CUDA provider in caches and reports.
pub const CUDA_PROVIDER: &str = "CUDAExecutionProvider";
/// The name of the OpenVINO provider in caches and reports.
pub const OPENVINO_PROVIDER: &str = "OpenVINOExecutionProvider";

/// Upper limit on the sessions that one network is opened in on a CPU; each holds a copy of the weights.
pub const MAX_SESSIONS: usize = 8;

/// Threads that ONNX Runtime starts beside those of its sessions.
pub const RUNTIME_THREADS: usize = 3;

/// A frozen network that ends at one layer, or at several.
pub trait Backbone: Send {
    /// Returns the number of features per image, of all layers together.
    fn width(&self) -> usize;
    /// Returns the number of features of each layer, in the order in which they follow one another in a row.
    fn widths(&self) -> Vec<usize> {
        vec![self.width()]
    }
    /// Returns the execution provider that runs the network: [`CPU_PROVIDER`], [`CUDA_PROVIDER`] or [`OPENVINO_PROVIDER`].
    fn provider(&self) -> &str;
    /// Whether the network rounds values to integers. Where a value lies between two of them, the last bit of a float decides, so
    /// that such networks differ more from device to device than others.
    fn rounds_values(&self) -> bool {
        false
    }
    /// Describes the runtime and how it was built, in one line.
    fn runtime(&self) -> &str;
    /// Embeds a batch of `n` images, at least one.
    ///
    /// `pixels` has the shape `[n, 3, side, side]`: for each image a red, a green and a blue plane of values, 0 to 255, as
    /// [`Preprocessing::planes`] writes them. `side` is [`Preprocessing::size`]. The network itself scales the values.
    ///
    /// Returns one row of [`Backbone::width`] features per image, in the order of the images.
    ///
    /// # Errors
    /// [`Kind::Backbone`] when the network fails, or when the width of the layer depends on the image.
    ///
    /// # Panics
    /// When `pixels` does not hold `n` times [`Preprocessing::input_bytes`] bytes.
    ///
    /// [`Kind::Backbone`]: crate::error::Kind::Backbone
    /// [`Preprocessing::planes`]: crate::data::preprocess::Preprocessing::planes
    /// [`Preprocessing::size`]: crate::data::preprocess::Preprocessing::size
    /// [`Preprocessing::input_bytes`]: crate::data::preprocess::Preprocessing::input_bytes
    fn embed(&mut self, pixels: &[u8], n: usize) -> Result<Embeddings>;
}

/// Options for opening a network.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct SessionOptions {
    /// The device to run on; [`Device::Auto`] by default.
    pub device: Device,
    /// Number of CPU threads, shared among all sessions; 0, the default, uses all cores.
    pub threads: usize,
    /// Upper limit on the number of sessions; 1 by default. With more than one, each CUDA device gets two, so that one batch
    /// is copied while another is computed.
    pub sessions: usize,
}

impl SessionOptions {
    /// One session on `device`, on all cores if that is the CPU.
    pub fn new(device: Device) -> Self {
        Self { device, threads: 0, sessions: 1 }
    }
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self::new(Device::Auto)
    }
}
