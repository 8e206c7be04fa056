//! The oldest promised readers, which `tests/run` sets up, and the newest see the same rows in everything that is written.
//! `tests/readers/run` does the same with more readers.

use crate::support::{Sandbox, oracle_python, root};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

const READERS: [&str; 6] = ["pyarrow", "pandas", "polars", "duckdb", "numpy", "safetensors"];

/// What the readers of one environment saw in `folder`, as `read.py` tells it.
fn seen(python: &Path, folder: &Path) -> Value {
    assert!(python.exists(), "{} is missing: run tests/run", python.display());
    let mut command = Command::new(python);
    let out = command.arg(root().join("tests/readers/read.py")).arg(folder).args(READERS).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

#[test]
fn the_oldest_and_the_newest_readers_see_the_same_rows() {
    let s = Sandbox::new();
    s.images("in", &[("a\tb", 20), ("é'\"", 20)]);
    crate::support::extract(&s, "in", "cache", &["--augment", "flip", "--split", "50/25/25"]);
    for format in ["parquet", "arrow", "npy", "safetensors"] {
        s.json(&["cache", "export", &s.text("cache"), "--out", &s.text(&format!("export.{format}"))]);
    }
    s.json(&["train", &s.text("cache"), "--run", &s.text("run")]);
    std::fs::copy(s.path("run/predictions.parquet"), s.path("predictions.parquet")).unwrap();
    let oldest = seen(&root().join("target/readers/oldest/bin/python"), &s.path(""));
    let newest = seen(&oracle_python(), &s.path(""));
    assert_eq!(
        (&oldest["pyarrow"]["version"], &oldest["polars"]["version"]),
        (&"10.0.1".into(), &"0.20.0".into())
    );
    let [cache, predictions] =
        ["cache", "predictions.parquet"].map(|thing| &newest["pyarrow"]["things"][thing]["digest"]);
    let mut compared = 0;
    for (reader, found) in
        READERS.iter().flat_map(|reader| [(reader, &oldest[reader]), (reader, &newest[reader])])
    {
        // Nothing is here that version 0.1.0 wrote.
        let things =
            found["things"].as_object().unwrap().iter().filter(|(thing, _)| !thing.starts_with("v0.1.0"));
        for (thing, result) in things {
            let expected = if thing == "predictions.parquet" { predictions } else { cache };
            assert!(expected.is_string(), "{newest}");
            assert_eq!(&result["digest"], expected, "{reader} {}, {thing}: {result}", found["version"]);
            compared += 1;
        }
    }
    assert_eq!(
        compared,
        2 * (4 * 3 + 3 + 2),
        "four read Parquet, three of them Arrow, and one each the others"
    );
}
