//! Images without a label: they have features, and nothing is trained, evaluated or counted on them; `suggest` ranks them, and the
//! table that it writes gives them labels.

use crate::support::{Sandbox, extract, train};
use headstart::cache::FeatureCache;
use headstart::cache::near_images::cosine_distance;
use headstart::evaluate::predict::{Classifier, PredictorConfig};
use headstart::run::StoredRun;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A cache `c` of two classes and 12 images without a label, two of which have the same bytes, and a run `r` on it.
pub fn with_unlabelled() -> Sandbox {
    let s = Sandbox::new();
    s.images("in", &[("ant", 30), ("bee", 30), ("_unlabelled", 11)]);
    let bytes = std::fs::read(s.path("in/_unlabelled/003.png")).unwrap();
    s.write("in/_unlabelled/copy.png", &bytes);
    // It has a label elsewhere.
    s.write("in/_unlabelled/known.png", &std::fs::read(s.path("in/ant/004.png")).unwrap());
    let done = extract(&s, "in", "c", &["--augment", "flip"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stderr.contains("images without a label: 12"), "{}", done.stderr);
    let done = done.value();
    assert_eq!(
        (&done["samples"], &done["unlabelled"], &done["classes"]),
        (&json!(60), &json!(12), &json!(2))
    );
    // Flips are of train images alone.
    let train = done["splits"]["train"].as_u64().unwrap();
    assert_eq!(done["computed"], 60 + 11 + train);
    train_run(&s);
    s
}

fn train_run(s: &Sandbox) {
    train(s, "r", &["--solver", "lbfgs", "--l2", "0.1"]);
}

fn suggest(s: &Sandbox, more: &[&str]) -> Value {
    s.json(&[&["suggest", &s.text("r")], more].concat())
}

fn paths(suggested: &Value) -> Vec<String> {
    suggested["images"]
        .as_array()
        .unwrap()
        .iter()
        .map(|image| image["path"].as_str().unwrap().into())
        .collect()
}

#[test]
fn images_without_a_label_are_neither_trained_on_nor_evaluated_nor_counted() {
    let s = with_unlabelled();
    let info = s.json(&["cache", "info", &s.text("c")]);
    assert_eq!(
        (&info["samples"], &info["unlabelled"], &info["classes"]),
        (&json!(60), &json!(12), &json!(2))
    );
    assert_eq!(info["orphaned"], 0);
    // The run is that of the same folder without them.
    s.images("plain", &[("ant", 30), ("bee", 30)]);
    assert_eq!(extract(&s, "plain", "p", &["--augment", "flip"]).code, 0);
    s.json(&["train", &s.text("p"), "--run", &s.text("other"), "--solver", "lbfgs", "--l2", "0.1"]);
    assert!(s.head("r") == s.head("other"));
    let images = |run: &str| s.json(&["evaluate", &s.text(run)])["images"].clone();
    assert_eq!(images("r"), images("other"));
    let summary = s.json(&["data", "summary", &s.text("in")]);
    let classes = summary["classes"].as_array().unwrap().len();
    assert_eq!((&summary["images"], &summary["unlabelled"], classes), (&json!(60), &json!(12), 2));
    // Their features outlive a pruning, and a run with nothing to do reads no file again.
    assert_eq!(s.json(&["cache", "compact", &s.text("c"), "--prune"])["rows"], info["rows"]);
    assert_eq!(extract(&s, "in", "c", &[]).value()["computed"], 0);
    let verified = s.json(&["cache", "verify", &s.text("c"), "--images", &s.text("in")]);
    assert_eq!(verified["images"]["unchanged"], 72);
    let page = s.run(&["data", "report", &s.text("in"), "--cache", &s.text("c"), "--out", &s.text("p.html")]);
    assert_eq!(page.code, 0, "{}", page.stderr);
}

#[test]
fn suggestions_are_ranked_as_each_way_says() {
    let s = with_unlabelled();
    let run = StoredRun::open(&s.path("r")).unwrap();
    let classifier = Classifier::open(&run, &PredictorConfig::new(s.path("r"))).unwrap();
    let cache = FeatureCache::open(&s.path("c")).unwrap();
    let samples = cache.samples().unwrap();
    let rows = cache.rows(|key| key.variant == headstart::data::augment::Variant::None).unwrap();
    let row = |at: usize| &rows.embeddings[at * rows.width..(at + 1) * rows.width];
    let trained_on = run.trained_on().unwrap();
    let mut features: BTreeMap<String, Vec<f32>> = BTreeMap::new();
    let mut centres: Vec<Vec<f32>> = Vec::new();
    for (at, key) in rows.keys.iter().enumerate() {
        if let Some(file) = samples.unlabelled.iter().find(|file| file.image_sha256 == key.image_sha256) {
            features.insert(file.path.clone(), row(at).to_vec());
        } else if trained_on.contains(&key.image_sha256) {
            centres.push(row(at).to_vec());
        }
    }
    assert_eq!((features.len(), centres.len()), (11, trained_on.len()));
    let probabilities = |path: &str| classifier.probabilities(&features[path]);
    let margin = |path: &str| (probabilities(path)[0] - probabilities(path)[1]).abs();
    let entropy = |path: &str| probabilities(path).iter().map(|p| -p * p.ln()).sum::<f64>();

    let by_margin = suggest(&s, &["--by", "margin", "--n", "11"]);
    assert_eq!(by_margin["unlabelled"], 11);
    let ranked = paths(&by_margin);
    assert!(ranked.windows(2).all(|pair| margin(&pair[0]) <= margin(&pair[1])) && ranked.len() == 11);
    for image in by_margin["images"].as_array().unwrap() {
        let path = image["path"].as_str().unwrap();
        assert!((image["margin"].as_f64().unwrap() - margin(path)).abs() < 1e-9);
        assert!((image["entropy"].as_f64().unwrap() - entropy(path)).abs() < 1e-9);
        assert!(image.get("distance").is_none());
    }
    let by_entropy = paths(&suggest(&s, &["--by", "entropy", "--n", "4"]));
    assert!(
        by_entropy.windows(2).all(|pair| entropy(&pair[0]) >= entropy(&pair[1])) && by_entropy.len() == 4
    );

    let nearest = |path: &str, centres: &[Vec<f32>]| {
        centres.iter().map(|centre| cosine_distance(&features[path], centre)).fold(f64::INFINITY, f64::min)
    };
    let covers = |suggested: &Value, pool: &[String]| {
        let mut centres = centres.clone();
        for image in suggested["images"].as_array().unwrap() {
            let path = image["path"].as_str().unwrap();
            let farthest = pool.iter().map(|path| nearest(path, &centres)).fold(0.0, f64::max);
            assert!((nearest(path, &centres) - farthest).abs() < 1e-5, "{path}");
            assert!((image["distance"].as_f64().unwrap() - farthest).abs() < 1e-5, "{path}");
            centres.push(features[path].clone());
        }
    };
    let by_coverage = suggest(&s, &["--by", "coverage", "--n", "5", "--threads", "1"]);
    covers(&by_coverage, &ranked);
    assert_eq!(paths(&by_coverage).into_iter().collect::<BTreeSet<_>>().len(), 5);
    assert_eq!(suggest(&s, &["--by", "coverage", "--n", "5"]), by_coverage);
    // A mix of one image is the one of largest distance among the five of smallest margin.
    covers(&suggest(&s, &["--by", "mix", "--n", "1"]), &ranked[..5]);
    s.run(&["suggest", &s.text("r"), "--n", "0"]).fails(2, &["--n must be at least 1"]);
    s.run(&["suggest", &s.text("r"), "--by", "chance"]).fails(2, &["use margin, entropy, coverage or mix"]);
}

#[test]
fn pages_may_be_written_beside_a_manifest_and_not_among_folders_of_images() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 20), ("bee", 20), ("_unlabelled", 4)]);
    s.json(&["data", "manifest", &s.text("in"), "--out", &s.text("m.csv")]);
    for (images, cache, run) in [("m.csv", "of-manifest", "rm"), ("in", "of-folder", "rf")] {
        assert_eq!(extract(&s, images, cache, &[]).code, 0);
        s.json(&["train", &s.text(cache), "--run", &s.text(run), "--solver", "lbfgs", "--l2", "0.1"]);
    }
    for page in ["next.html", "in/next.html"] {
        s.json(&["suggest", &s.text("rm"), "--html", &s.text(page)]);
    }
    s.json(&["report", &s.text("rm"), "--out", &s.text("report.html")]);
    let images = ["--images", &s.text("m.csv"), "--allow-overlap"];
    s.json(&[&["evaluate", &s.text("rm"), "--html", &s.text("new.html")], &images[..]].concat());
    s.run(&["suggest", &s.text("rf"), "--html", &s.text("in/other.html")])
        .fails(2, &["--html cannot be inside the folder of images", "choose another place for --html"]);
}

#[test]
fn the_table_of_suggestions_gives_images_their_labels() {
    let s = with_unlabelled();
    let (table, page) = (s.text("to-label.csv"), s.text("to-label.html"));
    let said = s.run(&["suggest", &s.text("r"), "--n", "6", "--out", &table, "--html", &page]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(
        said.stdout.contains("6 of 11 images without a label, by margin") && said.stdout.contains(&table)
    );
    let html = std::fs::read_to_string(&page).unwrap();
    assert!(html.matches("<li class=\"card\">").count() == 6 && html.matches("data:image/jpeg").count() == 6);
    s.run(&["suggest", &s.text("r"), "--out", &table]).fails(1, &["another file is in the way"]);
    s.run(&["suggest", &s.text("r"), "--out", &s.text("t.txt")]).fails(2, &["end with .csv", "--out"]);

    // Somebody fills in the labels of four.
    let text = std::fs::read_to_string(&table).unwrap();
    let mut lines = text.lines();
    let mut filled = format!("{}\n", lines.next().unwrap());
    let mut given = Vec::new();
    for (number, line) in lines.enumerate() {
        let label = if number < 4 { "bee" } else { "" };
        let (path, rest) = line.split_once(",,").unwrap();
        filled.push_str(&format!("{path},{label},{rest}\n"));
        given.extend((number < 4).then(|| path.to_string()));
    }
    s.write("to-label.csv", filled.as_bytes());
    let out = s.text("labelled.csv");
    let written = s.json(&["data", "manifest", &s.text("in"), "--labels", &table, "--out", &out]);
    assert_eq!((&written["images"], &written["relabelled"]), (&json!(73), &json!(4)));
    let done = extract(&s, "labelled.csv", "c", &["--root", &s.text("")]).value();
    // The other copy of an image that got a label has it too.
    let unlabelled = done["unlabelled"].as_u64().unwrap();
    assert!(done["samples"] == 64 && (7..=8).contains(&unlabelled), "{done}");
    let samples = FeatureCache::open(&s.path("c")).unwrap().samples().unwrap();
    for path in &given {
        let row = samples.rows.iter().find(|row| row.file.path == format!("in/{path}")).unwrap();
        assert_eq!(row.file.label, "bee");
    }
    train_run(&s);
    let again = suggest(&s, &["--n", "20"]);
    assert!(paths(&again).iter().all(|path| !given.iter().any(|given| path.ends_with(given.as_str()))));

    s.write("bad.csv", b"path,label\nant/000.png,bee\nnone.png,ant\n");
    let more = s.text("more.csv");
    let bad = s.run(&["data", "manifest", &s.text("in"), "--labels", &s.text("bad.csv"), "--out", &more]);
    assert_eq!(bad.code, 3, "{}", bad.stderr);
    assert!(bad.stderr.contains("refused: none.png: line 3: it is none of the images"), "{}", bad.stderr);
    s.run(&["data", "manifest", &s.text("in"), "--labels", &s.text("r"), "--out", &s.text("x.csv")])
        .fails(1, &["not a table of labels"]);
}

#[test]
fn without_images_to_label_it_is_said_how_to_have_some() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 30), ("bee", 30)]);
    assert_eq!(extract(&s, "in", "c", &[]).code, 0);
    train_run(&s);
    s.run(&["suggest", &s.text("r")]).fails(1, &["no features of an image without a label", "_unlabelled"]);
    s.images("none", &[("_unlabelled", 3)]);
    extract(&s, "none", "new", &[]).fails(1, &["none of 3 images has a label"]);
    // A table to fill in by hand.
    let out = s.text("none.csv");
    let written = s.json(&["data", "manifest", &s.text("none"), "--out", &out]);
    assert_eq!((&written["images"], &written["unlabelled"]), (&json!(3), &json!(3)));
}
