//! Finds or installs the ONNX Runtime that a device needs, and proves that it runs.

use super::consent::{InstallRequest, require_consent};
use super::crash_test::require_no_crash;
use super::cuda_libraries::{self, GpuMachine};
use super::library::{Search, search};
use super::{openvino, pip, wheel};
use crate::backbone::Device;
use crate::backbone::cuda::{CudaFacts, obstacle};
use crate::backbone::install::Library;
use crate::backbone::proof::{LOADER, prove};
use crate::backbone::registry::{Wheel, registry};
use crate::error::{Error, Kind, Result};
use crate::io::digest::sha256_file;
use crate::monitor::Monitor;
use std::path::Path;

/// An ONNX Runtime that was loaded and has run a network.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Runtime {
    /// The library.
    pub library: Library,
    /// The version that the library reports.
    pub version: String,
}

/// Loads `library` and proves that it computes a known answer on the CPU, first in a child process when its digest is not
/// known (see [`prove_in_children`](super::prove_in_children)).
///
/// # Errors
/// [`Kind::Runtime`] with the loader's reason when it cannot be loaded, and what to do about that reason.
pub fn open(library: Library, monitor: &dyn Monitor) -> Result<Runtime> {
    let proven =
        require_no_crash(&library, monitor).and_then(|()| prove(&library.path, Device::Cpu, monitor));
    match proven {
        Err(e) if e.kind() == Kind::Interrupted => Err(e),
        Ok(version) => Ok(Runtime { library, version }),
        Err(e) if e.remedy().is_some() => Err(e),
        Err(e) => {
            let advice = loader_advice(&e.with_causes(), &library);
            Err(e.help(advice))
        }
    }
}

/// Finds the ONNX Runtime for `device` and the libraries or the provider that the device needs, or installs them after
/// asking; `wheel_file` is installed without asking. A damaged installation is installed again. The runtime that it returns
/// was opened.
///
/// # Errors
/// [`Kind::Device`] when CUDA is requested on a machine without an NVIDIA driver for it. [`Kind::Runtime`] without consent,
/// when no ONNX Runtime is known for this system, when it cannot be downloaded or is not the pinned one, and those of [`open`].
pub fn find_or_install(device: Device, wheel_file: Option<&Path>, monitor: &dyn Monitor) -> Result<Runtime> {
    if device.is_cuda() {
        cuda_libraries::require_possible(device, GpuMachine::This)?;
    }
    find_or_install_for(GpuMachine::This, device, wheel_file, monitor)
}

/// The same as [`find_or_install`] once nothing speaks against CUDA on the machine that has the GPU.
pub(super) fn find_or_install_for(
    machine: GpuMachine,
    device: Device,
    wheel_file: Option<&Path>,
    monitor: &dyn Monitor,
) -> Result<Runtime> {
    let runtime = find_or_install_runtime(device, wheel_file, monitor)?;
    match device {
        Device::Cuda(_) => cuda_libraries::find_or_install(device, machine, monitor)?,
        Device::OpenVino => openvino::find_or_install(monitor)?,
        Device::Auto | Device::Cpu => {}
    }
    Ok(runtime)
}

fn find_or_install_runtime(
    device: Device,
    wheel_file: Option<&Path>,
    monitor: &dyn Monitor,
) -> Result<Runtime> {
    let wants_cuda = wants_cuda(device);
    let pinned = if wheel_file.is_some() {
        pinned_wheel(wants_cuda, wheel_file)?
    } else {
        let missing = match search(wants_cuda)? {
            Search::Found(library) => match open(library.clone(), monitor) {
                Err(e) if may_be_damaged(&e, &library) => e.with_causes(),
                opened => return opened,
            },
            Search::Missing => "ONNX Runtime is not installed".to_string(),
            Search::Damaged(error) => error.with_causes(),
        };
        if let (Device::Auto, true, Search::Found(library)) = (device, wants_cuda, search(false)?) {
            monitor.warn("running on the CPU: `setup` with `device` cuda installs what the GPU needs");
            return open(library, monitor);
        }
        let pinned = pinned_wheel(wants_cuda, None)?;
        ask(pinned, &missing, monitor)?;
        pinned
    };
    let path = wheel::install(pinned, wheel_file, monitor)?;
    let runtime = open(Library::installed(path, pinned.has_cuda(), true), monitor)?;
    monitor.note(&format!(
        "installed ONNX Runtime {} at {}",
        runtime.version,
        runtime.library.path.display()
    ));
    Ok(runtime)
}

/// Whether there is no ONNX Runtime for `device`, not even a damaged one.
///
/// # Errors
/// Those of [`find_library`](super::find_library), but for a damaged installation.
pub fn is_missing(device: Device) -> Result<bool> {
    Ok(matches!(search(device.is_cuda())?, Search::Missing))
}

/// Installs again, after asking, what an earlier version installed without noting digests: its files cannot be verified.
/// Only warns when that is refused or fails, since such an installation can be used.
pub(super) fn renew_unverified(device: Device, monitor: &dyn Monitor) {
    let Ok(Search::Found(library)) = search(wants_cuda(device)) else { return };
    if !library.is_unverified() {
        return;
    }
    let what = "ONNX Runtime was installed by an earlier version that noted no SHA-256 of its files";
    let renewed = pinned_wheel(library.has_cuda, None)
        .and_then(|pinned| ask(pinned, what, monitor).map(|()| pinned))
        .and_then(|pinned| wheel::install(pinned, None, monitor));
    if let Err(e) = renewed {
        monitor.warn(&format!("it is used unverified: {}", e.with_causes()));
    }
}

fn wants_cuda(device: Device) -> bool {
    match device {
        Device::Cpu | Device::OpenVino => false,
        Device::Auto => obstacle(&CudaFacts::of_this_machine()).is_none(),
        Device::Cuda(_) => true,
    }
}

fn ask(pinned: &Wheel, what: &str, monitor: &dyn Monitor) -> Result<()> {
    let (terms, elsewhere) = (terms(pinned), pip::elsewhere(pinned));
    let request = InstallRequest { what, terms: &terms, remedy: "run `setup`", elsewhere: &elsewhere };
    require_consent(&request, monitor)
}

/// Returns the pinned wheel that `wheel_file` is a copy of, else the one for this system with or without CUDA.
fn pinned_wheel(wants_cuda: bool, wheel_file: Option<&Path>) -> Result<&'static Wheel> {
    let digest = wheel_file.map(sha256_file).transpose()?;
    let is_file = |wheel: &&Wheel| digest == Some(wheel.sha256) && wheel.is_for_this_system();
    let of_file = registry().runtime.wheels.iter().find(is_file);
    of_file.or(registry().wheel(wants_cuda)).ok_or_else(|| {
        Error::new(Kind::Runtime, "no ONNX Runtime is known for this system")
            .help("install ONNX Runtime 1.23 or later and set ORT_DYLIB_PATH to its library")
    })
}

/// Describes what would be downloaded, its size and its licence.
fn terms(wheel: &Wheel) -> String {
    let version = &registry().runtime.version;
    let size = wheel.bytes / 1_000_000;
    let licence = match wheel.has_cuda() {
        true => "MIT, with NVIDIA components under NVIDIA's terms",
        false => registry().runtime.licence.as_str(),
    };
    format!("ONNX Runtime {version} ({} wheel, {size} MB, {licence})", wheel.package)
}

/// Whether `error` of [`open`] may come from damage to files of ours that have no digests, so that installing them again
/// helps.
fn may_be_damaged(error: &Error, library: &Library) -> bool {
    let is_of_file = matches!(error.kind(), Kind::Runtime | Kind::Backbone);
    is_of_file && library.is_unverified() && !is_fault_of_system(&error.with_causes())
}

/// Whether the loader's `reason` is about this system, and not about the library.
fn is_fault_of_system(reason: &str) -> bool {
    let signs = [
        "failed to map segment",
        "Operation not permitted",
        "cannot open shared object file",
        "GLIBC",
        "no process of",
    ];
    signs.iter().any(|sign| reason.contains(sign))
}

/// What to do when the loader refuses `library` with `reason`, in the words of glibc. To install it again only when it
/// has no digests: other files of ours are as they were installed.
fn loader_advice(reason: &str, library: &Library) -> String {
    let other_place = match library.is_ours() {
        true => "set HEADSTART_HOME to a folder on another file system and run `setup` again",
        false => "copy it to another file system and set ORT_DYLIB_PATH to it",
    };
    let has = |part: &str| reason.contains(part);
    if has("failed to map segment") || has("Operation not permitted") {
        return format!("its file system may forbid running programs (mounted noexec): {other_place}");
    }
    if has("libstdc++") && has("cannot open shared object file") {
        return "install the C++ runtime library libstdc++.so.6 (package libstdc++6 or libstdc++)".into();
    }
    if has("cannot open shared object file") && !has(&format!("{}: cannot open", library.path.display())) {
        return "install the library that it names first".into();
    }
    if (has("cut short") || has("damaged")) && library.is_chosen() {
        return "copy it again, or unset ORT_DYLIB_PATH and run `setup`".into();
    }
    if has("GLIBC") {
        return "the C or C++ library of this system is too old for it: use a newer system, or set ORT_DYLIB_PATH to an \
                ONNX Runtime of 1.23 or later that was built for this one"
            .into();
    }
    if library.is_unverified() {
        return "run `setup`: it installs it again".into();
    }
    if library.is_chosen() || !reason.contains(LOADER) {
        return "it must be an ONNX Runtime of 1.23 or later: correct ORT_DYLIB_PATH, or unset it and run `setup`".into();
    }
    "set ORT_DYLIB_PATH to another ONNX Runtime of 1.23 or later".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_follows_the_reason_of_the_loader() {
        let ours = Library::installed("/h/libonnxruntime.so".into(), false, true);
        let cases = [
            ("/h/libonnxruntime.so: failed to map segment from shared object", "noexec"),
            ("libstdc++.so.6: cannot open shared object file: No such file or directory", "libstdc++6"),
            ("libgomp.so.1: cannot open shared object file: No such file or directory", "that it names"),
            ("/lib/libc.so.6: version `GLIBC_2.38' not found (required by /h/libonnxruntime.so)", "too old"),
        ];
        for (reason, advice) in cases {
            let given = loader_advice(&format!("{LOADER}: {reason}"), &ours);
            assert!(given.contains(advice), "{reason}: {given}");
        }
        // Installed by 0.1.0, without digests: it may be damaged.
        let old = Library::installed("/h/libonnxruntime.so".into(), false, false);
        for (reason, is_damage) in [
            ("a process that tried it crashed with SIGSEGV: the file is damaged", true),
            ("/h/libonnxruntime.so: invalid ELF header", true),
            ("/h/libonnxruntime.so: failed to map segment from shared object", false),
        ] {
            let error = Error::new(Kind::Runtime, LOADER).because(reason);
            assert_eq!(may_be_damaged(&error, &old), is_damage, "{reason}");
            assert!(!may_be_damaged(&error, &ours));
            let advice = loader_advice(&error.with_causes(), &old);
            assert_eq!(advice.contains("installs it again"), is_damage, "{advice}");
        }
    }
}
