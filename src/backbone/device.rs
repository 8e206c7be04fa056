//! The device that runs a network, as people name it.

use crate::error::{Error, Kind, Result};
use std::fmt;
use std::str::FromStr;

/// The device that runs a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Device {
    /// The first CUDA device if it works, else the CPU. The monitor gets a warning when CUDA fails.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// CUDA devices. It is an error when one of them cannot be used.
    Cuda(CudaDevices),
    /// The CPU through OpenVINO. It is an error when it cannot be used.
    OpenVino,
}

/// The numbers of one or more CUDA devices, each from 0 to 31.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CudaDevices(u32);

impl CudaDevices {
    /// The device 0.
    pub const FIRST: Self = Self(1);

    /// Returns the devices of these numbers, each once; `None` for no number or one above 31.
    pub fn of(numbers: impl IntoIterator<Item = u32>) -> Option<Self> {
        let mut numbers = numbers.into_iter();
        let all = numbers.try_fold(0u32, |all, number| Some(all | 1u32.checked_shl(number)?))?;
        (all != 0).then_some(Self(all))
    }

    /// Returns the numbers in ascending order.
    pub fn numbers(self) -> impl Iterator<Item = i32> {
        (0..32).filter(move |number| self.0 >> number & 1 == 1)
    }
}

impl Device {
    /// The CUDA device 0.
    pub const CUDA: Self = Self::Cuda(CudaDevices::FIRST);

    /// Whether this asks for CUDA, and nothing else will do.
    pub fn is_cuda(self) -> bool {
        matches!(self, Self::Cuda(_))
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::OpenVino => f.write_str("openvino"),
            Self::Cuda(devices) => {
                let numbers: Vec<String> = devices.numbers().map(|number| number.to_string()).collect();
                write!(f, "cuda:{}", numbers.join(","))
            }
        }
    }
}

impl FromStr for Device {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let numbers = || {
            let listed = text.strip_prefix("cuda:")?.split(',');
            CudaDevices::of(listed.map(|number| number.parse().ok()).collect::<Option<Vec<u32>>>()?)
        };
        match (text, numbers()) {
            ("auto", _) => Ok(Self::Auto),
            ("cpu", _) => Ok(Self::Cpu),
            ("cuda", _) => Ok(Self::CUDA),
            ("openvino", _) => Ok(Self::OpenVino),
            (_, Some(devices)) => Ok(Self::Cuda(devices)),
            _ => Err(Error::new(Kind::Usage, format!("{text:?} is not a device"))
                .help("use auto, cpu, cuda, cuda:N, cuda:N,M or openvino")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_parse_strictly() {
        let parsed = |text: &str| text.parse::<Device>().unwrap();
        assert_eq!(parsed("cuda"), Device::CUDA);
        assert_eq!(parsed("cuda:3").to_string(), "cuda:3");
        assert_eq!(parsed("cuda:1,0"), parsed("cuda:0,1,1"));
        assert_eq!(parsed("cuda:10,2").to_string(), "cuda:2,10");
        assert_eq!(parsed("openvino").to_string(), "openvino");
        for bad in ["", "gpu", "cuda:", "cuda:-1", "CPU", "cuda:0,", "cuda:32", "cuda:0, 1"] {
            assert!(bad.parse::<Device>().is_err(), "{bad}");
        }
    }
}
