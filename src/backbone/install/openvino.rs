//! Finds or installs the OpenVINO provider, a plug-in of ONNX Runtime.

use super::consent::{InstallRequest, require_consent};
use super::pip;
use super::record::{Check, Installed, look};
use super::wheel::install_libraries;
use crate::backbone::registry::{LibraryWheel, registry};
use crate::error::{Error, Kind, Result};
use crate::monitor::Monitor;

/// Whether the provider is installed.
///
/// # Errors
/// [`Kind::Io`] when its folder may not be read.
pub fn has_openvino() -> Result<bool> {
    let Some(wheel) = registry().openvino.wheel() else { return Ok(false) };
    Ok(matches!(look(&wheel.place()?, wheel.sha256, Check::Sizes)?, Installed::Complete { .. }))
}

/// Installs the provider after asking, where it is missing or damaged.
///
/// # Errors
/// [`Kind::Device`] where there is none for this system; [`Kind::Runtime`] without consent, or when it cannot be downloaded.
pub(super) fn find_or_install(monitor: &dyn Monitor) -> Result<()> {
    let wheel = registry().openvino.wheel().ok_or_else(|| {
        Error::new(
            Kind::Device,
            "openvino cannot be used: its provider exists for Linux and Windows on x86-64 only",
        )
        .help("use `device` cpu")
    })?;
    let what = match look(&wheel.place()?, wheel.sha256, Check::Digests)? {
        Installed::Complete { .. } => return Ok(()),
        Installed::Missing => "the OpenVINO provider is not installed".to_string(),
        Installed::Damaged(error) => error.with_causes(),
    };
    let elsewhere = elsewhere(wheel);
    let LibraryWheel { package, version, bytes, .. } = wheel;
    let terms = format!("{package} {version} ({} MB, {})", bytes / 1_000_000, registry().openvino.licence);
    let remedy = "run `setup` with `device` openvino";
    let request = InstallRequest { what: &what, terms: &terms, remedy, elsewhere: &elsewhere };
    require_consent(&request, monitor)?;
    install_libraries(wheel, "the OpenVINO provider", &elsewhere, monitor)
}

/// What to do without pip.
fn elsewhere(wheel: &LibraryWheel) -> String {
    let command = pip::download_command(&wheel.package, &wheel.version, Some(&wheel.platform));
    format!("fetch its wheel elsewhere with `{command}`, and name its folder in PIP_FIND_LINKS")
}
