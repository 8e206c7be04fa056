//! Runs a package client in a process group that ends with this process, whatever ends it.

use crate::error::{Error, Kind, Result};
use crate::limits;
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Bytes kept of what a client prints; the end says why it failed.
const LOG_BYTES: usize = 64 << 10;
/// Time for the processes of a group to die after they were killed.
const GRACE: Duration = Duration::from_secs(2);

/// Starts the client as `"$@"` in the process group of this shell, beside a watchdog. The watchdog reads from a pipe that
/// only headstart holds: when headstart ends, by whatever signal, the read ends and the whole group is killed, also what
/// a wrapper of npm or Python left behind. A crash leaves no core file.
const WATCHED: &str = r#"ulimit -c 0
exec 3<&0 </dev/null
(read -r _ <&3; kill -s KILL -- "-$$") >/dev/null 2>&1 &
exec 3<&-
exec "$@""#;

/// The shell of [`WATCHED`].
const SHELL: &str = "/bin/sh";

/// Settings of interpreters that would run other code than the client's, or end it for a warning.
const CLEARED: [&str; 7] = [
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PYTHONINSPECT",
    "PYTHONWARNINGS",
    "NODE_PATH",
    "NODE_OPTIONS",
];

/// Returns a command that starts `program` in `folder`, for [`ClientProcess::spawn`]. Without a shell, as in a minimal
/// container, there is no watchdog.
pub(super) fn client(program: impl AsRef<OsStr>, folder: &Path) -> Command {
    let mut command = match has_shell() {
        true => {
            let mut shell = Command::new(SHELL);
            shell.args(["-c", WATCHED, "sh"]).arg(program);
            shell
        }
        false => Command::new(program),
    };
    for name in CLEARED {
        command.env_remove(name);
    }
    // In English, so that the cause of a failure is recognized.
    command.env("LC_ALL", "C.UTF-8").env("TMPDIR", folder).env("NO_COLOR", "1").current_dir(folder);
    command
}

#[cfg(unix)]
fn has_shell() -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(SHELL).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn has_shell() -> bool {
    false
}

/// A running client. Dropping it kills the client and all that it started.
#[derive(Debug)]
pub(super) struct ClientProcess {
    child: Child,
    has_watchdog: bool,
    /// The watchdog's pipe.
    alive: Option<ChildStdin>,
    log: Arc<Mutex<VecDeque<u8>>>,
    /// Disconnected when every process that could write to the log has ended.
    log_end: Receiver<()>,
}

impl ClientProcess {
    /// Starts a command of [`client`].
    ///
    /// # Errors
    /// [`Kind::Runtime`] when no process or thread can be started, [`Kind::Limit`] when a limit on tasks forbids it.
    pub fn spawn(mut command: Command) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let fail = |e| fail(&program, e);
        let (reader, writer) = std::io::pipe().map_err(fail)?;
        command.stdin(Stdio::piped()).stdout(writer.try_clone().map_err(fail)?).stderr(writer);
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let log = Arc::new(Mutex::new(VecDeque::new()));
        let (end, log_end) = channel();
        let kept = log.clone();
        let keep_log = move || {
            copy_end(reader, &kept);
            drop(kept);
            drop(end);
        };
        std::thread::Builder::new().spawn(keep_log).map_err(fail)?;
        let has_watchdog = program == SHELL;
        let mut child = command.spawn().map_err(fail)?;
        let alive = child.stdin.take();
        Ok(Self { child, has_watchdog, alive, log, log_end })
    }

    /// Returns the exit status once the client has ended.
    ///
    /// # Errors
    /// [`Kind::Runtime`] when the operating system does not say.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        let fail = |e| Error::new(Kind::Runtime, "the client could not be waited for").because(e);
        self.child.try_wait().map_err(fail)
    }

    /// Kills what is left of the client, and returns the end of what it printed.
    pub fn finish(mut self) -> String {
        self.end();
        let log = self.log.lock().unwrap_or_else(|e| e.into_inner());
        String::from_utf8_lossy(&log.iter().copied().collect::<Vec<u8>>()).into_owned()
    }

    fn end(&mut self) {
        // Where there is no watchdog, only the client itself can be killed.
        if self.alive.take().is_none() || !self.has_watchdog {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
        let _ = self.log_end.recv_timeout(GRACE);
    }
}

impl Drop for ClientProcess {
    fn drop(&mut self) {
        if self.alive.is_some() {
            self.end();
        }
    }
}

/// The error of a process of `program`, or a thread beside it, that could not be started.
fn fail(program: &str, e: std::io::Error) -> Error {
    let message = format!("no process of {program} could be started");
    match e.kind() {
        ErrorKind::WouldBlock => Error::new(Kind::Limit, message)
            .because(e)
            .help(format!("raise the limit on tasks, or end other programs (limits: {})", limits::tasks())),
        _ => Error::new(Kind::Runtime, message).because(e),
    }
}

/// Reads to the end, and keeps the last bytes.
fn copy_end(mut from: impl Read, to: &Mutex<VecDeque<u8>>) {
    let mut block = [0; 4096];
    while let Ok(n @ 1..) = from.read(&mut block) {
        let mut to = to.lock().unwrap_or_else(|e| e.into_inner());
        to.extend(&block[..n]);
        let excess = to.len().saturating_sub(LOG_BYTES);
        to.drain(..excess);
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a shell script as the client, and returns its exit status and what it printed.
    fn run(script: &str) -> (Option<i32>, String) {
        let folder = tempfile::tempdir().unwrap();
        let mut command = client("sh", folder.path());
        command.args(["-c", script]);
        let mut process = ClientProcess::spawn(command).unwrap();
        let status = process.child.wait().unwrap();
        (status.code(), process.finish())
    }

    #[test]
    fn status_and_both_outputs_are_those_of_the_client() {
        assert_eq!(run("echo out; echo err >&2; exit 7"), (Some(7), "out\nerr\n".into()));
        let (status, log) = run("i=0; while [ $i -lt 9000 ]; do echo line $i; i=$((i+1)); done");
        assert_eq!((status, log.len(), log.ends_with("line 8999\n")), (Some(0), LOG_BYTES, true));
    }

    #[test]
    fn what_a_client_left_in_the_background_ends_with_it() {
        // The log ends when the last process that holds it has ended, so this would last 1000 seconds.
        assert_eq!(run("sleep 1000 & exit 3").0, Some(3));
    }

    #[test]
    fn a_dropped_client_is_killed_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = client("sh", folder.path());
        command.args(["-c", "sh -c 'sleep 1000 & sleep 1000'"]);
        let process = ClientProcess::spawn(command).unwrap();
        let log = process.log.clone();
        drop(process);
        assert_eq!(Arc::strong_count(&log), 1, "the thread that reads the log has ended");
    }
}
