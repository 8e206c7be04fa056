//! `headstart layers`: caches of the same images are compared, and any other is refused by name.

use crate::support::{self, Sandbox};
use serde_json::Value;

fn layers() -> Sandbox {
    let s = Sandbox::new();
    s.images("in", &[("ant", 12), ("bee", 12), ("cat", 12)]);
    support::extract(
        &s,
        "in",
        "c",
        &["--layer", "PreLogits", "--layer", "Conv2d_1a_3x3", "--split", "70/5/25"],
    )
    .value();
    s
}

#[test]
fn the_layers_of_a_folder_are_compared_and_the_best_is_named_with_its_command() {
    let s = layers();
    let found = s.json(&["layers", &s.text("c")]);
    assert_eq!((&found["images"], &found["folds"], &found["repeats"]), (&27.into(), &5.into(), &4.into()));
    let of = found["layers"].as_array().unwrap();
    let mean = |one: &Value| one["accuracy"]["mean"].as_f64().unwrap();
    assert_eq!(of.len(), 2);
    assert!(mean(&of[0]) >= mean(&of[1]) && of[0]["difference"].is_null(), "{found}");
    let difference = &of[1]["difference"];
    assert!((difference["mean"].as_f64().unwrap() - (mean(&of[1]) - mean(&of[0]))).abs() < 1e-12, "paired");
    assert_eq!((&difference["n"], &of[0]["accuracy"]["n"]), (&20.into(), &20.into()));
    let text = s.run(&["layers", &s.text("c"), "--threads", "1"]).stdout;
    let best = of[0]["cache"].as_str().unwrap();
    assert!(text.contains(&format!("headstart train {best} --auto --run RUN")), "{text}");
    assert!(text.contains(&format!("use {}", of[0]["layer"].as_str().unwrap())), "{text}");
    // Neither the order of the caches nor the number of threads changes a score.
    let (a, b) = (s.text("c/PreLogits"), s.text("c/Conv2d_1a_3x3"));
    let again = s.json(&["layers", &a, &b, "--threads", "1"]);
    assert_eq!(again["layers"], found["layers"]);
    // `train --auto` takes the folder as well.
    let auto = s.json(&["train", &s.text("c"), "--auto", "--run", &s.text("r"), "--budget", "none"]);
    let tried = auto["selection"]["tried"].as_array().unwrap();
    assert!(
        tried.iter().any(|one| one["layer"] == "PreLogits")
            && tried.iter().any(|one| one["layer"] != "PreLogits")
    );
}

#[test]
fn caches_that_cannot_be_compared_are_refused_by_name() {
    let s = layers();
    let one = s.text("c/PreLogits");
    s.run(&["layers", &one]).fails(2, &["a comparison needs two caches"]);
    s.run(&["layers", &one, &one]).fails(2, &[&one, "the cache is given twice"]);
    s.run(&["layers", &one, &s.text("gone")]).fails(1, &["gone", "no such cache"]);
    support::extract(&s, "in", "other", &["--seed", "9"]).value();
    s.run(&["layers", &s.text("c"), &s.text("other")])
        .fails(1, &["other: its images, classes or splits are not those of", "--seed"]);
    s.images("few", &[("ant", 12), ("bee", 2)]);
    for (cache, layer) in [("x", "PreLogits"), ("y", "Conv2d_1a_3x3")] {
        support::extract(&s, "few", cache, &["--layer", layer]).value();
    }
    s.run(&["layers", &s.text("x"), &s.text("y")]).fails(1, &["fewer than three train images"]);
}

#[test]
fn a_sweep_of_layers_fits_the_heads_that_train_fits_and_compares_the_layers_fold_by_fold() {
    let s = layers();
    let sweep = ["--solver", "lbfgs", "--l2", "0.1,0.01", "--use", "none"];
    let found = s.json(&[&["sweep", &s.text("c"), "--runs", &s.text("r")], &sweep[..]].concat());
    assert_eq!((found["heads"].as_array().unwrap().len(), &found["selected_by"]), (4, &"folds".into()));
    let layers = found["layers"].as_array().unwrap();
    let mean = |one: &Value| one["accuracy"]["mean"].as_f64().unwrap();
    assert!(layers.len() == 2 && mean(&layers[0]) >= mean(&layers[1]) && layers[0]["difference"].is_null());
    let difference = layers[1]["difference"]["mean"].as_f64().unwrap();
    assert!((difference - (mean(&layers[1]) - mean(&layers[0]))).abs() < 1e-12, "paired");
    // Each head is the one that `train` fits to its cache.
    let cache = s.text("c/Conv2d_1a_3x3");
    s.json(&["train", &cache, "--run", &s.text("one"), "--solver", "lbfgs", "--l2", "0.01", "--use", "none"]);
    let head = |run: &str| std::fs::read(s.path(&format!("{run}/head.safetensors"))).unwrap();
    assert_eq!(head("one"), head("r/Conv2d_1a_3x3_l2=0.01"));
    // A choice of the layers in another order gives the same.
    let named = ["sweep", &s.text("c"), "--layers", "PreLogits,Conv2d_1a_3x3", "--runs", &s.text("again")];
    assert_eq!(s.json(&[&named, &sweep[..]].concat())["layers"], found["layers"]);
    let one = ["sweep", &s.text("c"), "--layers", "PreLogits", "--runs", &s.text("single")];
    let one = s.json(&[&one, &sweep[..]].concat());
    assert!(one["layers"].as_array().unwrap().is_empty() && one["settings"][0]["layer"] == "PreLogits");
    let text = s.run(&[&["sweep", &s.text("c"), "--runs", &s.text("text")], &sweep[..]].concat()).stdout;
    assert!(text.contains(&format!("use {}: ", layers[0]["layer"].as_str().unwrap())), "{text}");
}

#[test]
fn layers_that_a_sweep_cannot_compare_are_refused_by_name() {
    let s = layers();
    let (folder, runs) = (s.text("c"), s.text("r"));
    s.run(&["sweep", &folder, "--layers", "PreLogits,Mixed_9", "--runs", &runs])
        .fails(2, &["there is no cache of the layer \"Mixed_9\"", "the folder has Conv2d_1a_3x3, PreLogits"]);
    s.run(&["sweep", &folder, "--layers", "PreLogits,PreLogits", "--runs", &runs])
        .fails(2, &["two heads would be the same"]);
    support::extract(&s, "in", "c/other", &["--seed", "9"]).value();
    s.run(&["sweep", &folder, "--runs", &runs])
        .fails(1, &["other: its images, classes or splits are not those of", "--seed"]);
    assert!(!s.path("r").exists());
}
