//! Machines unlike ours, as far as a test can make them in a moment: limits on tasks and memory, an overlay, odd paths and
//! terminals. `tests/environments/run` tries many more.

#![cfg(target_os = "linux")]

use crate::support::{self, CommandOutput, Sandbox, root, small_network};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `command` run by a shell after `script`, which ends in `exec "$@"`.
fn after(script: &str, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-ec", &format!("{script}; exec \"$@\""), "sh"]).arg(command.get_program());
    shell.args(command.get_args()).env_remove("NO_COLOR");
    if let Some(folder) = command.get_current_dir() {
        shell.current_dir(folder);
    }
    shell
}

/// Whether a shell can do this here, for what only root may do, or only outside a container.
fn can(script: &str) -> bool {
    Command::new("sh").args(["-c", script]).output().is_ok_and(|out| out.status.success())
}

/// `command` as a user of its own, who may have `tasks` tasks. Root itself has no limit.
fn limited(s: &Sandbox, tasks: usize, command: &Command) -> Command {
    let user = 64_000 + tasks;
    let program = s.path("headstart");
    if !program.exists() {
        std::fs::copy(command.get_program(), &program).unwrap();
        let library = headstart::backbone::install::find_library(false).unwrap().expect("run tests/run");
        std::fs::copy(library.path, s.path("libonnxruntime.so")).unwrap();
    }
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(s.path(""), open).unwrap();
    assert!(can(&format!("chmod -R a+rwX '{}'", s.text(""))));
    let mut limited = Command::new("setpriv");
    limited.args([&format!("--reuid={user}"), "--clear-groups", "prlimit", &format!("--nproc={tasks}")]);
    limited.arg(&program).args(command.get_args()).current_dir(s.path(""));
    limited.env("ORT_DYLIB_PATH", s.path("libonnxruntime.so")).env("HOME", s.path(""));
    limited
}

fn head(s: &Sandbox, run: &str) -> Vec<u8> {
    std::fs::read(s.path(run).join("head.safetensors")).unwrap()
}

#[test]
fn under_a_limit_on_tasks_fewer_threads_are_used_or_the_limit_is_named() {
    if !can("setpriv --reuid=64000 --clear-groups true") {
        support::not_run(
            "limits on tasks",
            "only root can start a program as a user with a limit of its own",
        );
        return;
    }
    let s = support::cache(&[]);
    support::train(&s, "free", &["--epochs", "3"]);
    let network = s.text("small.onnx");
    let extract = |cache: &str, tasks| {
        let args = ["extract", "in", "--cache", cache, "--backbone", &network, "--threads", "64"];
        CommandOutput::of(&mut limited(&s, tasks, &s.command(&args)))
    };
    let some = extract("some", 40);
    assert_eq!(some.code, 0, "{}", some.stderr);
    assert!(some.stderr.contains("of 64 --threads: the system grants"), "{}", some.stderr);
    assert!(some.stderr.contains("40 of this user (ulimit -u)"), "{}", some.stderr);
    assert_eq!(s.rows("some"), s.rows("c"));
    let none = extract("none", 4);
    none.fails(1, &["and at least 4 are needed", "raise the limit on tasks", "4 of this user (ulimit -u)"]);
    assert!(!s.path("none").exists());
    for tasks in [1, 2, 3] {
        let run = format!("run{tasks}");
        let args = ["train", "c", "--run", &run, "--epochs", "3", "--threads", "8"];
        let trained = CommandOutput::of(&mut limited(&s, tasks, &s.command(&args)));
        assert_eq!(trained.code, 0, "{}", trained.stderr);
        let warning = "of 8 threads: no more are granted";
        assert!(trained.stderr.contains(warning), "{}", trained.stderr);
        assert_eq!(head(&s, &run), head(&s, "free"));
    }
}

#[test]
fn a_run_and_a_cache_in_the_layer_of_an_image_are_replaced() {
    let overlay = "mkdir low up; mount -t tmpfs tmpfs up; mkdir up/u up/w all; \
                   mount -t overlay overlay -o lowerdir=low,upperdir=up/u,workdir=up/w all";
    let s = support::cache(&["--augment", "flip"]);
    if !can(&format!("d=$(mktemp -d); cd $d; unshare -m sh -ec '{overlay}'; r=$?; rm -r $d; exit $r")) {
        support::not_run("runs and caches in an overlay", "no overlay can be mounted here");
        return;
    }
    support::extract(&s, "in", "c", &["--augment", "shift:5"]);
    support::train(&s, "run", &["--epochs", "1"]);
    std::fs::create_dir(s.path("low")).unwrap();
    for name in ["c", "run"] {
        std::fs::rename(s.path(name), s.path("low").join(name)).unwrap();
    }
    let program = s.command(&[]).get_program().to_str().unwrap().to_string();
    let script = format!(
        "{} ; cd all; '{program}' train c --run run --epochs 2; '{program}' cache compact c; \
         '{program}' cache verify c; '{program}' evaluate run; cp -r c run ..; ls -A > ../left",
        overlay.replacen("mkdir low up", "mkdir up", 1)
    );
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-exc", &script]).current_dir(s.path(""));
    let said = CommandOutput::of(&mut command);
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    let record = std::fs::read_to_string(s.path("run/run.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    assert_eq!(record["history"].as_array().unwrap().len(), 2);
    assert_eq!(std::fs::read_to_string(s.path("left")).unwrap(), "c\nrun\n", "nothing is left aside");
    let parts = |cache: &str| std::fs::read_dir(s.path(cache).join("features")).unwrap().count();
    assert_eq!((parts("low/c"), parts("c")), (2, 1));
    assert_eq!(s.rows("c"), s.rows("low/c"));
}

#[test]
fn what_stands_in_the_way_is_called_what_it_is_before_any_work() {
    let s = support::cache(&[]);
    std::os::unix::fs::symlink("nowhere", s.path("dangling")).unwrap();
    s.write("file", b"x");
    support::train(&s, "r", &["--epochs", "1"]);
    let network = s.text("small.onnx");
    let odd: [(&[&str], &str); 12] = [
        (&["data", "summary", "dangling"], "dangling: it is a link to nowhere, where nothing is"),
        (&["data", "summary", "file"], "file: not a folder of images, and not a manifest"),
        (&["extract", "in", "--cache", "dangling", "--backbone", &network], "dangling: it is a link"),
        (&["extract", "in", "--cache", "file/x", "--backbone", &network], "file: it is a file"),
        (&["train", "dangling", "--run", "q"], "dangling: it is a link"),
        (&["train", "file", "--run", "q"], "file: it is a file"),
        (&["train", "c", "--run", "dangling/x"], "dangling: it is a link"),
        (&["train", "c", "--run", "file/x"], "file: it is a file"),
        (&["evaluate", "dangling"], "dangling: it is a link"),
        (&["cache", "info", "file"], "file: it is a file"),
        (&["sweep", "c", "--runs", "dangling"], "dangling: it is a link"),
        (&["data", "select", "in", "--top", "1", "--out", "dangling"], "dangling: it is a link"),
    ];
    for (args, message) in odd {
        s.run(args).fails(1, &[message, "help: "]);
    }
    assert!(!s.path("q").exists() && !s.path("nowhere").exists());
    let gone = "mkdir gone; cd gone; rmdir ../gone";
    for args in [&["data", "summary", "."][..], &["evaluate", "r"], &["train", "c", "--run", "q"]] {
        let said = CommandOutput::of(&mut after(gone, &s.command(args)));
        said.fails(1, &["the current folder was deleted", "help: change to a folder that exists"]);
    }
}

#[test]
fn paths_that_are_not_utf8_are_refused_before_anything_is_written() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let s = support::cache(&[]);
    let odd = OsStr::from_bytes(b"odd\xff");
    let refused = |args: &[&OsStr]| {
        let out = s.command(&[]).args(args).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{said}");
        assert!(said.contains("the path is not UTF-8") && said.contains("help: rename"), "{said}");
    };
    let network = s.path("small.onnx");
    let [extract, train, cache, run, backbone] =
        ["extract", "train", "--cache", "--run", "--backbone"].map(OsStr::new);
    refused(&[extract, OsStr::new("in"), cache, odd, backbone, network.as_os_str()]);
    refused(&[train, OsStr::new("c"), run, odd]);
    assert!(!s.path("").join(odd).exists());
    std::fs::rename(s.path("in"), s.path("").join(odd)).unwrap();
    refused(&[extract, odd, cache, OsStr::new("new"), backbone, network.as_os_str()]);
    std::fs::rename(s.path("c"), s.path("").join(odd).join("c")).unwrap();
    refused(&[train, s.path("").join(odd).join("c").as_os_str(), run, OsStr::new("new")]);
    assert!(!s.path("new").exists());
}

#[test]
fn lines_of_the_runtime_are_plain_and_a_dumb_terminal_gets_no_codes() {
    let s = Sandbox::new();
    s.images("in", &[("a", 8), ("b", 8)]);
    let network = root().join("tests/fixtures/batch-of-one.onnx");
    let args = ["extract", "in", "--cache", "c", "--preprocess", "unit", "--batch", "4", "--backbone"];
    let said = s.run(&[&args[..], &[network.to_str().unwrap()]].concat());
    said.fails(1, &["error: the network failed: Non-zero status code", "mismatched dimensions of 1 and 4"]);
    let shown = said.stderr;
    assert!(!shown.contains('\u{1b}') && !shown.contains(".cc:") && !shown.contains(".h:"), "{shown}");
    assert_eq!(shown.matches("mismatched").count(), 1, "{shown}");
    let on_terminal = |name: &str| {
        let program = s.command(&[]).get_program().to_str().unwrap().to_string();
        let network = small_network::install(&s);
        let line = format!("'{program}' extract in --cache c-{name} --backbone '{network}'");
        let mut script = Command::new("script");
        script.args(["-qec", &line, "/dev/null"]).current_dir(s.path("")).env("TERM", name);
        let said = CommandOutput::of(&mut script);
        assert_eq!(said.code, 0, "{}", said.stdout);
        said.stdout
    };
    if can("script -qec true /dev/null") {
        assert!(on_terminal("xterm").contains('\u{1b}'));
        let dumb = on_terminal("dumb");
        assert!(!dumb.contains('\u{1b}'), "{dumb:?}");
    }
}

/// The processes whose parent is `parent`.
fn children(parent: u32) -> Vec<PathBuf> {
    let is_child = |process: &Path| {
        let stat = std::fs::read_to_string(process.join("stat")).unwrap_or_default();
        let fields = stat.rsplit_once(") ").map_or(Vec::new(), |(_, rest)| rest.split(' ').collect());
        fields.get(1).is_some_and(|id| *id == parent.to_string()) && fields[0] != "Z"
    };
    let processes = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    processes.filter(|process| is_child(process)).collect()
}

#[test]
fn a_stopped_extraction_has_no_process_left() {
    let s = Sandbox::new();
    s.images("in", &[("a", 200), ("b", 200)]);
    let network = small_network::install(&s);
    let args = ["extract", "in", "--cache", "c", "--backbone", &network, "--commit-every", "0"];
    let mut child = s.command(&args).stderr(std::process::Stdio::piped()).spawn().unwrap();
    while !s.path("c/features").exists() && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    assert_eq!(children(child.id()), Vec::<PathBuf>::new(), "an extraction starts no process");
    assert!(can(&format!("kill -TERM {}", child.id())));
    let ended = child.wait_with_output().unwrap();
    assert!(matches!(ended.status.code(), Some(0 | 143)), "{ended:?}");
}

#[test]
fn a_library_that_would_crash_the_process_is_an_error_with_its_path() {
    let s = Sandbox::new();
    s.images("in", &[("a", 8), ("b", 8)]);
    let network = small_network::install(&s);
    let damaged = damaged_library(&s);
    let args = ["extract", "in", "--cache", "c", "--backbone", &network];
    let mut command = s.command(&args);
    let said = CommandOutput::of(command.env("ORT_DYLIB_PATH", &damaged));
    said.fails(1, &["damaged.so: ONNX Runtime cannot be loaded", "crashed with SIG", "help: copy it again"]);
    assert!(!s.path("c").exists());
    let mut device = s.command(&["device"]);
    let said = CommandOutput::of(device.env("ORT_DYLIB_PATH", &damaged));
    assert!(said.code == 0 && said.stdout.contains("crashed with SIG"), "{}", said.stdout);
}

#[test]
fn the_runtime_is_proven_before_the_images_of_a_cache_are_read() {
    let s = support::cache(&[]);
    s.images("in", &[("cat", 2)]);
    let network = s.text("small.onnx");
    let args = ["extract", "in", "--cache", "c", "--backbone", &network];
    let mut broken = s.command(&args);
    let text = s.write("text.so", b"not a library");
    let said = CommandOutput::of(broken.env("ORT_DYLIB_PATH", text));
    said.fails(1, &["text.so: ONNX Runtime cannot be loaded"]);
    assert!(!said.stderr.contains("in/cat"), "{}", said.stderr);
}

/// A library whose code is zeros, so that it crashes the process that loads it.
fn damaged_library(s: &Sandbox) -> PathBuf {
    let library = headstart::backbone::install::find_library(false).unwrap().expect("run tests/run");
    let mut bytes = std::fs::read(library.path).unwrap();
    // Headers, tables and sizes stay, so that the loader maps the file.
    let (first, last) = (bytes.len() / 4, bytes.len() / 4 * 3);
    bytes[first..last].fill(0);
    s.write("damaged.so", &bytes)
}

#[test]
fn a_library_is_never_loaded_untried_without_a_temporary_folder_or_a_shell() {
    let s = Sandbox::new();
    let damaged = damaged_library(&s);
    let mut device = s.command(&["device"]);
    device.env("TMPDIR", "/nonexistent").env("ORT_DYLIB_PATH", &damaged);
    let said = CommandOutput::of(&mut device);
    assert!(said.code == 0 && said.stdout.contains("crashed with SIG"), "{}{}", said.stdout, said.stderr);
    let hide = "mount --bind /dev/null \"$(readlink -f /bin/sh)\"";
    if !can(&format!("unshare -m sh -ec '{hide}'")) {
        support::not_run("a system without a shell", "only root can hide the shell");
        return;
    }
    let mut hidden = Command::new("unshare");
    hidden.args(["-m", "sh", "-ec", &format!("{hide}; exec \"$@\""), "sh"]);
    hidden.arg(device.get_program()).arg("device").env("ORT_DYLIB_PATH", &damaged);
    let said = CommandOutput::of(&mut hidden);
    assert!(said.code == 0 && said.stdout.contains("crashed with SIG"), "{}{}", said.stdout, said.stderr);
}

#[test]
fn a_file_or_a_link_where_something_else_belongs_is_called_what_it_is() {
    let s = support::cache(&[]);
    support::train(&s, "r", &["--epochs", "1"]);
    s.write("file", b"x");
    for (target, link) in [("nowhere", "dangling"), ("ring", "ring")] {
        std::os::unix::fs::symlink(target, s.path(link)).unwrap();
    }
    let (file, nowhere) = ("file: it is a file, not a folder", "dangling: it is a link to nowhere");
    let odd: [(&[&str], &str); 7] = [
        (&["demo", "--dir", "file"], file),
        (&["report", "r", "--out", "file/x"], file),
        (&["predict", "r", "dangling"], "dangling: could not be read: it is a link to nowhere"),
        (&["setup", "--wheel", "dangling"], nowhere),
        (&["setup", "--tarball", "dangling"], nowhere),
        (&["experiment", "dangling", "--images", "in"], nowhere),
        (&["predict", "r", "ring"], "ring: could not be read: it is a link that leads back to itself"),
    ];
    for (args, message) in odd {
        let said = s.run(args);
        assert!(said.code != 0 && said.stderr.contains(message), "{args:?}: {}", said.stderr);
    }
    let mut setup = Command::new(s.command(&[]).get_program());
    setup.args(["setup", "--models", "file"]).current_dir(s.path(""));
    CommandOutput::of(&mut setup).fails(1, &[file, "help: choose another folder as --models"]);
    for (name, value) in [("HEADSTART_HOME", s.text("file")), ("HOME", "/dev/null".into())] {
        let mut device = s.command(&["device"]);
        device.env_remove("ORT_DYLIB_PATH").env_remove("XDG_CACHE_HOME").env_remove("HEADSTART_HOME");
        let said = CommandOutput::of(device.env(name, &value));
        assert!(said.stdout.contains("it is a file, not a folder; give another path"), "{}", said.stdout);
    }
}

#[test]
fn a_library_that_is_no_regular_file_is_not_read() {
    let s = Sandbox::new();
    assert!(can(&format!("mkfifo '{}'", s.text("fifo"))));
    for path in [s.text("fifo"), "/dev/zero".into()] {
        let mut device = s.command(&["device"]);
        let said = CommandOutput::of(device.env("ORT_DYLIB_PATH", path));
        assert!(said.stdout.contains("ORT_DYLIB_PATH names no regular file"), "{}", said.stdout);
    }
}

#[test]
fn limits_on_memory_and_on_the_size_of_files_are_errors_that_name_them() {
    let s = support::cache(&[]);
    let weights = s.write("weights.safetensors", &vec![0; 200_000_000]);
    let args = ["backbone", "import", weights.to_str().unwrap(), "--source", "torchvision"];
    let said = CommandOutput::of(&mut after("ulimit -v 500000", &s.command(&args)));
    said.fails(
        1,
        &["building the network needs about 642 MB of memory, but ", "free (ulimit -v)", "raise the limit"],
    );
    let args = ["train", "c", "--run", "r", "--epochs", "1"];
    let said = CommandOutput::of(&mut after("ulimit -f 1", &s.command(&args)));
    said.fails(1, &["File too large", "free some space"]);
    assert!(!s.path("r").exists());
}
