//! Training with few images, and to the optimum: what a person does who has ten pictures a class, or wants the best head.

use crate::support::{self, Sandbox, train};
use headstart::head::{Head, SolverConfig};
use headstart::run::StoredRun;
use serde_json::Value;

/// A cache `c` of three classes of `images` images each, with mirrored variants.
fn few(images: usize) -> Sandbox {
    let s = Sandbox::new();
    s.images("in", &[("ant", images), ("bee", images), ("cat", images)]);
    support::extract(&s, "in", "c", &["--augment", "flip"]);
    s
}

fn head(s: &Sandbox, run: &str) -> Head {
    StoredRun::open(&s.path(run)).unwrap().head().unwrap().head
}

/// The distance of two weights, relative to the second.
fn distance(a: &Head, b: &Head) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let (a, b) = (a.output().weight(), b.output().weight());
    let pairs = || a.iter().zip(&b);
    norm(&mut pairs().map(|(a, b)| f64::from(a - b))) / norm(&mut b.iter().map(|&b| f64::from(b)))
}

#[test]
fn ten_images_a_class_simply_work() {
    let s = few(10);
    let adam = ["--epochs", "30"];
    let optimum = ["--solver", "lbfgs", "--l2", "0.01"];
    for (run, args) in [("adam", &adam[..]), ("optimum", &optimum[..])] {
        let output = s.run(&[&["train", &s.text("c"), "--run", &s.text(run)], args].concat());
        assert_eq!(output.code, 0, "{}", output.stderr);
        assert!(output.stderr.contains("5 folds within the train images"), "{}", output.stderr);
        assert!(output.stdout.contains("over 5 folds within the train images"), "{}", output.stdout);
        let record = s.record(run);
        let folds = &record["inner_folds"];
        assert_eq!((&folds["folds"], &folds["images"]), (&5.into(), &24.into()));
        assert_eq!(record["train_rows"], 48, "the head is fitted to all train images and their variants");
        let scores = s.json(&["evaluate", &s.text(run), "--reject", "0.2"]);
        assert_eq!((&scores["images"], &scores["reject"]["calibration_images"]), (&6.into(), &24.into()));
        s.json(&["report", &s.text(run), "--out", &s.text("page.html")]);
        let page = std::fs::read_to_string(s.path("page.html")).unwrap();
        assert!(run == "adam" || page.contains("5 folds within the train images"));
    }
    // The folds chose the number of epochs, and all of them were run.
    let record = s.record("adam");
    let epochs = record["history"].as_array().unwrap().len();
    assert!(epochs <= 30 && record["best_epoch"] == epochs, "{record}");
    assert_eq!(record["config"]["epochs"], 30);
    let reported = s.json(&["train", &s.text("c"), "--run", &s.text("again"), "--epochs", "30"]);
    assert_eq!((&reported["validation"], &reported["inner_folds"]["images"]), (&Value::Null, &24.into()));
    assert_eq!(s.head("again"), s.head("adam"));
    for args in [adam, ["--solver", "lbfgs"]] {
        let l2 = ["--l2", "0.01"];
        let summary = train(&s, "folds", &[&args[..], &l2, &["--folds", "5"]].concat());
        assert_eq!(summary["settings"][0]["test_interval"]["images"], 30);
        assert!(summary["heads"][0]["validation"]["loss"].is_number(), "{summary}");
    }
    s.json(&["sweep", &s.text("c"), "--runs", &s.text("lab"), "--lr", "0.01,0.1", "--epochs", "3"]);
    s.json(&["compare", &s.text("adam"), &s.text("optimum")]);
}

#[test]
fn two_images_a_class_are_enough_and_one_is_not() {
    let s = few(2);
    for (run, args) in [("adam", &["--epochs", "5"][..]), ("optimum", &["--solver", "lbfgs", "--l2", "0.1"])]
    {
        let reported = train(&s, run, args);
        assert_eq!(reported["inner_folds"]["folds"], 2);
    }
    let s = Sandbox::new();
    s.images("in", &[("ant", 1), ("bee", 5)]);
    support::extract(&s, "in", "c", &[]);
    s.run(&["train", &s.text("c"), "--run", &s.text("r")])
        .fails(1, &["the class \"ant\" has one image in the train split", "add images"]);
}

#[test]
fn a_sweep_along_a_path_of_penalties_makes_the_heads_of_train() {
    let s = support::cache(&[]);
    let path = ["--l2", "0.001,0.1,0.01", "--folds", "2"];
    let args = ["sweep", &s.text("c"), "--runs", &s.text("lab"), "--solver", "lbfgs"];
    let reported = s.json(&[&args[..], &path].concat());
    let heads = reported["heads"].as_array().unwrap();
    assert_eq!(heads.len(), 6);
    assert!(heads.iter().all(|head| head["lr"].is_null() && head["seed"].is_null()), "{reported}");
    let fold = ["--folds", "2", "--fold", "2", "--fold-seed", "0"];
    train(&s, "alone", &[&["--solver", "lbfgs", "--l2", "0.001"], &fold[..]].concat());
    assert_eq!(s.head("lab/l2=0.001_fold=2"), s.head("alone"), "each head is the same bytes");
    let (alone, other) = (head(&s, "alone"), head(&s, "lab/l2=0.01_fold=2"));
    assert!(distance(&other, &alone) > 0.05, "another penalty has another optimum");
    for (more, message) in [
        (&["--lr", "0.1"][..], "--lr cannot be used with --solver lbfgs"),
        (&["--seeds", "2"], "--seeds cannot be used with --solver lbfgs"),
        (&["--batch", "8"], "--batch cannot be used with --solver lbfgs"),
    ] {
        s.run(&[&args[..], &path, more].concat()).fails(2, &[message]);
    }
    s.run(&[&args[..], &["--l2", "auto"]].concat())
        .fails(2, &["--l2 auto cannot be used with `headstart sweep`"]);
}

#[test]
fn folds_choose_the_best_head_of_a_sweep_where_validation_images_are_few() {
    let s = support::cache(&[]);
    let args = ["sweep", &s.text("c"), "--lr", "0.0001,0.1", "--epochs", "6", "--json"];
    let sweep = |runs: &str, more: &[&str]| s.run(&[&args[..], &["--runs", &s.text(runs)], more].concat());
    let by_validation = sweep("one", &["--select", "validation"]);
    assert!(by_validation.stderr.contains("fewer than 20 validation images"), "{}", by_validation.stderr);
    assert!(by_validation.stderr.contains("--select folds"), "{}", by_validation.stderr);
    let by_folds = sweep("two", &["--select", "folds"]);
    assert!(!by_folds.stderr.contains("too few"), "{}", by_folds.stderr);
    assert_eq!(s.head("one/lr=0.1"), s.head("two/lr=0.1"), "the heads are the same");
    let (one, two) = (by_validation.value(), by_folds.value());
    assert_ne!(one["heads"][0]["validation"], two["heads"][0]["validation"]);
    assert!(two["best"].as_str().unwrap().ends_with("lr=0.1"), "{two}");
    assert_eq!((&one["selected_by"], &two["selected_by"]), (&"validation".into(), &"folds".into()));
    assert_eq!((&one["nested"], &two["nested"][0]["accuracy"]["n"]), (&Value::Array(Vec::new()), &5.into()));
    // It is the default where settings are compared, and not where seeds are.
    let default = sweep("three", &[]);
    assert!(default.stderr.contains("folds within the train images choose them"), "{}", default.stderr);
    assert_eq!(default.value()["nested"], two["nested"]);
    let seeds = s.run(&["sweep", &s.text("c"), "--runs", &s.text("four"), "--seeds", "2", "--epochs", "2"]);
    assert!(seeds.stderr.contains("fewer than 20 validation images"), "{}", seeds.stderr);
    assert!(seeds.stderr.contains("of 2 heads is one of the last"), "{}", seeds.stderr);
    assert!(seeds.stdout.contains("best validation loss of 2 heads"), "{}", seeds.stdout);
    let text = s
        .run(&["sweep", &s.text("c"), "--runs", &s.text("five"), "--lr", "0.01,0.1", "--epochs", "6"])
        .stdout;
    assert!(text.contains("accuracy of such a choice on folds that had no part in it"), "{text}");
    assert!(text.contains("best loss over folds within the train images of 2 heads"), "{text}");
}

#[test]
fn epochs_may_be_left_to_patience() {
    let s = support::cache(&[]);
    let args = ["train", &s.text("c"), "--run", &s.text("r"), "--lr", "0.0001"];
    let near = s.run(&[&args[..], &["--epochs", "6"]].concat());
    assert!(near.stdout.contains("more --epochs, or --epochs auto, may help"), "{}", near.stdout);
    let auto = s.run(&[&args[..], &["--epochs", "auto", "--patience", "2"]].concat());
    assert!(auto.code == 0 && !auto.stdout.contains("may help"), "{}", auto.stdout);
    let record = s.record("r");
    assert_eq!(record["config"]["epochs"], 10_000);
    let epochs = record["history"].as_array().unwrap().len();
    assert_eq!(record["best_epoch"].as_u64().unwrap() as usize + 2, epochs, "it ended by its patience");
    s.run(&[&args[..], &["--epochs", "auto", "--schedule", "cosine"]].concat())
        .fails(2, &["--schedule that is not constant"]);
    s.run(&[&args[..], &["--epochs", "many"]].concat()).fails(2, &["is not a number of epochs"]);
    train(&s, "optimum", &["--solver", "lbfgs", "--l2", "0.01", "--iterations", "auto"]);
    assert_eq!(s.record("optimum")["config"]["iterations"], 1000);
}

#[test]
fn the_optimum_is_the_same_with_limited_memory() {
    let s = support::cache(&["--augment", "flip"]);
    let args = ["--solver", "lbfgs", "--l2", "0.001", "--standardize", "--class-weights", "balanced"];
    train(&s, "whole", &args);
    train(&s, "blocks", &[&args[..], &["--memory", "2MiB"]].concat());
    let off = distance(&head(&s, "blocks"), &head(&s, "whole"));
    assert!(off < 1e-3, "{off}");
    let few = few(4);
    let memory = ["--memory", "2MiB"];
    train(&few, "r", &[&args[..], &memory].concat());
    few.run(&[&["train", &few.text("c"), "--run", &few.text("r")], &memory[..]].concat())
        .fails(1, &["the validation split is empty"]);
}

#[test]
fn a_search_that_ends_before_the_optimum_is_an_error_or_marked() {
    let s = support::cache(&[]);
    let short = ["--solver", "lbfgs", "--l2", "0.00001", "--epochs", "2"];
    s.run(&[&["train", &s.text("c"), "--run", &s.text("r")], &short[..]].concat())
        .fails(1, &["L-BFGS ended before the optimum after 2 iterations", "--allow-unconverged", "--epochs"]);
    assert!(!s.path("r").exists());
    let reported = train(&s, "r", &[&short[..], &["--allow-unconverged"]].concat());
    assert_eq!(reported["converged"], false);
    assert_eq!(s.record("r")["convergence"]["iterations"], 2);
    train(&s, "done", &["--solver", "lbfgs", "--l2", "0.01"]);
    assert_eq!(s.json(&["evaluate", &s.text("r")])["converged"], false);
    assert_eq!(s.json(&["evaluate", &s.text("done")])["converged"], true);
    let text = s.run(&["evaluate", &s.text("r")]).stdout;
    assert!(text.contains("L-BFGS ended before the optimum"), "{text}");
    let table = s.run(&["compare", &s.text("r"), &s.text("done")]).stdout;
    assert_eq!(table.matches("(not converged)").count(), 1, "{table}");
    s.json(&["report", &s.text("r"), "--out", &s.text("page.html")]);
    let page = std::fs::read_to_string(s.path("page.html")).unwrap();
    assert!(page.contains("L-BFGS ended before the optimum"));
}

#[test]
fn the_penalty_is_chosen_on_held_out_images() {
    let s = few(10);
    let auto = ["--solver", "lbfgs", "--l2", "auto"];
    let output = s.run(&[&["train", &s.text("c"), "--run", &s.text("r")], &auto[..]].concat());
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(output.stderr.contains("has the smallest loss over 5 folds"), "{}", output.stderr);
    let chosen = s.record("r")["config"]["l2"].as_f64().unwrap();
    train(&s, "given", &["--solver", "lbfgs", "--l2", &chosen.to_string()]);
    assert_eq!(s.head("r"), s.head("given"), "the record names the penalty that was chosen");
    // No other penalty of the path does better in the same folds.
    let loss = |run: &str| s.record(run)["inner_folds"]["loss"].as_f64().unwrap();
    for other in ["1", "0.01", "0.0001"] {
        train(&s, "other", &["--solver", "lbfgs", "--l2", other]);
        assert!(loss("other") >= loss("r") - 1e-3, "{other}: {} {}", loss("other"), loss("r"));
    }
    s.run(&["train", &s.text("c"), "--run", &s.text("r"), "--l2", "auto"]).fails(2, &["--solver lbfgs"]);
    s.run(&[&["train", &s.text("c"), "--run", &s.text("r"), "--folds", "3"], &auto[..]].concat())
        .fails(2, &["--l2 auto cannot be used with --folds"]);
}

#[test]
fn runs_of_the_first_version_are_of_linfas_solver() {
    let fixture = support::root().join("tests/fixtures/v0.1.0/run-lbfgs");
    let config = &StoredRun::open(&fixture).unwrap().record().config.clone();
    assert!(matches!(config, SolverConfig::Linfa(_)), "{config:?}");
    assert_eq!(config.name(), "lbfgs-linfa");
}
