//! Compaction: small parts joined into large ones, and rows that no sample needs dropped. The new parts stand in a folder of
//! their own that trades places with the old one in a single step, so that a reader sees all parts of before or all of
//! after, and so does whoever looks after a crash.

use super::{FEATURES, FeatureStore, Key, PART_ROWS, Part, Rows, Writer};
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::fs;
use crate::monitor::{Monitor, Unit};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

/// What `cache compact` did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CompactStats {
    /// Parts before.
    pub parts_before: usize,
    /// Parts after.
    pub parts: usize,
    /// Rows after.
    pub rows: usize,
    /// Rows of images that are gone, which were dropped.
    pub pruned: usize,
    /// Rows that stood there twice, and now stand once.
    pub duplicates: usize,
    /// Bytes of all parts before.
    pub bytes_before: u64,
    /// Bytes of all parts after; `None` in a dry run.
    pub bytes: Option<u64>,
}

/// Joins the small parts of the cache at `root`; with `prune` drops the rows of images that are not among its samples.
/// Parts of one device, provider, runtime and version are joined only with their like.
///
/// # Errors
/// [`Kind::Locked`] when another process writes, [`Kind::Cache`] when a part is damaged,
/// [`Kind::Io`] when the operating system refuses. The cache is then as it was.
pub fn compact(root: &Path, prune: bool, dry_run: bool, monitor: &dyn Monitor) -> Result<CompactStats> {
    let store = FeatureStore::open(root)?;
    // A dry run disturbs nobody and waits for nobody.
    let mut writer = if dry_run { None } else { Some(Writer::open_or_create(root, store.spec())?) };
    let images: Option<HashSet<Digest>> = match prune {
        true => Some(store.samples()?.rows.iter().map(|row| row.file.image_sha256).collect()),
        false => None,
    };
    let (plan, mut stats) = store.of_all_parts(|parts| plan(parts, images.as_ref()))?;
    if plan.is_compact() || dry_run {
        stats.bytes = plan.is_compact().then_some(stats.bytes_before);
        return Ok(stats);
    }
    let Some(writer) = writer.as_mut() else { return Ok(stats) };
    let features = root.join(FEATURES);
    if features.is_symlink() {
        return Err(Error::new(Kind::Cache, "a link cannot be compacted")
            .at(features)
            .help("have the whole cache where the parts are, and a link to it here"));
    }
    fs::check_exchange(root)?;
    let folder = fs::beside(&features);
    let built = build(&plan, &folder, store.spec().width, writer, monitor).and_then(|bytes| {
        fs::exchange_folders(&folder, &features)?;
        Ok(bytes)
    });
    if built.is_err() && folder.exists() {
        // New parts that nobody waits for.
        let _ = fs::remove(&folder);
    }
    stats.bytes = Some(built?);
    // The old parts go when it is certain that they will not come back.
    fs::sync_folder(root)?;
    fs::remove(&folder)?;
    Ok(stats)
}

/// What becomes of the parts.
#[derive(Default)]
struct Plan {
    /// Those that stay as they are.
    kept: Vec<Part>,
    /// Groups whose rows, but for those left out, become one part each, with what is noted about it.
    joined: Vec<Group>,
}

#[derive(Default)]
struct Group {
    noted: BTreeMap<String, String>,
    parts: Vec<(Part, HashSet<Key>)>,
    rows: usize,
    /// Whether rows of these parts are left out.
    is_thinned: bool,
}

impl Plan {
    fn is_compact(&self) -> bool {
        self.joined.is_empty()
    }
}

const TIME: &str = "headstart.time";

/// Looks at the keys of all parts: large ones whose rows are all wanted stay, the others are filled together in their
/// order.
fn plan(parts: &[Part], images: Option<&HashSet<Digest>>) -> Result<(Plan, CompactStats)> {
    let mut stats = CompactStats { parts_before: parts.len(), ..CompactStats::default() };
    let mut plan = Plan::default();
    let mut open: BTreeMap<BTreeMap<String, String>, Group> = BTreeMap::new();
    let mut seen: HashSet<Key> = HashSet::new();
    for part in parts {
        stats.bytes_before += part.bytes();
        let keys = part.keys()?;
        let before = keys.len();
        let (wanted, gone): (Vec<Key>, Vec<Key>) =
            keys.into_iter().partition(|key| images.is_none_or(|images| images.contains(&key.image_sha256)));
        let rows: HashSet<Key> = wanted.into_iter().filter(|key| seen.insert(*key)).collect();
        stats.pruned += gone.len();
        stats.duplicates += before - gone.len() - rows.len();
        stats.rows += rows.len();
        if rows.len() == before && before > PART_ROWS / 2 {
            plan.kept.push(part.clone());
            continue;
        }
        let mut noted = part.metadata()?;
        let time = noted.remove(TIME).unwrap_or_default();
        let group = open.entry(noted.clone()).or_default();
        if group.rows + rows.len() > PART_ROWS {
            plan.joined.push(std::mem::take(group));
        }
        group.rows += rows.len();
        group.is_thinned |= rows.len() < before;
        // The latest of their times.
        noted.insert(TIME.into(), group.noted.get(TIME).cloned().unwrap_or_default().max(time));
        group.noted = noted;
        group.parts.push((part.clone(), rows));
    }
    plan.joined.extend(open.into_values());
    // A small part that found no fellow, and of which nothing is left out, stays as it is.
    let alone = |group: &Group| group.parts.len() == 1 && !group.is_thinned;
    let (alone, joined): (Vec<Group>, Vec<Group>) = plan.joined.into_iter().partition(alone);
    plan.kept.extend(alone.into_iter().flat_map(|group| group.parts).map(|(part, _)| part));
    plan.joined = joined;
    stats.parts = plan.kept.len() + plan.joined.iter().filter(|group| group.rows > 0).count();
    Ok((plan, stats))
}

/// Fills `folder` with the parts of the plan; returns their bytes.
fn build(
    plan: &Plan,
    folder: &Path,
    width: usize,
    writer: &mut Writer,
    monitor: &dyn Monitor,
) -> Result<u64> {
    let total = plan.joined.iter().map(|group| group.parts.len() as u64).sum();
    let task = monitor.task("joining parts", Some(total), Unit::Parts);
    fs::create_folder(folder)?;
    let mut bytes = 0;
    for part in &plan.kept {
        fs::hard_link(&part.path, &folder.join(&part.name))?;
        bytes += part.bytes();
    }
    for group in &plan.joined {
        let mut joined = Rows { width, ..Rows::default() };
        for (part, wanted) in &group.parts {
            let rows = part.rows(width)?;
            let mut left = wanted.clone();
            for (key, embedding) in rows.keys.into_iter().zip(rows.embeddings.chunks_exact(width.max(1))) {
                if left.remove(&key) {
                    joined.keys.push(key);
                    joined.embeddings.extend_from_slice(embedding);
                }
            }
            task.advance(1);
        }
        if !joined.keys.is_empty() {
            bytes += writer.append_in(folder, joined, group.noted.clone())?.bytes();
        }
    }
    fs::sync_folder(folder)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{ImageFile, Sample, Split};
    use crate::digest::sha256;
    use crate::monitor::Silent;
    use crate::store::Samples;
    use crate::store::tests::{rows, spec};
    use std::sync::atomic::{AtomicBool, Ordering};

    fn noted(provider: &str, time: &str) -> BTreeMap<String, String> {
        [("headstart.provider", provider), (TIME, time)].map(|(k, v)| (k.to_string(), v.to_string())).into()
    }

    fn described(names: &[&str]) -> Samples {
        let sample = |name: &&str| Sample {
            file: ImageFile {
                path: format!("a/{name}"),
                label: "a".into(),
                image_sha256: sha256(name.as_bytes()),
                width: 1,
                height: 1,
                bytes: 1,
                mtime_ns: 0,
            },
            split: Split::Train,
        };
        let rows = names.iter().map(sample).collect();
        Samples { rows, root: "/in".into(), seed: 0, fractions: Default::default() }
    }

    #[test]
    fn small_parts_are_joined_with_their_like_and_what_is_gone_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::open_or_create(dir.path(), &spec()).unwrap();
        writer.append(rows(&["a", "b"]), noted("CPU", "5")).unwrap();
        writer.append(rows(&["c"]), noted("CUDA", "6")).unwrap();
        writer.append(rows(&["d", "e"]), noted("CPU", "7")).unwrap();
        // As a file system that lost the removal of a joined part would leave it.
        writer.append(rows(&["d"]), noted("CPU", "7")).unwrap();
        writer.describe(&described(&["a", "c", "d"]), &[]).unwrap();
        let before = writer.store().rows(|_| true).unwrap();
        drop(writer);
        let told = compact(dir.path(), false, true, &Silent).unwrap();
        assert_eq!((told.parts_before, told.parts, told.rows, told.duplicates), (4, 2, 5, 1));
        assert_eq!(FeatureStore::open(dir.path()).unwrap().parts().unwrap().len(), 4, "a dry run only tells");
        let done = compact(dir.path(), false, false, &Silent).unwrap();
        assert_eq!(CompactStats { bytes: None, ..done.clone() }, told);
        let store = FeatureStore::open(dir.path()).unwrap();
        assert_eq!(store.rows(|_| true).unwrap(), before);
        let parts = store.parts().unwrap();
        assert_eq!(parts.iter().map(Part::bytes).sum::<u64>(), done.bytes.unwrap());
        let metadata: Vec<_> = parts.iter().map(|part| part.metadata().unwrap()).collect();
        assert!(metadata.contains(&noted("CPU", "7")) && metadata.contains(&noted("CUDA", "6")));
        // Once more there is nothing to do, and nothing is touched.
        assert_eq!(compact(dir.path(), false, false, &Silent).unwrap().parts_before, 2);
        assert_eq!(store.parts().unwrap(), parts);
        let pruned = compact(dir.path(), true, false, &Silent).unwrap();
        assert_eq!((pruned.parts, pruned.rows, pruned.pruned), (2, 3, 2));
        assert_eq!(store.rows(|_| true).unwrap(), rows_sorted(&["a", "c", "d"]));
        // New parts never take the number of an old one.
        let mut writer = Writer::open_or_create(dir.path(), &spec()).unwrap();
        let number = writer.append(rows(&["f"]), noted("CPU", "8")).unwrap().number;
        assert!(parts.iter().all(|part| part.number < number));
    }

    fn rows_sorted(names: &[&str]) -> Rows {
        let mut names = names.to_vec();
        names.sort_by_key(|name| sha256(name.as_bytes()));
        rows(&names)
    }

    #[test]
    fn a_damaged_part_stops_it_and_all_stays_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::open_or_create(dir.path(), &spec()).unwrap();
        writer.append(rows(&["a"]), noted("CPU", "5")).unwrap();
        let part = writer.append(rows(&["b"]), noted("CPU", "5")).unwrap();
        drop(writer);
        let mut bytes = std::fs::read(&part.path).unwrap();
        bytes[20] ^= 1;
        std::fs::write(&part.path, bytes).unwrap();
        let error = compact(dir.path(), false, false, &Silent).unwrap_err();
        assert!(error.to_string().contains(&part.name), "{error}");
        assert_eq!(FeatureStore::open(dir.path()).unwrap().parts().unwrap().len(), 2);
        assert_eq!(fs::list(dir.path()).unwrap().len(), 3, "spec.json, features, .lock");
    }

    #[test]
    fn readers_see_every_row_while_parts_are_joined() {
        let dir = tempfile::tempdir().unwrap();
        let names: Vec<String> = (0..60).map(|i| format!("image {i}")).collect();
        let store = {
            let mut writer = Writer::open_or_create(dir.path(), &spec()).unwrap();
            writer.append(rows(&["first"]), BTreeMap::new()).unwrap();
            FeatureStore::open(dir.path()).unwrap()
        };
        let (done, read) = (AtomicBool::new(false), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut most = 0;
                while !done.load(Ordering::Acquire) {
                    let (keys, rows) =
                        (store.keys().unwrap().len(), store.rows(|_| true).unwrap().keys.len());
                    assert!(keys >= most && rows >= keys, "{most}, then {keys} keys, then {rows} rows");
                    most = rows;
                    read.store(true, Ordering::Release);
                }
            });
            for name in &names {
                let mut writer = Writer::open_or_create(dir.path(), &spec()).unwrap();
                writer.append(rows(&[name]), BTreeMap::new()).unwrap();
                drop(writer);
                assert_eq!(compact(dir.path(), false, false, &Silent).unwrap().parts, 1);
            }
            while !read.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            done.store(true, Ordering::Release);
        });
    }
}
