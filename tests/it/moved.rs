//! Projects that were moved: nothing is identified by an absolute path.

use crate::support::Sandbox;
use crate::support::small_network;

/// A project `a`: images, network, cache, a run in a folder of runs, and a run that started from it.
fn project() -> Sandbox {
    let s = Sandbox::new();
    s.images("a/in", &[("ant", 20), ("bee", 20), ("cat", 20)]);
    s.write("a/nets/own.onnx", &small_network::onnx(1));
    let network = s.text("a/nets/own.onnx");
    s.json(&["extract", &s.text("a/in"), "--cache", &s.text("a/c"), "--backbone", &network]);
    s.json(&["train", &s.text("a/c"), "--run", &s.text("a/runs/first"), "--epochs", "60"]);
    let first = s.text("a/runs/first");
    s.json(&["train", &s.text("a/c"), "--run", &s.text("a/runs/next"), "--epochs", "2", "--init", &first]);
    s
}

fn rename(s: &Sandbox, from: &str, to: &str) {
    std::fs::rename(s.path(from), s.path(to)).unwrap();
}

#[test]
fn a_project_that_was_moved_as_a_whole_goes_on() {
    let s = project();
    let image = |project: &str| s.text(&format!("{project}/in/ant/000.png"));
    let before = s.json(&["predict", &s.text("a/runs/next"), &image("a")]);
    rename(&s, "a", "b");
    let said = s.run(&["predict", &s.text("b/runs/next"), &image("b"), "--json"]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    let after = said.value();
    assert_eq!(after[0]["predictions"], before[0]["predictions"]);
    assert_eq!(after[0]["neighbours"], before[0]["neighbours"]);
    // Also from within, by relative paths.
    let mut command = s.command(&["predict", "first", "../in/ant/000.png", "--json"]);
    assert!(command.current_dir(s.path("b/runs")).output().unwrap().status.success());

    let said = s.run(&["report", &s.text("b/runs/next"), "--json"]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    let report = said.value();
    assert!(report["pictures"].as_u64() > Some(0) && report["missing_pictures"] == 0, "{report}");
    let page = std::fs::read_to_string(s.path("b/runs/next/report.html")).unwrap();
    let [old, new] = ["a", "b"].map(|project| s.path(project).canonicalize().unwrap_or(s.path(project)));
    assert!(page.contains(new.join("nets/own.onnx").to_str().unwrap()), "the commands name the new places");
    assert!(!page.contains(old.join("in").to_str().unwrap()));

    let args = ["tensorboard", &s.text("b/runs"), "--logdir", &s.text("board"), "--projector", "--json"];
    let said = s.run(&args);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    assert_eq!(said.value()["runs"][0]["graph"], "backbone and head");

    s.images("b/in", &[("dog", 20)]);
    let (images, network) = (s.text("b/in"), s.text("b/nets/own.onnx"));
    let grown = s.json(&["extract", &images, "--cache", &s.text("b/c"), "--backbone", &network]);
    assert_eq!((&grown["samples"], &grown["computed"]), (&80.into(), &20.into()));
}

#[test]
fn what_was_moved_elsewhere_is_named() {
    let s = project();
    let image = s.text("a/in/ant/000.png");
    let before = s.json(&["predict", &s.text("a/runs/first"), &image]);
    rename(&s, "a/nets/own.onnx", "network.onnx");
    rename(&s, "a/c", "cache-elsewhere");
    s.run(&["predict", &s.text("a/runs/first"), &image])
        .fails(1, &["own.onnx", "set --backbone to its ONNX file"]);
    let named = ["--backbone", &s.text("network.onnx"), "--cache", &s.text("cache-elsewhere")];
    let after = s.json(&[&["predict", &s.text("a/runs/first"), &image], &named[..]].concat());
    assert_eq!(
        (&after[0]["predictions"], &after[0]["neighbours"]),
        (&before[0]["predictions"], &before[0]["neighbours"],)
    );
    let args = ["tensorboard", &s.text("a/runs/first"), "--logdir", &s.text("board"), "--projector"];
    let board = s.json(&[&args, &named[..]].concat());
    assert_eq!(board["runs"][0]["graph"], "backbone and head");
    rename(&s, "a/in", "images-elsewhere");
    let given = ["--cache", &s.text("cache-elsewhere"), "--images", &s.text("images-elsewhere")];
    let report = s.json(&[&["report", &s.text("a/runs/first")], &given[..]].concat());
    assert_eq!(report["missing_pictures"], 0);
    // A file that is not the network, and a cache of other features.
    s.write("other.onnx", &small_network::onnx(2));
    let args = ["predict", &s.text("a/runs/first"), &s.text("images-elsewhere/ant/000.png")];
    s.run(&[&args, &["--backbone", &s.text("other.onnx")][..]].concat()).fails(1, &["its digest is"]);
    let other = ["extract", &s.text("images-elsewhere"), "--cache", &s.text("d"), "--backbone"];
    s.json(&[&other, &[&s.text("other.onnx")[..]][..]].concat());
    s.run(&[&args, &["--cache", &s.text("d")][..]].concat()).fails(1, &["it holds other features"]);
    s.run(&["report", &s.text("a/runs/first"), "--cache", &s.text("d")])
        .fails(1, &["it holds other features"]);
}

#[test]
fn a_cache_of_another_project_is_not_taken_for_the_own_one() {
    let s = project();
    s.images("in2", &[("eel", 20), ("fox", 20)]);
    let network = s.text("a/nets/own.onnx");
    // At the place where the cache of a moved project would be.
    s.json(&["extract", &s.text("in2"), "--cache", &s.text("c"), "--backbone", &network]);
    std::fs::remove_dir_all(s.path("a/c")).unwrap();
    let said = s.run(&["predict", &s.text("a/runs/first"), &s.text("a/in/ant/000.png"), "--json"]);
    assert_eq!(said.code, 0);
    assert!(said.stderr.contains("without nearest images"), "{}", said.stderr);
    assert!(said.value()[0].get("neighbours").is_none());
}

#[test]
fn a_class_that_was_renamed_is_no_mistake() {
    let s = project();
    rename(&s, "a/in/ant", "a/in/emmet");
    let network = s.text("a/nets/own.onnx");
    s.json(&["extract", &s.text("a/in"), "--cache", &s.text("a/c"), "--backbone", &network]);
    let report = s.json(&["report", &s.text("a/runs/first")]);
    assert_eq!(report["missing_pictures"], 0);
    let args = ["tensorboard", &s.text("a/runs/first"), "--logdir", &s.text("board"), "--projector"];
    let board = s.json(&args);
    let metadata = std::path::Path::new(board["runs"][0]["folder"].as_str().unwrap()).join("metadata.tsv");
    let text = std::fs::read_to_string(metadata).unwrap();
    let cells: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split('\t').collect()).collect();
    assert!(cells.iter().all(|row| row[3] != "ant"));
    let right = cells.iter().filter(|row| row[0] == "emmet" && row[4] == "right");
    assert!(right.count() > 10, "{text}");
}
