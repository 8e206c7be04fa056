//! A cache and two runs written by version 0.1.0 open, verify, grow, evaluate and predict as they did.

use crate::support::{Sandbox, oracle_python, root};
use headstart::backbone::known_answer::relative_distance;
use headstart::data::decode::{encode_jpeg, encode_png};
use headstart::data::pixels::Pixels;
use headstart::io::digest::sha256;
use headstart::run;
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

/// Asserts that `now` has every field of `before` with the same value; it may have more fields.
fn holds_all_of(now: &Value, before: &Value, place: &str) {
    match (now, before) {
        (Value::Object(now), Value::Object(before)) => {
            for (field, value) in before {
                holds_all_of(now.get(field).unwrap_or(&Value::Null), value, &format!("{place}.{field}"));
            }
        }
        (Value::Array(now), Value::Array(before)) if now.len() == before.len() => {
            for (i, (now, before)) in now.iter().zip(before).enumerate() {
                holds_all_of(now, before, &format!("{place}[{i}]"));
            }
        }
        _ => assert_eq!(now, before, "{place}"),
    }
}

#[test]
fn its_runs_evaluate_as_they_did() {
    let s = copied();
    for name in ["run", "run-lbfgs"] {
        let now = s.json(&["evaluate", &s.text(name)]);
        let mut before = json(&fixture().join(format!("expected/evaluate-{name}.json")));
        let top_k = before["top_k"].as_array_mut().unwrap();
        assert_eq!(top_k.pop().unwrap()["accuracy"], 1.0, "all classes: later versions leave it out");
        holds_all_of(&now, &before, name);
    }
}

#[test]
fn its_heads_are_trained_again_bit_for_bit() {
    let s = copied();
    s.json(&["train", &s.text("cache"), "--run", &s.text("again")]);
    let [old, new] =
        ["run", "again"].map(|name| run::StoredRun::open(&s.path(name)).unwrap().head().unwrap());
    assert_eq!(old.classes, new.classes);
    assert_eq!(old.head, new.head);
}

#[test]
fn its_runs_predict_as_they_did() {
    // The paths that they name, /tmp/v0.1.0/..., are hints: network and cache are found beside the runs.
    let s = copied();
    for name in ["run", "run-lbfgs"] {
        let before = json(&fixture().join(format!("expected/predict-{name}.json")));
        let images: Vec<&str> =
            before.as_array().unwrap().iter().map(|answer| answer["path"].as_str().unwrap()).collect();
        let said = s.run(&[&["predict", name, "--json"], &images[..]].concat());
        assert_eq!((said.code, said.stderr.lines().count()), (0, 1), "{}", said.stderr);
        assert!(
            said.stderr.contains("1 of 1 parts are of version 0.1.0 and do not say which spec they have")
        );
        let now = said.value();
        for (now, before) in now.as_array().unwrap().iter().zip(before.as_array().unwrap()) {
            let probability = |answer: &Value, label: &Value| -> f64 {
                let mut all = answer["predictions"].as_array().unwrap().iter();
                all.find(|one| one["label"] == *label).unwrap()["probability"].as_f64().unwrap()
            };
            for prediction in before["predictions"].as_array().unwrap() {
                let label = &prediction["label"];
                assert!((probability(now, label) - probability(before, label)).abs() < 1e-4, "{name}: {now}");
            }
            let nearest = |answer: &Value| answer["neighbours"][0]["path"].clone();
            assert_eq!(nearest(now), nearest(before), "{name}");
        }
    }
}

/// Writes `refused.parquet` as 0.1.0 did: path, digest and reason of each file.
fn refuse(s: &Sandbox, files: &[(&str, &[u8], &str)]) {
    let rows: Vec<Value> = files
        .iter()
        .map(|(path, bytes, reason)| serde_json::json!([path, sha256(bytes).to_string(), reason]))
        .collect();
    let script = "import json, sys, pyarrow as pa, pyarrow.parquet as pq\n\
        columns = zip(*json.loads(sys.argv[2]))\n\
        names = ['path', 'image_sha256', 'reason']\n\
        pq.write_table(pa.table(dict(zip(names, map(list, columns)))), sys.argv[1], compression='zstd')";
    let rows = serde_json::to_string(&rows).unwrap();
    let mut python = std::process::Command::new(oracle_python());
    let status = python.args(["-c", script, &s.text("cache/refused.parquet"), &rows]).status().unwrap();
    assert!(status.success());
}

#[test]
fn files_that_it_refused_are_tried_again_where_their_pixels_fit() {
    let s = copied();
    // Neither has an end marker: 0.1.0 refused both, and this version reads both.
    let picture = Pixels::new(8, 8, (0..192).collect());
    let (png, jpeg) = (encode_png(&picture), encode_jpeg(&picture, 90));
    let (png, jpeg) = (&png[..png.len() - 12], &jpeg[..jpeg.len() - 2]);
    s.write("images/ant/end.png", png);
    s.write("images/ant/end.jpg", jpeg);
    refuse(
        &s,
        &[
            ("ant/end.png", png, "unexpected end of file"),
            ("ant/end.jpg", jpeg, "the JPEG data end before the image does"),
        ],
    );
    let (images, network) = (s.text("images"), s.text("small.onnx"));
    let extract = |cache: &str| {
        let said = s.run(&["extract", &images, "--cache", cache, "--backbone", &network, "--json"]);
        (said.code, said.value()["computed"].clone(), said.value()["refused"].clone(), said.stderr)
    };
    // In its own cache JPEG has the pixels of another decoder, so that file stays out.
    let refused =
        serde_json::json!([{"path": "ant/end.jpg", "reason": "the JPEG data end before the image does"}]);
    let (code, computed, still, stderr) = extract(&s.text("cache"));
    assert_eq!((code, computed, still), (3, 1.into(), refused.clone()), "{stderr}");
    assert_eq!(stderr.matches("stay refused").count(), 1, "{stderr}");
    let (code, computed, still, stderr) = extract(&s.text("cache"));
    assert_eq!((code, computed, still), (3, 0.into(), refused), "{stderr}");
    assert!(!stderr.contains("stay refused"), "{stderr}");
    let (code, computed, still, stderr) = extract(&s.text("new"));
    assert_eq!((code, computed, still), (0, 44.into(), serde_json::json!([])), "{stderr}");
}
