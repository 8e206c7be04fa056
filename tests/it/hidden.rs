//! Heads with a hidden layer: their steps beside NumPy's, their files, and every command that uses a head.

use crate::support::{self, Sandbox, cache, python, root, train};
use headstart::head::load;
use serde_json::Value;

/// Settings of a quick fit with hidden units.
const HIDDEN: [&str; 8] = ["--hidden", "16", "--dropout", "0.3", "--weight-decay", "0.05", "--epochs", "30"];

#[test]
fn a_hundred_steps_follow_their_formula_in_numpy() {
    let s = cache(&[]);
    let (cache, start) = (s.text("c"), s.text("start"));
    let still = "--hidden 24 --epochs 1 --batch 1000 --lr 1e-30 --seed 3";
    let still: Vec<&str> = still.split(' ').collect();
    s.json(&[&["train", &cache, "--run", &start], &still[..]].concat());
    // 98 train images: one batch of all for 100 epochs, or four for 25.
    let whole = "--epochs 100 --batch 1000";
    for (name, more) in [
        ("plain", format!("{whole} --l2 0.01")),
        ("dropout", format!("{whole} --dropout 0.4")),
        ("decay", format!("{whole} --weight-decay 0.5")),
        ("batches", "--epochs 25 --batch 28 --dropout 0.2 --weight-decay 0.1".into()),
        (
            "all",
            "--epochs 25 --batch 28 --dropout 0.5 --weight-decay 0.2 --l2 0.01 --label-smoothing 0.1 --schedule cosine \
             --standardize"
                .into(),
        ),
    ] {
        let run = s.text(name);
        let args = ["train", &cache, "--run", &run, "--init", &start, "--hidden", "24", "--seed", "3"];
        let same = ["--no-shuffle", "--patience", "1000", "--lr", "0.003", "--threads", "2"];
        let more: Vec<&str> = more.split_whitespace().collect();
        s.json(&[&args[..], &same[..], &more[..]].concat());
        let text = python("hidden.py", &[&s.path("start"), &s.path(name), &s.path("c")]);
        let output: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(output["steps"], 100);
        let of = |key: &str| output[key].as_f64().unwrap();
        assert!(of("largest_loss_difference") < 1e-5, "{name}: {output}");
        assert!(of("largest_weight_difference") < 1e-4, "{name}: {output}");
    }
}

#[test]
fn a_head_of_a_sweep_is_that_of_train_and_depends_on_no_thread() {
    let s = cache(&["--augment", "flip"]);
    let own =
        ["--dropout", "0.3", "--weight-decay", "0.05", "--epochs", "4", "--patience", "2", "--standardize"];
    let grid = ["--hidden", "0,16", "--lr", "0.01,0.003", "--seeds", "2", "--select", "validation"];
    let swept = s.json(&[&["sweep", &s.text("c"), "--runs", &s.text("lab")], &grid[..], &own[..]].concat());
    assert_eq!(swept["heads"].as_array().unwrap().len(), 8);
    assert_eq!(swept["settings"].as_array().unwrap().len(), 4);
    let alone = ["--seed", "1", "--shuffle-seed", "0", "--lr", "0.003", "--hidden", "16"];
    for threads in ["1", "3"] {
        train(&s, "alone", &[&alone[..], &own[..], &["--threads", threads]].concat());
        assert_eq!(s.head("alone"), s.head("lab/hidden=16_lr=0.003_seed=1"), "{threads} threads");
    }
    // Without hidden units there is nothing to drop out, and the file is that of earlier versions.
    let line =
        ["--seed", "1", "--shuffle-seed", "0", "--weight-decay", "0.05", "--epochs", "4", "--patience", "2"];
    train(&s, "line", &[&line[..], &["--standardize"]].concat());
    assert_eq!(s.head("line"), s.head("lab/hidden=0_lr=0.01_seed=1"));
    let text =
        s.run(&["sweep", &s.text("c"), "--runs", &s.text("two"), "--hidden", "0,8", "--epochs", "1"]).stdout;
    assert!(text.contains("hidden"), "{text}");
}

#[test]
fn its_run_is_read_by_every_command() {
    let s = cache(&["--split", "60/20/20"]);
    let trained = train(&s, "r", &[&HIDDEN[..], &["--seed", "2"]].concat());
    let head = load(&s.path("r/head.safetensors")).unwrap().head;
    assert_eq!((head.hidden_units(), head.classes(), head.width()), (16, 3, 128));
    assert!(trained["validation"]["accuracy"].as_f64().unwrap() > 0.8, "{trained}");
    let scores = s.json(&["evaluate", "r"]);
    assert!(scores["accuracy"].as_f64().unwrap() > 0.8);
    // What `predict` answers is what the run stored for the same picture.
    let answer = &s.json(&["predict", "r", "in/bee/003.png", "--neighbours", "0", "--reject", "0.3"])[0];
    assert_eq!(answer["predictions"][0]["label"], "bee");
    s.json(&["export", "r", "--onnx", "r.onnx"]);
    s.json(&["report", "r"]);
    let page = std::fs::read_to_string(s.path("r/report.html")).unwrap().replace("<wbr>", "");
    assert!(page.contains("16 rectified units, dropout 0.3"));
    assert!(page.contains("--hidden 16 --dropout 0.3 --weight-decay 0.05"), "how to train it again");
    train(&s, "line", &["--epochs", "8"]);
    let compared = s.json(&["compare", "r", "line"]);
    assert_eq!(compared["runs"].as_array().unwrap().len(), 2);
    let board = s.json(&["tensorboard", "r", "--logdir", "board"]);
    assert!(board.to_string().contains("board"));
    let warm = train(&s, "warm", &["--init", "r", "--hidden", "16", "--epochs", "1", "--lr", "1e-30"]);
    assert_eq!(warm["validation"]["accuracy"], trained["validation"]["accuracy"]);
}

#[test]
fn exported_answers_are_those_of_predict_in_pythons_runtime() {
    let s = cache(&["--split", "60/20/20"]);
    train(&s, "r", &[&HIDDEN[..], &["--standardize"]].concat());
    s.json(&["export", "r", "--onnx", &s.text("classifier.onnx")]);
    let picture = s.path("in/cat/004.png");
    let text = python("onnx_classifier.py", &[&s.path("classifier.onnx"), &picture, &picture]);
    let found: Value = serde_json::from_str(&text).unwrap();
    let expected =
        s.json(&["predict", "r", &s.text("in/cat/004.png"), "--neighbours", "0", "--device", "cpu"]);
    let classes: Vec<String> =
        serde_json::from_str(found["metadata"]["headstart.classes"].as_str().unwrap()).unwrap();
    for class in expected[0]["predictions"].as_array().unwrap() {
        let at = classes.iter().position(|name| *name == class["label"]).unwrap();
        let own = found["answers"][0]["probabilities"][at].as_f64().unwrap();
        assert!((own - class["probability"].as_f64().unwrap()).abs() < 1e-5, "{found}");
    }
}

#[test]
fn settings_that_do_not_fit_together_are_refused() {
    let s = cache(&[]);
    train(&s, "r", &["--hidden", "8", "--epochs", "1"]);
    let fails = |more: &[&str], code: i32, parts: &[&str]| {
        s.run(&[&["train", &s.text("c"), "--run", &s.text("x")], more].concat()).fails(code, parts);
        assert!(!s.path("x").exists());
    };
    fails(
        &["--init", &s.text("r")],
        2,
        &["has 8 hidden units, and --hidden is 0", "help: set --hidden to 8"],
    );
    fails(&["--hidden", "9", "--init", &s.text("r")], 2, &["has 8 hidden units, and --hidden is 9"]);
    fails(&["--dropout", "0.5"], 2, &["--dropout leaves out hidden units"]);
    fails(&["--hidden", "100000"], 2, &["--hidden must be at most 65536"]);
    fails(&["--weight-decay", "200"], 2, &["--weight-decay must be"]);
    fails(
        &["--solver", "lbfgs", "--l2", "0.1", "--hidden", "8"],
        2,
        &["--hidden cannot be used with --solver lbfgs"],
    );
    fails(&["--auto", "--hidden", "8"], 2, &["--hidden"]);
}

#[test]
fn the_solvers_are_compared_in_one_table() {
    let s = Sandbox::new();
    let text = std::fs::read_to_string(root().join("experiments/solvers.toml")).unwrap();
    let network = support::small_network::install(&s);
    let name = "name = \"photos\"\n";
    let text = text
        .replace(name, &format!("{name}backbone = {network:?}\n"))
        .replace("resplits = 10", "resplits = 3");
    s.write("solvers.toml", text.as_bytes());
    s.images("in", &[("ant", 30), ("bee", 30), ("cat", 40)]);
    let table = s.run(&["experiment", &s.text("solvers.toml"), "--images", &s.text("in")]);
    assert_eq!(table.code, 0, "{}", table.stderr);
    for part in ["Adam", "AdamW", "L-BFGS", "hidden"] {
        assert!(table.stdout.contains(part), "{}", table.stdout);
    }
}

#[test]
fn folds_and_memory_and_goals_work_with_hidden_units() {
    let s = cache(&["--split", "75/0/25"]);
    let trained = train(&s, "folds", &[&HIDDEN[..], &["--threshold", "cat=precision>=0.9"]].concat());
    assert!(trained["inner_folds"].is_object() && trained["decision"].is_object(), "{trained}");
    let s = cache(&[]);
    let streamed = train(&s, "streamed", &[&HIDDEN[..], &["--memory", "2MiB"]].concat());
    assert!(streamed["validation"]["accuracy"].as_f64().unwrap() > 0.8, "{streamed}");
}
