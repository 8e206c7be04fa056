//! Manifests in place of folders, and groups that stay together, from the command line.

use crate::support::{Sandbox, extract, train};
use headstart::cache::{FeatureCache, Samples};
use headstart::data::dataset::Split;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

fn samples(s: &Sandbox, cache: &str) -> Samples {
    FeatureCache::open(&s.path(cache)).unwrap().samples().unwrap()
}

/// Path, label, split, digest and group of each sample, without its folder.
fn described(s: &Sandbox, cache: &str) -> Vec<(String, String, Split, String)> {
    let row = |row: headstart::data::dataset::Sample| {
        (row.file.path, row.file.label, row.split, row.file.image_sha256.to_string())
    };
    samples(s, cache).rows.into_iter().map(row).collect()
}

#[test]
fn a_manifest_of_any_format_gives_the_features_and_splits_of_its_folder() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 12), ("bee, \"b\"", 16)]);
    assert_eq!(extract(&s, "in", "folder", &[]).code, 0);
    for format in ["csv", "tsv", "jsonl", "parquet"] {
        let (manifest, cache) = (format!("m.{format}"), format!("c-{format}"));
        let out = s.text(&manifest);
        let written = s.json(&["data", "manifest", &s.text("in"), "--out", &out]);
        assert_eq!((&written["images"], &written["columns"]), (&json!(28), &json!(["path", "label"])));
        // Its paths start from its own folder, which is that above the images.
        assert_eq!(extract(&s, &manifest, &cache, &[]).value()["layout"], "manifest");
        let expected: Vec<_> = described(&s, "folder")
            .into_iter()
            .map(|(path, label, split, digest)| (format!("in/{path}"), label, split, digest))
            .collect();
        assert_eq!(described(&s, &cache), expected, "{format}");
        let again = s.run(&["data", "manifest", &s.text("in"), "--out", &out]);
        again.fails(1, &["another file is in the way"]);
    }
    let summary = s.json(&["data", "summary", &s.text("m.parquet")]);
    assert_eq!((&summary["images"], summary["classes"].as_array().unwrap().len()), (&json!(28), 2));
    // With the folder itself as the root, the features of its cache are reused.
    let root = s.text("in");
    s.write("rooted.csv", b"file,what\nant/000.png,ant\nant/001.png,ant\n");
    let more = ["--root", &root, "--path-column", "file", "--label-column", "what"];
    let same = extract(&s, "rooted.csv", "folder", &more);
    assert_eq!((&same.value()["samples"], &same.value()["computed"]), (&json!(2), &json!(0)));
    assert_eq!(
        s.run(&["train", &s.text("c-csv"), "--run", &s.text("r"), "--solver", "lbfgs", "--l2", "0.01"]).code,
        0
    );
    let page =
        s.run(&["data", "report", &s.text("m.csv"), "--cache", &s.text("c-csv"), "--out", &s.text("p.html")]);
    assert_eq!(page.code, 0, "{}", page.stderr);
    assert_eq!(s.run(&["data", "select", &s.text("m.csv"), "--top", "1", "--out", &s.text("top")]).code, 0);
    assert!(s.path("top/016 bee, \"b\"/in/bee, \"b\"/000.png").exists());
}

#[test]
fn faulty_rows_are_named_with_their_lines_and_the_rest_is_used() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 12), ("bee", 12)]);
    let mut text = String::from("path,label,split\n");
    for i in 0..10 {
        writeln!(text, "in/ant/{i:03}.png,ant,\nin/bee/{i:03}.png,bee,").unwrap();
    }
    text += "in/ant/099.png,ant,\n,ant,\nin/ant/010.png,,\nin/bee/010.png,bee,tset\nin/ant/000.png,bee,\nin/bee/011.png,bee\n";
    s.write("m.csv", text.as_bytes());
    let done = extract(&s, "m.csv", "c", &[]);
    assert_eq!(done.code, 3);
    // A row without a label is one to label.
    assert_eq!((&done.value()["samples"], &done.value()["unlabelled"]), (&json!(19), &json!(1)));
    for refusal in [
        "refused: in/ant/099.png: line 22: could not be read: No such file",
        "refused: m.csv: line 23: it has no path",
        "refused: in/bee/010.png: line 25: \"tset\" is not a split; use train",
        "refused: in/ant/000.png: line 26: two labels for one path: ant on line 2, bee here",
        "refused: m.csv: line 27: 2 fields, where the first line has 3",
    ] {
        assert!(done.stderr.contains(refusal), "{refusal:?} is not in {}", done.stderr);
    }
    // A row that is mended is used in the next run; that without a label had its features.
    let text = text.replace("in/ant/010.png,,", "in/ant/010.png,ant,").replace("tset", "test");
    s.write("m.csv", text.as_bytes());
    let mended = extract(&s, "m.csv", "c", &[]).value();
    assert_eq!((&mended["samples"], &mended["computed"]), (&json!(21), &json!(1)));
    for (name, bytes, parts) in [
        ("a.csv", &b""[..], &["the manifest is empty"][..]),
        (
            "b.csv",
            b"file,label\nx,y\n",
            &["it has no column path; its columns are file, label", "--path-column"],
        ),
        ("c.jsonl", b"[]\n", &["no JSON object on any line"]),
        ("d.jsonl", b"{\"path\": \"x\"}\n", &["it has no column label; its columns are path"]),
        ("e.parquet", b"PAR1", &["not a readable Parquet file"]),
        ("f.csv", b"path,label\nnone.png,a\n", &["no file can be used", "line 2"]),
        (
            "g.txt",
            b"path,label\n",
            &["not a folder of images, and not a manifest", ".csv, .tsv, .jsonl or .parquet"],
        ),
    ] {
        s.write(name, bytes);
        extract(&s, name, "new", &[]).fails(1, parts);
        assert!(!s.path("new").exists());
    }
    extract(&s, "m.csv", "new", &["--split-folders"]).fails(2, &["a manifest has no folders of splits"]);
    extract(&s, "in", "new", &["--label-column", "x"])
        .fails(2, &["only a manifest has a root and columns", "--root"]);
    extract(&s, "m.csv", "new", &["--root", "nowhere"]).fails(1, &["no such folder", "--root"]);
    extract(&s, "m.csv", "new", &["--group-column", "who"]).fails(1, &["it has no column who"]);
}

#[test]
fn the_splits_of_a_manifest_are_taken_as_they_are() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 12), ("bee", 12)]);
    let mut text = String::new();
    for i in 0..12 {
        for class in ["ant", "bee"] {
            let split = ["train", "train", "val", "testing"][i % 4];
            let row =
                json!({"path": format!("in/{class}/{i:03}.png"), "label": class, "split": split, "n": i});
            writeln!(text, "{row}").unwrap();
        }
    }
    s.write("m.jsonl", text.as_bytes());
    let done = extract(&s, "m.jsonl", "c", &[]).value();
    assert_eq!(done["splits"], json!({"train": 12, "validation": 6, "test": 6}));
    let before = described(&s, "c");
    // The seed plays no part, and nothing is written or computed again.
    let again = extract(&s, "m.jsonl", "c", &[]);
    assert!(again.value()["computed"] == 0 && !again.stderr.contains("since the last"), "{}", again.stderr);
    assert_eq!(described(&s, "c"), before);
    extract(&s, "m.jsonl", "c", &["--split", "70/5/25"]).fails(2, &["there are validation images already"]);
    assert_eq!(train(&s, "r", &["--solver", "lbfgs", "--l2", "0.01"])["classes"], 2);
    let written = s.json(&["data", "manifest", &s.text("m.jsonl"), "--out", &s.text("again.csv")]);
    assert_eq!(written["columns"], json!(["path", "label", "split"]));
}

/// Pictures of videos: `in/<class>/v<video>_<frame>.png`.
fn videos() -> Sandbox {
    let s = Sandbox::new();
    s.images("all", &[("ant", 40), ("bee", 60)]);
    for (class, images) in [("ant", 40), ("bee", 60)] {
        for i in 0..images {
            let bytes = std::fs::read(s.path(&format!("all/{class}/{i:03}.png"))).unwrap();
            s.write(&format!("in/{class}/v{}_{i}.png", i / 4), &bytes);
        }
    }
    s
}

fn splits_by_group(s: &Sandbox) -> BTreeMap<String, BTreeSet<Split>> {
    let mut splits: BTreeMap<String, BTreeSet<Split>> = BTreeMap::new();
    for row in samples(s, "c").rows {
        splits.entry(row.file.group.unwrap()).or_default().insert(row.split);
    }
    splits
}

#[test]
fn images_of_a_group_are_in_one_split_of_every_kind() {
    let s = videos();
    let by = ["--group-by", r"([a-z]+/v\d+)_"];
    let done = extract(&s, "in", "c", &by);
    let groups: &Value = &done.value()["groups"];
    assert_eq!(
        (&groups["groups"], &groups["largest"], &groups["without"]),
        (&json!(25), &json!(4), &json!(0))
    );
    assert_eq!(done.value()["splits"], json!({"train": 72, "validation": 4, "test": 24}));
    let splits = splits_by_group(&s);
    assert!(splits.len() == 25 && splits.values().all(|splits| splits.len() == 1), "{splits:?}");
    // The expression is kept, and an empty one takes it away.
    extract(&s, "in", "c", &[]);
    assert_eq!(splits_by_group(&s), splits);
    let page = s.run(&["cache", "info", &s.text("c")]);
    assert_eq!(page.code, 0);
    // Folds and other splits keep groups together too.
    let group_of: BTreeMap<String, String> =
        samples(&s, "c").rows.into_iter().map(|row| (row.file.path, row.file.group.unwrap())).collect();
    for (run, more) in [("split", &["--resplit", "5"][..]), ("fold", &["--fold", "2", "--folds", "4"])] {
        train(&s, run, &[&["--solver", "lbfgs", "--l2", "0.01"], more].concat());
        let mut tested: BTreeMap<&str, BTreeSet<Split>> = BTreeMap::new();
        for row in headstart::run::StoredRun::open(&s.path(run)).unwrap().predictions().unwrap() {
            assert!(row.group.is_some());
            tested.entry(&group_of[&row.path]).or_default().insert(row.split);
        }
        assert!(tested.len() > 5 && tested.values().all(|splits| splits.len() == 1), "{tested:?}");
        // No group is held out in part.
        let held_out = samples(&s, "c")
            .rows
            .into_iter()
            .filter(|row| tested.contains_key(&*row.file.group.clone().unwrap()));
        let predicted = headstart::run::StoredRun::open(&s.path(run)).unwrap().predictions().unwrap().len();
        assert_eq!(held_out.count(), predicted);
        let scores = s.json(&["evaluate", &s.text(run)]);
        assert_eq!(scores["groups"].as_u64().unwrap(), scores["images"].as_u64().unwrap().div_ceil(4));
    }
    let text = s.run(&["evaluate", &s.text("split")]).stdout;
    assert!(text.contains(" groups), macro F1"), "{text}");
    let none = extract(&s, "in", "c", &["--group-by", ""]);
    assert!(none.value()["groups"].is_null(), "{}", none.stdout);
    extract(&s, "in", "c", &["--group-by", "("])
        .fails(2, &["not a regular expression: unclosed group", "brackets"]);
}

#[test]
fn several_layers_in_one_pass_have_the_groups_of_one() {
    let s = videos();
    s.json(&["data", "manifest", &s.text("in"), "--out", &s.text("m.csv")]);
    let by = ["--group-by", r"([a-z]+/v\d+)_"];
    let alone = extract(&s, "m.csv", "c", &by).value();
    let layers = ["--layer", "PreLogits", "--layer", "Conv2d_1a_3x3"];
    let several = extract(&s, "m.csv", "layers", &[&by[..], &layers].concat()).value();
    assert_eq!(alone["groups"]["groups"], 25);
    let expected = samples(&s, "c");
    for (place, cache) in ["layers/PreLogits", "layers/Conv2d_1a_3x3"].into_iter().enumerate() {
        assert_eq!(several["layers"][place]["groups"], alone["groups"]);
        assert_eq!(samples(&s, cache), expected);
    }
    // A layer that is new takes the groups of the others.
    assert_eq!(extract(&s, "m.csv", "layers", &["--layer", "PreLogits", "--layer", "Mixed_5d"]).code, 0);
    assert_eq!(samples(&s, "layers/Mixed_5d"), expected);
}

#[test]
fn new_images_of_a_manifest_are_scored_over_its_groups() {
    let s = videos();
    extract(&s, "in", "c", &[]).value();
    train(&s, "r", &["--solver", "lbfgs", "--l2", "0.01"]);
    let mut text = String::from("path,label,group\n");
    for (class, group) in [("ant", "a"), ("bee", "b")] {
        for i in 0..8 {
            writeln!(text, "in/{class}/v{}_{i}.png,{class},{group}{}", i / 4, i / 4).unwrap();
        }
    }
    s.write("new.csv", text.as_bytes());
    let scores = s.json(&["evaluate", &s.text("r"), "--images", &s.text("new.csv"), "--allow-overlap"]);
    assert_eq!((&scores["images"], &scores["groups"]), (&json!(16), &json!(4)));
}

#[test]
fn weights_of_images_count_in_the_loss() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 40), ("bee", 40)]);
    let manifest = |weight: &str| {
        let mut text = String::from("path,label,weight\n");
        for i in 0..40 {
            writeln!(text, "in/ant/{i:03}.png,ant,\nin/bee/{i:03}.png,bee,{weight}").unwrap();
        }
        text
    };
    let run = |text: &str, more: &[&str]| {
        s.write("m.csv", text.as_bytes());
        let done = extract(&s, "m.csv", "c", &["--split", "50/20/30"]);
        assert_eq!(done.code, 0, "{}", done.stderr);
        s.run(&[&["train", &s.text("c"), "--run", &s.text("r"), "--epochs", "20"], more].concat())
    };
    assert_eq!(run(&manifest("1"), &[]).code, 0);
    let even = s.head("r");
    assert_eq!(run(&manifest("1.0"), &[]).code, 0);
    assert!(s.head("r") == even && !samples(&s, "c").has_weights());
    // An image of weight 0 is not learned from, so its class is never answered.
    assert_eq!(run(&manifest("0"), &[]).code, 0);
    assert!(s.head("r") != even && samples(&s, "c").has_weights());
    let scores = s.json(&["evaluate", &s.text("r")]);
    assert_eq!(
        (&scores["classes"][1]["name"], &scores["classes"][1]["predicted"]),
        (&json!("bee"), &json!(0))
    );
    let out = s.text("again.csv");
    let written = s.json(&["data", "manifest", &s.text("m.csv"), "--out", &out]);
    assert_eq!(written["columns"], json!(["path", "label", "weight"]));
    let only = &["its images have weights", "--solver adam"];
    run(&manifest("0"), &["--solver", "lbfgs", "--l2", "0.1"]).fails(2, only);
    run(&manifest("0"), &["--memory", "100MB"]).fails(2, only);
    s.write(
        "bad.csv",
        b"path,label,weight\nin/ant/000.png,ant,-1\nin/bee/000.png,bee,heavy\nin/ant/001.png,ant,2\n",
    );
    let bad = extract(&s, "bad.csv", "new", &[]);
    assert_eq!(bad.code, 3);
    for line in ["line 2: \"-1\" is not a weight", "line 3: \"heavy\" is not a weight"] {
        assert!(bad.stderr.contains(line), "{}", bad.stderr);
    }
}

#[test]
fn stray_quotes_repeated_columns_and_odd_labels_are_refused() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 12), ("bee", 12)]);
    let rows = |separator: char, quoted: &str| {
        let mut text = format!("path{separator}label\n");
        for i in 0..24 {
            let (label, quote) = (if i < 12 { "ant" } else { "bee" }, if i == 5 { quoted } else { "" });
            writeln!(text, "in/{label}/{:03}.png{separator}{quote}{label}", i % 12).unwrap();
        }
        text
    };
    for (name, separator, quoted, samples) in
        [("q.csv", ',', "\"", 23), ("q.tsv", '\t', "\"", 23), ("semi.csv", ';', "", 24)]
    {
        s.write(name, rows(separator, quoted).as_bytes());
        let done = extract(&s, name, &format!("c-{name}"), &[]);
        assert_eq!(done.value()["samples"], samples, "{name}: {}", done.stderr);
        assert_eq!(done.code, if samples == 24 { 0 } else { 3 });
        if samples == 23 {
            assert!(done.stderr.contains("line 7: field 2 has a quote at its start"), "{}", done.stderr);
        }
    }
    s.write("two.csv", b"path,label,label\nin/ant/000.png,ant,bee\n");
    extract(&s, "two.csv", "new", &[]).fails(1, &["2 of its columns are called label"]);
    s.write("both.csv", b"path,label,labels\nin/ant/000.png,ant,bee\n");
    extract(&s, "both.csv", "new", &[]).fails(1, &["it has both a column label and a column labels"]);
    let lines = [
        r#"{"path":"in/ant/000.png","label":"ant","label":"bee"}"#,
        r#"{"path":"in/ant/001.png","label":["ant","bee"]}"#,
        r#"{"path":"in/ant/002.png","label":true}"#,
        r#"{"path":"in/ant/003.png","label":"_unlabelled"}"#,
    ];
    let mut text = lines.join("\n");
    for i in 4..12 {
        write!(text, "\n{{\"path\":\"in/ant/{i:03}.png\",\"label\":\"ant\"}}").unwrap();
        write!(text, "\n{{\"path\":\"in/bee/{i:03}.png\",\"label\":\"bee\"}}").unwrap();
    }
    s.write("odd.jsonl", text.as_bytes());
    let done = extract(&s, "odd.jsonl", "odd", &[]);
    assert_eq!((done.code, &done.value()["samples"]), (3, &json!(16)), "{}", done.stderr);
    for fault in [
        "line 1: no JSON object: the key \"label\" occurs twice",
        "line 2: the value of label is no text",
        "line 3: the value of label is no text",
        "line 4: _unlabelled is no label",
    ] {
        assert!(done.stderr.contains(fault), "{fault}: {}", done.stderr);
    }
    s.images("spaces", &[(" ant", 2), ("ant", 2)]);
    s.run(&["data", "manifest", &s.text("spaces"), "--out", &s.text("m.csv")])
        .fails(1, &["the class \" ant\" has spaces at its ends"]);
    s.write(
        "w0.csv",
        rows(',', "")
            .replace("label\n", "label,weight\n")
            .replace("ant\n", "ant,0\n")
            .replace("bee\n", "bee,0\n")
            .as_bytes(),
    );
    assert_eq!(extract(&s, "w0.csv", "w0", &[]).code, 0);
    s.run(&["train", &s.text("w0"), "--run", &s.text("r0")])
        .fails(1, &["all train images have the weight 0"]);
}
