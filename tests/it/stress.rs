//! Readers beside writers that replace what is read: every answer is of one state. `HEADSTART_STRESS_RUNS=2000` and
//! `HEADSTART_STRESS_COMPACTIONS=500` set how often.
#![cfg(unix)]

use headstart::cache::compact::{CompactConfig, compact};
use headstart::cache::{CacheWriter, FeatureCache, FeatureRows, Key};
use headstart::data::augment::Variant;
use headstart::data::dataset::Split;
use headstart::evaluate::{EvaluateConfig, evaluate};
use headstart::io::digest::sha256;
use headstart::io::fs;
use headstart::monitor::Silent;
use headstart::run::StoredRun;
use headstart::train::TrainingSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

const READERS: usize = 4;

fn times(variable: &str, default: usize) -> usize {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

/// Runs `read` again and again on four threads while `write` runs, and at least once each. Returns the number of reads.
fn beside(write: impl FnOnce() + Send, read: impl Fn(usize) + Sync) -> usize {
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|reader| {
                let (read, is_done) = (&read, &is_done);
                scope.spawn(move || {
                    let mut reads = 0;
                    loop {
                        let was_done = is_done.load(Ordering::Relaxed);
                        read(reader);
                        reads += 1;
                        if was_done {
                            return reads;
                        }
                    }
                })
            })
            .collect();
        write();
        is_done.store(true, Ordering::Relaxed);
        readers.into_iter().map(|reader| reader.join().unwrap()).sum()
    })
}

/// Everything that `evaluate` says but the time it took.
fn scores(run: &Path) -> serde_json::Value {
    let mut config = EvaluateConfig::default();
    config.run = run.to_path_buf();
    config.reject = Some(0.5);
    let text = serde_json::to_string(&evaluate(&config).unwrap()).unwrap();
    let mut scores: serde_json::Value = serde_json::from_str(&text).unwrap();
    scores.as_object_mut().unwrap().remove("seconds");
    scores
}

/// All that a run holds, as text.
fn content(run: &Path) -> String {
    let run = StoredRun::open(run).unwrap();
    let mut trained_on: Vec<_> = run.trained_on().unwrap().into_iter().collect();
    trained_on.sort();
    let (head, predictions) = (run.head().unwrap(), run.predictions().unwrap());
    format!(
        "{:?} {head:?} {predictions:?} {trained_on:?} {:?}",
        run.record(),
        run.rejection(Some(0.5), None).unwrap().unwrap()
    )
}

fn replace(run: &Path, by: &Path) {
    fs::write_folder(run, |new| {
        for entry in fs::list(by)? {
            std::fs::copy(entry.path, new.join(entry.name)).unwrap();
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn runs_that_are_replaced_while_they_are_read_are_never_mixed() {
    let s = crate::support::cache(&[]);
    crate::support::train(&s, "a", &["--epochs", "3"]);
    crate::support::train(&s, "b", &["--epochs", "5", "--resplit", "1", "--seed", "7"]);
    let (a, b, q) = (s.path("a"), s.path("b"), s.path("q"));
    replace(&q, &a);
    let (whole_scores, whole_content) = ([scores(&a), scores(&b)], [content(&a), content(&b)]);
    assert!(whole_scores[0] != whole_scores[1]);
    let number = times("HEADSTART_STRESS_RUNS", 30);
    let write = || (0..number).for_each(|i| replace(&q, if i % 2 == 0 { &b } else { &a }));
    let reads = beside(write, |reader| match reader {
        0 => assert!(whole_content.contains(&content(&q)), "a mixed run"),
        1 => {
            let mut scores = s.json(&["evaluate", &s.text("q"), "--reject", "0.5"]);
            scores.as_object_mut().unwrap().remove("seconds");
            assert!(whole_scores.contains(&scores), "a mixed answer of the program");
        }
        _ => assert!(whole_scores.contains(&scores(&q)), "a mixed answer"),
    });
    println!("{number} replacements beside {READERS} readers: {reads} answers, none mixed");
}

#[test]
fn caches_that_are_compacted_while_they_are_read_stay_whole() {
    let s = crate::support::cache(&["--augment", "flip"]);
    let cache = s.path("c");
    let store = FeatureCache::open(&cache).unwrap();
    let width = store.spec().width;
    let images: std::collections::HashSet<_> =
        store.samples().unwrap().rows.iter().map(|sample| sample.file.image_sha256).collect();
    let own_rows = || store.rows(|key| images.contains(&key.image_sha256)).unwrap();
    let training = || {
        let rows = TrainingSet::open(&cache).unwrap().rows(Split::Train).unwrap();
        (rows.targets.to_vec(), rows.features.iter().map(|value| value.to_bits()).collect::<Vec<_>>())
    };
    let (rows, trained) = (own_rows(), training());
    let number = times("HEADSTART_STRESS_COMPACTIONS", 15);
    let write = || {
        for i in 0..number {
            // A further part, of an image that is not in the data set, so that there is something to merge.
            let key = Key { image_sha256: sha256(&i.to_le_bytes()), variant: Variant::None };
            let part = FeatureRows { keys: vec![key], width, embeddings: vec![i as f32; width] };
            let mut writer = CacheWriter::open_or_create(&cache, store.spec()).unwrap();
            writer.append(part, Default::default()).unwrap();
            drop(writer);
            let stats = compact(&cache, &CompactConfig::default(), &Silent).unwrap();
            assert!(stats.parts <= stats.parts_before);
        }
    };
    let reads = beside(write, |reader| match reader {
        0 => assert!(own_rows() == rows, "other rows"),
        1 => assert_eq!(
            s.json(&["cache", "verify", "--dry-run", &s.text("c")])["damaged"],
            serde_json::json!([])
        ),
        2 => drop(s.json(&["cache", "info", &s.text("c")])),
        _ => assert!(training() == trained, "another training set"),
    });
    println!("{number} compactions beside {READERS} readers: {reads} answers, all of one state");
}
