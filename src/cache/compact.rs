//! Compaction: merges small parts into large ones, and drops rows that no sample needs. The new parts are built in a
//! folder of their own, which is swapped with the old one in a single step. A reader therefore sees either all old parts
//! or all new ones, also after a crash.
//!
//! Some file systems cannot swap folders, among them overlays whose lower layer holds the cache. There the new parts are
//! moved in one by one, before the old ones are removed: for a moment, or after a crash, rows may be there twice.

use super::duplicates::check_duplicates;
use super::key::Key;
use super::layout::FEATURES;
use super::part::{FeatureRows, MAX_PART_ROWS, Part, SPEC_DIGEST};
use super::plan::PlanHeader;
use super::reader::FeatureCache;
use super::spec::Spec;
use super::writer::CacheWriter;
use crate::error::{Error, Kind, Result};
use crate::io::digest::Digest;
use crate::io::fs;
use crate::monitor::{Monitor, Unit};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

/// Settings of [`compact`]. The default merges parts and drops nothing but duplicates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompactConfig {
    /// Drop the rows of images that are not among the samples.
    pub prune: bool,
    /// Report what would be done, and change nothing.
    pub dry_run: bool,
}

/// Result of [`compact`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CompactStats {
    /// Number of parts before.
    pub parts_before: usize,
    /// Number of parts after.
    pub parts: usize,
    /// Number of rows after.
    pub rows: usize,
    /// Number of rows dropped because their image is not among the samples.
    pub pruned: usize,
    /// Number of parts of version 0.1.0, which are written anew: many readers cannot open those, and they do not
    /// name their spec.
    pub rewritten: usize,
    /// Number of rows dropped because an earlier row has the same key.
    pub duplicates: usize,
    /// Size of all parts before, in bytes.
    pub bytes_before: u64,
    /// Size of all parts after, in bytes; `None` in a dry run.
    pub bytes: Option<u64>,
}

/// Merges the small parts of the cache at `root`. Parts are merged only when they have the same device, provider,
/// runtime and version.
///
/// # Errors
/// [`Kind::Locked`] when another process writes, [`Kind::Cache`] when a part is damaged or a plan for several workers is not
/// finished, [`Kind::Io`] when the operating system refuses. The cache is then unchanged.
pub fn compact(root: &Path, config: &CompactConfig, monitor: &dyn Monitor) -> Result<CompactStats> {
    let cache = FeatureCache::open(root)?;
    PlanHeader::require_none(root)?;
    // A dry run takes no lock.
    let writer = if config.dry_run { None } else { Some(CacheWriter::open_or_create(root, cache.spec())?) };
    let images: Option<HashSet<Digest>> = match config.prune {
        true => Some(cache.samples()?.images().map(|file| file.image_sha256).collect()),
        false => None,
    };
    let plan = cache.with_parts(|parts| CompactionPlan::of(parts, cache.spec(), images.as_ref()))?;
    let stats = plan.stats.clone();
    match writer {
        _ if plan.merges.is_empty() => Ok(CompactStats { bytes: Some(stats.bytes_before), ..stats }),
        None => Ok(stats),
        Some(mut writer) => {
            let bytes = swap_parts(&plan, &mut writer, monitor)?;
            Ok(CompactStats { bytes: Some(bytes), ..stats })
        }
    }
}

/// Builds the new parts and swaps them with the old ones. Returns the size of the new parts in bytes.
fn swap_parts(plan: &CompactionPlan, writer: &mut CacheWriter, monitor: &dyn Monitor) -> Result<u64> {
    let root = writer.cache().root().to_path_buf();
    let features = root.join(FEATURES);
    if features.is_symlink() {
        return Err(Error::new(Kind::Cache, "a symbolic link cannot be compacted")
            .at(features)
            .help("move the whole cache to where its parts are, and replace it with a link"));
    }
    let folder = fs::temporary_path(&features);
    let built = build_parts(plan, &folder, writer, monitor).and_then(|bytes| {
        if !fs::exchange_folders(&folder, &features)? {
            move_parts(plan, &folder, &features)?;
        }
        Ok(bytes)
    });
    if built.is_err() && folder.exists() {
        // New parts that are not needed.
        let _ = fs::remove(&folder);
    }
    let bytes = built?;
    // The swap must be durable before the old parts are removed.
    fs::sync_folder(&root)?;
    fs::remove(&folder)?;
    Ok(bytes)
}

/// Moves the new parts from `folder` to `features` one by one, then removes the old ones from there.
fn move_parts(plan: &CompactionPlan, folder: &Path, features: &Path) -> Result<()> {
    let is_kept = |name: &str| plan.kept.iter().any(|part| part.name == name);
    for entry in fs::list(folder)?.iter().filter(|entry| !is_kept(&entry.name)) {
        fs::rename(&entry.path, &features.join(&entry.name))?;
    }
    for source in plan.merges.iter().flat_map(|merge| &merge.sources) {
        fs::remove(&source.part.path)?;
    }
    fs::sync_folder(features)
}

/// Fills `folder` with the parts of the plan. Returns their size in bytes.
fn build_parts(
    plan: &CompactionPlan,
    folder: &Path,
    writer: &mut CacheWriter,
    monitor: &dyn Monitor,
) -> Result<u64> {
    let total = plan.merges.iter().map(|merge| merge.sources.len() as u64).sum();
    let task = monitor.task("merging parts", Some(total), Unit::Parts);
    let width = writer.cache().spec().width;
    fs::create_folder(folder)?;
    let mut bytes = 0;
    for part in &plan.kept {
        fs::hard_link(&part.path, &folder.join(&part.name))?;
        bytes += part.bytes();
    }
    for merge in &plan.merges {
        let mut merged = FeatureRows { width, ..FeatureRows::default() };
        for source in &merge.sources {
            let rows = source.part.rows(writer.cache().spec())?;
            let mut wanted = source.keys.clone();
            for (key, embedding) in rows.keys.into_iter().zip(rows.embeddings.chunks_exact(width.max(1))) {
                if wanted.remove(&key) {
                    merged.keys.push(key);
                    merged.embeddings.extend_from_slice(embedding);
                }
            }
            task.advance(1);
        }
        if !merged.keys.is_empty() {
            bytes += writer.append_to(folder, merged, merge.metadata.clone())?.bytes();
        }
    }
    fs::sync_folder(folder)?;
    Ok(bytes)
}

/// What is to be done with each part.
#[derive(Default)]
struct CompactionPlan {
    /// Parts that stay as they are.
    kept: Vec<Part>,
    /// Groups of parts that become one part each.
    merges: Vec<Merge>,
    /// The result when the plan is carried out.
    stats: CompactStats,
}

/// Parts that become one part, with its metadata.
#[derive(Default)]
struct Merge {
    metadata: Metadata,
    sources: Vec<MergeSource>,
    rows: usize,
    /// Whether some rows of the sources are dropped, or a source is of version 0.1.0.
    changes_rows: bool,
}

/// A part to be merged, and the keys of the rows that are kept of it.
struct MergeSource {
    part: Part,
    keys: HashSet<Key>,
}

/// Metadata of a part.
type Metadata = BTreeMap<String, String>;

const TIME: &str = "headstart.time";

impl CompactionPlan {
    /// Decides from the keys of all parts. Large parts whose rows are all wanted stay, unless they are of version 0.1.0; the
    /// others are merged in their order. With `images`, rows of other images are dropped.
    fn of(parts: &[Part], spec: &Spec, images: Option<&HashSet<Digest>>) -> Result<Self> {
        let mut plan = Self::default();
        plan.stats.parts_before = parts.len();
        let mut open: BTreeMap<Metadata, Merge> = BTreeMap::new();
        let mut seen: HashSet<Key> = HashSet::new();
        let keys = parts.iter().map(|part| part.keys(spec)).collect::<Result<Vec<_>>>()?;
        check_duplicates(parts, &keys, spec)?;
        for (part, all) in parts.iter().zip(keys) {
            let mut metadata = part.metadata()?;
            let is_current = metadata.remove(SPEC_DIGEST).is_some();
            plan.stats.rewritten += usize::from(!is_current);
            let number = all.len();
            let keys = plan.count(part, all, images, &mut seen);
            if is_current && keys.len() == number && number > MAX_PART_ROWS / 2 {
                plan.kept.push(part.clone());
                continue;
            }
            let time = metadata.remove(TIME);
            let merge = open.entry(metadata.clone()).or_default();
            if merge.rows + keys.len() > MAX_PART_ROWS {
                plan.merges.push(std::mem::take(merge));
            }
            merge.rows += keys.len();
            merge.changes_rows |= keys.len() < number || !is_current;
            // The latest time of the sources.
            metadata.extend(merge.metadata.remove(TIME).max(time).map(|time| (TIME.into(), time)));
            merge.metadata = metadata;
            merge.sources.push(MergeSource { part: part.clone(), keys });
        }
        plan.merges.extend(open.into_values());
        plan.keep_single_parts();
        Ok(plan)
    }

    /// Counts the rows of a part, and returns the keys of those that are kept.
    fn count(
        &mut self,
        part: &Part,
        keys: Vec<Key>,
        images: Option<&HashSet<Digest>>,
        seen: &mut HashSet<Key>,
    ) -> HashSet<Key> {
        let number = keys.len();
        let is_wanted = |key: &Key| images.is_none_or(|images| images.contains(&key.image_sha256));
        let wanted: Vec<Key> = keys.into_iter().filter(is_wanted).collect();
        let pruned = number - wanted.len();
        let kept: HashSet<Key> = wanted.into_iter().filter(|key| seen.insert(*key)).collect();
        self.stats.bytes_before += part.bytes();
        self.stats.pruned += pruned;
        self.stats.duplicates += number - pruned - kept.len();
        self.stats.rows += kept.len();
        kept
    }

    /// Keeps a small part as it is when there is no other part to merge it with and nothing in it changes.
    fn keep_single_parts(&mut self) {
        let is_unchanged = |merge: &Merge| merge.sources.len() == 1 && !merge.changes_rows;
        let (unchanged, merges): (Vec<Merge>, Vec<Merge>) =
            std::mem::take(&mut self.merges).into_iter().partition(is_unchanged);
        self.kept.extend(unchanged.into_iter().flat_map(|merge| merge.sources).map(|source| source.part));
        self.merges = merges;
        self.stats.parts = self.kept.len() + self.merges.iter().filter(|merge| merge.rows > 0).count();
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::Samples;
    use super::super::test_data::{rows, spec};
    use super::*;
    use crate::data::dataset::{ImageFile, Sample, Split};
    use crate::io::digest::sha256;
    use crate::monitor::Silent;
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    const MERGE: CompactConfig = CompactConfig { prune: false, dry_run: false };
    const PRUNE: CompactConfig = CompactConfig { prune: true, dry_run: false };
    const DRY_RUN: CompactConfig = CompactConfig { prune: false, dry_run: true };

    fn metadata(provider: &str, time: &str) -> BTreeMap<String, String> {
        [("headstart.provider", provider), (TIME, time)].map(|(k, v)| (k.to_string(), v.to_string())).into()
    }

    fn described(names: &[&str]) -> Samples {
        let sample = |name: &&str| Sample {
            file: ImageFile {
                path: format!("a/{name}"),
                label: "a".into(),
                labels: None,
                fixed_split: None,
                group: None,
                weight: crate::data::dataset::Weight::default(),
                image_sha256: sha256(name.as_bytes()),
                width: 1,
                height: 1,
                bytes: 1,
                mtime_ns: 0,
                identity: Default::default(),
            },
            split: Split::Train,
        };
        let rows = names.iter().map(sample).collect();
        Samples { rows, root: "/in".into(), ..Samples::default() }
    }

    #[test]
    fn parts_with_equal_metadata_are_merged_and_rows_of_removed_images_are_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = CacheWriter::open_or_create(dir.path(), &spec()).unwrap();
        writer.append(rows(&["a", "b"]), metadata("CPU", "5")).unwrap();
        writer.append(rows(&["c"]), metadata("CUDA", "6")).unwrap();
        writer.append(rows(&["d", "e"]), metadata("CPU", "7")).unwrap();
        // A duplicate, as a file system leaves it that lost the removal of a merged part.
        writer.append(rows(&["d"]), metadata("CPU", "7")).unwrap();
        writer.describe(&described(&["a", "c", "d"]), &[]).unwrap();
        let before = writer.cache().rows(|_| true).unwrap();
        drop(writer);
        let predicted = compact(dir.path(), &DRY_RUN, &Silent).unwrap();
        assert_eq!(
            (predicted.parts_before, predicted.parts, predicted.rows, predicted.duplicates),
            (4, 2, 5, 1)
        );
        assert_eq!(
            FeatureCache::open(dir.path()).unwrap().parts().unwrap().len(),
            4,
            "a dry run changes nothing"
        );
        let done = compact(dir.path(), &MERGE, &Silent).unwrap();
        assert_eq!(CompactStats { bytes: None, ..done.clone() }, predicted);
        let cache = FeatureCache::open(dir.path()).unwrap();
        assert_eq!(cache.rows(|_| true).unwrap(), before);
        let parts = cache.parts().unwrap();
        assert_eq!(parts.iter().map(Part::bytes).sum::<u64>(), done.bytes.unwrap());
        let stored: Vec<_> = parts.iter().map(|part| part.metadata().unwrap()).collect();
        let with_spec = |provider: &str, time: &str| {
            let mut metadata = metadata(provider, time);
            metadata.insert(SPEC_DIGEST.into(), spec().digest().to_string());
            metadata
        };
        assert!(stored.contains(&with_spec("CPU", "7")) && stored.contains(&with_spec("CUDA", "6")));
        // A second compaction finds nothing to do and changes nothing.
        assert_eq!(compact(dir.path(), &MERGE, &Silent).unwrap().parts_before, 2);
        assert_eq!(cache.parts().unwrap(), parts);
        let pruned = compact(dir.path(), &PRUNE, &Silent).unwrap();
        assert_eq!((pruned.parts, pruned.rows, pruned.pruned), (2, 3, 2));
        assert_eq!(cache.rows(|_| true).unwrap(), rows_sorted(&["a", "c", "d"]));
        // New parts never reuse the number of an old one.
        let mut writer = CacheWriter::open_or_create(dir.path(), &spec()).unwrap();
        let number = writer.append(rows(&["f"]), metadata("CPU", "8")).unwrap().number;
        assert!(parts.iter().all(|part| part.number < number));
    }

    #[test]
    fn a_merged_part_has_the_latest_known_time_of_its_sources() {
        for (times, expected) in
            [([None, None], None), ([Some("5"), None], Some("5")), ([Some("5"), Some("7")], Some("7"))]
        {
            let dir = tempfile::tempdir().unwrap();
            let mut writer = CacheWriter::open_or_create(dir.path(), &spec()).unwrap();
            for (name, time) in ["a", "b"].iter().zip(times) {
                let metadata = time.map(|time| (TIME.to_string(), time.to_string()));
                writer.append(rows(&[name]), metadata.into_iter().collect()).unwrap();
            }
            drop(writer);
            assert_eq!(compact(dir.path(), &MERGE, &Silent).unwrap().parts, 1);
            let part = &FeatureCache::open(dir.path()).unwrap().parts().unwrap()[0];
            assert_eq!(part.metadata().unwrap().get(TIME).map(String::as_str), expected);
        }
    }

    fn rows_sorted(names: &[&str]) -> FeatureRows {
        let mut names = names.to_vec();
        names.sort_by_key(|name| sha256(name.as_bytes()));
        rows(&names)
    }

    /// A file system that cannot swap folders, and fails the `at`-th other change.
    struct NoSwap {
        at: usize,
        seen: AtomicUsize,
    }

    impl fs::Watcher for NoSwap {
        fn before(&self, change: &fs::Change) -> io::Result<()> {
            match change {
                fs::Change::Exchange(..) => Err(io::ErrorKind::Unsupported.into()),
                _ if self.seen.fetch_add(1, Ordering::Relaxed) == self.at => Err(io::Error::other("no")),
                _ => Ok(()),
            }
        }
    }

    #[test]
    fn where_folders_cannot_be_swapped_parts_move_one_by_one_and_no_row_is_ever_lost() {
        let mut at = 0;
        loop {
            let dir = tempfile::tempdir().unwrap();
            let mut writer = CacheWriter::open_or_create(dir.path(), &spec()).unwrap();
            for names in [["a", "b"], ["c", "d"], ["d", "e"]] {
                writer.append(rows(&names), metadata("CPU", "5")).unwrap();
            }
            drop(writer);
            let cache = FeatureCache::open(dir.path()).unwrap();
            let before = cache.rows(|_| true).unwrap();
            let fault = Arc::new(NoSwap { at, seen: AtomicUsize::new(0) });
            let watching = fs::watch(dir.path(), fault.clone());
            let done = compact(dir.path(), &MERGE, &Silent);
            drop(watching);
            assert_eq!(cache.rows(|_| true).unwrap(), before, "change {at}");
            // Whatever failed, the next compaction ends with one part and nothing else.
            compact(dir.path(), &MERGE, &Silent).unwrap();
            assert_eq!((cache.parts().unwrap().len(), cache.rows(|_| true).unwrap()), (1, before));
            assert_eq!(fs::list(dir.path()).unwrap().len(), 3, "spec.json, features, .lock");
            if fault.seen.load(Ordering::Relaxed) <= at {
                assert_eq!(done.unwrap().parts, 1);
                break;
            }
            at += 1;
        }
        assert!(at > 10, "{at}");
    }

    #[test]
    fn a_damaged_part_fails_the_compaction_and_the_cache_is_unchanged() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = CacheWriter::open_or_create(dir.path(), &spec()).unwrap();
        writer.append(rows(&["a"]), metadata("CPU", "5")).unwrap();
        let part = writer.append(rows(&["b"]), metadata("CPU", "5")).unwrap();
        drop(writer);
        let mut bytes = std::fs::read(&part.path).unwrap();
        bytes[20] ^= 1;
        std::fs::write(&part.path, bytes).unwrap();
        let error = compact(dir.path(), &MERGE, &Silent).unwrap_err();
        assert!(error.to_string().contains(&part.name), "{error}");
        assert_eq!(FeatureCache::open(dir.path()).unwrap().parts().unwrap().len(), 2);
        assert_eq!(fs::list(dir.path()).unwrap().len(), 3, "spec.json, features, .lock");
    }

    #[test]
    fn readers_see_every_row_during_compactions() {
        let dir = tempfile::tempdir().unwrap();
        let names: Vec<String> = (0..60).map(|i| format!("image {i}")).collect();
        let cache = {
            let mut writer = CacheWriter::open_or_create(dir.path(), &spec()).unwrap();
            writer.append(rows(&["first"]), BTreeMap::new()).unwrap();
            FeatureCache::open(dir.path()).unwrap()
        };
        let (done, read) = (AtomicBool::new(false), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut most = 0;
                while !done.load(Ordering::Acquire) {
                    let (keys, rows) =
                        (cache.keys().unwrap().len(), cache.rows(|_| true).unwrap().keys.len());
                    assert!(keys >= most && rows >= keys, "{most}, then {keys} keys, then {rows} rows");
                    most = rows;
                    read.store(true, Ordering::Release);
                }
            });
            for name in &names {
                let mut writer = CacheWriter::open_or_create(dir.path(), &spec()).unwrap();
                writer.append(rows(&[name]), BTreeMap::new()).unwrap();
                drop(writer);
                assert_eq!(compact(dir.path(), &MERGE, &Silent).unwrap().parts, 1);
            }
            while !read.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            done.store(true, Ordering::Release);
        });
    }
}
