//! What would break for someone who runs a whole experiment, or restores the article's defects one by one.

use crate::documented::are_documented;
use crate::support::{self, CommandOutput, Sandbox, picture, python, root, small_network};
use headstart::data::decode::{self, encode_png};
use headstart::data::pixels::Pixels;
use headstart::data::preprocess::Preprocessing;
use headstart::head::{Example, LabelledFeatures, principal_components};
use headstart::math::matrix::Matrix;
use headstart::math::random::Rng;
use headstart::run;
use serde_json::{Value, json};
use std::path::Path;

/// A cache `c` of three classes, and a head `start` that has hardly learnt.
fn cache() -> Sandbox {
    let s = Sandbox::new();
    s.images("in", &[("ant", 40), ("bee", 40), ("cat", 61)]);
    assert_eq!(support::extract(&s, "in", "c", &[]).code, 0);
    train(&s, "start", "--epochs 1 --lr 1e-30");
    s
}

fn train(s: &Sandbox, run: &str, more: &str) -> Value {
    let (cache, run) = (s.text("c"), s.text(run));
    s.json(&[&["train", &cache, "--run", &run][..], &more.split(' ').collect::<Vec<_>>()].concat())
}

fn record(run: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(run.join("run.json")).unwrap()).unwrap()
}

#[test]
fn each_defect_of_training_agrees_with_an_independent_loop() {
    let s = cache();
    let start = s.text("start");
    let rows = record(&s.path("start"))["train_rows"].as_u64().unwrap();
    assert_ne!(rows % 16, 0, "some rows fill no batch");
    // With a large rate the loss rises now and then long before it has settled.
    for (name, more, patience_resets, kept) in [
        ("fixed order", "--patience 5", true, rows),
        ("whole batches", "--patience 5 --drop-last", true, rows - rows % 16),
        ("patience in all", "--patience 5 --total-patience", false, rows),
        ("as published", "--patience 6 --total-patience --drop-last", false, rows - rows % 16),
    ] {
        let fixed = format!("--init {start} --no-shuffle --batch 16 --epochs 300 --lr 0.3 {more}");
        let reported = train(&s, name, &fixed);
        let output = python("article.py", &[&s.path("start"), &s.path(name), &s.path("c")]);
        let output: Value = serde_json::from_str(&output).unwrap();
        println!("{name}: {output}");
        assert!(output["epochs"].as_u64().unwrap() < 300, "it stops by itself: {output}");
        assert_eq!((&output["epochs"], &output["rows"]), (&reported["epochs"], &kept.into()), "{name}");
        for error in ["largest_loss_difference", "largest_weight_difference"] {
            assert!(output[error].as_f64().unwrap() < 1e-3, "{name}: {output}");
        }
        assert_eq!(record(&s.path(name))["config"]["patience_resets"], patience_resets);
    }
    let epochs = |run: &str| record(&s.path(run))["history"].as_array().unwrap().len();
    assert!(epochs("patience in all") < epochs("fixed order"), "a count that begins anew goes on longer");
}

#[test]
fn the_order_of_rows_is_that_of_keys_or_of_a_seed() {
    let s = cache();
    train(&s, "a", "--epochs 3 --no-shuffle --shuffle-seed 1");
    train(&s, "b", "--epochs 3 --no-shuffle --shuffle-seed 2");
    train(&s, "c1", "--epochs 3 --shuffle-seed 1");
    assert_eq!(s.head("a"), s.head("b"));
    assert_ne!(s.head("a"), s.head("c1"));
    // A sweep honours it too, and memory limits refuse it by name.
    let sweep =
        ["sweep", &s.text("c"), "--runs", &s.text("lab"), "--epochs", "3", "--no-shuffle", "--drop-last"];
    s.json(&sweep);
    train(&s, "d", "--epochs 3 --no-shuffle --drop-last");
    assert_eq!(s.head("lab/head"), s.head("d"));
    for (flag, named) in [("--no-shuffle", "in the order of their keys"), ("--drop-last", "drop")] {
        let args = ["train", &s.text("c"), "--run", &s.text("e"), "--memory", "1GiB", flag];
        s.run(&args).fails(2, &[named, "in blocks", "leave one of the two out"]);
    }
    let few = ["train", &s.text("c"), "--run", &s.text("e"), "--batch", "1000", "--drop-last"];
    s.run(&few).fails(1, &["the train rows fill no batch", "a smaller --batch"]);
}

#[test]
fn stretched_pixels_are_those_of_scipy_and_pillow() {
    let s = Sandbox::new();
    // Dim, of full range, and of one colour.
    let dim: Vec<u8> = picture("dim", 3).data().iter().map(|&x| 40 + x / 3).collect();
    let cases = [Pixels::new(64, 48, dim), picture("bright", 1), Pixels::new(8, 8, vec![77; 8 * 8 * 3])];
    for (i, image) in cases.iter().enumerate() {
        let png = s.write(&format!("{i}.png"), &encode_png(image));
        python("stretch.py", &[&png, Path::new("75"), &s.path("expected")]);
        let how = Preprocessing { size: 75, ..Preprocessing::named("stretched").unwrap() };
        let ours = how.resized(&decode::decode(&std::fs::read(&png).unwrap()).unwrap());
        assert!(ours.data() == std::fs::read(s.path("expected")).unwrap(), "case {i}");
    }
    // It is a cache of its own; older caches are what they were.
    s.images("in", &[("ant", 20), ("bee", 20)]);
    support::extract(&s, "in", "plain", &["--preprocess", "unit"]);
    let spec = std::fs::read_to_string(s.path("plain/spec.json")).unwrap();
    assert!(!spec.contains("stretch"), "{spec}");
    assert_eq!(support::extract(&s, "in", "stretched", &["--preprocess", "stretched"]).code, 0);
    support::extract(&s, "in", "plain", &["--preprocess", "stretched"])
        .fails(1, &["it holds other features: stretch: false in the cache, true asked for"]);
}

#[test]
fn principal_components_are_scikit_learns() {
    let mut rng = Rng::new(8, 0);
    // Six directions of strengths that differ, mixed into twenty numbers.
    let mix: Vec<Vec<f32>> = (0..6).map(|_| (0..20).map(|_| rng.normal()).collect()).collect();
    let rows: Vec<Vec<f32>> = (0..90)
        .map(|_| {
            let hidden: Vec<f32> = (0..6).map(|i| 0.5f32.powi(i) * rng.normal()).collect();
            (0..20)
                .map(|j| (0..6).map(|i| hidden[i] * mix[i][j]).sum::<f32>() + 0.01 * rng.normal())
                .collect()
        })
        .collect();
    let features = Matrix::from_rows(20, &rows.concat());
    let examples: Vec<Example> = (0..60).map(|row| Example { row, target: 0 }).collect();
    let found =
        principal_components(LabelledFeatures { features: &features, examples: &examples }, 4, 2).unwrap();
    let ours: Vec<&[f32]> = (0..90).map(|row| found.row(row)).collect();
    let s = Sandbox::new();
    let case = json!({"rows": rows, "train": 60, "components": ours});
    let file = s.write("case.json", case.to_string().as_bytes());
    let off: f64 = python("components.py", &[&file]).trim().parse().unwrap();
    assert!(off < 1e-3, "{off}");
}

/// The example of `experiments/`, for the small network.
fn example(s: &Sandbox) {
    let text = std::fs::read_to_string(root().join("experiments/tuning.toml")).unwrap();
    let name = "name = \"photos\"\n";
    let network = small_network::install(s);
    s.write("tuning.toml", text.replace(name, &format!("{name}backbone = {network:?}\n")).as_bytes());
    s.images("in", &[("ant", 14), ("bee", 15), ("cat", 30)]);
    // Some images look like another class, so that every head makes mistakes.
    for (class, as_of, n) in [("ant", "bee", 6), ("bee", "cat", 8)] {
        for number in 0..n {
            s.write(&format!("in/{class}/odd {number}.png"), &encode_png(&picture(as_of, 500 + number)));
        }
    }
}

fn run_example(s: &Sandbox) -> CommandOutput {
    s.run(&["experiment", &s.text("tuning.toml"), "--images", &s.text("in"), "--json"])
}

#[test]
fn an_experiment_goes_from_images_to_a_table_whose_numbers_are_scikit_learns_and_scipys() {
    let s = Sandbox::new();
    example(&s);
    let output = run_example(&s);
    assert_eq!(output.code, 0, "{}", output.stderr);
    let reported = output.value();
    let out = s.path("runs/tuning");
    assert_eq!(
        reported,
        serde_json::from_slice::<Value>(&std::fs::read(out.join("results.json")).unwrap()).unwrap()
    );
    let checked = python(
        "experiment.py",
        &[&out, &s.path("in"), Path::new("photos"), Path::new("nearest neighbour"), Path::new("pixels")],
    );
    let checked: Value = serde_json::from_str(&checked).unwrap();
    println!("{checked}");
    // Principal components of noise hardly differ in strength: which is the last may move one of the 17 test images.
    for (what, most) in [("nearest", 1e-9), ("pixels", 1.01 / 17.0), ("resampled", 1e-6)] {
        assert!(checked[what].as_f64().unwrap() <= most, "{what}: {checked}");
    }
    // Each first head is a run that `train` makes, a warm start included.
    let run = |condition: &str, name: &str| out.join("runs").join(condition).join(name);
    let plain = "--use none --epochs 30 --patience 5 --seed 0";
    let cache = out.join("caches/photos");
    let again = |to: &str, more: &str| {
        let args = ["train", cache.to_str().unwrap(), "--run", &s.text(to)];
        s.json(&[&args[..], &more.split(' ').collect::<Vec<_>>()].concat());
        s.head(to)
    };
    let bytes = |path: &Path| std::fs::read(path.join("head.safetensors")).unwrap();
    assert_eq!(again("a", plain), bytes(&run("as it is", "plain")));
    let warm = "--use none,flip --epochs 30 --patience 5 --lr 0.001 --seed 6";
    let from = format!("{warm} --init {}", s.text("a"));
    assert_eq!(again("b", &from), bytes(&run("as it is", "goes on")));
    let afresh = format!("{warm} --label-smoothing 0.1");
    assert_eq!(again("d", &afresh), bytes(&run("smoothed and afresh", "goes on")));
    assert_eq!(record(&run("smoothed and afresh", "goes on"))["init"], Value::Null);
    let scores = s.json(&["evaluate", run("as it is", "flips").to_str().unwrap()]);
    assert_eq!(scores["accuracy"], reported["conditions"][0]["runs"][1]["score"]["first"]);
    assert!(run::StoredRun::open(&run("as it is", "goes on")).unwrap().trained_on().is_ok());
}

#[test]
fn a_warm_start_from_an_optimum_works_and_unscored_runs_are_refused() {
    let s = Sandbox::new();
    example(&s);
    let network = small_network::install(&s);
    let run = |split: &str, more: &str, out: &str| {
        let file = format!(
            "title = \"t\"\nseeds = 3\nsplit = {split:?}\n[[cache]]\nname = \"photos\"\nbackbone = {network:?}\n\
             [[run]]\nname = \"optimum\"\nsettings = {{ solver = \"lbfgs\", l2 = 0.01 }}\n\
             [[run]]\nname = \"from it\"\ninit = \"optimum\"\nsettings = {{ epochs = 2 }}\n{more}"
        );
        s.write("file.toml", file.as_bytes());
        let (file, images, out) = (s.text("file.toml"), s.text("in"), s.text(out));
        s.run(&["experiment", &file, "--images", &images, "--out", &out, "--json"])
    };
    let reported = run("60/15/25", "", "out");
    assert_eq!(reported.code, 0, "{}", reported.stderr);
    assert_eq!(reported.value()["heads"], 1 + 3);
    let refused = run("80/20/0", "", "untested");
    assert!(refused.code != 0 && refused.stderr.contains("the test split is empty"), "{}", refused.stderr);
    let whole = "[[switch]]\nname = \"whole\"\nabout = \"batches\"\nscore_whole_batches = true\n";
    let refused = run("60/15/25", whole, "out");
    assert!(
        refused.code != 0 && refused.stderr.contains("test images fill no batch of 32"),
        "{}",
        refused.stderr
    );
    let diverging = "[[run]]\nname = \"diverging\"\nsettings = { lr = 1e38 }\n";
    run("60/15/25", diverging, "out").fails(1, &["run \"diverging\": the loss is not a number"]);
    let shifted = "[[run]]\nname = \"shifted\"\nuse = [\"shift\"]\n";
    run("60/15/25", shifted, "out").fails(1, &["run \"shifted\": ", "it holds no shift variants"]);
    // A file that is called as ours is does not make a folder ours.
    s.write("mine/experiment.toml", b"my own");
    let refused = run("60/15/25", "", "mine");
    assert!(refused.code != 0 && refused.stderr.contains("left alone"), "{}", refused.stderr);
    assert_eq!(std::fs::read(s.path("mine/experiment.toml")).unwrap(), b"my own");
}

#[test]
fn an_experiment_that_was_stopped_continues_with_the_same_results() {
    let s = Sandbox::new();
    example(&s);
    // Some of the features are there already, as after an interruption.
    let there = ["--split", "60/15/25"];
    std::fs::create_dir_all(s.path("runs/tuning/caches")).unwrap();
    assert_eq!(support::extract(&s, "in", "runs/tuning/caches/photos", &there).code, 0);
    let first = run_example(&s).value();
    are_documented("experiment", &first);
    assert_eq!((&first["caches"][0]["computed"], &first["caches"][0]["rows"]), (&73.into(), &146.into()));
    let second = run_example(&s).value();
    assert_eq!(second["caches"][0]["computed"], 0);
    let untimed = |value: &Value| {
        let mut value = value.clone();
        drop_times(&mut value);
        value
    };
    let computed = |mut value: Value| {
        value["caches"][0]["computed"] = Value::Null;
        value
    };
    assert_eq!(computed(untimed(&first)), computed(untimed(&second)));
    let table = std::fs::read_to_string(s.path("runs/tuning/results.md")).unwrap();
    for part in [
        "## Accuracy",
        "*nearest neighbour*",
        "## Pairs, as it is",
        "flips - plain",
        "| whole batches",
        "## Time",
    ] {
        assert!(table.contains(part), "{part} is not in {table}");
    }
    // Nothing counts that fills no batch: 8 of the test images at a time.
    let images =
        |condition: usize| first["conditions"][condition]["runs"][0]["score"]["images"].as_u64().unwrap();
    assert_eq!((images(0), images(1)), (17, 17));
    let changed: Vec<bool> =
        first["costs"].as_array().unwrap().iter().map(|cost| cost["runs"][0].is_null()).collect();
    assert_eq!(
        json!(changed),
        json!([false, true, false, false]),
        "afresh changes nothing for a run without init"
    );
}

fn drop_times(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !name.ends_with("seconds"));
            fields.values_mut().for_each(drop_times);
        }
        Value::Array(values) => values.iter_mut().for_each(drop_times),
        _ => {}
    }
}

#[test]
fn built_in_experiments_go_by_name() {
    let s = Sandbox::new();
    for name in ["lfw10", "tuning", "solvers"] {
        let printed = s.run(&["experiment", name, "--print"]);
        let file = std::fs::read_to_string(root().join(format!("experiments/{name}.toml"))).unwrap();
        assert_eq!((printed.code, printed.stdout), (0, file));
    }
    s.run(&["experiment", "lfw", "--print"])
        .fails(2, &["lfw: there is no such file", "lfw10, tuning, solvers"]);
    s.run(&["experiment", "lfw10"]).fails(2, &["--images"]);
    // A file of that name comes first.
    s.write("tuning", b"title = 'mine'");
    assert_eq!(s.run(&["experiment", "tuning", "--print"]).stdout, "title = 'mine'\n");
}
