//! Manifests in place of folders, from the command line.

use crate::groups::grouped;
use crate::support::{Sandbox, extract, small_network, train};
use headstart::cache::{FeatureCache, Samples};
use headstart::data::dataset::Split;
use serde_json::json;
use std::fmt::Write;
use std::io::Write as _;

pub(crate) fn samples(s: &Sandbox, cache: &str) -> Samples {
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

#[test]
fn packed_and_foreign_tables_are_read_or_refused_with_the_remedy() {
    let s = Sandbox::new();
    grouped(&s, |_, _| "");
    let text = std::fs::read(s.path("m.csv")).unwrap();
    let packed = |name: &str, bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        s.write(name, &encoder.finish().unwrap())
    };
    packed("packed.csv.gz", &text);
    packed("packed.csv", &text);
    assert_eq!(extract(&s, "m.csv", "c", &[]).code, 0);
    for name in ["packed.csv.gz", "packed.csv"] {
        let done = extract(&s, name, "c", &[]);
        assert_eq!((&done.value()["samples"], &done.value()["computed"]), (&json!(32), &json!(0)), "{name}");
    }
    for name in ["photos.tar.gz", "photos.tgz", "photos.tar", "m.parquet"] {
        packed(name, b"whatever");
        extract(&s, name, "new", &[]).fails(1, &[name, "it is packed by gzip", "gunzip"]);
    }
    let utf16: Vec<u8> = String::from_utf8(text).unwrap().encode_utf16().flat_map(u16::to_le_bytes).collect();
    s.write("wide.csv", &[&[0xff, 0xfe][..], &utf16].concat());
    s.write("bare.csv", &utf16);
    for name in ["wide.csv", "bare.csv"] {
        extract(&s, name, "new", &[]).fails(1, &["the table is not UTF-8 but UTF-16", "iconv -f UTF-16"]);
    }
    s.write("empty.csv", b"");
    s.write("heading.csv", b"path,label\n");
    extract(&s, "empty.csv", "new", &[]).fails(1, &["the manifest is empty", "columns path and label"]);
    extract(&s, "heading.csv", "new", &[])
        .fails(1, &["it names no image", "give a row with a path and a label for each image"]);
    assert!(!s.path("new").exists());
}

#[test]
fn a_manifest_stands_for_its_images_wherever_a_folder_does() {
    let s = Sandbox::new();
    let network = small_network::install(&s);
    grouped(&s, |_, _| "");
    assert_eq!(extract(&s, "m.csv", "c", &["--split", "50/25/25", "--group-by", ""]).code, 0);
    let verified = s.json(&["cache", "verify", &s.text("c"), "--images", &s.text("m.csv")]);
    assert_eq!(verified["images"]["unchanged"], 32);
    s.write("in/ant/000.png", b"changed");
    std::fs::remove_file(s.path("in/ant/001.png")).unwrap();
    let verified = s.run(&["cache", "verify", &s.text("c"), "--images", &s.text("m.csv"), "--json"]);
    assert_eq!(verified.code, 1, "{}", verified.stderr);
    let images = &verified.value()["images"];
    assert_eq!(
        (&images["changed"], &images["missing"]),
        (&json!(["in/ant/000.png"]), &json!(["in/ant/001.png"]))
    );
    s.write("note.txt", b"a text");
    s.run(&["cache", "verify", &s.text("c"), "--images", &s.text("note.txt")])
        .fails(1, &["not a folder of images, an archive or a manifest"]);
    train(&s, "r", &["--solver", "lbfgs", "--l2", "0.01"]);
    s.write("new.csv", b"path\nin/ant/002.png\nin/bee/003.png\n,\nin/none.png\n");
    let beside = ["--backbone", &network, "--device", "cpu"];
    let said = s.run(&[&["predict", &s.text("r"), &s.text("new.csv"), "--json"], &beside[..]].concat());
    assert_eq!(said.code, 3, "{}", said.stderr);
    let paths: Vec<String> =
        said.value().as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap().into()).collect();
    assert_eq!(
        paths,
        [s.text("in/ant/002.png"), s.text("in/bee/003.png"), s.text("in/none.png"), "new.csv".into()]
    );
    assert!(said.stderr.contains("refused: new.csv: line 4: "), "{}", said.stderr);
    let out = s.text("answers.csv");
    let scored = s.run(
        &[&["predict", &s.text("r"), &s.text("new.csv"), "--out", &out, "--json"], &beside[..]].concat(),
    );
    assert_eq!((scored.code, &scored.value()["answers"]), (3, &json!(2)), "{}", scored.stderr);
    let strangers =
        ["evaluate", &s.text("r"), "--reject", "0.2", "--strangers", &s.text("new.csv"), "--json"];
    let strangers = s.run(&[&strangers[..], &beside].concat());
    assert_eq!(
        (strangers.code, &strangers.value()["strangers"]["images"]),
        (3, &json!(2)),
        "{}",
        strangers.stderr
    );
}
