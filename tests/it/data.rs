//! Summaries of folders of images, and selections of the largest classes.

use crate::support::{self, Sandbox, picture};
use headstart::data::decode::encode_png;
use serde_json::{Value, json};
use std::path::Path;

fn tree(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        match path.is_dir() {
            true => found.extend(tree(&path).into_iter().map(|below| format!("{name}/{below}"))),
            false => found.push(name),
        }
    }
    found.sort();
    found
}

/// Classes with awkward names, nested folders, links, hidden files, unreadable files, copies, and an empty folder.
fn awkward() -> Sandbox {
    let s = Sandbox::new();
    s.images("in", &[("two words", 3), ("quote'\"s", 2), ("übergrößé 猫", 4), ("lone", 1)]);
    std::fs::create_dir_all(s.path("in/empty")).unwrap();
    s.write("in/two words/deep/er/UPPER.PNG", &encode_png(&picture("deep", 1)));
    s.write("in/two words/.hidden.png", b"passed over");
    s.write("in/two words/wrong extension.jpg", &encode_png(&picture("deep", 2)));
    s.write("in/lone/notes.txt", b"not an image");
    let whole = encode_png(&picture("cut", 0));
    s.write("in/lone/cut.png", &whole[..whole.len() * 2 / 3]);
    s.write("in/lone/empty.png", b"");
    std::fs::copy(s.path("in/quote'\"s/000.png"), s.path("in/quote'\"s/copy.png")).unwrap();
    std::fs::copy(s.path("in/quote'\"s/001.png"), s.path("in/übergrößé 猫/same.png")).unwrap();
    s.write("in/readme.txt", b"belongs to no class");
    #[cfg(unix)]
    {
        s.images("elsewhere", &[("linked", 2)]);
        std::os::unix::fs::symlink(s.path("elsewhere/linked"), s.path("in/linked")).unwrap();
        std::os::unix::fs::symlink(s.path("in"), s.path("in/lone/loop")).unwrap();
        std::os::unix::fs::symlink("nowhere", s.path("in/lone/broken.png")).unwrap();
    }
    s
}

#[cfg(unix)]
#[test]
fn a_summary_counts_what_an_extraction_would_use_and_names_the_rest() {
    let s = awkward();
    let output = s.run(&["data", "summary", &s.text("in"), "--json"]);
    assert_eq!(output.code, 3, "{}", output.stderr);
    let stats = output.value();
    let counts = support::numbers_by(&stats["classes"], "name", "images");
    let expected =
        [("two words", 5), ("übergrößé 猫", 4), ("linked", 2), ("quote'\"s", 2), ("lone", 1), ("empty", 0)];
    assert_eq!(counts, expected);
    assert_eq!(stats["images"], 14);
    assert!((stats["classes"][0]["share"].as_f64().unwrap() - 5.0 / 14.0).abs() < 1e-12);
    assert_eq!(
        (&stats["single_image_classes"], &stats["empty_classes"], &stats["copies"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!((&stats["width"], &stats["height"]), (&json!([64, 64]), &json!([48, 48])));
    let paths = |key: &str| -> Vec<String> {
        let list = stats[key].as_array().unwrap();
        list.iter().map(|r| r["path"].as_str().unwrap().to_string()).collect()
    };
    assert_eq!(paths("unreadable"), ["lone/broken.png", "lone/cut.png", "lone/empty.png", "lone/notes.txt"]);
    assert_eq!(paths("conflicting"), ["quote'\"s/001.png", "übergrößé 猫/same.png"]);
    for part in [
        "belong to no class: 1",
        "links back to a folder above them were not followed: 1",
        "class folders without a usable file: 1 (empty)",
        "refused: lone/empty.png: the file is empty",
    ] {
        assert!(output.stderr.contains(part), "{part:?} is not in: {}", output.stderr);
    }
    // `extract` finds the truncated file when it decodes it, and counts the same images.
    let extracted = support::extract(&s, "in", "c", &[]).value();
    assert_eq!(extracted["samples"], 14);
    let headers = s.run(&["data", "summary", &s.text("in"), "--headers", "--json"]).value();
    assert_eq!(headers["images"], 15, "headers do not show damaged pixels");
    let text = s.run(&["data", "summary", &s.text("in")]).stdout;
    assert!(
        text.contains("classes with one image: 1; classes without images: 1; unreadable files: 4"),
        "{text}"
    );
}

#[test]
fn classes_that_look_like_splits_are_noted() {
    let s = Sandbox::new();
    s.images("in/train", &[("a", 1)]);
    s.images("in/val", &[("b", 1)]);
    let output = s.run(&["data", "summary", &s.text("in")]);
    assert_eq!(output.code, 0);
    assert!(
        output
            .stderr
            .contains("the folders are called train, val, and the topmost folders are taken as classes"),
        "{}",
        output.stderr
    );
}

fn select(s: &Sandbox, top: &str, out: &str, more: &[&str]) -> crate::support::CommandOutput {
    s.run(&[&["data", "select", &s.text("in"), "--top", top, "--out", &s.text(out), "--json"], more].concat())
}

#[test]
fn classes_are_selected_by_name_and_images_by_number() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 6), ("bee", 4), ("cat", 5)]);
    let select =
        |out: &str, more: &[&str]| s.run(&[&["data", "select", "in", "--out", out, "--json"], more].concat());
    let folders = |out: &str| {
        let mut all: Vec<String> = std::fs::read_dir(s.path(out))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.starts_with('.'))
            .collect();
        all.sort();
        all
    };
    let named = select("named", &["--classes", "bee,ant", "--max", "3"]);
    assert_eq!(
        (named.code, folders("named")),
        (0, vec!["003 ant".into(), "003 bee".into()]),
        "{}",
        named.stderr
    );
    assert_eq!(
        select("named", &["--classes", "bee,ant", "--max", "3"]).value()["placed"],
        0,
        "the same images again"
    );
    assert_eq!(select("rest", &["--exclude", "cat"]).code, 0);
    assert_eq!(folders("rest"), ["004 bee", "006 ant"]);
    select("none", &["--classes", "bear"]).fails(2, &["there is no class \"bear\"", "ant, bee"]);
    select("none", &["--max", "0"]).fails(2, &["--max must be at least 1"]);
    assert!(!s.path("none").exists());
}

#[cfg(unix)]
#[test]
fn the_largest_classes_are_selected_verified_and_read_back_under_their_names() {
    let s = awkward();
    let output = select(&s, "3", "out", &[]);
    assert_eq!(output.code, 3, "the unreadable files are named: {}", output.stderr);
    let first = output.value();
    assert_eq!((&first["images"], &first["placed"]), (&json!(11), &json!(11)));
    let folders: Vec<&Value> = first["classes"].as_array().unwrap().iter().map(|c| &c["folder"]).collect();
    assert_eq!(folders, ["005 two words", "004 übergrößé 猫", "002 linked"]);
    let refused = first["refused"].to_string();
    assert!(refused.contains("under another label"), "what extract would refuse is left out: {refused}");
    let files = tree(&s.path("out"));
    assert_eq!(files.len(), 11);
    assert!(files.contains(&"005 two words/deep/er/UPPER.PNG".to_string()), "{files:?}");
    let bytes = |name: &str| std::fs::read(s.path(name)).unwrap();
    assert_eq!(bytes("in/two words/002.png"), bytes("out/005 two words/002.png"));
    // The count is not part of the label.
    let summary = s.run(&["data", "summary", &s.text("out"), "--json"]).value();
    assert_eq!(summary["classes"][1]["name"], "übergrößé 猫");
    assert_eq!(summary["images"], 11);
    assert_eq!(select(&s, "3", "out", &[]).value()["placed"], 0, "a second run finds all in place");
    std::fs::remove_file(s.path("out/005 two words/000.png")).unwrap();
    s.write("out/005 two words/.tmp-99-001.png.unfinished", b"half a copy that a killed run left");
    assert_eq!(select(&s, "3", "out", &[]).value()["placed"], 1);
    assert_eq!(tree(&s.path("out")), files);
}

#[test]
fn a_selection_never_overwrites_and_never_mixes() {
    let s = Sandbox::new();
    s.images("in", &[("a", 3), ("b", 2)]);
    assert_eq!(select(&s, "1", "out", &[]).code, 0);
    s.write("out/003 a/001.png", b"edited by its owner");
    select(&s, "1", "out", &[])
        .fails(1, &["003 a/001.png: it has other bytes than the image that belongs there"]);
    assert_eq!(std::fs::read(s.path("out/003 a/001.png")).unwrap(), b"edited by its owner");
    s.write("mine/thesis.tex", b"irreplaceable");
    select(&s, "1", "mine", &[]).fails(1, &["thesis.tex: it is not part of the selection"]);
    assert!(s.path("mine/thesis.tex").exists());
    assert_eq!(tree(&s.path("mine")), ["thesis.tex"]);
    std::fs::create_dir(s.path("other")).unwrap();
    for out in ["in", "in/sub", "", "other/../in/sub"] {
        select(&s, "1", out, &[]).fails(2, &["cannot contain each other"]);
    }
    support::extract(&s, "in", "other/../in/cache", &[])
        .fails(2, &["the cache cannot be inside the folder of images"]);
    // Nothing behind a link to a folder is touched, and no leftover is removed before everything was checked.
    #[cfg(unix)]
    {
        s.write("mine/.tmp-7-000.png.unfinished", b"not ours");
        std::fs::create_dir(s.path("linked")).unwrap();
        std::os::unix::fs::symlink(s.path("mine"), s.path("linked/003 a")).unwrap();
        select(&s, "1", "linked", &[]).fails(1, &["linked/003 a: it is not part of the selection"]);
        s.write("half/003 a/.tmp-7-000.png.unfinished", b"a killed run's");
        s.write("half/zzz", b"somebody's");
        select(&s, "1", "half", &[]).fails(1, &["half/zzz: it is not part of the selection"]);
        assert!(
            s.path("mine/.tmp-7-000.png.unfinished").exists()
                && s.path("half/003 a/.tmp-7-000.png.unfinished").exists()
        );
    }
    select(&s, "0", "x", &[]).fails(2, &["--top must be at least 1"]);
    assert_eq!(tree(&s.path("in")).len(), 5);
}

#[cfg(unix)]
#[test]
fn links_share_the_bytes_with_their_images() {
    use std::os::unix::fs::MetadataExt;
    let s = Sandbox::new();
    s.images("in", &[("a", 3), ("b", 2)]);
    s.images("elsewhere", &[("x", 1)]);
    std::os::unix::fs::symlink("../../elsewhere/x/000.png", s.path("in/b/relative.png")).unwrap();
    std::fs::remove_file(s.path("in/b/000.png")).unwrap();
    assert_eq!(select(&s, "2", "out", &["--link"]).value()["placed"], 5);
    assert!(!s.path("out/002 b/relative.png").is_symlink(), "what a link points to is linked, not the link");
    let inode = |name: &str| std::fs::metadata(s.path(name)).unwrap().ino();
    assert_eq!(inode("in/a/001.png"), inode("out/003 a/001.png"));
    assert_eq!(select(&s, "2", "out", &["--link"]).value()["placed"], 0);
}

#[test]
fn two_selections_at_once_do_not_disturb_each_other() {
    let s = Sandbox::new();
    s.images("in", &[("a", 150), ("b", 150)]);
    let start = || {
        let args = ["data", "select", "in", "--top", "2", "--out", "out", "--json"];
        s.command(&args)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    };
    let outs = [start(), start()].map(|child| child.wait_with_output().unwrap());
    // The second waits, or is refused when the first takes long; neither fails half-way.
    let (done, turned): (Vec<_>, Vec<_>) = outs.iter().partition(|out| out.status.success());
    let placed: u64 = done
        .iter()
        .map(|out| serde_json::from_slice::<Value>(&out.stdout).unwrap()["placed"].as_u64().unwrap())
        .sum();
    assert_eq!(placed, 300);
    assert!(
        turned.iter().all(|out| String::from_utf8_lossy(&out.stderr).contains("another process is writing"))
    );
    assert_eq!(tree(&s.path("out")).len(), 300);
}
