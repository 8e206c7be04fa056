//! A power loss at every point: the log of all changes on disk is replayed up to each of them, with every combination of
//! what was not yet durable, and what was promised must be there.

mod disk;

use crate::sandbox::Sandbox;
use crate::small;
use disk::{Log, State, lay};
use headstart::cache::compact::{CompactConfig, compact};
use headstart::cache::{
    BackboneSpec, CacheWriter, FeatureCache, FeatureRows, Key, PreprocessingSpec, Samples, Spec,
    read_refused, spec::SCHEMA,
};
use headstart::data::augment::Variant;
use headstart::data::dataset::{ImageFile, Refused, Sample, Split};
use headstart::data::preprocess::Preprocessing;
use headstart::extract::extract;
use headstart::io::digest::sha256;
use headstart::monitor::Silent;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

fn spec() -> Spec {
    Spec {
        schema: SCHEMA.into(),
        backbone: BackboneSpec { name: "n".into(), title: "t".into(), graph_sha256: sha256(b"n") },
        layer: "l".into(),
        width: 2,
        preprocessing: PreprocessingSpec { decode: "d".into(), steps: Preprocessing::named("unit").unwrap() },
        known_answer: None,
    }
}

fn key(name: &str) -> Key {
    Key { image_sha256: sha256(name.as_bytes()), variant: Variant::None }
}

/// The features of a name follow from it.
fn features(name: &str) -> [f32; 2] {
    let bytes = sha256(name.as_bytes()).bytes();
    [f32::from(bytes[0]), f32::from(bytes[1])]
}

fn rows(names: &[&str]) -> FeatureRows {
    let embeddings = names.iter().flat_map(|name| features(name)).collect();
    FeatureRows { keys: names.iter().map(|name| key(name)).collect(), width: 2, embeddings }
}

fn samples(names: &[&str]) -> Samples {
    let file = |name: &&str| ImageFile {
        path: format!("a/{name}"),
        label: "a".into(),
        image_sha256: sha256(name.as_bytes()),
        width: 1,
        height: 1,
        bytes: 1,
        mtime_ns: 0,
        identity: Default::default(),
    };
    let rows = names.iter().map(|name| Sample { file: file(name), split: Split::Train }).collect();
    Samples { rows, root: "/in".into(), seed: 0, fractions: Default::default(), layout: Default::default() }
}

/// What holds from a point of the log on: these rows are there, and one of these descriptions.
struct Promise {
    from: usize,
    rows: BTreeSet<&'static str>,
    described: Vec<Samples>,
}

fn refusals() -> Vec<Refused> {
    vec![Refused { path: "a/x".into(), image_sha256: Some(sha256(b"x")), reason: "no image".into() }]
}

const ALL: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

/// A cache's life below `root`, with what is promised after each step.
fn live(root: &Path, log: &Log) -> Vec<Promise> {
    let cache = root.join("deep/below/cache");
    let descriptions = [samples(&ALL), samples(&ALL[2..])];
    let mut promises = vec![Promise { from: 0, rows: BTreeSet::new(), described: Vec::new() }];
    let mut promise = |rows: &[&'static str], described: &[Samples]| {
        let rows = rows.iter().copied().collect();
        promises.push(Promise { from: log.len(), rows, described: described.to_vec() });
    };
    let noted = || BTreeMap::from([("headstart.provider".to_string(), "CPU".to_string())]);
    let mut writer = CacheWriter::open_or_create(&cache, &spec()).unwrap();
    writer.describe(&descriptions[0], &refusals()).unwrap();
    promise(&[], &descriptions[..1]);
    for (start, end) in [(0, 2), (2, 3), (3, 5)] {
        writer.append(rows(&ALL[start..end]), noted()).unwrap();
        promise(&ALL[..end], &descriptions[..1]);
    }
    drop(writer);
    compact(&cache, &CompactConfig::default(), &Silent).unwrap();
    promise(&ALL[..5], &descriptions[..1]);
    let mut writer = CacheWriter::open_or_create(&cache, &spec()).unwrap();
    let aside = writer.append(rows(&ALL[7..]), noted()).unwrap();
    writer.append(rows(&ALL[5..7]), noted()).unwrap();
    promise(&ALL[..7], &descriptions[..1]);
    writer.quarantine(&aside).unwrap();
    writer.describe(&descriptions[1], &refusals()).unwrap();
    promise(&ALL[..7], &descriptions[1..]);
    drop(writer);
    let mut pruning = CompactConfig::default();
    pruning.prune = true;
    compact(&cache, &pruning, &Silent).unwrap();
    promise(&ALL[2..7], &descriptions[1..]);
    promises
}

fn demand(holds: bool, otherwise: impl Into<String>) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}

/// Everything that must hold of `cache`, in which a power loss may have left anything that is possible.
fn check(cache: &Path, promise: &Promise, next: Option<&Promise>) -> Result<(), String> {
    let told = |e: headstart::error::Error| e.with_causes();
    let Some(spec) = Spec::read(cache).map_err(told)? else {
        return demand(promise.described.is_empty(), "the spec is lost");
    };
    demand(spec == self::spec(), "the spec is another")?;
    let store = FeatureCache::open(cache).map_err(told)?;
    let read = store.rows(|_| true).map_err(told)?;
    let parts = store.parts().map_err(told)?;
    let keys: Vec<_> = parts.iter().map(|part| part.keys().map_err(told)).collect::<Result<_, _>>()?;
    demand(keys.concat().len() == read.keys.len(), "a key stands in two parts")?;
    let names: Vec<&str> =
        read.keys.iter().filter_map(|found| ALL.into_iter().find(|name| key(name) == *found)).collect();
    demand(read == rows(&names), "the features are not those that were written")?;
    // A step under way may have dropped rows that its own promise does not name.
    let is_kept = |name: &&&str| next.is_none_or(|next| next.rows.contains(**name));
    let missing = promise.rows.iter().filter(is_kept).filter(|name| !names.contains(name)).count();
    demand(missing == 0, format!("{missing} committed rows are lost"))?;
    let described = store.samples_if_any().map_err(told)?;
    let possible = promise.described.iter().chain(next.iter().flat_map(|next| &next.described));
    let is_possible = described.iter().any(|found| possible.clone().any(|possible| possible == found));
    demand(
        is_possible || (described.is_none() && promise.described.is_empty()),
        "the description is another",
    )?;
    let refused = read_refused(cache).map_err(told)?;
    demand(refused == refusals() || (refused.is_empty() && promise.described.is_empty()), "refusals are lost")
}

/// Whether readers and the next writer find in `state` what was promised.
fn survives(state: &State, promise: &Promise, next: Option<&Promise>) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    lay(state, dir.path());
    let cache = dir.path().join("deep/below/cache");
    check(&cache, promise, next)?;
    // The next writer finds its way, clears up, and can go on.
    let mut writer = CacheWriter::open_or_create(&cache, &spec()).map_err(|e| e.with_causes())?;
    check(&cache, promise, next)?;
    let before = writer.cache().keys().unwrap();
    let one_more = FeatureRows { keys: vec![key("one more")], ..rows(&["a"]) };
    writer.append(one_more, BTreeMap::new()).map_err(|e| e.with_causes())?;
    demand(writer.cache().keys().unwrap().len() == before.len() + 1, "nothing can be added")?;
    for folder in [cache.clone(), cache.join("features")] {
        let names = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        demand(names.into_iter().all(|name| !name.starts_with(".tmp-")), "rubbish is left")?;
    }
    Ok(())
}

/// The promise that holds after so many changes, and the one that comes next.
fn promised(promises: &[Promise], changes: usize) -> (&Promise, Option<&Promise>) {
    let at = promises.iter().rposition(|promise| promise.from <= changes).unwrap();
    (&promises[at], promises.get(at + 1))
}

#[test]
fn whatever_a_power_loss_leaves_no_committed_row_is_lost_and_nothing_half_written_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let (log, watching) = Log::of(dir.path());
    let promises = live(dir.path(), &log);
    drop(watching);
    let mut states = 0;
    for point in 0..=log.len() {
        let (promise, next) = promised(&promises, point);
        for state in log.states(point) {
            survives(&state, promise, next).unwrap_or_else(|why| panic!("after {point} changes: {why}"));
            states += 1;
        }
    }
    println!("{} changes, {states} states", log.len());
    assert!(log.len() > 60 && states > 150, "{} changes, {states} states", log.len());
    // The check can fail: leave a sync out, and something is lost before the next promise but one.
    let loses = |left_out: &usize| {
        let later = promises.iter().map(|promise| promise.from).filter(|from| from > left_out).take(2);
        later.chain([log.len()]).any(|point| {
            let (promise, next) = promised(&promises, point);
            log.states_without(point, *left_out).iter().any(|state| survives(state, promise, next).is_err())
        })
    };
    let [files, folders] = log.syncs();
    let needed = folders.iter().filter(|sync| loses(sync)).count();
    println!(
        "syncs: {} of files, {} of folders, {needed} of these needed by themselves",
        files.len(),
        folders.len()
    );
    assert!(files.iter().all(loses));
    // A folder that is synced again before anything is promised could have waited.
    assert!(needed >= 10, "{needed} of {}", folders.len());
}

#[test]
fn extract_goes_on_from_what_a_power_loss_left_at_any_point() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 8), ("bee", 8)]);
    std::fs::create_dir(s.path("disk")).unwrap();
    let config = small::config(&s, "in", "disk/c");
    let (log, watching) = Log::of(&s.path("disk"));
    extract(&config, &Silent).unwrap();
    drop(watching);
    let undisturbed = s.rows("disk/c");
    assert_eq!(undisturbed.keys.len(), 16 + 12 * 4);
    for point in 0..=log.len() {
        // Of all that may be left the least: nothing but what was durable.
        let name = format!("crash{point}");
        std::fs::create_dir(s.path(&name)).unwrap();
        lay(&log.states(point)[0], &s.path(&name));
        let mut again = config.clone();
        again.cache = s.path(&name).join("c");
        let stats = extract(&again, &Silent).unwrap();
        assert_eq!(stats.rows, 64, "after {point} changes");
        assert_eq!(s.rows(&format!("{name}/c")), undisturbed, "after {point} changes");
    }
    println!("{} points", log.len() + 1);
}
