//! Proves a library in a child process first, when nobody has compared its digest: a damaged one can crash the process that
//! loads it.

use super::library::Library;
use super::process::{ClientProcess, client};
use crate::backbone::proof::{LOADER, is_proven};
use crate::error::{Error, Kind, Result};
use crate::monitor::Monitor;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The program that proves a library, and the arguments in front of its path.
static PROVER: OnceLock<Vec<OsString>> = OnceLock::new();

/// What a crash means.
const CRASHED: &str = "the file is damaged, or not made for this machine";

/// Longest time that a child may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Makes this process prove libraries of unknown digest in a child process first. `command` is a program and its arguments;
/// with the path of the library after them it calls [`prove`](crate::backbone::proof::prove). Only the first call counts.
/// A process that never calls this loads such a library without that test.
pub fn prove_in_children(command: Vec<OsString>) {
    let _ = PROVER.set(command);
}

/// Proves `library` in a child process, unless its digest is known or this process has proven it. Passes when the child
/// reports an error: this process then fails in the same way, and knows the reason.
///
/// # Errors
/// [`Kind::Runtime`] when the child crashed, hung or could not be started, [`Kind::Limit`] when a limit on tasks forbids
/// it, [`Kind::Interrupted`] when the monitor asks to stop.
pub(super) fn require_no_crash(library: &Library, monitor: &dyn Monitor) -> Result<()> {
    let Some([program, arguments @ ..]) = PROVER.get().map(Vec::as_slice) else { return Ok(()) };
    if library.is_verified || is_proven(&library.path) {
        return Ok(());
    }
    // A folder that is always there.
    let mut command = client(program, Path::new("/"));
    command.args(arguments).arg(&library.path).env_remove("TMPDIR");
    let fail = |why: String| Error::new(Kind::Runtime, LOADER).at(&library.path).because(why);
    let mut child = ClientProcess::spawn(command)?;
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return match (status.code(), crash(status)) {
                (_, Some(why)) => Err(fail(why)),
                (Some(0 | 1), _) => Ok(()),
                // The shell could not start it, or the system ended it.
                _ => Err(fail(format!(
                    "a process that tried it failed ({status}): {}",
                    last_line(&child.finish())
                ))),
            };
        }
        if monitor.is_interrupted() {
            return Err(Error::new(Kind::Interrupted, "interrupted while ONNX Runtime was tried"));
        }
        if started.elapsed() > PATIENCE {
            return Err(fail(format!("it gave no answer in {} s", PATIENCE.as_secs())));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn last_line(log: &str) -> &str {
    log.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing")
}

/// Describes the signal of a program that crashed; `None` for any other end.
#[cfg(unix)]
fn crash(status: ExitStatus) -> Option<String> {
    // Named by the status itself, since the numbers differ among systems.
    let status = status.to_string();
    let crashes = ["SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT", "SIGTRAP"];
    let name = crashes.into_iter().find(|name| status.contains(name))?;
    Some(format!("a process that tried it crashed with {name}: {CRASHED}"))
}

/// Windows reports a crash as an exit code of its own kind, an NTSTATUS of severity "error".
#[cfg(not(unix))]
fn crash(status: ExitStatus) -> Option<String> {
    let code = status.code().map(|code| code as u32).filter(|code| *code >= 0xC000_0000)?;
    Some(format!("a process that tried it crashed with {code:#010x}: {CRASHED}"))
}
