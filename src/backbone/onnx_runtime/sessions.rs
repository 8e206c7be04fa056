//! Opens sessions of ONNX Runtime on one device, or on several of a kind.

use super::builder::cpu_builder;
use super::open_session::OpenSession;
use super::{cuda, openvino};
use crate::backbone::runtime_log::plain;
use crate::backbone::{
    CPU_PROVIDER, CUDA_PROVIDER, CudaDevices, Device, MAX_SESSIONS, OPENVINO_PROVIDER, RUNTIME_THREADS,
    SessionOptions,
};
use crate::error::{Error, Kind, Result};
use crate::math::parallel;
use crate::monitor::Monitor;
use ort::environment::Environment;
use ort::session::Session;

/// Sessions of one network, and the provider that runs them.
pub(super) struct OpenSessions {
    pub sessions: Vec<OpenSession>,
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
    let on_cuda = |devices: CudaDevices| {
        let sessions = cuda::open(environment, model, devices, options, monitor)?;
        Ok(OpenSessions { sessions, provider: CUDA_PROVIDER })
    };
    let on_cpu = |open: &SessionOnThreads, sessions, provider| {
        let threads = granted_threads(parallel::thread_count(options.threads), monitor)?;
        let sessions = cpu_sessions(open, SessionOptions { threads, sessions, ..options })?;
        Ok(OpenSessions { sessions, provider })
    };
    let with_mlas =
        || on_cpu(&|threads| cpu_session(environment, model, threads), options.sessions, CPU_PROVIDER);
    match options.device {
        Device::Cpu => with_mlas(),
        // Its networks take turns: two of one thread each are half as fast as one of two threads.
        Device::OpenVino => {
            on_cpu(&|threads| openvino::session(environment, model, threads), 1, OPENVINO_PROVIDER)
        }
        Device::Cuda(devices) => on_cuda(devices),
        Device::Auto if cuda::is_built_in() => on_cuda(CudaDevices::FIRST).or_else(|e: Error| {
            monitor.warn(&format!("running on the CPU, since CUDA cannot be used: {}", e.with_causes()));
            with_mlas()
        }),
        Device::Auto => with_mlas(),
    }
}

/// Opens a session that runs on as many threads.
type SessionOnThreads<'a> = dyn Fn(usize) -> Result<Session> + Sync + 'a;

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
fn cpu_sessions(open: &SessionOnThreads, options: SessionOptions) -> Result<Vec<OpenSession>> {
    let SessionOptions { threads, sessions, .. } = options;
    let sessions = sessions.clamp(1, threads.min(MAX_SESSIONS));
    let shares: Vec<usize> = (0..sessions).map(|i| (threads + i) / sessions).collect();
    parallel::in_parallel(sessions, &shares, |share| Ok(OpenSession { session: open(*share)?, pinned: None }))
}

fn cpu_session(environment: &Environment, model: &[u8], threads: usize) -> Result<Session> {
    let fail = |e: String| Error::new(Kind::Backbone, "the network cannot be opened").because(plain(&e));
    cpu_builder(environment)?
        .with_intra_threads(threads)
        .map_err(|e| fail(e.to_string()))?
        .commit_from_memory(model)
        .map_err(|e| fail(e.to_string()))
}
