//! The house rules that a machine can check: who may use whom, one door for each foreign crate, short files and
//! functions, no forbidden words.

use crate::sandbox::root;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Modules from the ground up. A module may use those of lower floors only, and those named beside it.
const FLOORS: [&[&str]; 9] = [
    &[
        "error",
        "monitor",
        "digest",
        "fs",
        "rng",
        "pixels",
        "matrix",
        "threads",
        "settings_text",
        "markup",
        "encoding",
        "words",
    ],
    &["dataset", "augment", "preprocess", "metrics"],
    &["archive", "events", "image_io", "registry", "tensors", "plot"],
    &["store", "head", "page"],
    &["runtime", "backbone", "run", "images", "neighbours"],
    &["setup", "places"],
    &["data", "extract", "train", "evaluate", "compare", "predict", "tensorboard"],
    &["sweep", "report", "survey"],
    &["demo", "experiment"],
];

/// Pairs on one floor that are allowed, user first.
const BESIDE: [(&str, &str); 6] = [
    ("monitor", "error"),
    ("digest", "error"),
    ("fs", "error"),
    ("fs", "digest"),
    ("threads", "error"),
    ("settings_text", "error"),
];

/// Each foreign crate and the one place that may name it, for each of its uses.
const DOORS: [(&str, &str); 38] = [
    ("ort", "backbone/onnx.rs"),
    // Two formats, each with messages of its own.
    ("prost", "backbone/graph"),
    ("prost", "events/"),
    ("crc", "events/record.rs"),
    ("json5", "backbone/import/tfjs.rs"),
    ("base64", "encoding.rs"),
    ("arrow", "store/table.rs"),
    ("parquet", "store/table.rs"),
    ("bytes", "store/table.rs"),
    ("image", "image_io.rs"),
    ("ndarray", "head/"),
    // The arrays of features and class indexes that other estimators take.
    ("ndarray", "train/labelled_rows.rs"),
    ("linfa", "head/"),
    ("linfa_logistic", "head/lbfgs.rs"),
    ("linfa_nn", "head/nearest.rs"),
    ("linfa_reduction", "head/components.rs"),
    ("pulp", "head/kernel/"),
    ("rayon", "images/mod.rs"),
    ("safetensors", "tensors.rs"),
    ("rand", "rng.rs"),
    ("sha2", "digest.rs"),
    ("zip", "archive.rs"),
    ("tar", "archive.rs"),
    ("flate2", "archive.rs"),
    ("toml", "settings_text.rs"),
    ("etcetera", "runtime/"),
    ("rustix", "fs/change.rs"),
    ("signal_hook", "cli/signals.rs"),
    ("clap", "cli/"),
    ("indicatif", "cli/progress.rs"),
    ("chrono", "words.rs"),
    ("maud", "markup.rs"),
    ("resvg", "plot/raster.rs"),
    ("dejavu", "plot/raster.rs"),
    ("csv", "page/table.rs"),
    ("unicode_width", "cli/text.rs"),
    // Data formats of ours are declared where the data are.
    ("serde", ""),
    ("serde_json", ""),
];

struct Source {
    /// Relative to `src`, `/` between parts.
    name: String,
    text: String,
}

impl Source {
    /// What stands before the unit tests.
    fn code(&self) -> &str {
        self.text.split("\n#[cfg(test)]\nmod tests").next().unwrap()
    }

    fn module(&self) -> &str {
        self.name.split('/').next().unwrap().trim_end_matches(".rs")
    }
}

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

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let read = |path: PathBuf| Source {
        name: path.strip_prefix(&src).unwrap().to_str().unwrap().replace('\\', "/"),
        text: std::fs::read_to_string(&path).unwrap(),
    };
    rust_files(&src).into_iter().map(read).collect()
}

/// Identifiers that follow `prefix` in `text`, the members of a `{...}` list included.
fn named_after(text: &str, prefix: &str) -> BTreeSet<String> {
    let ident = |s: &str| s.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = BTreeSet::new();
    for rest in text.split(prefix).skip(1) {
        match rest.strip_prefix('{') {
            Some(list) => found.extend(list.split('}').next().unwrap().split(',').map(|s| ident(s.trim()))),
            None => drop(found.insert(ident(rest))),
        }
    }
    found
}

#[test]
fn modules_use_only_what_stands_below_them() {
    let floor = |module: &str| FLOORS.iter().position(|floor| floor.contains(&module));
    let sources = sources();
    for source in sources.iter().filter(|s| !["main.rs", "lib.rs"].contains(&s.name.as_str())) {
        let module = source.module();
        let own = if module == "cli" {
            FLOORS.len()
        } else {
            floor(module).unwrap_or_else(|| panic!("{module} has no floor"))
        };
        for used in named_after(source.code(), "crate::") {
            if used == module || BESIDE.contains(&(module, used.as_str())) {
                continue;
            }
            let below = floor(&used).unwrap_or_else(|| panic!("{}: {used} has no floor", source.name));
            assert!(below < own, "{} (floor {own}) uses {used} (floor {below})", source.name);
        }
    }
    let modules: BTreeSet<&str> = sources.iter().map(Source::module).collect();
    for module in FLOORS.iter().copied().flatten() {
        assert!(modules.contains(module), "{module} has a floor but no file");
    }
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
            let uses = source.code().lines().any(|line| {
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
        assert!(source.text.starts_with("//! "), "{} opens without //!", source.name);
        let lines = source.code().lines().count();
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
        let lines: Vec<&str> = source.code().lines().collect();
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
    // Into a staging folder that nobody reads before it is whole: an archive's files, a package client's log.
    let staging = ["archive.rs", "runtime/install.rs"];
    for source in sources() {
        let code = source.code();
        let std_only =
            |word: &&&str| code.contains(&format!("std::{word}")) || code.contains(&format!(" {word}"));
        let found: Vec<_> = changes.iter().filter(std_only).collect();
        let allowed = source.name == "fs/change.rs" || staging.contains(&source.name.as_str());
        assert!(allowed || found.is_empty(), "{} changes the disk by itself: {found:?}", source.name);
    }
}

#[test]
fn no_forbidden_words() {
    let never = ["todo!(", "unimplemented!(", "dbg!(", "println!(", "eprintln!(", "process::exit"];
    for source in sources() {
        let code: String =
            source.code().lines().filter(|line| !line.trim_start().starts_with("//")).collect();
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
