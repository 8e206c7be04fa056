//! A power loss at every point: the log of all changes on disk is replayed up to each of them, with every combination of
//! what was not yet durable, and what was guaranteed must be there.

mod disk;

use crate::support::{self, Sandbox, spec};
use disk::{Log, State, lay};
use headstart::cache::compact::{CompactConfig, compact};
use headstart::cache::{CacheWriter, FeatureCache, FeatureRows, Key, Samples, Spec, read_refused};
use headstart::data::augment::Variant;
use headstart::data::dataset::{ImageFile, Refused, Sample, Split};
use headstart::extract::extract;
use headstart::io::digest::sha256;
use headstart::monitor::Silent;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

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
        labels: None,
        fixed_split: None,
        group: None,
        weight: headstart::data::dataset::Weight::default(),
        image_sha256: sha256(name.as_bytes()),
        width: 1,
        height: 1,
        bytes: 1,
        mtime_ns: 0,
        identity: Default::default(),
    };
    let rows = names.iter().map(|name| Sample { file: file(name), split: Split::Train }).collect();
    Samples { rows, root: "/in".into(), ..Samples::default() }
}

/// What a reader must find from a point of the log on: these rows, and one of these descriptions.
struct Guarantee {
    from: usize,
    rows: BTreeSet<&'static str>,
    described: Vec<Samples>,
}

fn refusals() -> Vec<Refused> {
    vec![Refused { path: "a/x".into(), image_sha256: Some(sha256(b"x")), reason: "no image".into() }]
}

const ALL: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

/// A cache's life below `root`, with what is guaranteed after each step.
fn use_a_cache(root: &Path, log: &Log) -> Vec<Guarantee> {
    let cache = root.join("deep/below/cache");
    let descriptions = [samples(&ALL), samples(&ALL[2..])];
    let mut guarantees = vec![Guarantee { from: 0, rows: BTreeSet::new(), described: Vec::new() }];
    let mut guarantee = |rows: &[&'static str], described: &[Samples]| {
        let rows = rows.iter().copied().collect();
        guarantees.push(Guarantee { from: log.len(), rows, described: described.to_vec() });
    };
    let noted = || BTreeMap::from([("headstart.provider".to_string(), "CPU".to_string())]);
    let mut writer = CacheWriter::open_or_create(&cache, &spec()).unwrap();
    writer.describe(&descriptions[0], &refusals()).unwrap();
    guarantee(&[], &descriptions[..1]);
    for (start, end) in [(0, 2), (2, 3), (3, 5)] {
        writer.append(rows(&ALL[start..end]), noted()).unwrap();
        guarantee(&ALL[..end], &descriptions[..1]);
    }
    drop(writer);
    compact(&cache, &CompactConfig::default(), &Silent).unwrap();
    guarantee(&ALL[..5], &descriptions[..1]);
    let mut writer = CacheWriter::open_or_create(&cache, &spec()).unwrap();
    let aside = writer.append(rows(&ALL[7..]), noted()).unwrap();
    writer.append(rows(&ALL[5..7]), noted()).unwrap();
    guarantee(&ALL[..7], &descriptions[..1]);
    writer.quarantine(&aside).unwrap();
    writer.describe(&descriptions[1], &refusals()).unwrap();
    guarantee(&ALL[..7], &descriptions[1..]);
    drop(writer);
    let mut pruning = CompactConfig::default();
    pruning.prune = true;
    compact(&cache, &pruning, &Silent).unwrap();
    guarantee(&ALL[2..7], &descriptions[1..]);
    guarantees
}

fn demand(holds: bool, otherwise: impl Into<String>) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}

/// Everything that must hold of `cache`, in which a power loss may have left anything that is possible.
fn check(cache: &Path, guarantee: &Guarantee, next: Option<&Guarantee>) -> Result<(), String> {
    let message = |e: headstart::error::Error| e.with_causes();
    let Some(spec) = Spec::read(cache).map_err(message)? else {
        return demand(guarantee.described.is_empty(), "the spec is lost");
    };
    demand(spec == self::spec(), "the spec is another")?;
    let opened = FeatureCache::open(cache).map_err(message)?;
    let read = opened.rows(|_| true).map_err(message)?;
    let parts = opened.parts().map_err(message)?;
    let keys: Vec<_> =
        parts.iter().map(|part| part.keys(&spec).map_err(message)).collect::<Result<_, _>>()?;
    demand(keys.concat().len() == read.keys.len(), "a key stands in two parts")?;
    let names: Vec<&str> =
        read.keys.iter().filter_map(|found| ALL.into_iter().find(|name| key(name) == *found)).collect();
    demand(read == rows(&names), "the features are not those that were written")?;
    // A step under way may have dropped rows that its own guarantee does not name.
    let is_kept = |name: &&&str| next.is_none_or(|next| next.rows.contains(**name));
    let missing = guarantee.rows.iter().filter(is_kept).filter(|name| !names.contains(name)).count();
    demand(missing == 0, format!("{missing} committed rows are lost"))?;
    let described = opened.samples_if_any().map_err(message)?;
    let possible = guarantee.described.iter().chain(next.iter().flat_map(|next| &next.described));
    let is_possible = described.iter().any(|found| possible.clone().any(|possible| possible == found));
    demand(
        is_possible || (described.is_none() && guarantee.described.is_empty()),
        "the description is another",
    )?;
    let refused = read_refused(cache).map_err(message)?.files;
    demand(
        refused == refusals() || (refused.is_empty() && guarantee.described.is_empty()),
        "refusals are lost",
    )
}

/// Whether readers and the next writer find in `state` what was guaranteed.
fn survives(state: &State, guarantee: &Guarantee, next: Option<&Guarantee>) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    lay(state, dir.path());
    let cache = dir.path().join("deep/below/cache");
    check(&cache, guarantee, next)?;
    // The next writer opens the cache, cleans up and continues.
    let mut writer = CacheWriter::open_or_create(&cache, &spec()).map_err(|e| e.with_causes())?;
    check(&cache, guarantee, next)?;
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

/// The guarantee that holds after `changes` changes, and the next one.
fn guaranteed(guarantees: &[Guarantee], changes: usize) -> (&Guarantee, Option<&Guarantee>) {
    let at = guarantees.iter().rposition(|guarantee| guarantee.from <= changes).unwrap();
    (&guarantees[at], guarantees.get(at + 1))
}

#[test]
fn after_a_power_loss_no_committed_row_is_lost_and_no_partial_file_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let (log, watching) = Log::of(dir.path());
    let guarantees = use_a_cache(dir.path(), &log);
    drop(watching);
    let mut states = 0;
    for point in 0..=log.len() {
        let (guarantee, next) = guaranteed(&guarantees, point);
        for state in log.states(point) {
            survives(&state, guarantee, next).unwrap_or_else(|why| panic!("after {point} changes: {why}"));
            states += 1;
        }
    }
    println!("{} changes, {states} states", log.len());
    assert!(log.len() > 60 && states > 150, "{} changes, {states} states", log.len());
    // The check can fail: leave a sync out, and something is lost before the next guarantee but one.
    let loses = |left_out: &usize| {
        let later = guarantees.iter().map(|guarantee| guarantee.from).filter(|from| from > left_out).take(2);
        later.chain([log.len()]).any(|point| {
            let (guarantee, next) = guaranteed(&guarantees, point);
            log.states_without(point, *left_out).iter().any(|state| survives(state, guarantee, next).is_err())
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
    // A folder that is synced again before anything is guaranteed could have waited.
    assert!(needed >= 10, "{needed} of {}", folders.len());
}

#[test]
fn extract_continues_after_a_power_loss_at_any_point() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 8), ("bee", 8)]);
    std::fs::create_dir(s.path("disk")).unwrap();
    let config = support::config(&s, "in", "disk/c");
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
