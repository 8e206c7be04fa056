//! Wheels with shared libraries that ONNX Runtime loads besides itself: those of CUDA, and the OpenVINO provider.

use crate::error::Result;
use crate::io::digest::Digest;
use crate::io::user_folders;
use serde::Deserialize;
use std::path::PathBuf;

/// The libraries that the CUDA provider loads.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CudaSource {
    /// The major version of CUDA that the provider is built with.
    pub version: String,
    /// The oldest branch of NVIDIA's driver that runs it.
    pub least_driver: u32,
    /// Terms of the libraries.
    pub licence: String,
    /// The wheels, in the order in which their libraries are loaded.
    #[serde(rename = "wheel")]
    pub wheels: Vec<LibraryWheel>,
}

/// The OpenVINO provider, a plug-in of ONNX Runtime.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct OpenVinoSource {
    /// Licence of the provider and of OpenVINO.
    pub licence: String,
    /// One wheel per system.
    #[serde(rename = "wheel")]
    pub wheels: Vec<LibraryWheel>,
}

/// A Python wheel with shared libraries.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LibraryWheel {
    /// Operating system, as in `std::env::consts::OS`.
    pub os: String,
    /// Processor architecture, as in `std::env::consts::ARCH`.
    pub arch: String,
    /// Package name.
    pub package: String,
    /// Exact version.
    pub version: String,
    /// Platform tag of the wheel.
    pub platform: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Digest of the wheel.
    pub sha256: Digest,
    /// Folder of the libraries inside the wheel.
    pub folder: String,
    /// File name of a library that the wheel must hold.
    pub library: String,
}

impl LibraryWheel {
    /// Whether the wheel is built for the system that this program runs on.
    pub fn is_for_this_system(&self) -> bool {
        (self.os.as_str(), self.arch.as_str()) == (std::env::consts::OS, std::env::consts::ARCH)
    }

    /// Returns the folder into which its libraries are unpacked. It need not exist.
    ///
    /// # Errors
    /// Those of [`user_folders::runtime_folder`].
    pub fn place(&self) -> Result<PathBuf> {
        let Self { package, version, os, arch, .. } = self;
        Ok(user_folders::runtime_folder()?.join(format!("{package}-{version}-{os}-{arch}")))
    }
}

impl CudaSource {
    /// Returns the wheels for this system; none where the provider does not exist.
    pub fn wheels_for_this_system(&self) -> Vec<&LibraryWheel> {
        self.wheels.iter().filter(|wheel| wheel.is_for_this_system()).collect()
    }
}

impl OpenVinoSource {
    /// Returns the wheel for this system.
    pub fn wheel(&self) -> Option<&LibraryWheel> {
        self.wheels.iter().find(|wheel| wheel.is_for_this_system())
    }
}

#[cfg(test)]
mod tests {
    use crate::backbone::registry::registry;

    #[test]
    fn every_system_with_the_cuda_provider_has_all_libraries_for_it() {
        let known = registry();
        for runtime in known.runtime.wheels.iter().filter(|wheel| wheel.has_cuda()) {
            let of_system =
                known.cuda.wheels.iter().filter(|w| (&w.os, &w.arch) == (&runtime.os, &runtime.arch));
            let packages: Vec<&str> = of_system.map(|wheel| wheel.package.as_str()).collect();
            let expected = [
                "nvidia-cuda-runtime",
                "nvidia-cublas",
                "nvidia-curand",
                "nvidia-cuda-nvrtc",
                "nvidia-cudnn-cu13",
            ];
            assert_eq!(packages, expected, "{}", runtime.os);
        }
        for wheel in known.cuda.wheels.iter().chain(&known.openvino.wheels) {
            assert!(wheel.folder.ends_with('/') && !wheel.library.contains('/'), "{}", wheel.package);
        }
    }
}
