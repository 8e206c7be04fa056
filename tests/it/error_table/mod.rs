//! What a person can do wrong, as one table: the exact words, the exit code, and that no file was changed or left
//! behind. The table is `tests/it/error_table/errors.md`; `HEADSTART_BLESS=1 tests/run error_table` rewrites it after a change.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod cases;

use crate::support::{self, CommandOutput, Sandbox, root};
use cases::CHAPTERS;
use headstart::io::digest::{Digest, sha256};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// One bad input. Each starts from a copy of [`template`] that `prepare` spoils.
struct Case {
    /// What is wrong.
    name: &'static str,
    prepare: fn(&Sandbox),
    /// The arguments, as typed.
    typed: &'static str,
    /// How the command is run.
    how: How,
    /// What may appear: these names, and everything below those that end with `**`.
    writes: &'static [&'static str],
}

#[derive(Clone, Copy, PartialEq)]
enum How {
    Plainly,
    /// By a user who may not write to what others own.
    AsNobody,
    /// Where nothing is installed and nothing can be fetched.
    Offline,
    /// Where pip gives other bytes than the pinned ones.
    Tampered,
    /// With files that cannot grow beyond 20 KiB, as on a full disk.
    DiskFull,
    /// With `ORT_DYLIB_PATH` set to this.
    Library(&'static str),
    /// With `HEADSTART_HOME` set to this, where nothing is installed.
    Home(&'static str),
    /// While another process writes to the cache `c`.
    Locked,
}
const fn case(name: &'static str, typed: &'static str, prepare: fn(&Sandbox)) -> Case {
    Case { name, prepare, typed, how: How::Plainly, writes: &[] }
}

impl Case {
    const fn how(mut self, how: How) -> Self {
        self.how = how;
        self
    }

    const fn writes(mut self, writes: &'static [&'static str]) -> Self {
        self.writes = writes;
        self
    }
}

/// Forty images of two classes, their cache with mirrored variants, a run.
fn template() -> Sandbox {
    let s = Sandbox::new();
    s.images("in", &[("ant", 20), ("bee", 20)]);
    assert_eq!(support::extract(&s, "in", "c", &["--augment", "flip"]).code, 0);
    s.json(&["train", &s.text("c"), "--run", &s.text("r"), "--epochs", "2"]);
    s
}

fn permit(s: &Sandbox, name: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(s.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Digest of every file below `folder` but locks, by relative path; a folder, and an unreadable file, has none.
fn snapshot(folder: &Path, below: &str, found: &mut BTreeMap<String, Option<Digest>>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        match entry.file_type().unwrap().is_dir() {
            true => {
                snapshot(&entry.path(), &format!("{name}/"), found);
                found.insert(format!("{name}/"), None);
            }
            false if name.ends_with(".lock") => {}
            false => drop(found.insert(name, std::fs::read(entry.path()).ok().map(|bytes| sha256(&bytes)))),
        }
    }
}

/// The command, run as the case says.
fn command(s: &Sandbox, case: &Case) -> Command {
    let args: Vec<&str> = case.typed.split(' ').collect();
    let mut command = Command::new(env!("CARGO_BIN_EXE_headstart"));
    if case.how == How::DiskFull {
        command = Command::new("sh");
        command.args([
            "-c",
            "trap '' XFSZ; ulimit -f 40; exec \"$0\" \"$@\"",
            env!("CARGO_BIN_EXE_headstart"),
        ]);
    }
    if case.how == How::AsNobody {
        // A copy that anybody may run.
        let copy = s.path("headstart");
        std::fs::copy(env!("CARGO_BIN_EXE_headstart"), &copy).unwrap();
        command = Command::new(copy);
    }
    command.current_dir(s.path("")).args(&args).stdin(std::process::Stdio::null());
    let fake_pip = |script: &str| {
        let script = format!("#!/bin/sh\ncase \"$*\" in *--version*) exit 0;; esac\n{script}\n");
        s.write("bin/python3", script.as_bytes());
        permit(s, "bin/python3", 0o755);
    };
    match case.how {
        How::Offline => fake_pip("echo 'ERROR: no route to host' >&2; exit 1"),
        How::Tampered => fake_pip(
            "while [ $# -gt 0 ]; do [ \"$1\" = --dest ] && dest=$2; shift; done; printf tampered > $dest/o.whl",
        ),
        How::Library(path) => drop(command.env("ORT_DYLIB_PATH", path)),
        How::Home(path) => drop(command.env("HEADSTART_HOME", path).env_remove("ORT_DYLIB_PATH")),
        _ => {}
    }
    if matches!(case.how, How::Offline | How::Tampered) {
        command.env("PATH", format!("{}:/usr/bin:/bin", s.text("bin"))).env_remove("ORT_DYLIB_PATH");
        command.env("XDG_CACHE_HOME", s.path("user")).env_remove("HEADSTART_HOME");
    }
    command
}

/// Makes the command run as a user who owns nothing here, where the tests themselves are run by root.
fn as_nobody(s: &Sandbox, command: &mut Command) {
    use std::os::unix::process::CommandExt;
    let id = Command::new("id").arg("-u").output().unwrap().stdout;
    if id.starts_with(b"0") {
        permit(s, "", 0o755);
        command.uid(65534).gid(65534);
    } else {
        for folder in ["", "c"] {
            permit(s, folder, 0o555);
        }
    }
}

/// Runs one case and returns its entry of the page.
fn entry(case: &Case, template: &Sandbox) -> String {
    let s = Sandbox::new();
    let copied = Command::new("cp")
        .args(["-r", "--preserve=timestamps"])
        .arg(template.path("."))
        .arg(s.path(""))
        .status();
    assert!(copied.unwrap().success());
    (case.prepare)(&s);
    let mut command = command(&s, case);
    let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
    snapshot(&s.path(""), "", &mut before);
    if case.how == How::AsNobody {
        as_nobody(&s, &mut command);
    }
    let lock = (case.how == How::Locked).then(|| headstart::io::fs::Lock::take(&s.path("c/.lock")).unwrap());
    let CommandOutput { code, stdout, stderr } = CommandOutput::of(&mut command);
    drop(lock);
    for folder in ["", "c", "in/ant"] {
        if s.path(folder).exists() {
            permit(&s, folder, 0o755);
        }
    }
    snapshot(&s.path(""), "", &mut after);
    let free = |name: &String| {
        case.writes.iter().any(|place| match place.strip_suffix("**") {
            Some(below) => name.starts_with(below),
            None => name == place,
        })
    };
    after.retain(|name, _| before.contains_key(name) || !free(name));
    let names = |map: &BTreeMap<String, Option<Digest>>| map.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&before), names(&after), "{}: files came or went", case.name);
    for (name, digest) in &before {
        assert!(digest.is_none() || after[name] == *digest, "{}: {name} changed", case.name);
    }
    assert_eq!(stdout.is_empty(), code != 3 && code != 0, "{}: {stdout}", case.name);
    assert_ne!(code, 0, "{}: {stderr}", case.name);
    let stderr = without_digests(&stderr);
    let output =
        [template.text(""), s.text("")].iter().fold(stderr, |text, place| text.replace(place.as_str(), ""));
    format!(
        "{}:\n\n```console\n$ headstart {}\n{}\n```\nExit code {code}.\n",
        case.name,
        case.typed,
        output.trim_end()
    )
}

/// Names each part of a cache by its number alone. The digest behind it follows from its bytes, which hold the time and features
/// whose last bits depend on the processor.
fn without_digests(text: &str) -> String {
    let mut parts = text.split("part-00000");
    let first = parts.next().unwrap_or_default().to_string();
    parts.fold(first, |text, part| match part.split_at_checked("0-0123456789abcdef".len()) {
        Some((name, rest)) if rest.starts_with(".parquet") => {
            format!("{text}part-00000{}-0123456789abcdef{rest}", &name[..1])
        }
        _ => format!("{text}part-00000{part}"),
    })
}

#[test]
fn every_error_reads_as_documented_and_loses_nothing() {
    // Some cases are about machines without a GPU.
    let has_gpu = headstart::backbone::cuda::nvidia_driver().is_some();
    let fits = |case: &&Case| !(has_gpu && case.typed.contains("--device cuda"));
    let template = template();
    let mut page = String::from(
        "# What can go wrong\n\nEach failure below is caused by a test, which compares the words and the exit code with \
         this page and makes sure\nthat no file was changed, lost or left behind. Exit codes: 1 failed, 2 usage, 3 \
         finished with inputs refused.\n",
    );
    for (chapter, cases) in CHAPTERS {
        let cases: Vec<&Case> = cases.iter().filter(fits).collect();
        let entries: Vec<String> = std::thread::scope(|scope| {
            let halves = [0, 1].map(|half| {
                let (cases, template) = (&cases, &template);
                scope.spawn(move || {
                    cases.iter().skip(half).step_by(2).map(|case| entry(case, template)).collect::<Vec<_>>()
                })
            });
            let [mut even, mut odd] = halves.map(|half| half.join().unwrap().into_iter());
            (0..cases.len()).map(|i| if i % 2 == 0 { even.next() } else { odd.next() }.unwrap()).collect()
        });
        page.push_str(&format!("\n## {chapter}\n\n{}", entries.join("\n")));
    }
    println!("{page}");
    let path = root().join("tests/it/error_table/errors.md");
    if std::env::var_os("HEADSTART_BLESS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let documented = std::fs::read_to_string(&path).unwrap_or_default();
    if has_gpu {
        let missing = page.lines().find(|line| !documented.lines().any(|other| other == *line));
        assert_eq!(missing, None, "tests/it/error_table/errors.md says otherwise");
        return;
    }
    for (output, documented) in page.lines().zip(documented.lines()) {
        assert_eq!(output, documented, "tests/it/error_table/errors.md says otherwise");
    }
    assert_eq!(
        page.lines().count(),
        documented.lines().count(),
        "tests/it/error_table/errors.md has other cases"
    );
}
