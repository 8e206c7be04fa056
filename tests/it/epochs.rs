//! What a person sees of a fit while it runs: a line an epoch, JSON lines, and curves for TensorBoard.

use crate::support::{Sandbox, cache, python, train};
use headstart::head::{FitConfig, SolverConfig};
use headstart::monitor::{EpochReport, Monitor, Task, Unit};
use headstart::run::live_folder;
use headstart::train::TrainConfig;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Mutex;

#[test]
fn a_line_tells_of_each_epoch() {
    let s = cache(&[]);
    let args = ["train", &s.text("c"), "--run", &s.text("r"), "--epochs", "3"];
    let shown = s.run(&[&args[..], &["-v", "--schedule", "linear"]].concat());
    let lines: Vec<&str> = shown.stderr.lines().filter(|line| line.starts_with("epoch ")).collect();
    assert_eq!(lines.len(), 3, "{}", shown.stderr);
    let record = s.record("r");
    for (line, epoch) in lines.iter().zip(record["history"].as_array().unwrap()) {
        let loss = epoch["validation_loss"].as_f64().unwrap();
        assert!(line.starts_with(&format!("epoch {} of 3: loss ", epoch["epoch"])), "{line}");
        assert!(line.contains(&format!("validation loss {loss:.4}, accuracy ")), "{line}");
    }
    assert!(
        lines[0].contains("learning rate 1.000e-2") && lines[2].contains("learning rate 3.333e-3"),
        "{lines:?}"
    );
    assert!(!s.run(&args).stderr.contains("epoch 1 of"));
}

#[test]
fn json_lines_are_the_epochs_and_then_the_result() {
    let s = cache(&[]);
    let args = ["train", &s.text("c"), "--run", &s.text("r"), "--epochs", "4", "--json-lines"];
    let printed = s.run(&args);
    let lines: Vec<Value> = printed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["epoch", "epoch", "epoch", "epoch", "result"]);
    let record = s.record("r");
    for (line, epoch) in lines.iter().zip(record["history"].as_array().unwrap()) {
        for field in
            ["epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "seconds"]
        {
            assert_eq!(line[field], epoch[field], "{field}");
        }
        assert_eq!((&line["epochs"], line["learning_rate"].as_f64()), (&4.into(), Some(0.01)));
    }
    assert_eq!(lines[4]["best_epoch"], record["best_epoch"]);
    // Without validation images there is nothing to measure on them.
    let s = cache(&["--split", "75/0/25"]);
    let printed = s.run(&args.map(|arg| {
        if arg.ends_with("/c") {
            "c"
        } else if arg.ends_with("/r") {
            "r"
        } else {
            arg
        }
    }));
    let first: Value = serde_json::from_str(printed.stdout.lines().next().unwrap()).unwrap();
    assert_eq!((&first["event"], &first["validation_loss"]), (&"epoch".into(), &Value::Null));
    s.run(&["train", "c", "--run", "x", "--folds", "3", "--json-lines"])
        .fails(2, &["cannot be used with --folds"]);
    s.run(&["train", "c", "--run", "x", "--json", "--json-lines"]).fails(2, &["cannot be used with"]);
}

/// Looks at the folder of a run after each epoch, as a kill at that moment would leave it.
struct Looking {
    run: PathBuf,
    /// Bytes of the event file, and whether there is a run.
    seen: Mutex<Vec<(Vec<u8>, bool)>>,
}

impl Monitor for Looking {
    fn note(&self, _: &str) {}
    fn warn(&self, message: &str) {
        panic!("{message}");
    }
    fn task(&self, _: &str, _: Option<u64>, _: Unit) -> Box<dyn Task + '_> {
        Box::new(Nothing)
    }
    fn consent(&self, _: &str) -> Option<bool> {
        None
    }
    fn epoch(&self, _: &EpochReport) {
        let files = std::fs::read_dir(live_folder(&self.run)).ok();
        let mut files: Vec<PathBuf> =
            files.into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
        let bytes = files.pop().map_or(Vec::new(), |path| std::fs::read(path).unwrap());
        assert!(files.is_empty(), "one file alone: {files:?}");
        self.seen.lock().unwrap().push((bytes, self.run.join("run.json").exists()));
    }
}

struct Nothing;

impl Task for Nothing {
    fn advance(&self, _: u64) {}
}

fn fit(s: &Sandbox, run: &str, live_after: f64) -> Vec<(Vec<u8>, bool)> {
    let mut config = TrainConfig::new(s.path("c"), s.path(run));
    let mut adam = FitConfig::default();
    (adam.epochs, adam.patience) = (5, 5);
    (config.solver, config.live_after, config.time) =
        (SolverConfig::Adam(adam), Some(live_after), 1_700_000_000);
    let looking = Looking { run: s.path(run), seen: Mutex::new(Vec::new()) };
    headstart::train::train(&config, &looking).unwrap();
    looking.seen.into_inner().unwrap()
}

#[test]
fn a_long_fit_shows_its_curves_while_it_runs_and_never_half_a_run() {
    let s = cache(&[]);
    let seen = fit(&s, "r", 0.0);
    assert_eq!(seen.len(), 5);
    // Seen after an epoch are the epochs before it; each time the file has grown, and there is no run.
    for (i, pair) in seen.windows(2).enumerate() {
        assert!(pair[1].0.starts_with(&pair[0].0) && pair[1].0.len() > pair[0].0.len(), "epoch {}", i + 1);
    }
    assert!(seen.iter().all(|(_, is_run)| !is_run));
    assert!(s.path("r/run.json").exists() && !live_folder(&s.path("r")).exists());
    // A killed fit leaves such a file, which TensorBoard's own reader can read.
    let half = &seen[3].0;
    std::fs::create_dir(live_folder(&s.path("r"))).unwrap();
    let file = live_folder(&s.path("r")).join("events.out.tfevents.1700000000.headstart");
    std::fs::write(&file, half).unwrap();
    let read: Value = serde_json::from_str(&python("live_events.py", &[&file])).unwrap();
    let history = s.record("r")["history"].as_array().unwrap().clone();
    let losses = read["valid_loss"].as_array().unwrap();
    assert_eq!(losses.len(), 3);
    for (point, epoch) in losses.iter().zip(&history) {
        let (step, value) = (point[0].as_u64().unwrap(), point[1].as_f64().unwrap());
        assert_eq!(Some(step), epoch["epoch"].as_u64());
        assert!((value - epoch["validation_loss"].as_f64().unwrap()).abs() < 1e-6);
    }
    // The next fit replaces it; the run that is there stays whole until it is swapped.
    let again = fit(&s, "r", 0.0);
    assert!(again.iter().all(|(_, is_run)| *is_run) && !live_folder(&s.path("r")).exists());
    // A short fit writes none.
    assert!(fit(&s, "short", 1e9).iter().all(|(bytes, _)| bytes.is_empty()));
}

#[test]
fn a_fit_that_fails_leaves_no_curves() {
    let s = cache(&[]);
    train(&s, "r", &["--epochs", "1"]);
    let mut config = TrainConfig::new(s.path("c"), s.path("bad"));
    let mut adam = FitConfig::default();
    adam.lr = 1e38;
    (config.solver, config.live_after) = (SolverConfig::Adam(adam), Some(0.0));
    assert!(headstart::train::train(&config, &headstart::monitor::Silent).is_err());
    assert!(!s.path("bad").exists() && !live_folder(&s.path("bad")).exists());
}
