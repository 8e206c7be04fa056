//! Near-duplicates: the command `duplicates`, and groups that `data groups` proposes.

use crate::support::{Sandbox, extract, picture};
use headstart::cache::FeatureCache;
use headstart::cache::near_images::cosine_distance;
use headstart::data::decode::encode_png;
use headstart::data::pixels::Pixels;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A cache `c` of two classes, with four pictures that occur again with one level changed.
pub fn with_copies() -> Sandbox {
    let s = Sandbox::new();
    s.images("in", &[("ant", 14), ("bee", 15)]);
    for number in 0..4 {
        let image = picture("ant", number);
        let mut data = image.data().to_vec();
        data[300] ^= 8;
        let copy = Pixels::new(image.width(), image.height(), data);
        s.write(&format!("in/ant/copy{number}.png"), &encode_png(&copy));
    }
    assert_eq!(extract(&s, "in", "c", &[]).code, 0);
    s
}

/// Pairs of images by path, the nearest first, with their distances; each pair is compared by itself.
fn pairs(s: &Sandbox) -> Vec<(f64, String, String)> {
    let cache = FeatureCache::open(&s.path("c")).unwrap();
    let samples = cache.samples().unwrap();
    let by_digest = samples.by_digest();
    let rows = cache.rows(|_| true).unwrap();
    let row = |i: usize| &rows.embeddings[i * rows.width..(i + 1) * rows.width];
    let path = |i: usize| by_digest[&rows.keys[i].image_sha256].file.path.clone();
    let mut all = Vec::new();
    for i in 0..rows.keys.len() {
        for j in i + 1..rows.keys.len() {
            all.push((cosine_distance(row(i), row(j)), path(i), path(j)));
        }
    }
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all
}

fn paths(group: &Value) -> BTreeSet<String> {
    group["images"].as_array().unwrap().iter().map(|image| image["path"].as_str().unwrap().into()).collect()
}

#[test]
fn duplicates_are_the_pairs_within_the_threshold_and_data_groups_keeps_them_in_one_split() {
    let s = with_copies();
    let pairs = pairs(&s);
    // Where the largest gap in proportion lies, so that rounding cannot decide.
    let gap = |n: &usize| pairs[*n].0 / pairs[n - 1].0.max(1e-7);
    let near = (4..12).max_by(|a, b| gap(a).total_cmp(&gap(b))).unwrap();
    let threshold = ((pairs[near - 1].0 + pairs[near].0) / 2.0).to_string();
    let found = s.json(&["duplicates", &s.text("c"), "--threshold", &threshold]);
    assert_eq!((found["images"].as_u64(), found["pairs"].as_u64()), (Some(33), Some(near as u64)));
    let groups: Vec<BTreeSet<String>> = found["groups"].as_array().unwrap().iter().map(paths).collect();
    assert!(!groups.is_empty());
    for (_, a, b) in &pairs[..near] {
        assert!(groups.iter().any(|group| group.contains(a) && group.contains(b)), "{a} {b}");
    }
    assert_eq!(found["nearest"].as_array().unwrap().last().unwrap()["images"], 33);
    let text = s.run(&["duplicates", &s.text("c"), "--threshold", &threshold, "--threads", "1"]).stdout;
    assert!(text.contains(&format!("33 images, {near} pairs within {threshold}")), "{text}");

    let out = s.text("groups.csv");
    let write = ["data", "groups", "--near-duplicates", &threshold, "--cache", &s.text("c"), "--out", &out];
    let text = s.run(&write);
    assert_eq!(text.code, 0, "{}", text.stderr);
    s.run(&write).fails(1, &["another file is in the way"]);
    assert_eq!(extract(&s, "groups.csv", "grouped", &[]).code, 0);
    let samples = FeatureCache::open(&s.path("grouped")).unwrap().samples().unwrap().rows;
    assert_eq!(samples.len(), 33);
    let mut splits: BTreeMap<String, BTreeSet<_>> = BTreeMap::new();
    for group in &groups {
        let first = group.first().unwrap();
        let is_of_it = |path: &str| group.contains(path.strip_prefix("in/").unwrap());
        for sample in samples.iter().filter(|sample| is_of_it(&sample.file.path)) {
            assert_eq!(sample.file.group.as_ref(), Some(first));
            splits.entry(first.clone()).or_default().insert(sample.split);
        }
    }
    assert!(splits.len() == groups.len() && splits.values().all(|splits| splits.len() == 1), "{splits:?}");
}

#[test]
fn search_finds_the_image_itself_first_then_its_copy_and_names_files_that_cannot_be_used() {
    let s = with_copies();
    let pairs = pairs(&s);
    let itself = s.text("in/bee/003.png");
    let broken = s.write("broken.png", b"no picture");
    let nearest = pairs.iter().find(|(_, a, b)| [a, b].contains(&&"bee/003.png".to_string())).unwrap();
    let command = ["search", &s.text("c"), &itself, broken.to_str().unwrap(), "--neighbours", "2"];
    let found = s.run(&[&command[..], &["--json"]].concat());
    assert_eq!(found.code, 3, "{}", found.stderr);
    let files: Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!(files[0]["neighbours"].as_array().unwrap().len(), 2);
    let near = |i: usize| files[0]["neighbours"][i]["path"].as_str().unwrap().to_string();
    assert_eq!(near(0), "bee/003.png");
    assert!(near(1) == nearest.1 || near(1) == nearest.2, "{} {nearest:?}", near(1));
    assert!(
        files[1]["reason"].is_string() && files[1]["neighbours"] == serde_json::json!([]),
        "{}",
        files[1]
    );
    let text = s.run(&command).stdout;
    assert!(text.contains("distance") && text.contains("bee/003.png"), "{text}");
    s.run(&["search", &s.text("c"), &itself, "--neighbours", "0"])
        .fails(2, &["--neighbours must be at least 1"]);
}

#[test]
fn a_threshold_that_is_no_distance_and_a_file_without_a_format_are_refused() {
    let s = with_copies();
    let cache = s.text("c");
    s.run(&["duplicates", &cache, "--threshold", "-1"])
        .fails(2, &["the --threshold must be from 0 to 2, not -1"]);
    s.run(&["duplicates", &cache, "--threshold", "NaN"]).fails(2, &["from 0 to 2"]);
    let groups = |threshold: &str, out: &str| {
        s.run(&["data", "groups", "--near-duplicates", threshold, "--cache", &cache, "--out", &s.text(out)])
    };
    groups("3", "g.csv").fails(2, &["the --near-duplicates must be from 0 to 2, not 3"]);
    groups("0.1", "g").fails(2, &["its name does not say what format it is to have", ".csv"]);
    assert!(!s.path("g").exists());
    s.run(&["duplicates", &s.text("nowhere")]).fails(1, &["nowhere"]);
}

#[test]
fn the_page_of_a_data_set_counts_near_duplicates_across_splits() {
    let s = with_copies();
    let samples = FeatureCache::open(&s.path("c")).unwrap().samples().unwrap();
    let split = |path: &str| samples.rows.iter().find(|row| row.file.path == path).unwrap().split;
    let mut near: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let pairs = pairs(&s);
    for (_, a, b) in pairs.iter().filter(|pair| pair.0 <= 0.02 && split(&pair.1) != split(&pair.2)) {
        for path in [a, b] {
            near.entry(split(path).name()).or_default().insert(path.clone());
        }
    }
    let out = s.text("p.html");
    let page = s.json(&["data", "report", &s.text("in"), "--cache", &s.text("c"), "--out", &out]);
    let found = &page["near_duplicates"];
    let expected = ["train", "validation", "test"].map(|split| near.get(split).map_or(0, BTreeSet::len));
    assert_eq!(found["crossing"], serde_json::json!(expected));
    assert_eq!(
        std::fs::read_to_string(out).unwrap().contains("have a near-duplicate in another split"),
        !near.is_empty()
    );
    let across = pairs.iter().filter(|pair| split(&pair.1) != split(&pair.2));
    for (ours, (distance, ..)) in found["pairs"].as_array().unwrap().iter().zip(across) {
        assert!((ours["distance"].as_f64().unwrap() - distance).abs() < 1e-5);
    }
    if let Some(without) = found["accuracy"]["images_without"].as_u64() {
        assert!(without < found["accuracy"]["images"].as_u64().unwrap());
    }
}
