//! Frozen networks that turn images into features: the trait and its ONNX Runtime implementation.

pub mod add;
mod batch_norm;
pub mod catalog;
pub mod certificate;
mod choice;
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
pub mod registry;
mod resolved;
mod runtime_log;
mod use_backbone;

pub use choice::{BackboneChoice, OWN};
pub use embedder::ImageEmbedder;
pub use embeddings::{Embeddings, NotFinite};
pub use graph::Pool;
pub use memory::NetworkMemory;
pub use resolved::{BackboneSearch, RecordedBackbone, ResolvedBackbone};
pub use use_backbone::{MachineDefault, use_backbone};

use crate::error::{Error, Kind, Result};
use std::fmt;
use std::str::FromStr;

/// The default layer to embed: 2048 features after the last average pool of Inception-v3.
pub const PRELOGITS: &str = "PreLogits";

/// The name of the CPU provider in caches and reports.
pub const CPU_PROVIDER: &str = "CPUExecutionProvider";
/// The name of the CUDA provider in caches and reports.
pub const CUDA_PROVIDER: &str = "CUDAExecutionProvider";

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
    /// Returns the execution provider that runs the network: [`CPU_PROVIDER`] or [`CUDA_PROVIDER`].
    fn provider(&self) -> &str;
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
    /// Upper limit on the number of sessions; 1 by default. Only a CPU runs several.
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

/// The device that runs a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Device {
    /// The first CUDA device if it works, else the CPU. The monitor gets a warning when CUDA fails.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The CUDA device of this number. It is an error when the device cannot be used.
    Cuda(i32),
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(n) => write!(f, "cuda:{n}"),
        }
    }
}

impl FromStr for Device {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match (text, text.strip_prefix("cuda:").and_then(|n| n.parse().ok())) {
            ("auto", _) => Ok(Self::Auto),
            ("cpu", _) => Ok(Self::Cpu),
            ("cuda", _) => Ok(Self::Cuda(0)),
            (_, Some(n)) if n >= 0 => Ok(Self::Cuda(n)),
            _ => Err(Error::new(Kind::Usage, format!("{text:?} is not a device"))
                .help("use auto, cpu, cuda or cuda:N")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_parse_strictly() {
        assert_eq!("cuda".parse::<Device>().unwrap(), Device::Cuda(0));
        assert_eq!("cuda:3".parse::<Device>().unwrap().to_string(), "cuda:3");
        for bad in ["", "gpu", "cuda:", "cuda:-1", "CPU"] {
            assert!(bad.parse::<Device>().is_err(), "{bad}");
        }
    }
}
