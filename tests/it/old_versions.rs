//! A cache and two runs written by version 0.1.0 open, verify, grow, evaluate and predict as they did.

use crate::support::{Sandbox, root};
use headstart::backbone::{
    Device, SessionOptions, known_answer::relative_distance, onnx_runtime::OnnxBackbone,
};
use headstart::data::decode;
use headstart::data::preprocess::Preprocessing;
use headstart::run::{self, TrainedHead};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn fixture() -> PathBuf {
    root().join("tests/fixtures/v0.1.0")
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy_folder(&path, &target),
            false => _ = std::fs::copy(&path, &target).unwrap(),
        }
    }
}

/// A copy of everything, since tests write into the cache.
fn copied() -> Sandbox {
    let s = Sandbox::new();
    copy_folder(&fixture(), &s.path(""));
    s
}

fn extract(s: &Sandbox, cache: &str, more: &[&str]) -> Value {
    let (images, cache, network) = (s.text("images"), s.text(cache), s.text("small.onnx"));
    s.json(&[&["extract", &images, "--cache", &cache, "--backbone", &network], more].concat())
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn its_parts_verify() {
    let s = copied();
    let said = s.run(&["cache", "verify", &s.text("cache"), "--json"]);
    assert_eq!(said.value()["damaged"], serde_json::json!([]));
    assert_eq!(said.stderr.matches("1 of 1 parts are of version 0.1.0").count(), 1, "{}", said.stderr);
}

#[test]
fn its_parts_are_rewritten_by_a_compaction() {
    let s = copied();
    let before = s.rows("cache");
    assert_eq!(s.json(&["cache", "compact", &s.text("cache"), "--dry-run"])["rewritten"], 1);
    assert_eq!(s.json(&["cache", "compact", &s.text("cache")])["rewritten"], 1);
    assert_eq!(s.rows("cache"), before);
    let said = s.run(&["train", &s.text("cache"), "--run", &s.text("again")]);
    assert!(said.code == 0 && !said.stderr.contains("0.1.0"), "{}", said.stderr);
    assert_eq!(s.json(&["cache", "compact", &s.text("cache")])["rewritten"], 0);
}

#[test]
fn its_features_are_those_of_today() {
    let s = copied();
    let old = s.rows("cache");
    extract(&s, "new", &["--augment", "shift:5", "--augment", "flip", "--augment-splits", "all"]);
    let new = s.rows("new");
    assert_eq!(old.keys, new.keys);
    assert_eq!(old.keys.len(), 42 * 6);
    for (old, new) in old.embeddings.chunks(old.width).zip(new.embeddings.chunks(new.width)) {
        assert!(relative_distance(new, old) < 1e-4);
    }
}

#[test]
fn it_is_extended_and_its_own_part_stays() {
    let s = copied();
    let parts = |s: &Sandbox| -> BTreeMap<PathBuf, Vec<u8>> {
        let files = std::fs::read_dir(s.path("cache/features")).unwrap().map(|entry| entry.unwrap().path());
        files.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
    };
    let before = parts(&s);
    let stats = extract(&s, "cache", &["--augment", "shift:3"]);
    // Four shifts of 3 pixels for each of the 29 train images.
    assert_eq!((stats["computed"].as_u64(), stats["rows"].as_u64()), (Some(116), Some(368)));
    let after = parts(&s);
    assert!(before.iter().all(|(path, bytes)| after.get(path) == Some(bytes)));
}

#[test]
fn its_runs_evaluate_as_they_did() {
    let s = copied();
    for name in ["run", "run-lbfgs"] {
        let now = s.json(&["evaluate", &s.text(name)]);
        let before = json(&fixture().join(format!("expected/evaluate-{name}.json")));
        for (field, value) in before.as_object().unwrap() {
            assert_eq!(now[field], *value, "{name}: {field}");
        }
    }
}

#[test]
fn its_heads_are_trained_again_bit_for_bit() {
    let s = copied();
    s.json(&["train", &s.text("cache"), "--run", &s.text("again")]);
    let [old, new] = ["run", "again"].map(|name| run::read_head(&s.path(name)).unwrap());
    assert_eq!(old.classes, new.classes);
    assert_eq!(old.head, new.head);
}

#[test]
fn its_runs_predict_as_they_did() {
    let library = headstart::backbone::install::find_library(false).unwrap().expect("run tests/run");
    for name in ["run", "run-lbfgs"] {
        let TrainedHead { head, classes, spec } = run::read_head(&fixture().join(name)).unwrap();
        let steps: &Preprocessing = &spec.preprocessing.steps;
        let model = std::fs::read(fixture().join("small.onnx")).unwrap();
        let options = SessionOptions::new(Device::Cpu);
        let silent = headstart::monitor::Silent;
        let mut backbone = OnnxBackbone::open(&library.path, model, &spec.layer, steps, options, &silent)
            .unwrap()
            .swap_remove(0);
        for answer in json(&fixture().join(format!("expected/predict-{name}.json"))).as_array().unwrap() {
            let file = fixture().join(answer["path"].as_str().unwrap());
            let image = decode::decode(&std::fs::read(file).unwrap()).unwrap();
            let mut pixels = vec![0; steps.input_len()];
            steps.planes(&image, &mut pixels);
            let probabilities = head.probabilities(&backbone.embed(&pixels, 1).unwrap());
            for prediction in answer["predictions"].as_array().unwrap() {
                let class = classes.iter().position(|c| prediction["label"] == c.as_str()).unwrap();
                let before = prediction["probability"].as_f64().unwrap();
                assert!((f64::from(probabilities.row(0)[class]) - before).abs() < 1e-4, "{name}: {answer}");
            }
        }
    }
}
