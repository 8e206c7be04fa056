//! Opens sessions of ONNX Runtime on one device.

use crate::backbone::runtime_log::plain;
use crate::backbone::{CPU_PROVIDER, CUDA_PROVIDER, Device, MAX_SESSIONS, RUNTIME_THREADS, SessionOptions};
use crate::error::{Error, Kind, Result};
use crate::math::parallel;
use crate::monitor::Monitor;
use ort::environment::Environment;
use ort::ep::{CUDA, ExecutionProvider};
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};

/// Sessions of one network, and the provider that runs them.
pub(super) struct OpenSessions {
    pub sessions: Vec<Session>,
    pub provider: &'static str,
}

/// Opens the network on the device of `options`.
///
/// # Errors
/// [`Kind::Device`] when the device cannot be used, [`Kind::Backbone`] when the network cannot be opened, [`Kind::Limit`] when
/// the system grants no threads.
pub(super) fn open_sessions(
    environment: &Environment,
    model: &[u8],
    options: SessionOptions,
    monitor: &dyn Monitor,
) -> Result<OpenSessions> {
    let on_cuda = |n| {
        let session = cuda_session(environment, model, n)?;
        Ok(OpenSessions { sessions: vec![session], provider: CUDA_PROVIDER })
    };
    let on_cpu = || {
        let threads = granted_threads(parallel::thread_count(options.threads), monitor)?;
        let sessions = cpu_sessions(environment, model, SessionOptions { threads, ..options })?;
        Ok(OpenSessions { sessions, provider: CPU_PROVIDER })
    };
    match options.device {
        Device::Cpu => on_cpu(),
        Device::Cuda(n) => on_cuda(n),
        Device::Auto if is_built_with_cuda() => on_cuda(0).or_else(|e: Error| {
            monitor.warn(&format!("running on the CPU, since CUDA cannot be used: {}", e.with_causes()));
            on_cpu()
        }),
        Device::Auto => on_cpu(),
    }
}

/// Whether the loaded library was built with CUDA. The machine may still lack a usable device.
fn is_built_with_cuda() -> bool {
    CUDA::is_available().unwrap_or(false)
}

fn builder(environment: &Environment) -> Result<SessionBuilder> {
    let fail = |e: String| Error::new(Kind::Runtime, "no session can be opened").because(plain(&e));
    Session::builder(environment)
        .map_err(|e| fail(e.to_string()))?
        .with_optimization_level(GraphOptimizationLevel::Level3)
        .map_err(|e| fail(e.to_string()))
}

/// Returns how many of `wanted` threads the runtime can be given. It must not be refused one: it would end the process, or
/// wait for ever.
///
/// # Errors
/// [`Kind::Limit`] when it cannot be given any.
fn granted_threads(wanted: usize, monitor: &dyn Monitor) -> Result<usize> {
    let available = parallel::available(wanted + RUNTIME_THREADS);
    match available.saturating_sub(RUNTIME_THREADS) {
        0 => Err(parallel::too_few(available, 1 + RUNTIME_THREADS)),
        threads if threads < wanted => {
            monitor.warn(&format!("the network runs on {threads} of {wanted} threads: no more are granted"));
            Ok(threads)
        }
        _ => Ok(wanted),
    }
}

/// Opens parallel sessions that divide the threads among themselves. One session on all threads would wait at a barrier
/// in every layer, and a decoder that takes time from one thread would delay them all.
fn cpu_sessions(environment: &Environment, model: &[u8], options: SessionOptions) -> Result<Vec<Session>> {
    let SessionOptions { threads, sessions, .. } = options;
    let sessions = sessions.clamp(1, threads.min(MAX_SESSIONS));
    let shares: Vec<usize> = (0..sessions).map(|i| (threads + i) / sessions).collect();
    parallel::in_parallel(sessions, &shares, |share| cpu_session(environment, model, *share))
}

fn cpu_session(environment: &Environment, model: &[u8], threads: usize) -> Result<Session> {
    let fail = |e: String| Error::new(Kind::Backbone, "the network cannot be opened").because(plain(&e));
    builder(environment)?
        .with_intra_threads(threads)
        .map_err(|e| fail(e.to_string()))?
        .commit_from_memory(model)
        .map_err(|e| fail(e.to_string()))
}

/// Opens a session on a CUDA device. TF32 is off because it changes features by a few parts in a thousand.
fn cuda_session(environment: &Environment, model: &[u8], device: i32) -> Result<Session> {
    let cuda = CUDA::default().with_device_id(device).with_tf32(false).build().error_on_failure();
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
