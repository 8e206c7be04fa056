//! Images that belong together: groups of a manifest, and splits over them.

use crate::manifests::samples;
use crate::support::{Sandbox, extract, train};
use headstart::data::dataset::Split;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

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

/// A manifest `m.csv` of the pictures of `in`: 16 of ant and 16 of bee, with a group for four of each. `split` gives a row's.
pub(crate) fn grouped(s: &Sandbox, split: impl Fn(&str, usize) -> &'static str) {
    s.images("in", &[("ant", 16), ("bee", 16)]);
    let mut text = String::from("path,label,group,split\n");
    for i in 0..16 {
        for class in ["ant", "bee"] {
            writeln!(text, "in/{class}/{i:03}.png,{class},{class} {},{}", i / 4, split(class, i)).unwrap();
        }
    }
    s.write("m.csv", text.as_bytes());
}

#[test]
fn groups_follow_the_split_of_one_of_their_rows() {
    let s = Sandbox::new();
    // In each group one row has a split.
    grouped(&s, |_, i| if i % 4 == 0 { ["train", "test", "train", "validation"][i / 4] } else { "" });
    let done = extract(&s, "m.csv", "c", &[]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(done.value()["splits"], json!({"train": 16, "validation": 8, "test": 8}));
    assert!(splits_by_group(&s).values().all(|splits| splits.len() == 1));
    assert!(
        done.stderr.contains("24 of them follow their group; 50.0/25.0/25.0 % of them are train"),
        "{}",
        done.stderr
    );
    // Again nothing changes, with rows of one more group that has none too.
    assert_eq!(extract(&s, "m.csv", "c", &[]).value()["splits"], done.value()["splits"]);
    grouped(&s, |_, i| if i % 4 == 0 { ["train", "test", "", ""][i / 4] } else { "" });
    let free = extract(&s, "m.csv", "free", &[]);
    assert_eq!(free.code, 0, "{}", free.stderr);
    let expected = json!({"train": 24, "validation": 0, "test": 8});
    assert_eq!(
        free.value()["splits"],
        expected,
        "the shares of rows without a split are met: {}",
        free.stderr
    );
    // Two splits in a group are named with their lines.
    grouped(&s, |class, i| match (class, i) {
        ("bee", 4) => "train",
        ("bee", 6) => "test",
        _ => "",
    });
    extract(&s, "m.csv", "new", &[]).fails(
        1,
        &[
            "the group bee 1 has two splits, train (line 11, in/bee/004.png) and test (line 15, in/bee/006.png)",
            "give all its rows one split",
            "--group-by",
        ],
    );
    assert!(!s.path("new/samples.parquet").exists());
    assert_eq!(extract(&s, "m.csv", "new", &["--group-by", ""]).code, 0);
    // So are folders that an expression joins.
    s.images("folders/train", &[("ant", 16), ("bee", 8)]);
    s.images("folders/test", &[("cat", 8)]);
    std::fs::create_dir(s.path("folders/test/ant")).unwrap();
    for i in 8..16 {
        let place = |split: &str| s.path(&format!("folders/{split}/ant/{i:03}.png"));
        std::fs::rename(place("train"), place("test")).unwrap();
    }
    extract(&s, "folders", "f", &["--split-folders", "--group-by", "(ant)/"])
        .fails(1, &["the group ant has two splits, train (train/ant/000.png) and test (test/ant/008.png)"]);
}

#[test]
fn splits_that_become_fixed_take_no_share_that_nobody_asked_for() {
    let s = Sandbox::new();
    grouped(&s, |_, i| if i < 8 { "test" } else { "" });
    extract(&s, "m.csv", "c", &["--group-by", ""]).value();
    // Now all rows have a split, and the shares of the others are gone.
    grouped(&s, |_, i| if i < 8 { "test" } else { "train" });
    let done = extract(&s, "m.csv", "c", &[]);
    assert_eq!(done.value()["splits"], json!({"train": 16, "validation": 0, "test": 16}), "{}", done.stderr);
    // The advice for validation images works.
    let advised = "a --split that takes some of the train images, such as 80/20/0";
    assert!(done.stderr.contains(advised), "{}", done.stderr);
    let train = || s.run(&["train", &s.text("c"), "--run", &s.text("r"), "--features", "bf16"]);
    train().fails(1, &["the validation split is empty", "give rows with the split validation", advised]);
    let again = extract(&s, "m.csv", "c", &["--split", "80/20/0"]);
    assert_eq!(
        again.value()["splits"],
        json!({"train": 14, "validation": 2, "test": 16}),
        "{}",
        again.stderr
    );
    assert_eq!(train().code, 0);
}
