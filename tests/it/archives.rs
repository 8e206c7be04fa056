//! Images inside archives, which are not unpacked: tar and zip files, WebDataset, and manifests that name files in them.

use crate::support::{Sandbox, extract, python, root, small_network, train};
use headstart::cache::FeatureCache;
use std::collections::BTreeMap;
use std::path::Path;

/// Labels by path.
fn labels(s: &Sandbox, cache: &str) -> BTreeMap<String, String> {
    let samples = FeatureCache::open(&s.path(cache)).unwrap().samples().unwrap();
    samples.rows.into_iter().map(|row| (row.file.path, row.file.label)).collect()
}

/// Archives of the folder `in`: `a.zip`, `a.tar`, and WebDataset in `shards`.
fn with_archives() -> Sandbox {
    let s = Sandbox::new();
    s.images("in", &[("ant", 12), ("bee", 14)]);
    python("archives.py", &[&s.path("in"), &s.path("")]);
    assert!(Path::new(&root()).is_dir());
    s
}

#[test]
fn archives_give_the_features_and_splits_of_their_folder() {
    let s = with_archives();
    assert_eq!(extract(&s, "in", "c", &[]).code, 0);
    let expected = (labels(&s, "c"), s.rows("c"));
    for archive in ["a.zip", "a.tar"] {
        let cache = format!("c-{archive}");
        let done = extract(&s, archive, &cache, &[]);
        assert_eq!(done.code, 0, "{}", done.stderr);
        assert_eq!((labels(&s, &cache), s.rows(&cache)), expected, "{archive}");
        assert_eq!(extract(&s, archive, &cache, &[]).value()["computed"], 0);
        let verified = s.json(&["cache", "verify", &s.text(&cache), "--images", &s.text(archive)]);
        assert_eq!(verified["images"]["unchanged"], 26);
    }
    // The class stands beside each image, which has the name of its number.
    let done = extract(&s, "shards", "c-shards", &[]);
    assert_eq!((done.code, &done.value()["samples"]), (0, &serde_json::json!(25)), "{}", done.stderr);
    assert_eq!(done.value()["unlabelled"], 1);
    let shards = labels(&s, "c-shards");
    assert_eq!(shards["000.tar/00000.png"], "ant");
    assert_eq!(shards.values().filter(|label| *label == "bee").count(), 13);
    let page = s.run(&[
        "data",
        "report",
        &s.text("a.zip"),
        "--cache",
        &s.text("c-a.zip"),
        "--out",
        &s.text("p.html"),
    ]);
    assert_eq!(page.code, 0, "{}", page.stderr);
    assert!(std::fs::read_to_string(s.path("p.html")).unwrap().contains("data:image/jpeg"));
}

#[test]
fn no_page_is_written_among_the_archives_of_a_run() {
    let s = with_archives();
    assert_eq!(extract(&s, "shards", "c", &[]).code, 0);
    train(&s, "r", &["--solver", "lbfgs", "--l2", "0.1"]);
    // With another file in it the folder would no longer be taken for shards.
    for command in [["report", "--out"], ["suggest", "--html"]] {
        let page = s.text("shards/page.html");
        s.run(&[command[0], &s.text("r"), command[1], &page])
            .fails(2, &[command[1], "cannot be inside the folder of images"]);
    }
}

#[test]
fn manifests_name_files_in_archives() {
    let s = with_archives();
    let mut text = String::from("path,label\n");
    for i in 0..10 {
        text += &format!("a.zip/ant/{i:03}.png,ant\na.tar/bee/{i:03}.png,bee\n");
    }
    text += "a.zip/ant/none.png,ant\nnone.zip/1.png,bee\n";
    s.write("m.csv", text.as_bytes());
    let done = extract(&s, "m.csv", "c", &[]);
    assert_eq!((done.code, &done.value()["samples"]), (3, &serde_json::json!(20)), "{}", done.stderr);
    assert!(
        done.stderr
            .contains("a.zip/ant/none.png: line 22: could not be read: its archive holds no such file")
    );
    assert!(done.stderr.contains("none.zip/1.png: line 23"), "{}", done.stderr);
}

#[test]
fn archives_stand_for_their_images_wherever_a_folder_does() {
    let s = with_archives();
    let network = small_network::install(&s);
    assert_eq!(extract(&s, "in", "c", &["--split", "50/25/25"]).code, 0);
    train(&s, "r", &["--solver", "lbfgs", "--l2", "0.01"]);
    let beside = ["--backbone", &network, "--device", "cpu"];
    let json = |line: &[&str]| s.json(&[line, &beside].concat());
    let answers = |images: &str| -> Vec<(String, serde_json::Value)> {
        let said = json(&["predict", &s.text("r"), &s.text(images)]);
        let file = |file: &serde_json::Value| {
            let path = file["path"].as_str().unwrap().strip_prefix(&s.text(images)).unwrap().to_string();
            (path, file["predictions"].clone())
        };
        said.as_array().unwrap().iter().map(file).collect()
    };
    let expected = answers("in");
    assert_eq!((expected.len(), answers("a.zip") == expected), (26, true));
    assert_eq!(answers("a.tar"), expected);
    // Files beside the images of WebDataset are none.
    assert_eq!(answers("shards").len(), 26);
    let strangers = json(&["evaluate", &s.text("r"), "--reject", "0.2", "--strangers", &s.text("a.zip")]);
    assert_eq!(strangers["strangers"]["images"], 26);
    for images in ["a.zip", "a.tar", "shards"] {
        let scored = json(&["evaluate", &s.text("r"), "--images", &s.text(images), "--allow-overlap"]);
        assert_eq!(scored["images"], if images == "shards" { 25 } else { 26 }, "{images}");
        let out = s.text(&format!("{images}.csv"));
        assert_eq!(json(&["predict", &s.text("r"), &s.text(images), "--out", &out])["answers"], 26);
    }
    // Files of an archive that are gone or changed are named.
    s.write("in/ant/000.png", &std::fs::read(s.path("in/ant/001.png")).unwrap());
    std::fs::remove_file(s.path("in/bee/003.png")).unwrap();
    assert_eq!(extract(&s, "a.zip", "z", &[]).code, 0);
    std::fs::create_dir(s.path("later")).unwrap();
    python("archives.py", &[&s.path("in"), &s.path("later")]);
    let verified = s.run(&["cache", "verify", &s.text("z"), "--images", &s.text("later/a.zip"), "--json"]);
    let images = &verified.value()["images"];
    assert_eq!(
        (&images["changed"], &images["missing"], &images["unreadable"]),
        (&serde_json::json!(["ant/000.png"]), &serde_json::json!(["bee/003.png"]), &serde_json::json!([]))
    );
}

#[test]
fn empty_archives_and_folders_inside_one_are_refused_with_what_is_right_there() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 2), ("_unlabelled", 2)]);
    python("archives.py", &[&s.path("in"), &s.path("")]);
    extract(&s, "a.zip/ant", "new", &[])
        .fails(1, &["a folder inside an archive cannot be given", "give the archive, ", "or a manifest"]);
    s.write("empty/note.txt", b"");
    python("archives.py", &[&s.path("empty"), &s.path("empty")]);
    for archive in ["empty/a.zip", "empty/a.tar"] {
        extract(&s, archive, "new", &[]).fails(
            1,
            &["no images in class folders", "put a folder of images for each class into the archive"],
        );
    }
    // Beside images without a label a folder around the classes is asked about, as without them.
    s.images("in/p", &[("bird", 3), ("cat", 3)]);
    std::fs::remove_dir_all(s.path("in/ant")).unwrap();
    std::fs::create_dir(s.path("around")).unwrap();
    python("archives.py", &[&s.path("in"), &s.path("around")]);
    for images in ["in", "around/a.zip", "around/a.tar"] {
        extract(&s, images, "new", &[])
            .fails(2, &["its only folder, p, holds nothing but folders: 2 (bird, cat)"]);
    }
    assert!(!s.path("new").exists());
}

#[test]
fn damaged_archives_are_named() {
    let s = with_archives();
    s.write("bad.zip", b"PK\x03\x04 and nothing else");
    extract(&s, "bad.zip", "new", &[]).fails(1, &["bad.zip", "the archive cannot be read"]);
    let whole = std::fs::read(s.path("a.tar")).unwrap();
    s.write("cut.tar", &whole[..whole.len() / 2]);
    let cut = extract(&s, "cut.tar", "new", &[]);
    cut.fails(1, &["cut.tar", "the archive ends early, in ", "files are missing"]);
    extract(&s, "a.zip", "new", &["--split-folders"]).fails(1, &["folders that are no splits: 2 (ant, bee)"]);
    extract(&s, "a.zip", "new", &["--label-column", "x"])
        .fails(2, &["only a manifest has a root and columns"]);
}

#[test]
fn splits_and_single_folders_in_archives_are_asked_about() {
    let s = Sandbox::new();
    for (split, images) in [("train", 12), ("val", 6), ("test", 6)] {
        s.images(&format!("in/{split}"), &[("ant", images), ("bee", images)]);
    }
    python("archives.py", &[&s.path("in"), &s.path("")]);
    for archive in ["a.zip", "a.tar"] {
        extract(&s, archive, "new", &[])
            .fails(2, &["the folders are called test, train, val", "splits or classes?"]);
        let cache = format!("c-{archive}");
        let done = extract(&s, archive, &cache, &["--split-folders"]);
        assert_eq!(done.value()["layout"], "split/class", "{}", done.stderr);
        assert_eq!(labels(&s, &cache)["val/ant/000.png"], "ant");
        // The choice is remembered.
        assert_eq!(extract(&s, archive, &cache, &[]).value()["computed"], 0);
    }
    s.images("wrap/p", &[("cat", 8), ("dog", 8)]);
    std::fs::create_dir(s.path("out")).unwrap();
    python("archives.py", &[&s.path("wrap"), &s.path("out")]);
    for images in ["wrap", "out/a.zip", "out/a.tar"] {
        extract(&s, images, "new", &[])
            .fails(2, &["its only folder, p, holds nothing but folders: 2 (cat, dog)"]);
    }
}

#[test]
fn a_folder_of_archives_has_classes_and_a_damaged_one_is_refused() {
    let s = with_archives();
    std::fs::create_dir(s.path("st")).unwrap();
    for name in ["1.tar", "2.tar"] {
        std::fs::copy(s.path("a.tar"), s.path("st").join(name)).unwrap();
    }
    assert_eq!(extract(&s, "st", "c-st", &[]).code, 0);
    assert_eq!(labels(&s, "c-st")["1.tar/ant/000.png"], "ant");
    s.write("shards/002.tar", b"no archive at all");
    let done = extract(&s, "shards", "c", &[]);
    assert_eq!((done.code, &done.value()["samples"]), (3, &serde_json::json!(25)), "{}", done.stderr);
    assert!(done.stderr.contains("002.tar: could not be read: "), "{}", done.stderr);
}
