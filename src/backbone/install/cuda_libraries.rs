//! Finds or installs the libraries of CUDA and cuDNN that the provider loads.

use super::consent::{InstallRequest, require_consent};
use super::pip;
use super::record::{Check, Installed, look};
use super::wheel::install_libraries;
use crate::backbone::Device;
use crate::backbone::cuda::{CudaFacts, Obstacle, obstacle};
use crate::backbone::onnx_runtime::load_cuda_libraries;
use crate::backbone::registry::{LibraryWheel, registry};
use crate::error::{Error, Kind, Result};
use crate::monitor::Monitor;

/// The machine that CUDA is installed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GpuMachine {
    /// This one, which must have a driver.
    This,
    /// One that will run what is installed here, such as the image of a container that is being built.
    Another,
}

impl GpuMachine {
    fn facts(self) -> CudaFacts {
        match self {
            Self::This => CudaFacts::of_this_machine(),
            Self::Another => CudaFacts::of_another_machine(),
        }
    }
}

/// Checks that nothing on the machine speaks against CUDA that no installation can mend: the driver.
///
/// # Errors
/// [`Kind::Device`] with the reason.
pub(super) fn require_possible(device: Device, machine: GpuMachine) -> Result<()> {
    require_none(device, &machine.facts())
}

/// Returns why CUDA cannot be used on this machine, as far as its driver and its libraries show. Loads the libraries where
/// nothing else speaks against it.
pub fn cuda_obstacle() -> Option<Obstacle> {
    let facts = CudaFacts::of_this_machine();
    obstacle(&facts).or_else(|| obstacle(&facts.with_missing(load_cuda_libraries().err())))
}

fn require_none(device: Device, facts: &CudaFacts) -> Result<()> {
    match obstacle(facts) {
        None => Ok(()),
        Some(found) => {
            let message = format!("{device} cannot be used: {}", found.what);
            Err(Error::new(Kind::Device, message).help(found.remedy))
        }
    }
}

/// Loads the libraries, after installing them where they are missing and the monitor consents. Those of a folder that was
/// chosen and of the system are used where they are there.
///
/// # Errors
/// [`Kind::Runtime`] without consent or when they cannot be downloaded; [`Kind::Device`] when one cannot be loaded.
pub(super) fn find_or_install(device: Device, machine: GpuMachine, monitor: &dyn Monitor) -> Result<()> {
    let Err(missing) = load_cuda_libraries() else { return Ok(()) };
    let wheels = registry().cuda.wheels_for_this_system();
    let mut absent = Vec::new();
    for wheel in wheels {
        let found = look(&wheel.place()?, wheel.sha256, Check::Sizes)?;
        if !matches!(found, Installed::Complete { .. }) {
            absent.push(wheel);
        }
    }
    if absent.is_empty() {
        return require_none(device, &machine.facts().with_missing(Some(missing)));
    }
    ask(&missing.name, &absent, monitor)?;
    for wheel in absent {
        install_libraries(wheel, "the libraries of CUDA", &elsewhere(), monitor)?;
    }
    let missing = load_cuda_libraries().err();
    require_none(device, &machine.facts().with_missing(missing))
}

fn ask(missing: &str, wheels: &[&LibraryWheel], monitor: &dyn Monitor) -> Result<()> {
    let packages: Vec<String> = wheels.iter().map(|w| format!("{} {}", w.package, w.version)).collect();
    let megabytes = wheels.iter().map(|wheel| wheel.bytes).sum::<u64>() / 1_000_000;
    let terms = format!("{} ({megabytes} MB, {})", packages.join(", "), registry().cuda.licence);
    let request = InstallRequest {
        what: &format!("the library {missing} of CUDA is not installed"),
        terms: &terms,
        remedy: "run `setup` with `device` cuda",
        elsewhere: &elsewhere(),
    };
    require_consent(&request, monitor)
}

/// What to do without pip.
fn elsewhere() -> String {
    let wheels = registry().cuda.wheels_for_this_system();
    let commands = wheels.iter().map(|w| pip::download_command(&w.package, &w.version, Some(&w.platform)));
    format!(
        "fetch the wheels elsewhere, unpack them into a folder, and give it to `setup` as `cuda_libs`: {}",
        commands.map(|command| format!("`{command}`")).collect::<Vec<_>>().join(", ")
    )
}
