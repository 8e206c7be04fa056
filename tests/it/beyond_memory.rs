//! Training with less memory than the features need.

use crate::support::{self, Sandbox};
use crate::training::cache;
use headstart::cache::compact::{CompactConfig, CompactStats, compact};
use headstart::cache::{CacheWriter, FeatureCache, FeatureRows};
use headstart::head::{FitConfig, SolverConfig};
use headstart::monitor::{Monitor, Silent, Task, Unit};
use headstart::train::TrainConfig;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::OnceLock;

/// The cache `c` again as `p`, in parts of few rows.
fn in_small_parts(s: &Sandbox, rows: usize) {
    in_parts_of(s, rows, |value| value);
}

/// The same with each value turned into another one.
fn in_parts_of(s: &Sandbox, rows: usize, value: fn(f32) -> f32) {
    let cache = FeatureCache::open(&s.path("c")).unwrap();
    let mut writer = CacheWriter::open_or_create(&s.path("p"), cache.spec()).unwrap();
    writer.describe(&cache.samples().unwrap(), &[]).unwrap();
    let all = s.rows("c");
    for (keys, embeddings) in all.keys.chunks(rows).zip(all.embeddings.chunks(rows * all.width)) {
        let embeddings = embeddings.iter().copied().map(value).collect();
        let part = FeatureRows { keys: keys.to_vec(), width: all.width, embeddings };
        writer.append(part, Default::default()).unwrap();
    }
}

#[test]
fn beyond_memory_the_head_is_as_good_and_depends_on_the_seed_only() {
    let s = cache();
    in_small_parts(&s, 8);
    let fit = |run: &str, more: &[&str]| {
        s.json(&[&["train", &s.text("p"), "--run", &s.text(run), "--epochs", "20"], more].concat())
    };
    let whole = fit("whole", &[]);
    // A row takes 512 bytes, so there are blocks of some 30 of the 196 rows.
    let limited = ["--memory", "50KiB"];
    let streamed = fit("streamed", &limited);
    assert_eq!(streamed["train_rows"], whole["train_rows"]);
    let loss = |reported: &Value| reported["validation"]["loss"].as_f64().unwrap();
    assert!(loss(&streamed) < loss(&whole) + 0.1, "{streamed} {whole}");
    assert_eq!(s.record("streamed")["memory"], 50 << 10);
    fit("again", &["--memory", "50KiB", "--threads", "1"]);
    assert_eq!(s.head("again"), s.head("streamed"));
    fit("other", &["--memory", "50KiB", "--seed", "1"]);
    assert_ne!(s.head("other"), s.head("streamed"));
    let predicted = |run: &str| {
        let rows = headstart::run::StoredRun::open(&s.path(run)).unwrap().predictions().unwrap();
        rows.into_iter().map(|row| (row.path, row.image_sha256, row.split)).collect::<Vec<_>>()
    };
    assert_eq!(predicted("streamed"), predicted("whole"));
    let evaluated = |run: &str| s.json(&["evaluate", &s.text(run)])["accuracy"].as_f64().unwrap();
    assert!((evaluated("streamed") - evaluated("whole")).abs() < 0.1);
    // With everything in one block and one batch only the order of rows within the batch is another.
    let batch = ["--batch", "1000", "--standardize"];
    let off = loss(&fit("one", &[&batch[..], &["--memory", "1GiB"]].concat())) - loss(&fit("all", &batch));
    assert!(off.abs() < 1e-4, "{off}");
    s.run(&["train", &s.text("p"), "--run", &s.text("x"), "--memory", "1KiB"])
        .fails(2, &["is too small for the validation rows", "help: give at least 48KiB"]);
}

#[test]
fn features_in_half_the_memory_give_the_head_of_the_rounded_features() {
    let s = cache();
    // Numbers that bfloat16 holds as they are: the upper half of their bits.
    in_parts_of(&s, 8, |value| f32::from_bits(value.to_bits() & 0xffff_0000));
    let fit = |cache: &str, run: &str, more: &[&str]| {
        let args = ["train", &s.text(cache), "--run", &s.text(run), "--epochs", "12", "--batch", "16"];
        s.json(&[&args[..], more].concat())
    };
    for (i, more) in
        [&[][..], &["--standardize", "--drop-last"], &["--no-shuffle", "--hidden", "8"]].iter().enumerate()
    {
        let (plain, half) = (format!("plain{i}"), format!("half{i}"));
        fit("p", &plain, more);
        for threads in ["1", "3"] {
            fit("p", &half, &[more, &["--features", "bf16", "--threads", threads][..]].concat());
            assert_eq!(s.head(&plain), s.head(&half), "{more:?}, {threads} threads");
        }
        assert_eq!(s.record(&half)["features"], "bf16");
        assert_eq!(s.record(&plain)["features"], Value::Null);
        let predictions =
            |run: &str| headstart::run::StoredRun::open(&s.path(run)).unwrap().predictions().unwrap();
        assert_eq!(predictions(&plain), predictions(&half));
    }
    // Other numbers are rounded to the nearest, and the head is as good.
    let (whole, half) = (fit("c", "whole", &[]), fit("c", "half", &["--features", "bf16"]));
    let loss = |reported: &Value| reported["validation"]["loss"].as_f64().unwrap();
    assert!((loss(&whole) - loss(&half)).abs() < 0.02, "{whole} {half}");
    assert_ne!(s.head("whole"), s.head("half"));
    s.json(&["report", "half"]);
    let page = std::fs::read_to_string(s.path("half/report.html")).unwrap();
    assert!(page.contains("--features bf16"));
}

#[test]
fn beyond_memory_temperature_and_rejection_are_fitted_too() {
    let s = cache();
    support::extract(&s, "in", "c", &["--augment", "flip", "--augment-splits", "all"]);
    in_small_parts(&s, 8);
    let measured = |run: &str, more: &[&str]| {
        let args = ["train", &s.text("p"), "--run", &s.text(run), "--epochs", "5"];
        assert!(s.json(&[&args[..], more].concat())["temperature"]["value"].is_number());
        let path = s.path(run).join("reject.safetensors");
        headstart::head::rejection::decode(&std::fs::read(&path).unwrap(), &path).unwrap()
    };
    let (whole, one) = (measured("whole", &[]), measured("one", &["--memory", "1GiB"]));
    // The distances are those of the features, whatever the head.
    assert_eq!(whole, one);
    // Where not all rows can be held, the measure is made from some of them.
    let some = measured("some", &["--memory", "50KiB"]);
    assert_ne!(some.distance, whole.distance);
    assert_eq!((some.validation.len(), some.test.len()), (whole.validation.len(), whole.test.len()));
    let pairs = some.test.iter().zip(&whole.test).chain(some.validation.iter().zip(&whole.validation));
    for (some, all) in pairs {
        assert!((0.5..2.0).contains(&(some / all)), "{some} {all}");
    }
    for run in ["whole", "one", "some"] {
        let averaged = s.json(&["evaluate", &s.text(run), "--tta", "--reject", "0.2"]);
        assert_eq!(averaged["tta"]["variants"], serde_json::json!(["none", "flip"]));
        assert!(averaged["reject"]["rate"].is_number(), "{averaged}");
    }
}

/// Has the cache compacted at the end of the first epoch.
struct Disturbed {
    cache: PathBuf,
    done: OnceLock<CompactStats>,
}

impl Monitor for Disturbed {
    fn note(&self, _: &str) {}
    fn warn(&self, _: &str) {}
    fn task(&self, _: &str, _: Option<u64>, unit: Unit) -> Box<dyn Task + '_> {
        assert_eq!(unit, Unit::Epochs);
        Box::new(self)
    }
    fn consent(&self, _: &str) -> Option<bool> {
        None
    }
}

impl Task for &Disturbed {
    fn advance(&self, _: u64) {
        let mut pruning = CompactConfig::default();
        pruning.prune = true;
        self.done.get_or_init(|| compact(&self.cache, &pruning, &Silent).unwrap());
    }
}

#[test]
fn a_compaction_does_not_disturb_a_training_beyond_memory() {
    let s = cache();
    in_small_parts(&s, 8);
    let mut settings = FitConfig::default();
    (settings.epochs, settings.standardize) = (4, true);
    let config = |run: &str| {
        let mut config = TrainConfig::new(s.path("p"), s.path(run));
        config.solver = SolverConfig::Adam(settings.clone());
        config.memory = Some(50 << 10);
        config
    };
    headstart::train::train(&config("calm"), &Silent).unwrap();
    let disturbed = Disturbed { cache: s.path("p"), done: OnceLock::new() };
    headstart::train::train(&config("disturbed"), &disturbed).unwrap();
    let reported = disturbed.done.get().unwrap();
    assert!(reported.parts_before > 20 && reported.parts == 1, "{reported:?}");
    for file in ["head.safetensors", "reject.safetensors", "predictions.parquet"] {
        let read = |run: &str| std::fs::read(s.path(run).join(file)).unwrap();
        assert!(read("calm") == read("disturbed"), "{file}");
    }
}

#[test]
fn a_part_that_is_damaged_fails_a_training_beyond_memory() {
    let s = cache();
    in_small_parts(&s, 8);
    let part = FeatureCache::open(&s.path("p")).unwrap().parts().unwrap()[5].clone();
    let mut bytes = std::fs::read(&part.path).unwrap();
    bytes[600] ^= 4;
    std::fs::write(&part.path, bytes).unwrap();
    s.run(&["train", &s.text("p"), "--run", &s.text("x"), "--memory", "60KiB"])
        .fails(1, &[&part.name, "cache verify"]);
}
