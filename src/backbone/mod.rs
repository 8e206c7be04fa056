//! Frozen networks that turn pixels into features: the trait, and what stands behind it. It refuses to know about
//! files of images or caches.

pub mod graph;
pub mod import;
mod inception_table;
pub mod inception_v3;
pub mod known;
pub mod onnx;

use crate::error::{Error, Kind, Result};
use std::fmt;
use std::str::FromStr;

/// The layer that is embedded unless another is asked for.
pub const PRELOGITS: &str = "PreLogits";

/// The name of the CPU provider in caches and reports.
pub const CPU_PROVIDER: &str = "CPUExecutionProvider";
/// The name of the CUDA provider in caches and reports.
pub const CUDA_PROVIDER: &str = "CUDAExecutionProvider";

/// A frozen network, cut behind one layer.
pub trait Backbone: Send {
    /// Floats in one embedding.
    fn width(&self) -> usize;
    /// The execution provider that really runs: `CPUExecutionProvider`, `CUDAExecutionProvider`.
    fn provider(&self) -> &str;
    /// What computes: the runtime and how it was built, in one line.
    fn runtime(&self) -> &str;
    /// Embeds images: `pixels` holds `n` inputs of `[3, side, side]` bytes, as
    /// [`crate::preprocess::Preprocessing::planes`] writes them, the result `n` rows of [`Backbone::width`] floats.
    ///
    /// # Errors
    /// [`Kind::Backbone`] when the network fails, [`Kind::Device`] when the device does.
    fn embed(&mut self, pixels: &[u8], n: usize) -> Result<Vec<f32>>;
}

/// How a network shall be opened.
#[derive(Debug, Clone, Copy)]
pub struct Opening {
    /// Where to run.
    pub device: Device,
    /// Threads on a CPU, all sessions together; zero takes all cores.
    pub threads: usize,
    /// The most sessions that are of use.
    pub sessions: usize,
}

/// Where a network shall run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Device {
    /// The first of CUDA and CPU that works; a fall-back is said.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// This CUDA device, or an error.
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
