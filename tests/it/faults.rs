//! Failing disks, images that change during the run, and interruptions: committed rows are kept, the error is reported, and
//! the same command continues.

use crate::support::{self, CommandOutput, Sandbox, picture, small_network};
use headstart::cache::compact::{CompactConfig, compact};
use headstart::data::dataset::Reason;
use headstart::data::decode::encode_png;
use headstart::error::Kind;
use headstart::extract::extract;
use headstart::io::fs::{Change, Watcher, watch};
use headstart::monitor::{Monitor, Silent, Task, Unit};
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Makes the `at`-th change on disk fail, in one of four ways.
pub struct Fault {
    pub at: usize,
    pub seen: AtomicUsize,
}

impl Watcher for Fault {
    fn before(&self, change: &Change) -> io::Result<()> {
        if self.seen.fetch_add(1, Ordering::Relaxed) != self.at {
            return Ok(());
        }
        const NO_SPACE: i32 = 28;
        const ERRORS: [i32; 3] = [NO_SPACE, 5, 13]; // ENOSPC, EIO, EACCES
        if let (Change::Write(path, bytes), true) = (change, self.at.is_multiple_of(2)) {
            std::fs::write(path, &bytes[..bytes.len() / 2])?;
            return Err(io::Error::from_raw_os_error(NO_SPACE));
        }
        Err(io::Error::from_raw_os_error(ERRORS[self.at % 3]))
    }
}

#[test]
fn any_change_on_disk_may_fail_and_nothing_committed_is_lost() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 8), ("bee", 8)]);
    // One part per command, so that the changes on disk do not depend on timing.
    let extract_twice = |cache: PathBuf| {
        let mut config = support::config(&s, "in", "c");
        (config.cache, config.commit_every) = (cache, Duration::from_secs(3600));
        let shifts = std::mem::take(&mut config.augment);
        extract(&config, &Silent)?;
        config.augment = shifts;
        extract(&config, &Silent)
    };
    extract_twice(s.path("undisturbed")).unwrap();
    let undisturbed = s.rows("undisturbed");
    let (mut at, mut failed) = (0, 0);
    loop {
        let name = format!("disk{at}");
        std::fs::create_dir(s.path(&name)).unwrap();
        let cache = s.path(&name).join("c");
        let fault = Arc::new(Fault { at, seen: AtomicUsize::new(0) });
        let watching = watch(&s.path(&name), fault.clone());
        let first = extract_twice(cache.clone());
        drop(watching);
        if fault.seen.load(Ordering::Relaxed) <= at {
            break; // There are no more changes to fail.
        }
        if let Err(error) = first {
            assert_eq!(error.kind(), Kind::Io, "{error}");
            assert!(error.path().is_some(), "{error}");
            assert!(at % 3 == 1 || error.remedy().is_some(), "{error}: no remedy");
            failed += 1;
        }
        let again = extract_twice(cache).unwrap();
        assert_eq!(again.rows, undisturbed.keys.len(), "change {at}");
        assert_eq!(s.rows(&format!("{name}/c")), undisturbed, "change {at}");
        at += 1;
    }
    println!("{at} changes failed, one at a time; {failed} failures were reported");
    assert!(at > 25 && failed == at, "{failed} of {at}");
}

#[test]
fn any_change_of_a_compaction_may_fail_and_no_row_is_lost() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 8), ("bee", 8)]);
    let first = support::config(&s, "in", "c");
    extract(&first, &Silent).unwrap();
    s.images("in", &[("cat", 8)]);
    extract(&first, &Silent).unwrap();
    let rows = s.rows("c");
    let copy = |name: &str| {
        std::fs::create_dir_all(s.path(name).join("features")).unwrap();
        for folder in ["", "features"] {
            for entry in std::fs::read_dir(s.path("c").join(folder)).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_file() {
                    std::fs::copy(entry.path(), s.path(name).join(folder).join(entry.file_name())).unwrap();
                }
            }
        }
    };
    let mut at = 0;
    loop {
        let name = format!("copy{at}");
        copy(&name);
        let fault = Arc::new(Fault { at, seen: AtomicUsize::new(0) });
        let watching = watch(&s.path(&name), fault.clone());
        let done = compact(&s.path(&name), &CompactConfig::default(), &Silent);
        drop(watching);
        if fault.seen.load(Ordering::Relaxed) <= at {
            assert_eq!(done.unwrap().parts, 1);
            break; // so many changes are not made
        }
        assert_eq!(done.unwrap_err().kind(), Kind::Io, "change {at}");
        assert_eq!(s.rows(&name), rows, "change {at}");
        assert_eq!(compact(&s.path(&name), &CompactConfig::default(), &Silent).unwrap().parts, 1);
        assert_eq!(s.rows(&name), rows, "change {at}, then again");
        at += 1;
    }
    assert!(at > 10, "{at} changes");
}

/// A monitor that calls a function when embedding begins.
struct AtEmbedding<F: Fn() + Sync>(F);

impl<F: Fn() + Sync> Monitor for AtEmbedding<F> {
    fn note(&self, _: &str) {}
    fn warn(&self, _: &str) {}
    fn task(&self, label: &str, total: Option<u64>, unit: Unit) -> Box<dyn Task + '_> {
        if label == "embedding" {
            (self.0)();
        }
        Silent.task(label, total, unit)
    }
    fn consent(&self, _: &str) -> Option<bool> {
        None
    }
}

#[test]
fn an_image_that_changes_or_vanishes_during_the_run_is_named_and_the_others_are_kept() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 8), ("bee", 8)]);
    let config = support::config(&s, "in", "c");
    let monitor = AtEmbedding(|| {
        s.write("in/ant/003.png", &encode_png(&picture("ant", 77)));
        let _ = std::fs::remove_file(s.path("in/bee/004.png"));
    });
    let stats = extract(&config, &monitor).unwrap();
    let refused: Vec<(&str, &Reason)> = stats.refused.iter().map(|r| (r.path.as_str(), &r.reason)).collect();
    assert_eq!(
        refused,
        [("ant/003.png", &Reason::ChangedDuringRun), ("bee/004.png", &Reason::VanishedDuringRun)]
    );
    assert_eq!(stats.samples, 14, "the removed image is not part of the data set any more");
    // The next run uses the changed image like any other.
    let again = extract(&config, &Silent).unwrap();
    assert_eq!((again.samples, again.refused.len()), (15, 0));
}

#[test]
fn a_folder_that_is_renamed_during_the_run_is_named_and_the_counts_agree() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 8), ("bee", 8)]);
    let config = crate::support::config(&s, "in", "c");
    // Where only one of two images is read after it, the other is computed for nothing.
    let monitor = AtEmbedding(|| drop(std::fs::rename(s.path("in/bee"), s.path("outside"))));
    let stats = extract(&config, &monitor).unwrap();
    let vanished = stats.refused.iter().filter(|r| r.reason == Reason::VanishedDuringRun);
    assert_eq!(vanished.count(), 8, "{:?}", stats.refused);
    assert!(stats.refused.iter().all(|r| r.path.starts_with("bee/")));
    assert_eq!((stats.samples, stats.rows), (8, s.rows("c").keys.len() - stats.unused));
    assert_eq!(stats.rows + stats.unused, stats.computed);
}

/// A monitor that calls a function when the first rows are embedded.
struct AtFirstRows<F: FnOnce() + Send>(Mutex<Option<F>>);

impl<F: FnOnce() + Send> Monitor for AtFirstRows<F> {
    fn note(&self, _: &str) {}
    fn warn(&self, _: &str) {}
    fn task(&self, label: &str, total: Option<u64>, unit: Unit) -> Box<dyn Task + '_> {
        match label {
            "embedding" => Box::new(self),
            _ => Silent.task(label, total, unit),
        }
    }
    fn consent(&self, _: &str) -> Option<bool> {
        None
    }
}

impl<F: FnOnce() + Send> Task for &AtFirstRows<F> {
    fn advance(&self, _: u64) {
        if let Some(call) = self.0.lock().unwrap().take() {
            call();
        }
    }
}

#[test]
fn what_changes_in_the_folder_after_it_was_read_is_seen() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 8), ("bee", 8)]);
    s.images("more", &[("cat", 5)]);
    let mut config = crate::support::config(&s, "in", "c");
    // One batch, so that all images have been read when its rows come.
    config.batch = Some(4096);
    config.augment = Vec::new();
    let monitor = AtFirstRows(Mutex::new(Some(|| {
        std::fs::rename(s.path("in/bee"), s.path("outside")).unwrap();
        std::fs::rename(s.path("more/cat"), s.path("in/cat")).unwrap();
    })));
    let stats = extract(&config, &monitor).unwrap();
    assert!(
        stats.refused.iter().all(|r| r.reason == Reason::VanishedDuringRun && r.path.starts_with("bee/"))
    );
    assert_eq!((stats.refused.len(), stats.classes, stats.samples), (8, 2, 13));
    assert_eq!((stats.computed, stats.unused, stats.rows), (21, 8, 13));
    assert_eq!(s.rows("c").keys.len(), 21);
    let again = extract(&config, &Silent).unwrap();
    assert_eq!((again.computed, again.refused.len()), (0, 0));
}

#[test]
fn a_full_disk_is_reported_and_finished_parts_are_kept() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 150), ("bee", 150)]);
    let network = small_network::install(&s);
    std::fs::create_dir(s.path("disk")).unwrap();
    let (images, cache) = (s.text("in"), s.text("disk/c"));
    let args = ["extract", &images, "--cache", &cache, "--backbone", &network, "--augment", "shift:5"];
    let often = [&args[..], &["--commit-every", "0", "--json"]].concat();
    // A file system of 256 kB that lives as long as the process. Where mounting is not allowed, a limit on the size of files
    // that a part exceeds.
    let mount = "mount -t tmpfs -o size=256k none disk && \"$@\"; code=$?; ls disk/c/features; exit $code";
    let limit = "trap '' XFSZ; ulimit -f 4; \"$@\"; code=$?; ls disk/c/features; exit $code";
    let may_mount = Command::new("unshare").args(["--map-root-user", "--mount", "true"]).output();
    let in_shell = |command: &Command, script: &str| {
        let mut shell = match may_mount.as_ref().is_ok_and(|out| out.status.success()) {
            true => Command::new("unshare"),
            false => Command::new("sh"),
        };
        if shell.get_program() == "unshare" {
            shell.args(["--map-root-user", "--mount", "sh"]);
        }
        shell.args(["-c", script, "sh"]).arg(command.get_program()).args(command.get_args());
        shell.current_dir(s.path("")).stdin(Stdio::null());
        CommandOutput::of(&mut shell)
    };
    let command = s.command(&often);
    let is_mounted = may_mount.as_ref().is_ok_and(|out| out.status.success());
    let output = in_shell(&command, if is_mounted { mount } else { limit });
    assert_eq!(output.code, 1, "{}", output.stderr);
    let reported =
        output.stderr.contains("No space left on device") || output.stderr.contains("File too large");
    assert!(reported && output.stderr.contains("help: free some space"), "{}", output.stderr);
    if is_mounted {
        assert!(output.stdout.lines().count() > 1, "parts that were finished are there: {}", output.stdout);
        assert!(!output.stdout.contains(".tmp-"), "{}", output.stdout);
    }
}

#[test]
fn two_writers_at_once_store_no_row_twice() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 40), ("bee", 40)]);
    let network = small_network::install(&s);
    let (images, cache) = (s.text("in"), s.text("c"));
    let args =
        ["extract", &images, "--cache", &cache, "--backbone", &network, "--augment", "shift:5", "--json"];
    let start = || s.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let both = [start(), start()].map(|child| child.wait_with_output().unwrap());
    let done = both.iter().filter(|out| out.status.success()).count();
    assert!(done >= 1, "{both:?}");
    for out in both.iter().filter(|out| !out.status.success()) {
        let output = String::from_utf8_lossy(&out.stderr);
        assert!(output.contains("another process is writing here"), "{output}");
    }
    assert_eq!(s.rows("c").keys.len(), 80 + 4 * 56);
    let cache = headstart::cache::FeatureCache::open(&s.path("c")).unwrap();
    let parts = cache.parts().unwrap();
    let keys: usize = parts.iter().map(|part| part.keys(cache.spec()).unwrap().len()).sum();
    assert_eq!(keys, 80 + 4 * 56, "no row is stored twice");
}

/// Starts an extraction and waits until it has committed something.
fn under_way(s: &Sandbox, cache: &str) -> Child {
    let network = small_network::install(s);
    let (images, path) = (s.text("in"), s.text(cache));
    let args = ["extract", &images, "--cache", &path, "--backbone", &network, "--augment", "shift:5"];
    let mut child = s
        .command(&[&args[..], &["--commit-every", "0"]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let committed = || {
        let names = std::fs::read_dir(s.path(cache).join("features")).into_iter().flatten().flatten();
        names.filter(|entry| entry.file_name().to_string_lossy().starts_with("part-")).count()
    };
    while committed() < 2 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be stopped");
        std::thread::yield_now();
    }
    child
}

#[cfg(unix)]
#[test]
fn after_a_signal_the_batch_is_committed_and_the_remedy_is_named() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 120), ("bee", 120), ("cat", 120)]);
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let child = under_way(&s, signal);
        let kill = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
        assert!(kill.success());
        let out = child.wait_with_output().unwrap();
        let output = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(code), "{output}");
        assert!(out.stdout.is_empty());
        let rows = s.rows(signal).keys.len();
        let reported =
            format!("interrupted: {rows} rows were computed and are kept, {} are missing", 1368 - rows);
        assert!(
            output.contains(&reported) && output.contains("help: the same command goes on"),
            "{rows}: {output}"
        );
        // No lock survives its owner.
        let again = support::extract(&s, "in", signal, &["--augment", "shift:5"]).value();
        assert_eq!(
            (again["rows"].as_u64(), again["computed"].as_u64()),
            (Some(1368), Some(1368 - rows as u64))
        );
    }
}
