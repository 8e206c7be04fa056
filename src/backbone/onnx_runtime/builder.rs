//! What all sessions have in common, on whatever device.

use crate::backbone::CPU_PROVIDER;
use crate::backbone::runtime_log::plain;
use crate::error::{Error, Kind, Result};
use ort::device::Device;
use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};

/// Begins a session.
///
/// # Errors
/// [`Kind::Runtime`] when the runtime refuses.
pub(super) fn builder(environment: &Environment) -> Result<SessionBuilder> {
    let fail = |e: String| Error::new(Kind::Runtime, "no session can be opened").because(plain(&e));
    Session::builder(environment)
        .map_err(|e| fail(e.to_string()))?
        .with_optimization_level(GraphOptimizationLevel::Level3)
        .map_err(|e| fail(e.to_string()))
}

/// Begins a session on the CPU through the runtime's own kernels. They are named, since a session without a provider takes any
/// that the process has loaded: behind OpenVINO it would compute in 16-bit floats.
///
/// # Errors
/// [`Kind::Runtime`] when the runtime refuses.
pub(super) fn cpu_builder(environment: &Environment) -> Result<SessionBuilder> {
    let is_own = |device: &Device| device.ep().is_ok_and(|name| name == CPU_PROVIDER);
    let own: Vec<Device> = environment.devices().filter(is_own).take(1).collect();
    builder(environment)?.with_devices(own, None).map_err(|e| {
        Error::new(Kind::Runtime, "no session can be opened on the CPU").because(plain(&e.to_string()))
    })
}
