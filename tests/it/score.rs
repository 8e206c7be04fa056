//! Classifying files and folders of any size into one file: the answers, what is computed again, and what a failure leaves.

use crate::faults::Fault;
use crate::support::{self, CommandOutput, Sandbox, cache, picture, python, train};
use headstart::backbone::Device;
use headstart::data::decode::encode_png;
use headstart::error::Kind;
use headstart::evaluate::predict::PredictorConfig;
use headstart::io::fs::watch;
use headstart::monitor::{Monitor, Silent, Task, Unit};
use headstart::score::{ScoreConfig, score};
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// A trained run `r` and a folder `new` with pictures at several depths that it never saw.
fn trained() -> Sandbox {
    let s = cache(&[]);
    train(&s, "r", &["--epochs", "5"]);
    for number in 0..12 {
        let class = ["ant", "bee", "cat"][number % 3];
        s.write(
            &format!("new/{}/{number}.png", ["", "deep", "deep/er"][number % 3]),
            &encode_png(&picture(class, 500 + number)),
        );
    }
    s
}

fn rows(s: &Sandbox, names: &[&str]) -> Vec<Value> {
    let paths: Vec<_> = names.iter().map(|name| s.path(name)).collect();
    let printed = python("answers.py", &paths.iter().map(|path| path.as_path()).collect::<Vec<_>>());
    serde_json::from_str::<Value>(&printed).unwrap().as_array().unwrap().clone()
}

fn near(a: &Value, b: &Value) -> bool {
    (a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-6
}

#[test]
fn every_format_holds_the_answers_of_predict() {
    let s = trained();
    let reject = ["--reject", "0.3"];
    for out in ["a.parquet", "a.csv", "a.jsonl"] {
        let stats = s.json(&[&["predict", "r", "new", "in/ant/000.png", "--out", out][..], &reject].concat());
        assert_eq!(
            (&stats["files"], &stats["answers"], &stats["computed"]),
            (&13.into(), &13.into(), &13.into())
        );
        assert_eq!(stats["refused"], Value::Array(vec![]));
        assert!(!s.path(&format!("{out}.unfinished")).exists());
    }
    let expected = s.json(&[&["predict", "r", "new", "in/ant/000.png"][..], &reject].concat());
    let expected = expected.as_array().unwrap();
    assert!(expected.iter().any(|file| file["unknown"] == true), "one is to be rejected");
    assert!(expected.iter().any(|file| file["unknown"] == false), "one is to be answered");
    for (name, rows) in ["parquet", "csv", "jsonl"].iter().zip(rows(&s, &["a.parquet", "a.csv", "a.jsonl"])) {
        let rows = rows.as_array().unwrap();
        assert_eq!(rows.len(), expected.len(), "{name}");
        for (row, file) in rows.iter().zip(expected) {
            let first = &file["predictions"][0];
            let answer = if file["unknown"] == true { "unknown" } else { first["label"].as_str().unwrap() };
            assert_eq!((&row["path"], &row["predicted"]), (&file["path"], &first["label"]), "{name}");
            assert_eq!(row["answer"], answer, "{name}");
            assert_eq!(row["image_sha256"].as_str().unwrap().len(), 64, "{name}");
            assert!(near(&row["probability"], &first["probability"]), "{name}: {row}");
            assert!(
                near(&row["p_known"], &file["p_value"]) && near(&row["distance"], &file["score"]),
                "{name}"
            );
            for class in file["predictions"].as_array().unwrap() {
                let share = &row["probabilities"][class["label"].as_str().unwrap()];
                assert!(near(share, &class["probability"]), "{name}: {row}");
            }
        }
    }
}

#[test]
fn without_rejection_no_column_speaks_of_it_and_text_counts_the_answers() {
    let s = trained();
    let said = s.run(&["predict", "r", "new", "--out", "a.csv"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stdout.contains("12 answers for 12 files, 12 of them computed now"), "{}", said.stdout);
    let csv = std::fs::read_to_string(s.path("a.csv")).unwrap();
    assert_eq!(
        csv.lines().next().unwrap(),
        "path,image_sha256,answer,predicted,probability,probability_ant,probability_bee,probability_cat"
    );
    assert_eq!(csv.lines().count(), 13);
}

/// Settings of a scoring in this process that writes a part for each batch of two.
fn config(s: &Sandbox, out: &Path) -> ScoreConfig {
    let mut predictor = PredictorConfig::new(s.path("r"));
    (predictor.device, predictor.models) = (Device::Cpu, support::models());
    let mut config = ScoreConfig::new(predictor, vec![s.path("new")], out);
    (config.batch, config.threads, config.commit_every) = (Some(2), 1, Duration::from_secs(3600));
    config
}

#[test]
fn any_change_on_disk_may_fail_and_the_same_call_again_finishes_the_same_file() {
    let s = trained();
    score(&config(&s, &s.path("undisturbed.parquet")), &Silent).unwrap();
    let undisturbed = std::fs::read(s.path("undisturbed.parquet")).unwrap();
    let mut at = 0;
    loop {
        let folder = s.path(&format!("disk{at}"));
        std::fs::create_dir(&folder).unwrap();
        let out = folder.join("answers.parquet");
        let fault = Arc::new(Fault { at, seen: AtomicUsize::new(0) });
        let watching = watch(&folder, fault.clone());
        let first = score(&config(&s, &out), &Silent);
        drop(watching);
        if fault.seen.load(Ordering::Relaxed) <= at {
            break; // There are no more changes to fail.
        }
        let error = first.unwrap_err();
        assert!(error.kind() == Kind::Io && error.path().is_some(), "change {at}: {error}");
        score(&config(&s, &out), &Silent).unwrap();
        assert!(std::fs::read(&out).unwrap() == undisturbed, "change {at}");
        let left: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["answers.parquet"], "change {at}");
        at += 1;
    }
    assert!(at > 10, "{at} changes");
}

/// A monitor that asks to stop once some images are embedded.
#[derive(Default)]
struct StopsSoon {
    is_stopped: AtomicBool,
}

impl Monitor for StopsSoon {
    fn note(&self, _: &str) {}
    fn warn(&self, _: &str) {}
    fn task(&self, label: &str, total: Option<u64>, unit: Unit) -> Box<dyn Task + '_> {
        if label == "embedding" { Box::new(self) } else { Silent.task(label, total, unit) }
    }
    fn consent(&self, _: &str) -> Option<bool> {
        None
    }
    fn is_interrupted(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }
}

impl Task for &StopsSoon {
    fn advance(&self, _: u64) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }
}

#[test]
fn after_an_interruption_only_what_is_missing_is_computed() {
    let s = trained();
    // More than the pipeline holds at a time.
    s.images("new", &[("many", 60)]);
    for (name, cache) in [("a.jsonl", None), ("b.jsonl", Some("kept"))] {
        let mut config = config(&s, &s.path(name));
        (config.commit_every, config.cache) = (Duration::ZERO, cache.map(|cache| s.path(cache)));
        let error = score(&config, &StopsSoon::default()).unwrap_err();
        assert_eq!(error.kind(), Kind::Interrupted, "{error}");
        assert!(error.to_string().contains("rows were computed and are kept"), "{error}");
        assert!(!s.path(name).exists());
        let kept = s.rows(cache.unwrap_or("a.jsonl.unfinished")).keys.len();
        assert!((2..72).contains(&kept), "{kept}");
        let stats = score(&config, &Silent).unwrap();
        assert_eq!((stats.answers, stats.computed), (72, 72 - kept));
    }
    let [a, b] = ["a.jsonl", "b.jsonl"].map(|name| std::fs::read(s.path(name)).unwrap());
    assert!(a == b, "the finished file does not depend on where features were kept");
}

#[test]
fn a_killed_process_loses_the_unfinished_part_at_most() {
    let s = trained();
    s.images("new", &[("many", 150)]);
    let args = ["predict", "r", "new", "--out", "a.parquet", "--commit-every", "0", "--threads", "1"];
    let mut child = s.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let parts = || {
        let names =
            std::fs::read_dir(s.path("a.parquet.unfinished/features")).into_iter().flatten().flatten();
        names.filter(|entry| entry.file_name().to_string_lossy().starts_with("part-")).count()
    };
    while parts() < 2 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be killed");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = s.rows("a.parquet.unfinished").keys.len();
    assert!((1..162).contains(&kept), "{kept}");
    assert_eq!(s.json(&args)["computed"], 162 - kept);
    s.json(&["predict", "r", "new", "--out", "b.parquet"]);
    assert!(std::fs::read(s.path("a.parquet")).unwrap() == std::fs::read(s.path("b.parquet")).unwrap());
}

#[test]
fn an_earlier_file_or_a_cache_saves_what_was_computed() {
    let s = trained();
    let computed = |out: &str, more: &[&str]| {
        s.json(&[&["predict", "r", "new", "--out", out], more].concat())["computed"].as_u64().unwrap()
    };
    let more =
        |number: usize| s.write(&format!("new/more{number}.png"), &encode_png(&picture("ant", 900 + number)));
    assert_eq!([computed("a.parquet", &[]), computed("a.parquet", &[])], [12, 0]);
    more(0);
    assert_eq!(computed("a.parquet", &[]), 1);
    // Distances were not stored, since no rejection was asked for; with them the file serves both.
    let reject = ["--reject", "0.3"];
    assert_eq!(
        [computed("a.parquet", &reject), computed("a.parquet", &reject), computed("a.parquet", &[])],
        [13, 0, 0]
    );
    // Another run has other answers.
    train(&s, "r", &["--epochs", "2"]);
    assert_eq!(computed("a.parquet", &[]), 13);
    let kept = ["--cache", "kept"];
    assert_eq!([computed("b.csv", &kept), computed("b.csv", &kept)], [13, 0]);
    more(1);
    assert_eq!([computed("c.jsonl", &kept), computed("a.parquet", &kept)], [1, 0]);
    // The cache of the run itself knows its own images.
    let own = s.json(&["predict", "r", "in", "--out", "d.csv", "--cache", "c"]);
    assert_eq!((&own["computed"], &own["answers"]), (&0.into(), &140.into()));
    // Features that were kept serve an extraction.
    let extracted = support::extract(&s, "in", "kept", &[]).value();
    assert_eq!(extracted["rows"], 140);
}

#[test]
fn bad_files_are_named_and_the_others_answered() {
    let s = trained();
    s.write("new/bad.png", b"no");
    let whole = encode_png(&picture("ant", 1));
    s.write("new/deep/cut.png", &whole[..whole.len() / 2]);
    let said = s.run(&["predict", "r", "new", "gone.png", "--out", "a.parquet", "--json"]);
    assert_eq!(said.code, 3, "{}", said.stderr);
    let stats = said.value();
    assert_eq!((&stats["files"], &stats["answers"]), (&15.into(), &12.into()));
    let refused = stats["refused"].as_array().unwrap();
    let paths: Vec<&str> = refused.iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["new/bad.png", "new/deep/cut.png", "gone.png"]);
    for part in
        ["new/bad.png: not an image", "cut.png: the PNG data are damaged", "gone.png: could not be read"]
    {
        assert!(said.stderr.contains(part), "{part} in {}", said.stderr);
    }
    // Not one can be used: an empty file, and the same exit code.
    let none = s.run(&["predict", "r", "new/bad.png", "--out", "none.csv"]);
    assert_eq!(none.code, 3, "{}", none.stderr);
    assert_eq!(std::fs::read_to_string(s.path("none.csv")).unwrap().lines().count(), 1);
}

/// Runs the program with `list` on stdin.
fn with_stdin(s: &Sandbox, args: &[&str], list: &[u8]) -> CommandOutput {
    let mut command = s.command(args);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let list = list.to_vec();
    let writer = std::thread::spawn(move || drop(stdin.write_all(&list)));
    let out = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    CommandOutput { code: out.status.code().unwrap(), stdout: text(out.stdout), stderr: text(out.stderr) }
}

#[test]
fn a_list_on_stdin_may_be_longer_than_any_command_line_and_hold_any_name() {
    let s = trained();
    // 2,880 spellings of twelve files, more than 2 MB of paths.
    let name = |n: usize| format!("new/{}/{n}.png\n", ["", "deep", "deep/er"][n % 3]);
    let spellings = (0..12).flat_map(|n| (0..240).map(move |detour| "new/../".repeat(detour) + &name(n)));
    let list: String = spellings.collect();
    assert!(list.len() > 2 << 20, "{}", list.len());
    let said = with_stdin(&s, &["predict", "r", "-", "--out", "a.csv", "--json"], list.as_bytes());
    assert_eq!(said.code, 0, "{}", said.stderr);
    let stats = said.value();
    assert_eq!((&stats["computed"], &stats["files"]), (&12.into(), &(12 * 240).into()));
    #[cfg(unix)]
    {
        s.write("odd/a\nb.png", &encode_png(&picture("ant", 1)));
        let list = b"odd/a\nb.png\0\0new/deep/1.png\0";
        let said = with_stdin(&s, &["predict", "r", "-", "--null", "--json", "--neighbours", "0"], list);
        assert_eq!(said.code, 0, "{}", said.stderr);
        let paths = said.value();
        assert_eq!(
            (&paths[0]["path"], &paths[1]["path"]),
            (&"odd/a\nb.png".into(), &"new/deep/1.png".into())
        );
        // Without --null the name falls into two.
        let said = with_stdin(&s, &["predict", "r", "-", "--out", "b.csv"], b"odd/a\nb.png\n");
        assert_eq!(said.code, 3, "{}", said.stderr);
        // A name that is not UTF-8 cannot be written into a file of answers.
        let list = b"odd/\xff.png\0new/deep/1.png\0";
        let said = with_stdin(&s, &["predict", "r", "-", "-0", "--out", "c.csv"], list);
        assert!(said.code == 3 && said.stderr.contains("its name is not UTF-8"), "{}", said.stderr);
    }
    with_stdin(&s, &["predict", "r", "-", "--out", "d.csv"], b"").fails(1, &["there is no image file"]);
    with_stdin(&s, &["predict", "r", "-", "-", "--out", "d.csv"], b"")
        .fails(2, &["stdin can be read only once"]);
    s.run(&["predict", "r", "new", "--null"]).fails(2, &["--null is for a list of paths on stdin"]);
}

#[test]
fn a_place_where_the_file_would_be_lost_or_in_the_way_is_refused() {
    let s = trained();
    let refused = |out: &str, code, part: &str| {
        s.run(&["predict", "r", "new", "--out", out]).fails(code, &[part]);
    };
    refused("a.xlsx", 2, "let the name in --out end with .parquet, .csv or .jsonl");
    refused("new/a.csv", 2, "--out cannot be inside a folder of images");
    refused("r/a.csv", 2, "--out cannot be inside a run or a cache");
    refused("c/a.csv", 2, "--out cannot be inside a run or a cache");
    s.write("theirs.csv", b"name,grade\n");
    refused("theirs.csv", 1, "the file of answers belongs here, but another file is in the way");
    s.write("theirs.jsonl", b"{\"name\": 1}\n");
    refused("theirs.jsonl", 1, "another file is in the way");
    // Features of another network beside it.
    s.write("b.csv.unfinished/spec.json", &support::spec().encode());
    refused("b.csv", 1, "help: remove that folder, or name a --cache");
    s.write("d.csv.unfinished/thesis.txt", b"mine");
    refused("d.csv", 1, "help: remove that folder, or name a --cache");
    s.run(&["predict", "r", "new", "--out", "a.csv", "--html", "a.html"]).fails(2, &["cannot be used with"]);
    s.run(&["predict", "r", "new", "--threads", "1"]).fails(2, &["--out"]);
    s.run(&["predict", "r", "new", "--top", "0"]).fails(2, &["1 or more"]);
}

#[test]
fn the_page_of_many_predictions_begins_with_an_overview_and_tables_need_no_page() {
    let s = trained();
    s.json(&["predict", "r", "new", "--reject", "0.3", "--html", "a.html"]);
    let page = std::fs::read_to_string(s.path("a.html")).unwrap();
    let at = |part: &str| page.find(part).unwrap_or_else(|| panic!("no {part}"));
    assert!(at("id=\"overview\"") < at("id=\"answers\""));
    assert!(at("Answers for 12 images") < at("The least sure answers first"));
    let one = s.json(&["predict", "r", "new/deep/1.png", "--html", "one.html"]);
    assert!(
        one.is_array() && !std::fs::read_to_string(s.path("one.html")).unwrap().contains("id=\"overview\"")
    );
    let answers = s.json(&["predict", "r", "new", "--reject", "0.3", "--tables", "tables"]);
    let table = std::fs::read_to_string(s.path("tables/predictions.csv")).unwrap();
    let unknown = answers.as_array().unwrap().iter().filter(|file| file["unknown"] == true).count();
    assert!(unknown > 0);
    assert_eq!(table.lines().filter(|line| line.split(',').nth(1) == Some("unknown")).count(), unknown);
    s.run(&["predict", "r", "new", "--tables", "in/t"])
        .fails(2, &["--tables cannot be inside the folder of images"]);
}

#[test]
fn the_text_shows_as_many_classes_as_asked_for() {
    let s = trained();
    let lines = |more: &[&str]| {
        let args = [&["predict", "r", "new/deep/1.png", "--neighbours", "0"], more].concat();
        s.run(&args).stdout.lines().count()
    };
    assert_eq!([lines(&[]), lines(&["--top", "1"]), lines(&["--top", "2"])], [4, 2, 3]);
}

/// Copies the test images of the run `r` into the folder `held-out`.
fn test_images(s: &Sandbox) -> usize {
    let run = headstart::run::StoredRun::open(&s.path("r")).unwrap();
    let rows = run.predictions().unwrap();
    let test = rows.iter().filter(|row| row.split == headstart::data::dataset::Split::Test);
    test.map(|row| {
        s.write(&format!("held-out/{}", row.path), &std::fs::read(s.path("in").join(&row.path)).unwrap())
    })
    .count()
}

#[test]
fn new_images_are_scored_as_the_test_split_is() {
    let s = trained();
    let images = test_images(&s);
    let reject = ["--reject", "0.3"];
    let own = s.json(&[&["evaluate", "r"][..], &reject].concat());
    let mut new =
        s.json(&[&["evaluate", "r", "--images", "held-out", "--html", "new.html"][..], &reject].concat());
    assert_eq!(
        (&new["overlap"], &new["computed"], &new["images"]),
        (&0.into(), &images.into(), &images.into())
    );
    for (field, value) in own.as_object().unwrap() {
        if !["seconds", "same_pictures"].contains(&field.as_str()) {
            assert_eq!(&new[field], value, "{field}");
        }
    }
    assert!(!s.path("r.unfinished").exists());
    let page = std::fs::read_to_string(s.path("new.html")).unwrap();
    assert!(page.contains("new images in "));
    // Classes of other names are counted apart, and the scores stay.
    for number in 0..3 {
        s.write(&format!("held-out/dog/{number}.png"), &encode_png(&picture("dog", number)));
    }
    let said = s.run(&[&["evaluate", "r", "--images", "held-out"][..], &reject].concat());
    // What was asked for comes first, then classes that the run does not know, then the scores.
    let places = ["rejected as unknown: ", "  dog: 3 images, ", "new images: accuracy "]
        .map(|text| said.stdout.find(text).unwrap_or_else(|| panic!("no {text:?} in {}", said.stdout)));
    assert!(places[0] == 0 && places.is_sorted(), "{}", said.stdout);
    let before = new.clone();
    new = s.json(&[&["evaluate", "r", "--images", "held-out"][..], &reject].concat());
    assert_eq!((&new["accuracy"], &new["confusion"]), (&before["accuracy"], &before["confusion"]));
    let dogs = s.json(&[&["predict", "r", "held-out/dog"][..], &reject].concat());
    let unknown = dogs.as_array().unwrap().iter().filter(|dog| dog["unknown"] == true).count();
    assert_eq!(
        new["unknown_classes"],
        serde_json::json!([{"name": "dog", "images": 3, "called_unknown": unknown}])
    );
    assert_eq!(before["unknown_classes"], serde_json::json!([]));
}

#[test]
fn images_that_the_run_has_seen_are_an_error_unless_they_are_allowed() {
    let s = trained();
    s.write("held-out/ant/new.png", &encode_png(&picture("ant", 700)));
    let seen = s.run(&["evaluate", "r", "--images", "in"]);
    seen.fails(
        1,
        &["of its 140 images are among the train and validation images of the run", "--allow-overlap"],
    );
    let kept = ["--allow-overlap", "--cache", "kept"];
    let allowed = s.json(&[&["evaluate", "r", "--images", "in"][..], &kept].concat());
    assert_eq!((&allowed["images"], &allowed["computed"]), (&140.into(), &140.into()));
    assert!(allowed["overlap"].as_u64().unwrap() > 100, "{}", allowed["overlap"]);
    assert_eq!(s.json(&[&["evaluate", "r", "--images", "in"][..], &kept].concat())["computed"], 0);
    s.images("others", &[("fox", 2)]);
    s.run(&["evaluate", "r", "--images", "others"]).fails(1, &["none of its classes is one of the run"]);
    s.run(&["evaluate", "r", "--images", "nowhere"]).fails(1, &["no such folder of images"]);
    s.run(&["evaluate", "r", "--images", "in", "--split", "validation"]).fails(2, &["cannot be used with"]);
    s.write("held-out/bad/x.png", b"no");
    let bad = s.run(&["evaluate", "r", "--images", "held-out"]);
    assert!(bad.code == 3 && bad.stderr.contains("bad/x.png: not an image"), "{}", bad.stderr);
}
