//! Folders of images as people really have them: splits made as folders, counts before names, what other programs leave,
//! files that change without looking changed.

use crate::support::{CommandOutput, Sandbox, picture};
use headstart::cache::{FeatureCache, Samples};
use headstart::data::dataset::{FolderLayout, Split};
use headstart::data::decode::encode_png;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

fn samples(s: &Sandbox, cache: &str) -> Samples {
    FeatureCache::open(&s.path(cache)).unwrap().samples().unwrap()
}

fn labels(s: &Sandbox, cache: &str) -> BTreeSet<String> {
    samples(s, cache).rows.into_iter().map(|row| row.file.label).collect()
}

fn notes(said: &CommandOutput, parts: &[&str]) {
    for part in parts {
        assert!(said.stderr.contains(part), "{part:?} is not in: {}", said.stderr);
    }
}

/// The names of the classes that a summary lists.
fn names(summary: &Value) -> Vec<&str> {
    let classes = summary["classes"].as_array().unwrap();
    classes.iter().map(|class| class["name"].as_str().unwrap()).collect()
}

/// Pictures of 24 bits a pixel, all of one size in bytes.
fn bitmap(shade: u8) -> Vec<u8> {
    let mut bytes = b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x08\0\0\0\x08\0\0\0\x01\0\x18\0".to_vec();
    bytes.resize(54, 0);
    bytes.extend((0..64).flat_map(|i| [shade, shade.wrapping_add(i), 7]));
    bytes
}

fn set_time(file: &Path) {
    let file = std::fs::File::options().write(true).open(file).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(315_532_800)).unwrap();
}

/// Two classes of six files, all of one size and one modification time.
fn alike() -> Sandbox {
    let s = Sandbox::new();
    for (class, first) in [("cat", 10), ("dog", 100)] {
        (0..6).for_each(|i| set_time(&s.write(&format!("in/{class}/{i}.bmp"), &bitmap(first + i))));
    }
    s
}

fn digest(s: &Sandbox, path: &str) -> String {
    headstart::io::digest::sha256_file(&s.path(path)).unwrap().to_string()
}

fn described(s: &Sandbox) -> BTreeMap<String, String> {
    samples(s, "c").rows.into_iter().map(|row| (row.file.path, row.file.image_sha256.to_string())).collect()
}

#[cfg(unix)]
#[test]
fn swapped_files_of_one_size_and_time_get_the_right_labels() {
    let s = alike();
    assert_eq!(crate::support::extract(&s, "in", "c", &[]).value()["computed"], 12);
    let same = crate::support::extract(&s, "in", "c", &[]);
    assert!(!same.stderr.contains("since the last"), "{}", same.stderr);
    let [cat, dog] = ["in/cat/0.bmp", "in/dog/0.bmp"].map(|name| s.path(name));
    std::fs::rename(&cat, s.path("other")).unwrap();
    std::fs::rename(&dog, &cat).unwrap();
    std::fs::rename(s.path("other"), &dog).unwrap();
    // Bytes that are replaced in place, with the time set back.
    s.write("in/cat/1.bmp", &bitmap(200));
    set_time(&s.path("in/cat/1.bmp"));
    let images = s.text("in");
    let verified = s.run(&["cache", "verify", &s.text("c"), "--images", &images, "--json"]);
    assert_eq!(verified.code, 1);
    assert_eq!(
        verified.value()["images"],
        json!({
            "unchanged": 9,
            "changed": ["cat/0.bmp", "cat/1.bmp", "dog/0.bmp"],
            "missing": [],
            "unreadable": [],
        })
    );
    let said = crate::support::extract(&s, "in", "c", &[]);
    notes(&said, &["since the last extraction: 3 edited"]);
    assert_eq!(said.value()["computed"], 1);
    for path in ["cat/0.bmp", "dog/0.bmp", "cat/1.bmp"] {
        assert_eq!(described(&s)[path], digest(&s, &format!("in/{path}")));
    }
    assert_eq!(s.run(&["cache", "verify", &s.text("c"), "--images", &images]).code, 0);
}

#[test]
fn a_rehash_reads_files_that_look_unchanged() {
    let s = alike();
    crate::support::extract(&s, "in", "c", &[]);
    // The description of a file system without inode and change time, where the content changed and nothing else.
    let mut samples = samples(&s, "c");
    s.write("in/cat/2.bmp", &bitmap(201));
    set_time(&s.path("in/cat/2.bmp"));
    let metadata = std::fs::metadata(s.path("in/cat/2.bmp")).unwrap();
    let row = samples.rows.iter_mut().find(|row| row.file.path == "cat/2.bmp").unwrap();
    row.file.identity = headstart::io::fs::FileIdentity::of(&metadata);
    std::fs::write(s.path("c/samples.parquet"), samples.encode()).unwrap();
    crate::support::extract(&s, "in", "c", &[]);
    assert_ne!(described(&s)["cat/2.bmp"], digest(&s, "in/cat/2.bmp"));
    let said = crate::support::extract(&s, "in", "c", &["--rehash"]);
    notes(&said, &["since the last extraction: 1 edited"]);
    assert_eq!(described(&s)["cat/2.bmp"], digest(&s, "in/cat/2.bmp"));
}

#[test]
fn missing_images_are_reported() {
    let s = alike();
    crate::support::extract(&s, "in", "c", &[]);
    std::fs::remove_file(s.path("in/dog/3.bmp")).unwrap();
    let said = s.run(&["cache", "verify", &s.text("c"), "--images", &s.text("in")]);
    assert_eq!(said.code, 1);
    notes(&said, &["missing: dog/3.bmp"]);
    assert!(
        said.stdout.contains("11 images as described, 0 changed, 1 missing, 0 unreadable"),
        "{}",
        said.stdout
    );
}

/// `IMAGES/<split>/<class>/` with some images of two classes, and what a Mac adds to an archive of it.
fn splits() -> Sandbox {
    let s = Sandbox::new();
    for (split, n) in [("train", 12), ("valid", 4), ("test", 6)] {
        for class in ["cat", "dog"] {
            for i in 0..n {
                let image = picture(class, i + if split == "train" { 0 } else { 10 * n });
                s.write(&format!("in/{split}/{class}/{i}.png"), &encode_png(&image));
            }
            s.write(&format!("in/__MACOSX/{split}/{class}/._0.png"), b"\0\x05\x16\x07");
        }
    }
    s
}

fn counts(samples: &Samples) -> [usize; 3] {
    Split::ALL.map(|split| samples.rows.iter().filter(|row| row.split == split).count())
}

#[test]
fn splits_made_as_folders_are_a_question_first() {
    let s = splits();
    let said = crate::support::extract(&s, "in", "c", &[]);
    said.fails(
        2,
        &[
            "the folders are called test, train, valid: are they splits or classes?",
            "--split-folders",
            "--as-classes",
        ],
    );
    assert!(!s.path("c").exists());
    let classes = crate::support::extract(&s, "in", "as", &["--as-classes"]);
    assert_eq!((classes.code, classes.value()["classes"].as_u64()), (0, Some(3)));
    assert_eq!(crate::support::extract(&s, "in", "as", &[]).code, 0, "the cache knows the answer");
    assert_eq!(samples(&s, "as").layout, FolderLayout::Classes);
}

#[test]
fn splits_made_as_folders_are_taken_as_they_are() {
    let s = splits();
    let first = crate::support::extract(&s, "in", "c", &["--split-folders", "--augment", "flip"]);
    notes(&first, &["passed over, numbers of files: __MACOSX 6"]);
    assert_eq!(first.value()["splits"], json!({"train": 24, "validation": 8, "test": 12}));
    assert_eq!(first.value()["computed"], 44 + 24);
    let described = samples(&s, "c");
    assert_eq!(
        (described.layout, described.fractions.to_string()),
        (FolderLayout::SplitThenClass, "100/0/0".into())
    );
    assert!(
        described.rows.iter().all(|row| row.file.path.starts_with("train/") == (row.split == Split::Train))
    );
    assert_eq!(labels(&s, "c"), ["cat".to_string(), "dog".to_string()].into());
    // The cache keeps the layout, and a seed changes nothing.
    let again = crate::support::extract(&s, "in", "c", &["--seed", "3"]).value();
    assert_eq!((&again["computed"], &again["splits"]), (&json!(0), &first.value()["splits"]));
    let trained = s.json(&["train", &s.text("c"), "--run", &s.text("r"), "--epochs", "3"]);
    assert_eq!((&trained["train_rows"], &trained["classes"]), (&json!(48), &json!(2)));
    assert_eq!(s.json(&["evaluate", &s.text("r")])["images"], 12);
    // Another split is for one run: of all images, in the proportions of the folders (18 % and 27 % of 22).
    s.json(&[
        "train",
        &s.text("c"),
        "--run",
        &s.text("other"),
        "--epochs",
        "1",
        "--resplit",
        "1",
        "--use",
        "none",
    ]);
    assert_eq!(s.json(&["evaluate", &s.text("other")])["images"], 2 * (22 * 27 / 100));
    // Back to classes: with the default split again.
    let classes = crate::support::extract(&s, "in", "c", &["--as-classes"]).value();
    assert_eq!((&classes["classes"], &classes["computed"]), (&json!(3), &json!(0)));
    assert_eq!(samples(&s, "c").fractions.to_string(), "70/5/25");
}

#[test]
fn folders_of_splits_in_each_class_are_taken_too() {
    let s = Sandbox::new();
    for class in ["cat", "dog"] {
        s.images(&format!("in/{class}"), &[("Training", 20)]);
        for i in 0..5 {
            s.write(&format!("in/{class}/Testing/{i}.png"), &encode_png(&picture(class, 90 + i)));
        }
    }
    std::fs::rename(s.path("in/dog/Training"), s.path("in/dog/moved")).unwrap();
    std::fs::rename(s.path("in/dog/moved"), s.path("in/dog/training")).unwrap();
    for i in 0..20 {
        s.write(&format!("in/dog/training/{i:03}.png"), &encode_png(&picture("dog", i)));
        s.write(&format!("in/cat/Training/{i:03}.png"), &encode_png(&picture("cat", i)));
    }
    crate::support::extract(&s, "in", "c", &[])
        .fails(2, &["2 (cat, dog) hold only folders that are called as splits"]);
    let said = crate::support::extract(&s, "in", "c", &["--split-folders"]);
    assert_eq!(said.value()["splits"], json!({"train": 40, "validation": 0, "test": 10}));
    notes(&said, &["no folder holds validation images"]);
    // A split without a folder is taken from the train images when asked.
    let taken = crate::support::extract(&s, "in", "c", &["--split", "90/10/0"]).value();
    assert_eq!(
        (&taken["splits"], &taken["computed"]),
        (&json!({"train": 36, "validation": 4, "test": 10}), &json!(0))
    );
    assert_eq!(crate::support::extract(&s, "in", "c", &[]).value()["splits"], taken["splits"]);
    crate::support::extract(&s, "in", "c", &["--split", "70/5/25"])
        .fails(2, &["--split 70/5/25 takes test images from the train images", "give 0 for test"]);
    assert_eq!(counts(&samples(&s, "c")), [36, 4, 10]);
}

#[test]
fn an_image_in_two_splits_is_not_trained_on() {
    let s = splits();
    std::fs::copy(s.path("in/test/cat/0.png"), s.path("in/train/cat/copy.png")).unwrap();
    let said = crate::support::extract(&s, "in", "c", &["--split-folders"]);
    notes(&said, &["images that are in the folders of several splits, and are not trained on: 1"]);
    assert_eq!(counts(&samples(&s, "c")), [24, 8, 13]);
}

#[test]
fn other_commands_take_splits_as_folders_too() {
    let s = splits();
    let images = s.text("in");
    let summary = s.json(&["data", "summary", &images, "--split-folders"]);
    let classes = names(&summary);
    assert_eq!((classes, &summary["images"]), (vec!["cat", "dog"], &json!(44)));
    assert_eq!(summary["passed_over"], json!({"__MACOSX": 6}));
    let page = s.text("page.html");
    let report = s.json(&["data", "report", &images, "--split-folders", "--out", &page]);
    assert_eq!(report["classes"], summary["classes"]);
    // A selection keeps the splits, as folders of the classes, and reads back under the same names.
    let out = s.text("out");
    s.json(&["data", "select", &images, "--split-folders", "--top", "1", "--out", &out]);
    assert!(s.path("out/022 cat/valid/0.png").exists() && s.path("out/022 cat/train/0.png").exists());
    let selected = crate::support::extract(&s, "out", "c", &["--split-folders"]).value();
    assert_eq!(selected["splits"], json!({"train": 12, "validation": 4, "test": 6}));
    assert_eq!(labels(&s, "c"), ["cat".to_string()].into());
    let said = s.run(&["data", "summary", &images, "--split-folders", "--as-classes"]);
    assert_eq!(said.code, 2);
}

#[test]
fn a_number_that_does_not_count_the_images_is_part_of_the_class() {
    let s = Sandbox::new();
    s.images("in", &["1000 won", "5000 won", "10000 won", "50000 won"].map(|class| (class, 6)));
    assert_eq!(crate::support::extract(&s, "in", "c", &[]).value()["classes"], 4);
    assert_eq!(s.json(&["data", "summary", &s.text("in")])["classes"].as_array().unwrap().len(), 4);
}

#[test]
fn labels_do_not_move_when_a_folder_comes_beside_counted_ones() {
    let s = Sandbox::new();
    s.images("in", &[("020 watch", 20), ("024 Faces", 24)]);
    crate::support::extract(&s, "in", "c", &[]);
    assert_eq!(labels(&s, "c"), ["Faces", "watch"].map(String::from).into());
    s.images("in", &[("zebra", 20), ("024 Faces", 25)]);
    let said = crate::support::extract(&s, "in", "c", &[]);
    notes(&said, &["labels stay as the cache has them", "watch for 020 watch, Faces for 024 Faces"]);
    assert_eq!(labels(&s, "c"), ["Faces", "watch", "zebra"].map(String::from).into());
    assert!(!said.stderr.contains("another label"), "{}", said.stderr);
    // The page about the images agrees with the cache.
    let page = s.text("page.html");
    let report = s.json(&["data", "report", &s.text("in"), "--cache", &s.text("c"), "--out", &page]);
    assert_eq!(names(&report), ["Faces", "watch", "zebra"]);
    // A new cache has no labels to keep.
    crate::support::extract(&s, "in", "new", &[]);
    assert_eq!(labels(&s, "new"), ["020 watch", "024 Faces", "zebra"].map(String::from).into());
}

#[test]
fn classes_that_an_older_version_merged_come_apart_and_it_is_noted() {
    let s = Sandbox::new();
    s.images("in", &[("100 euro", 6), ("500 euro", 6)]);
    crate::support::extract(&s, "in", "c", &[]);
    let mut merged = samples(&s, "c");
    merged.rows.iter_mut().for_each(|row| row.file.label = "euro".into());
    std::fs::write(s.path("c/samples.parquet"), merged.encode()).unwrap();
    notes(
        &crate::support::extract(&s, "in", "c", &[]),
        &["since the last extraction: 12 with another label"],
    );
    assert_eq!(labels(&s, "c"), ["100 euro", "500 euro"].map(String::from).into());
}

#[test]
fn class_names_that_look_the_same_are_noted() {
    let s = Sandbox::new();
    s.images("in", &[("e\u{301}te\u{301}", 2), ("été", 2), ("cat ", 2)]);
    let said = s.run(&["data", "summary", &s.text("in")]);
    notes(
        &said,
        &[
            "class names that look the same are different classes: \"e\\u{301}te\\u{301}\", \"\\u{e9}t\\u{e9}\"",
        ],
    );
}
