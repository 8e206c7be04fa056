//! The house rules that a machine can check: who may use whom, one door for each foreign crate, short files and
//! functions, no forbidden words.

mod docs;
mod imports;
mod library;
mod literals;

use crate::support::root;
use imports::{Source, circles, uses};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The rooms of `src`, from the top floor down. A room uses only rooms of lower floors; the stages on one floor do not use
/// one another.
const FLOORS: [&[&str]; 18] = [
    &["cli"],
    &["experiment"],
    &["export"],
    &["report"],
    &["score"],
    &["extract", "train", "evaluate"],
    &["run"],
    &["cache"],
    &["backbone"],
    &["head"],
    &["data"],
    &["metrics"],
    &["io"],
    &["math"],
    &["limits"],
    &["monitor"],
    &["error"],
    // The crate's root has no room; it is used by nobody.
    &["lib", "main"],
];

/// Each foreign crate and the one place that may name it, for each of its uses.
const DOORS: [(&str, &str); 57] = [
    ("ort", "backbone/onnx_runtime"),
    // Three formats, each with messages of its own.
    ("prost", "backbone/graph"),
    ("prost", "io/events/"),
    ("prost", "backbone/import/tensorflow/"),
    ("crc", "io/crc32c.rs"),
    ("hdf5_reader", "backbone/import/keras.rs"),
    ("snap", "backbone/import/tensorflow/table.rs"),
    ("json5", "backbone/import/tfjs.rs"),
    ("base64", "io/base64.rs"),
    ("arrow_array", "io/parquet/"),
    ("arrow_ipc", "io/parquet/"),
    ("arrow_schema", "io/parquet/"),
    ("parquet", "io/parquet/"),
    ("bytes", "io/parquet/"),
    ("image", "data/decode/raster.rs"),
    ("mozjpeg_sys", "data/decode/jpeg.rs"),
    ("tiff", "data/decode/tif.rs"),
    ("ndarray", "head/"),
    ("ndarray", "math/matrix.rs"),
    // The arrays of features and class indexes that other estimators take.
    ("ndarray", "train/labelled_rows.rs"),
    ("linfa", "head/"),
    ("linfa_logistic", "head/linfa_lbfgs.rs"),
    ("linfa_linalg", "head/eigenvectors.rs"),
    ("pulp", "head/kernel/"),
    // Loops over pixels.
    ("pulp", "data/preprocess/vectors.rs"),
    ("safetensors", "io/safetensors.rs"),
    ("rand", "math/random.rs"),
    ("sha2", "io/digest.rs"),
    ("md5", "io/digest.rs"),
    ("ureq", "io/download/client.rs"),
    ("object_store", "io/store/"),
    ("tokio", "io/store/waiting.rs"),
    ("futures_core", "io/store/"),
    ("http_body", "io/store/transport.rs"),
    ("zip", "io/archive/"),
    ("tar", "io/archive/"),
    ("flate2", "io/archive/"),
    ("toml", "io/toml.rs"),
    ("rustix", "io/fs/"),
    ("shlex", "cli/shell.rs"),
    ("signal_hook", "cli/signals.rs"),
    ("clap", "cli/"),
    ("clap_complete", "cli/completions.rs"),
    ("clap_mangen", "cli/man.rs"),
    ("indicatif", "cli/progress.rs"),
    ("tracing", "backbone/onnx_runtime/load.rs"),
    ("chrono", "report/format.rs"),
    ("maud", "report/html.rs"),
    ("resvg", "report/plot/raster.rs"),
    ("dejavu", "report/plot/font.rs"),
    ("skrifa", "report/plot/font.rs"),
    ("csv", "io/separated.rs"),
    ("regex", "data/group_pattern.rs"),
    ("unicode_normalization", "data/scan/labels.rs"),
    ("unicode_width", "cli/text.rs"),
    // Data formats of ours are declared where the data are.
    ("serde", ""),
    ("serde_json", ""),
];

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        match entry.unwrap().path() {
            path if path.is_dir() => found.extend(rust_files(&path)),
            path if path.extension().is_some_and(|e| e == "rs") => found.push(path),
            _ => {}
        }
    }
    found
}

/// All files of `src`, without their unit tests.
fn sources() -> Vec<Source> {
    let src = root().join("src");
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("\n#[cfg(test)]\nmod tests").next().unwrap().to_string();
        Source { name: path.strip_prefix(&src).unwrap().to_str().unwrap().replace('\\', "/"), code }
    };
    rust_files(&src).into_iter().map(read).collect()
}

/// The room of a file: its folder in `src`, or its own name.
fn room(file: &str) -> &str {
    file.split('/').next().unwrap().trim_end_matches(".rs")
}

fn floor(room: &str) -> usize {
    let found = FLOORS.iter().position(|floor| floor.contains(&room));
    found.unwrap_or_else(|| panic!("{room} has no floor"))
}

#[test]
fn rooms_use_only_rooms_below_them() {
    let sources = sources();
    for (file, targets) in uses(&sources) {
        let own = room(file);
        for target in targets.into_iter().filter(|target| room(target) != own && !file.starts_with("main")) {
            let below = room(target);
            assert!(floor(own) < floor(below), "{file} uses {target}, which is not below it");
        }
    }
    let rooms: BTreeSet<&str> = sources.iter().map(|source| room(&source.name)).collect();
    assert!(FLOORS.iter().copied().flatten().all(|room| rooms.contains(room)), "a room has no file");
}

#[test]
fn no_files_use_one_another_in_a_circle() {
    let sources = sources();
    let uses = uses(&sources);
    // The check reads paths as text; were it to read none, it could find nothing.
    assert!(uses["train/mod.rs"].contains("run/mod.rs") && uses.values().flatten().count() > 500);
    assert_eq!(circles(&uses), Vec::<Vec<&str>>::new());
}

#[test]
fn each_foreign_crate_has_one_door() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let listed = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let listed: BTreeSet<String> =
        listed.lines().filter_map(|line| Some(line.split_once(" = ")?.0.replace('-', "_"))).collect();
    let doors: BTreeSet<String> = DOORS.iter().map(|(name, _)| (*name).to_string()).collect();
    assert_eq!(listed, doors, "each dependency has a door, each door a dependency");
    let reasons = std::fs::read_to_string(root().join("docs/dependencies.md")).unwrap();
    for (name, _) in DOORS {
        let doors: Vec<&str> = DOORS.iter().filter(|(own, _)| *own == name).map(|(_, door)| *door).collect();
        let named =
            [name.to_string(), name.replace('_', "-")].map(|name| reasons.contains(&format!("`{name}`")));
        assert!(named.contains(&true), "docs/dependencies.md does not name {name}");
        for source in sources() {
            let uses = source.code.lines().any(|line| {
                let line = line.trim_start();
                let line = line.strip_prefix("pub ").unwrap_or(line);
                line.starts_with(&format!("use {name}::"))
                    || (!line.starts_with("//") && mentions(line, &format!("{name}::")))
            });
            assert!(
                !uses || doors.iter().any(|door| source.name.starts_with(door)),
                "{} uses {name}, whose door is {}",
                source.name,
                doors.join(" or ")
            );
        }
    }
}

/// Whether `path` stands in `line` as the start of a path of its own (`image::` but not `crate::image::`).
fn mentions(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

#[test]
fn every_file_says_what_it_owns_and_is_short() {
    for source in sources() {
        assert!(source.code.starts_with("//! "), "{} opens without //!", source.name);
        let lines = source.code.lines().count();
        assert!(lines <= 330, "{} has {lines} lines before its tests", source.name);
    }
    let main = std::fs::read_to_string(root().join("src/main.rs")).unwrap();
    assert!(main.lines().count() <= 60);
    for path in rust_files(&root().join("tests")) {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//! "), "{} opens without //!", path.display());
    }
}

#[test]
fn functions_are_short() {
    for source in sources() {
        let lines: Vec<&str> = source.code.lines().collect();
        for (start, line) in lines.iter().enumerate() {
            let body = line.trim_start();
            let visible = ["pub ", "pub(super) ", "pub(crate) "].iter().find_map(|p| body.strip_prefix(p));
            if !visible.unwrap_or(body).starts_with("fn ") || body.ends_with('}') {
                continue;
            }
            let first =
                |end: char| lines[start..].iter().position(|l| l.ends_with(end)).unwrap_or(usize::MAX);
            if first(';') < first('{') {
                continue; // a trait's method without a body
            }
            let end = format!("{}}}", &line[..line.len() - body.len()]);
            let length = lines[start..].iter().position(|line| *line == end).expect("a function ends");
            assert!(length <= 48, "{}:{}: {length} lines: {body}", source.name, start + 1);
        }
    }
}

/// What is written, renamed or removed in one place can be replayed and made to fail in one place.
#[test]
fn the_disk_is_changed_through_one_door() {
    let changes = [
        "std::fs::write(",
        "std::fs::rename(",
        "std::fs::remove_",
        "std::fs::create_dir",
        "std::fs::hard_link(",
        "std::fs::copy(",
        "use std::fs;",
        "File::create",
        ".set_len(",
    ];
    // Into a staging folder that nobody reads before it is whole: an archive's files.
    let staging = ["io/archive/mod.rs"];
    for source in sources() {
        let code = source.code;
        let std_only =
            |word: &&&str| code.contains(&format!("std::{word}")) || code.contains(&format!(" {word}"));
        let found: Vec<_> = changes.iter().filter(std_only).collect();
        let allowed = source.name == "io/fs/change.rs" || staging.contains(&source.name.as_str());
        assert!(allowed || found.is_empty(), "{} changes the disk by itself: {found:?}", source.name);
    }
}

#[test]
fn no_forbidden_words() {
    let never = ["todo!(", "unimplemented!(", "dbg!(", "println!(", "eprintln!(", "process::exit"];
    for source in sources() {
        let code: String = source.code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for word in never {
            assert!(!code.contains(word), "{} holds {word}", source.name);
        }
        for part in ["utils", "misc", "manager", "helper", "_v2"] {
            assert!(!source.name.contains(part), "{} is no name for a file", source.name);
        }
    }
    for path in rust_files(&root().join("tests")) {
        let text = std::fs::read_to_string(&path).unwrap();
        for word in ["#[ign", "thread::sl"] {
            let forbidden = format!("{word}{}", if word.ends_with("ign") { "ore" } else { "eep" });
            assert!(!text.contains(&forbidden), "{} holds {forbidden}", path.display());
        }
    }
}
