//! What would break on machines with other package clients: pip 20 to 26, uv, npm 6 to 11, wrappers, settings of the
//! user's, signals, several processes at once. The clients are small scripts; nothing uses the network.

use crate::support::{self, CommandOutput, Sandbox, models};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Programs of a machine, by name, as the bodies of shell scripts.
struct Machine {
    s: Sandbox,
}

/// A pip that works up to the wheel, which it does not have.
const PIP: &str = r#"case "$*" in *--version*) echo "pip 23.0"; exit 0;; esac"#;

impl Machine {
    /// Only these programs, and those of a bare system, can be found.
    fn new(programs: &[(&str, &str)]) -> Self {
        let s = Sandbox::new();
        std::fs::create_dir(s.path("bin")).unwrap();
        for (name, body) in programs {
            let path = s.write(&format!("bin/{name}"), format!("#!/bin/sh\n{body}\n").as_bytes());
            permit(&path);
        }
        for tool in ["sh", "cat", "touch", "sleep", "env", "printf", "rm", "mkdir", "cp", "ls"] {
            let real = ["/bin", "/usr/bin"].map(|folder| Path::new(folder).join(tool));
            let real = real.iter().find(|path| path.exists()).unwrap();
            std::os::unix::fs::symlink(real, s.path("bin").join(tool)).unwrap();
        }
        Self { s }
    }

    /// `setup --yes`, where everything is installed into the sandbox.
    fn setup(&self) -> Command {
        self.command(&["setup", "--yes"])
    }

    /// A command that installs into the sandbox.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_headstart"));
        command.args(args).current_dir(self.s.path("")).stdin(Stdio::null());
        command.env("PATH", self.s.path("bin")).env("HEADSTART_HOME", self.s.path("home"));
        command.env_remove("ORT_DYLIB_PATH");
        command
    }

    /// `setup --yes`, where only the backbone is missing.
    fn setup_backbone(&self) -> Command {
        let mut command = self.setup();
        let library = headstart::backbone::install::find_library(false).unwrap().expect("run tests/run");
        command.env("ORT_DYLIB_PATH", library.path);
        command
    }

    /// The lines that a script wrote to the file `name`.
    fn seen(&self, name: &str) -> String {
        std::fs::read_to_string(self.s.path(name)).unwrap_or_default()
    }

    /// Names in the folder of installations, without the lock.
    fn left(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.s.path("home")).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries
            .map(|entry| entry.file_name().into_string().unwrap())
            .filter(|name| name != ".lock")
            .collect();
        names.sort();
        names
    }
}

fn permit(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn each_cause_has_its_own_advice() {
    let cases = [
        (
            "ERROR: Could not find a version that satisfies the requirement (from versions: 1.16.0)",
            "check the index",
        ),
        (
            "WARNING: Retrying after NewConnectionError: Temporary failure in name resolution",
            "check the network",
        ),
        ("ERROR: HTTP error 403 Forbidden", "check the credentials, certificates and rules of pip"),
        ("ERROR: [Errno 28] No space left on device", "free some space"),
        ("no such option: --require-hashes", "install a newer pip"),
    ];
    for (message, advice) in cases {
        let machine = Machine::new(&[("python3", &format!("{PIP}\necho '{message}' >&2; exit 1"))]);
        CommandOutput::of(&mut machine.setup())
            .fails(1, &["fetching onnxruntime", message, advice, "`pip download onnxruntime=="]);
        assert!(machine.left().is_empty(), "{:?}", machine.left());
    }
}

#[test]
fn pip_runs_in_the_staging_folder_without_settings_that_change_the_outcome() {
    let pip =
        format!("{PIP}\nenv > ../../../seen; pwd >> ../../../seen; ls ../../.. >> ../../../seen; exit 1");
    let machine = Machine::new(&[("python3", &pip)]);
    machine.s.write("pip.py", b"raise SystemExit('code of the current folder was run')");
    let mut command = machine.setup();
    for (name, value) in [
        ("PIP_REQUIRE_VIRTUALENV", "1"),
        ("PIP_CONSTRAINT", "/gone.txt"),
        ("PIP_DRY_RUN", "1"),
        ("PIP_NO_BINARY", ":all:"),
        ("PIP_INDEX_URL", "https://index.example/simple"),
        ("HTTPS_PROXY", "http://proxy.example"),
        ("PIP_USE_FEATURE", "gone"),
        ("PIP_PYTHON", "gone"),
        ("PYTHONWARNINGS", "error"),
        ("PYTHONHOME", "/gone"),
        ("PYTHONPATH", "."),
    ] {
        command.env(name, value);
    }
    assert_eq!(CommandOutput::of(&mut command).code, 1);
    let seen = machine.seen("seen");
    let is = |line: &str| seen.lines().any(|found| found == line);
    assert!(
        is("PIP_INDEX_URL=https://index.example/simple") && is("HTTPS_PROXY=http://proxy.example"),
        "{seen}"
    );
    assert!(is("PIP_REQUIREMENT=requirements.txt") && is("_PIP_RUNNING_IN_SUBPROCESS=1"), "{seen}");
    assert!(is("PIP_REQUIRE_VIRTUALENV=0") && seen.contains("home/.tmp-"), "{seen}");
    for name in [
        "PIP_DRY_RUN=",
        "PIP_NO_BINARY=",
        "PYTHONHOME=",
        "PYTHONPATH=",
        "PYTHONWARNINGS=",
        "=gone",
        "=/gone.txt",
    ] {
        assert!(!seen.contains(name), "{name} in {seen}");
    }
    let constraints = seen.lines().find_map(|line| line.strip_prefix("PIP_CONSTRAINT=")).unwrap();
    assert!(constraints.ends_with("constraints.txt"), "{constraints}");
}

#[test]
fn uv_is_used_where_there_is_no_pip() {
    let uv = "echo \"$*\" >> \"$HEADSTART_HOME/../seen\"; case \"$*\" in *--version) exit 0;; esac; exit 1";
    let machine = Machine::new(&[("python3", "echo 'No module named pip' >&2; exit 1"), ("uv", uv)]);
    assert_eq!(CommandOutput::of(&mut machine.setup()).code, 1);
    let seen = machine.seen("seen");
    assert!(seen.starts_with("tool run pip --version\ntool run pip download "), "{seen}");
    let broken = Machine::new(&[("python3", "echo 'No module named pip' >&2; exit 1")]);
    CommandOutput::of(&mut broken.setup())
        .fails(1, &["no Python with pip was found", "python3 -m pip: No module named pip", "or uv"]);
    let without = Machine::new(&[]);
    CommandOutput::of(&mut without.setup())
        .fails(1, &["no Python with pip was found", "or uv", "-cp311-cp311-"]);
}

/// An npm of `version` that packs `bytes` of a file, as real ones do: into the current folder, unless told otherwise by an
/// option that it knows.
fn npm(version: u32) -> String {
    let refuse = match version {
        6 => "case \"$*\" in *--pack-destination*) echo 'npm ERR! unknown option' >&2; exit 1;; esac\n",
        _ => "",
    };
    let prefix = if version < 11 { "ERR!" } else { "error" };
    format!(
        "{refuse}[ -n \"$FAIL\" ] && {{ echo \"npm {prefix} code $FAIL\" >&2; exit 1; }}\n\
         echo \"$*\" > \"$HEADSTART_HOME/../seen\"; env >> \"$HEADSTART_HOME/../seen\"\n\
         printf tampered > nsfwjs-4.4.0.tgz; echo nsfwjs-4.4.0.tgz"
    )
}

#[test]
fn npm_of_any_version_packs_into_the_staging_folder() {
    for version in [6, 11] {
        let machine = Machine::new(&[("npm", &npm(version))]);
        let mut command = machine.setup_backbone();
        command.env("npm_config_registry", "https://npm.example").env("NPM_CONFIG_PACK_DESTINATION", "/gone");
        for (name, value) in [
            ("NPM_CONFIG_workspace", "gone"),
            ("npm_config_offline", "true"),
            ("npm_config_before", "2001-01-01"),
            ("NODE_OPTIONS", "--require=/gone"),
        ] {
            command.env(name, value);
        }
        CommandOutput::of(&mut command).fails(1, &["nsfwjs 4.4.0: the download is cut short"]);
        let seen = machine.seen("seen");
        assert!(seen.starts_with("pack nsfwjs@4.4.0 ") && seen.contains("--dry-run=false"), "{seen}");
        assert!(
            seen.contains("npm_config_registry=https://npm.example") && !seen.contains("=/gone"),
            "{seen}"
        );
        assert!(seen.contains("--offline=false --before=null"), "{seen}");
        for name in ["workspace=", "offline=true", "before=2001", "NODE_OPTIONS"] {
            assert!(!seen.contains(name), "{name} in {seen}");
        }
        assert_eq!(std::fs::read_dir(machine.s.path("home/models")).unwrap().count(), 1, "but for the lock");
        for (code, advice) in
            [("ENOTFOUND", "check the network"), ("E404", "check the index"), ("ENOSPC", "free some")]
        {
            let mut command = machine.setup_backbone();
            CommandOutput::of(command.env("FAIL", code))
                .fails(1, &["fetching nsfwjs", code, advice, "`npm pack nsfwjs@"]);
        }
    }
    let without = Machine::new(&[]);
    CommandOutput::of(&mut without.setup_backbone())
        .fails(1, &["npm is not installed", "install npm, or fetch nsfwjs-"]);
}

/// Starts a command whose client says `ready` on the fifo `ready`, and waits for that.
fn start(machine: &Machine, command: &mut Command) -> Child {
    let fifo = machine.s.path("ready");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // Opening waits for the script to open it too.
    assert_eq!(std::fs::read_to_string(&fifo).unwrap(), "ready\n");
    child
}

/// Reads a fifo to its end, which comes when every process that had it open for writing has ended.
fn wait_for_the_end_of_all(fifo: &Path) {
    let lines = BufReader::new(std::fs::File::open(fifo).unwrap()).lines();
    assert_eq!(lines.count(), 0);
}

/// `command` with the default action for SIGHUP. Under `nohup` the tests ignore that signal, and so would the program.
fn with_default_hangup(command: &Command) -> Command {
    let mut started = Command::new("/usr/bin/env");
    started.arg("--default-signal=HUP").arg(command.get_program()).args(command.get_args());
    started.current_dir(command.get_current_dir().unwrap()).stdin(Stdio::null());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => started.env(name, value),
            None => started.env_remove(name),
        };
    }
    started
}

/// Stops a command of `machine` by `signal` while its client runs, and waits until every process that the client started
/// has ended. Returns the exit code, if there is one, and what the command printed on stderr.
fn stop(machine: &Machine, args: &[&str], signal: &str) -> (Option<i32>, String) {
    let alive = machine.s.path("alive");
    assert!(Command::new("mkfifo").arg(&alive).status().unwrap().success());
    let opened = alive.clone();
    let end = std::thread::spawn(move || wait_for_the_end_of_all(&opened));
    let child = start(machine, &mut with_default_hangup(&machine.command(args)));
    let killed = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let out = child.wait_with_output().unwrap();
    end.join().unwrap();
    for fifo in ["alive", "ready"] {
        std::fs::remove_file(machine.s.path(fifo)).unwrap();
    }
    (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
}

#[test]
fn no_signal_leaves_a_child_of_any_command_and_sigterm_leaves_no_temporary_folder() {
    // A wrapper, as those of nvm and volta: the real client is its child, and holds the fifo open.
    let pip = format!(
        "{PIP}\nhome=$HEADSTART_HOME/..\n\
         sh -c 'exec 9> \"$0/alive\"; echo ready > \"$0/ready\"; sleep 1000' \"$home\"; exit 1"
    );
    let machine = Machine::new(&[("python3", &pip)]);
    machine.s.images("in", &[("ant", 20), ("bee", 20)]);
    assert_eq!(support::extract(&machine.s, "in", "c", &[]).code, 0);
    machine.s.json(&["train", &machine.s.text("c"), "--run", &machine.s.text("r"), "--epochs", "1"]);
    let all: &[_] = &[("TERM", Some(143)), ("INT", Some(130)), ("HUP", None), ("KILL", None)];
    let commands: [(&[&str], &[_]); 3] = [
        (&["setup", "--yes"], all),
        (&["extract", "in", "--cache", "new", "--backbone", "small.onnx", "--yes"], &all[..1]),
        (&["predict", "r", "in/ant/0.png", "--yes"], all),
    ];
    for (args, signals) in commands {
        for &(signal, code) in signals {
            let (found, said) = stop(&machine, args, signal);
            assert_eq!(found, code, "{args:?}, {signal}: {said}");
            if code.is_some() {
                assert!(said.contains("interrupted while fetching onnxruntime"), "{said}");
                assert!(machine.left().is_empty(), "{args:?}, {signal}: {:?}", machine.left());
            }
        }
    }
}

#[test]
fn of_several_at_once_each_waits_and_looks_again() {
    // The client of the first one goes on when the others are waiting for the lock.
    let npm = "echo started >> \"$HEADSTART_HOME/../seen\"; echo ready > \"$HEADSTART_HOME/../ready\"\n\
               cat \"$HEADSTART_HOME/../go\" > nsfwjs-4.4.0.tgz";
    let machine = Machine::new(&[("npm", npm)]);
    let go = machine.s.path("go");
    assert!(Command::new("mkfifo").arg(&go).status().unwrap().success());
    let first = start(&machine, &mut machine.setup_backbone());
    let mut second = machine.setup_backbone().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(second.stderr.take().unwrap()).lines();
    let waiting = said.find(|line| line.as_ref().unwrap().contains("waiting for another process"));
    assert!(waiting.is_some(), "a message after a few seconds");
    // As if the first one had finished: the file is in its place.
    std::fs::copy(models().join("nsfwjs.onnx"), machine.s.path("home/models/nsfwjs.onnx")).unwrap();
    std::fs::write(&go, b"not the tarball").unwrap();
    assert_eq!(first.wait_with_output().unwrap().status.code(), Some(1));
    let rest: Vec<String> = said.map(Result::unwrap).collect();
    assert_eq!(second.wait_with_output().unwrap().status.code(), Some(0), "{rest:?}");
    assert_eq!(machine.seen("seen"), "started\n", "the second one fetched nothing");
}

#[test]
fn folders_that_cannot_be_used_are_called_what_they_are() {
    let machine = Machine::new(&[("python3", PIP), ("npm", "exit 1")]);
    let mut relative = machine.setup();
    CommandOutput::of(relative.env("HEADSTART_HOME", "here"))
        .fails(2, &["here: HEADSTART_HOME is not an absolute path"]);
    let mut file = machine.setup();
    let path = machine.s.write("file", b"");
    CommandOutput::of(file.env("HEADSTART_HOME", &path)).fails(1, &["file"]);
    // npm cannot work in such a folder, which is said before it is created.
    use std::os::unix::ffi::OsStrExt;
    let name = PathBuf::from(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    let mut command = machine.setup_backbone();
    command.arg("--models").arg(&name);
    CommandOutput::of(&mut command)
        .fails(1, &["npm cannot work in a folder whose name is not UTF-8", "tarball"]);
    assert!(!machine.s.path("").join(&name).exists());
    // Also before ONNX Runtime is installed.
    let mut command = machine.setup();
    command.env("HEADSTART_HOME", machine.s.path("").join(&name));
    CommandOutput::of(&mut command).fails(1, &["npm cannot work in a folder whose name is not UTF-8"]);
    assert!(!machine.s.path("").join(&name).exists());
}

#[test]
fn an_interrupted_import_leaves_nothing() {
    let machine = Machine::new(&[]);
    // The tarball is a fifo: the import waits for its bytes until it was stopped.
    let fifo = machine.s.path("nsfwjs.tgz");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let args = ["backbone", "import", "nsfwjs.tgz", "--source", "nsfwjs"];
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let child = with_default_hangup(&machine.command(&args)).stderr(Stdio::piped()).spawn().unwrap();
        // Opening waits for the import to open it too.
        let writer = std::fs::OpenOptions::new().write(true).open(&fifo).unwrap();
        assert!(
            Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap().success()
        );
        drop(writer);
        let out = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(matches!(out.status.code(), Some(1)) || out.status.code() == Some(code), "{signal}: {said}");
        let left = std::fs::read_dir(machine.s.path("home/models")).unwrap().flatten();
        let left: Vec<_> = left.map(|entry| entry.file_name()).filter(|name| name != ".lock").collect();
        assert!(left.is_empty(), "{left:?}");
    }
}
