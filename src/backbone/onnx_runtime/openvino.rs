//! Sessions on the CPU through OpenVINO, whose provider ONNX Runtime loads as a plug-in.

use super::builder::builder;
use crate::backbone::OPENVINO_PROVIDER;
use crate::backbone::registry::registry;
use crate::backbone::runtime_log::plain;
use crate::error::{Error, Kind, Result};
use ort::device::Device;
use ort::environment::Environment;
use ort::memory::DeviceType;
use ort::session::Session;
use std::sync::{Mutex, PoisonError};

/// The name of the plug-in within the environment.
const PLUGIN: &str = "headstart-openvino";

/// Opens a session on `threads` threads. Everything runs in OpenVINO, in 32-bit floats: by itself it would take 16-bit ones
/// where the processor has them, whose features are far off.
///
/// # Errors
/// [`Kind::Device`] when the provider cannot be loaded or offers no CPU; [`Kind::Backbone`] when it cannot run the network.
pub(super) fn session(environment: &Environment, model: &[u8], threads: usize) -> Result<Session> {
    register(environment)?;
    let devices: Vec<Device> = environment.devices().filter(is_openvino_cpu).collect();
    if devices.is_empty() {
        let message = "openvino cannot be used: its provider offers no device for the CPU here";
        return Err(Error::new(Kind::Device, message)
            .help("it takes processors of Intel only; use `device` cpu on others"));
    }
    let fail = |e: String| {
        Error::new(Kind::Backbone, "the network cannot be opened with OpenVINO")
            .because(plain(&e))
            .help("use `device` cpu for it")
    };
    let settings = format!(
        r#"{{"CPU": {{"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "{threads}", "NUM_STREAMS": "1"}}}}"#
    );
    let options = [(format!("{OPENVINO_PROVIDER}.load_config"), settings)];
    builder(environment)?
        .with_intra_threads(1)
        .map_err(|e| fail(e.to_string()))?
        // What OpenVINO does not take must not run elsewhere unnoticed.
        .with_config_entry("session.disable_cpu_ep_fallback", "1")
        .map_err(|e| fail(e.to_string()))?
        .with_devices(devices.into_iter().take(1), Some(&options))
        .map_err(|e| fail(e.to_string()))?
        .commit_from_memory(model)
        .map_err(|e| fail(e.to_string()))
}

fn is_openvino_cpu(device: &Device) -> bool {
    device.ep().is_ok_and(|name| name == OPENVINO_PROVIDER)
        && device.hardware_device().ty() == DeviceType::CPU
}

/// Loads the provider, once per process.
fn register(environment: &Environment) -> Result<()> {
    static IS_REGISTERED: Mutex<bool> = Mutex::new(false);
    let mut is_registered = IS_REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
    if *is_registered {
        return Ok(());
    }
    let missing = || {
        Error::new(Kind::Device, "openvino cannot be used: its provider is not installed")
            .help("run `setup` with `device` openvino")
    };
    let wheel = registry().openvino.wheel().ok_or_else(missing)?;
    let library = wheel.place()?.join(&wheel.library);
    if !library.is_file() {
        return Err(missing());
    }
    environment.register_ep_library(PLUGIN, &library).map_err(|e| {
        Error::new(Kind::Device, "the OpenVINO provider cannot be loaded")
            .at(&library)
            .because(plain(&e.to_string()))
    })?;
    *is_registered = true;
    Ok(())
}
