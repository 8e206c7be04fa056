//! Sessions on CUDA devices, and the libraries that they need.

use super::builder::builder;
use super::open_session::OpenSession;
use super::pinned::PinnedMemory;
use crate::backbone::cuda::{CudaFacts, LibraryFolders, MissingLibrary, obstacle, preload};
use crate::backbone::runtime_log::plain;
use crate::backbone::{CudaDevices, SessionOptions};
use crate::error::{Error, Kind, Result};
use crate::monitor::Monitor;
use ort::environment::Environment;
use ort::ep::cuda::ConvAlgorithmSearch;
use ort::ep::{CUDA, ExecutionProvider};
use ort::session::Session;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Sessions on one device, so that one batch is copied while another is computed.
const IN_FLIGHT: usize = 2;

/// Whether the loaded library was built with CUDA. The machine may still lack a usable device.
pub(super) fn is_built_in() -> bool {
    CUDA::is_available().unwrap_or(false)
}

/// Loads the libraries of CUDA and cuDNN into this process, unless they are. The provider finds them there, so that no search
/// path needs to be set.
///
/// # Errors
/// The first library that cannot be loaded.
pub(in crate::backbone) fn load_cuda_libraries() -> std::result::Result<(), MissingLibrary> {
    static ARE_LOADED: Mutex<bool> = Mutex::new(false);
    let mut are_loaded = ARE_LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if !*are_loaded {
        let mut load = |path: &Path| {
            ort::util::preload_dylib(path).map_err(|e| {
                let cause = std::error::Error::source(&e).map(ToString::to_string);
                cause.unwrap_or_else(|| e.to_string())
            })
        };
        preload(&LibraryFolders::of_this_machine(), &mut load)?;
        *are_loaded = true;
    }
    Ok(())
}

/// Opens sessions on each of `devices`: two where several are asked for, else one on the first device.
///
/// # Errors
/// [`Kind::Device`] when a device cannot be used.
pub(super) fn open(
    environment: &Environment,
    model: &[u8],
    devices: CudaDevices,
    options: SessionOptions,
    monitor: &dyn Monitor,
) -> Result<Vec<OpenSession>> {
    // Without the provider it says so itself.
    if is_built_in()
        && let Err(missing) = load_cuda_libraries()
        && let Some(found) = obstacle(&CudaFacts::of_this_machine().with_missing(Some(missing)))
    {
        return Err(
            Error::new(Kind::Device, format!("CUDA cannot be used: {}", found.what)).help(found.remedy)
        );
    }
    let open = |device| {
        let session = session(environment, model, device)?;
        let pinned = PinnedMemory::of_cuda(&session, device)
            .inspect_err(|e| {
                let cause = plain(&e.to_string());
                monitor.warn(&format!("slower copies to CUDA device {device}: no pinned memory: {cause}"));
            })
            .ok();
        Ok(OpenSession { session, pinned })
    };
    places(devices, options.sessions).into_iter().map(open).collect()
}

/// The device of each session, in the order in which they take batches.
fn places(devices: CudaDevices, sessions: usize) -> Vec<i32> {
    match sessions {
        0 | 1 => devices.numbers().take(1).collect(),
        _ => (0..IN_FLIGHT).flat_map(|_| devices.numbers()).collect(),
    }
}

/// Opens a session on a device. TF32 is off because it changes features by a few parts in a thousand. Algorithms are chosen by
/// heuristics: trying all of them out would be repeated for the last batch, which is smaller.
fn session(environment: &Environment, model: &[u8], device: i32) -> Result<Session> {
    let cuda = CUDA::default()
        .with_device_id(device)
        .with_tf32(false)
        .with_conv_algorithm_search(ConvAlgorithmSearch::Heuristic)
        .build()
        .error_on_failure();
    let fail = |e: String| {
        Error::new(Kind::Device, format!("CUDA device {device} cannot be used")).because(plain(&e)).help(
            "it needs an NVIDIA driver, CUDA 13, cuDNN 9 and `setup` with `device` cuda; or use `device` cpu",
        )
    };
    builder(environment)?
        .with_execution_providers([cuda])
        .map_err(|e| fail(e.to_string()))?
        .commit_from_memory(model)
        .map_err(|e| fail(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_device_has_two_batches_in_flight_where_several_sessions_are_wanted() {
        let devices = CudaDevices::of([0, 2]).unwrap();
        assert_eq!(places(devices, 8), [0, 2, 0, 2]);
        assert_eq!(places(devices, 1), [0]);
        assert_eq!(places(CudaDevices::FIRST, 2), [0, 0]);
    }
}
