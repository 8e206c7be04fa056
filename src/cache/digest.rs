//! One digest of all feature rows of a cache. It does not depend on how the rows are divided into parts, on when and where they
//! were computed, or on the data set.

use super::duplicates::contradiction;
use super::key::Key;
use super::part::Part;
use super::reader::FeatureCache;
use crate::error::{Error, Kind, Result};
use crate::io::digest::{Digest, Sha256};
use crate::math::parallel::{in_parallel, thread_count};
use crate::monitor::{Monitor, Unit};
use serde::Serialize;
use std::cmp::Ordering;
use std::path::Path;

/// Result of [`digest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CacheDigest {
    /// SHA-256 of all rows.
    pub sha256: Digest,
    /// Number of distinct rows.
    pub rows: usize,
    /// Floats per row.
    pub width: usize,
}

/// A row as far as the digest needs it.
struct RowDigest {
    key: Key,
    embedding: Digest,
    /// Index of its part.
    part: u32,
}

impl RowDigest {
    /// The order of the lines; of equal keys the earlier part first.
    fn order(&self, other: &Self) -> Ordering {
        let images = self.key.image_sha256.cmp(&other.key.image_sha256);
        // Few rows are of one image, so that few names are compared.
        let variants = || self.key.variant.to_string().cmp(&other.key.variant.to_string());
        images.then_with(variants).then(self.part.cmp(&other.part))
    }
}

/// Computes the digest of all feature rows of the cache at `root`, after checking the digest of each part.
///
/// It is the SHA-256 of one line for each row, `IMAGE VARIANT EMBEDDING` and a line feed: the SHA-256 of the image, the name of the
/// variant, and the SHA-256 of the features as little-endian float32. Lines are sorted by image, then by variant, bytewise. A row
/// that is stored twice counts once.
///
/// # Errors
/// [`Kind::Cache`] when there is no cache, a part is damaged, or a key has two values; [`Kind::Interrupted`] when the monitor was
/// interrupted.
pub fn digest(root: &Path, monitor: &dyn Monitor) -> Result<CacheDigest> {
    let cache = FeatureCache::open(root)?;
    let (rows, sha256) = cache.with_parts(|parts| {
        let mut rows = row_digests(parts, &cache, monitor)?;
        rows.sort_unstable_by(RowDigest::order);
        check_repeated(parts, &rows)?;
        rows.dedup_by_key(|row| row.key);
        let mut all = Sha256::default();
        for RowDigest { key: Key { image_sha256, variant }, embedding, .. } in &rows {
            all.update(format!("{image_sha256} {variant} {embedding}\n").as_bytes());
        }
        Ok((rows.len(), all.finish()))
    })?;
    Ok(CacheDigest { sha256, rows, width: cache.spec().width })
}

fn row_digests(parts: &[Part], cache: &FeatureCache, monitor: &dyn Monitor) -> Result<Vec<RowDigest>> {
    let task = monitor.task("reading parts", Some(parts.len() as u64), Unit::Parts);
    let numbered: Vec<(usize, &Part)> = parts.iter().enumerate().collect();
    let of_part = |&(index, part): &(usize, &Part)| {
        if monitor.is_interrupted() {
            let error = Error::new(Kind::Interrupted, "interrupted while parts were being read");
            return Err(error.at(cache.root()));
        }
        let rows = part.rows(cache.spec())?;
        let embeddings = rows.embeddings.chunks_exact(rows.width.max(1));
        let row = |(key, embedding): (Key, &[f32])| {
            let mut hasher = Sha256::default();
            embedding.iter().for_each(|value| hasher.update(&value.to_le_bytes()));
            RowDigest { key, embedding: hasher.finish(), part: index as u32 }
        };
        task.advance(1);
        Ok(rows.keys.into_iter().zip(embeddings).map(row).collect::<Vec<_>>())
    };
    Ok(in_parallel(thread_count(0), &numbered, of_part)?.into_iter().flatten().collect())
}

/// Checks that sorted rows with equal keys hold equal features.
fn check_repeated(parts: &[Part], rows: &[RowDigest]) -> Result<()> {
    let contradicts =
        |pair: &&[RowDigest]| pair[0].key == pair[1].key && pair[0].embedding != pair[1].embedding;
    match rows.windows(2).find(contradicts) {
        Some(pair) => {
            Err(contradiction(&parts[pair[1].part as usize], &parts[pair[0].part as usize], &pair[0].key))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::compact::{CompactConfig, compact};
    use super::super::test_data::{rows, spec};
    use super::super::writer::CacheWriter;
    use super::*;
    use crate::monitor::Silent;
    use std::collections::BTreeMap;

    #[test]
    fn it_depends_on_the_rows_and_not_on_the_parts() {
        let dir = tempfile::tempdir().unwrap();
        let cache = |name: &str, parts: &[&[&str]]| {
            let root = dir.path().join(name);
            let mut writer = CacheWriter::open_or_create(&root, &spec()).unwrap();
            for names in parts {
                writer.append(rows(names), BTreeMap::new()).unwrap();
            }
            root
        };
        let of = |root: &Path| digest(root, &Silent).unwrap();
        let (one, many) =
            (cache("one", &[&["a", "bb", "c"]]), cache("many", &[&["c"], &["bb", "a"], &["c"]]));
        assert_eq!(of(&one), of(&many));
        assert_eq!((of(&one).rows, of(&one).width), (3, 2));
        compact(&many, &CompactConfig::default(), &Silent).unwrap();
        assert_eq!(of(&one), of(&many));
        let fewer = cache("fewer", &[&["a", "bb"]]);
        assert_ne!(of(&one).sha256, of(&fewer).sha256);
        let mut other = rows(&["a", "bb", "c"]);
        // Equal as numbers, other bits.
        other.embeddings[1] = 0.0;
        let zero = dir.path().join("zero");
        CacheWriter::open_or_create(&zero, &spec()).unwrap().append(other.clone(), BTreeMap::new()).unwrap();
        other.embeddings[1] = -0.0;
        let negative = dir.path().join("negative");
        let mut writer = CacheWriter::open_or_create(&negative, &spec()).unwrap();
        writer.append(other, BTreeMap::new()).unwrap();
        assert_ne!(of(&zero).sha256, of(&negative).sha256);
        writer.append(rows(&["a"]), BTreeMap::new()).unwrap();
        let error = digest(&negative, &Silent).unwrap_err();
        assert!(error.to_string().contains("other features than part-000000-"), "{error}");
    }
}
