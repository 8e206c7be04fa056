//! The commands on the page about a run: run by a shell in an empty folder, they make the same head byte for byte.

use crate::support::{self, CommandOutput, Sandbox, small_network};
use std::path::Path;

/// The commands on the page about `run`.
fn commands(s: &Sandbox, run: &str) -> String {
    s.json(&["report", &s.text(run), "--out", &s.text("page.html")]);
    let page = std::fs::read_to_string(s.path("page.html")).unwrap();
    let commands = page.split("<pre><code>").nth(1).expect("the page has commands");
    let commands = commands.split("</code>").next().unwrap();
    commands.replace("&gt;", ">").replace("&lt;", "<").replace("&quot;", "\"").replace("&amp;", "&")
}

/// A run, what its page says about how to make it again, and the bytes of its head.
struct Recipe {
    name: String,
    commands: String,
    head: Vec<u8>,
}

impl Recipe {
    fn of(s: &Sandbox, run: &str) -> Self {
        let name = run.rsplit('/').next().unwrap().to_string();
        let head = std::fs::read(s.path(run).join("head.safetensors")).unwrap();
        Self { name, commands: commands(s, run), head }
    }

    /// Runs the commands in an empty folder and compares the heads.
    fn check(&self) {
        let folder = tempfile::tempdir().unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_headstart")).parent().unwrap();
        let path = std::env::join_paths(
            std::iter::once(program.to_path_buf())
                .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
        );
        let mut shell = std::process::Command::new("sh");
        shell.current_dir(folder.path()).args(["-ec", &self.commands]).env("PATH", path.unwrap());
        let output = CommandOutput::of(shell.stdin(std::process::Stdio::null()));
        assert_eq!(output.code, 0, "{}: {}\n{}", self.name, self.commands, output.stderr);
        let run = folder.path().join("runs").join(&self.name);
        let head = std::fs::read(run.join("head.safetensors")).unwrap();
        assert!(head == self.head, "{}: another head\n{}", self.name, self.commands);
        assert!(run.join("report.html").exists());
    }
}

/// Removes folders of the sandbox.
fn remove(s: &Sandbox, names: &[&str]) {
    names.iter().for_each(|name| std::fs::remove_dir_all(s.path(name)).unwrap());
}

const EPOCHS: [&str; 2] = ["--epochs", "4"];

#[test]
fn runs_of_every_kind_are_made_again_by_their_commands() {
    let variants = ["--augment", "flip", "--augment", "shift:3", "--augment-splits", "all"];
    let s = support::cache(&[&variants[..], &["--split", "60/15/25", "--seed", "4"]].concat());
    let train = |run: &str, more: &[&str]| drop(support::train(&s, run, &[more, &EPOCHS].concat()));
    train("a/plain", &["--use", "none", "--seed", "2"]);
    train("a/resplit", &["--resplit", "7"]);
    train("a/fold", &["--folds", "4", "--fold", "3", "--fold-seed", "5", "--seed", "1"]);
    train("a/init", &["--init", &s.text("a/plain"), "--use", "none,flip"]);
    // Of another run of the same name.
    train("b/init", &["--init", &s.text("a/init"), "--use", "shift:+3:+0"]);
    let optimum = ["--solver", "lbfgs", "--l2", "0.01", "--allow-unconverged"];
    train("a/optimum", &[&optimum[..], &["--label-smoothing", "0.1", "--standardize"]].concat());
    train("a/optimum-of-a-fold", &[&optimum[..], &["--folds", "3", "--fold", "1"]].concat());
    train("a/linfa", &["--solver", "lbfgs-linfa", "--l2", "0.01", "--allow-unconverged"]);
    train("folds", &["--folds", "3", "--seed", "9"]);
    let sweep = ["--seeds", "2", "--lr", "0.01,0.1", "--folds", "3", "--use", "none", "--use", "none,flip"];
    s.json(&[&["sweep", &s.text("c"), "--runs", &s.text("swept")], &sweep[..], &EPOCHS].concat());
    train("a/memory", &["--memory", "4MiB", "--standardize"]);
    let all: Vec<Recipe> = [
        "a/plain",
        "a/resplit",
        "a/fold",
        "a/init",
        "a/optimum",
        "a/optimum-of-a-fold",
        "a/linfa",
        "folds/fold=2",
        "swept/none,flip_lr=0.1_seed=1_fold=3",
    ]
    .map(|run| Recipe::of(&s, run))
    .into();
    let twice = Recipe { name: "init-2".into(), ..Recipe::of(&s, "b/init") };
    // What is read in blocks comes in the order of the cache's files, so the cache must be the same.
    Recipe::of(&s, "a/memory").check();
    remove(&s, &["a", "b", "folds", "swept", "c"]);
    all.iter().chain([&twice]).for_each(Recipe::check);
}

#[test]
fn preprocessing_and_names_survive_in_commands() {
    let s = Sandbox::new();
    s.images("in's $HOME", &[("ant", 40), ("bee; x", 40)]);
    let caches = [
        ("stretched", &["--preprocess", "stretched"][..]),
        ("crop", &["--crop", "0.8", "--augment", "flip", "--augment-splits", "all"]),
        ("layer", &["--layer", "Mixed_6e", "--preprocess", "imagenet", "--crop", "0.5", "--device", "cpu"]),
    ];
    let settings = [
        "--class-weights",
        "ant=2,bee; x=0.5",
        "--lr",
        "0.02",
        "--schedule",
        "cosine",
        "--standardize",
        "--batch",
        "7",
        "--total-patience",
        "--patience",
        "3",
        "--no-shuffle",
        "--drop-last",
        "--min-delta",
        "0.001",
        "--stop-on",
        "accuracy",
        "--label-smoothing",
        "0.1",
        "--shuffle-seed",
        "3",
    ];
    for (name, more) in caches {
        assert_eq!(support::extract(&s, "in's $HOME", name, more).code, 0);
        let run = format!("runs/{name}");
        s.json(&[&["train", &s.text(name), "--run", &s.text(&run)], &settings[..], &EPOCHS].concat());
        let recipe = Recipe::of(&s, &run);
        remove(&s, &[name, "runs"]);
        recipe.check();
    }
}

#[test]
fn runs_of_an_experiment_are_made_again_by_their_commands() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 40), ("bee", 40)]);
    small_network::install(&s);
    let file = "title = \"e\"\nsettings = { epochs = 4 }\n\
                [[cache]]\nname = \"c\"\nbackbone = \"small.onnx\"\naugment = [\"flip\"]\n\
                [[run]]\nname = \"plain\"\nuse = [\"none\"]\n[[run]]\nname = \"warm\"\ninit = \"plain\"\n";
    s.write("e.toml", file.as_bytes());
    s.json(&["experiment", "e.toml", "--images", "in", "--out", "out"]);
    let warm = Recipe::of(&s, "out/runs/as written/warm");
    remove(&s, &["out"]);
    warm.check();
}

#[test]
fn commands_say_when_they_cannot_make_the_same_head() {
    let variants = ["--augment", "flip", "--augment", "shift:3", "--augment-splits", "all"];
    let s = support::cache(&[&variants[..], &["--split", "60/15/25", "--seed", "4"]].concat());
    support::train(&s, "first", &EPOCHS);
    support::train(&s, "second", &[&["--init", &s.text("first")], &EPOCHS[..]].concat());
    support::extract(&s, "in", "c", &["--seed", "3"]);
    assert!(commands(&s, "first").contains("so the head differs"));
    remove(&s, &["first", "c"]);
    let second = commands(&s, "second");
    assert!(
        second.contains("from a cache that is gone") && second.contains("from a run that cannot be read"),
        "{second}"
    );
    assert!(!second.contains("headstart extract"), "{second}");
}
