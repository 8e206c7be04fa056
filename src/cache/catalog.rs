//! The catalog of a cache: the keys of all rows and where each row is, so that selected rows can be loaded straight
//! into a matrix. Each part is read once and its digest checked. Rows that a compaction has moved in the meantime are
//! found again.

use super::duplicates::check_duplicates;
use super::key::Key;
use super::part::Part;
use super::reader::FeatureCache;
use crate::error::{Error, Kind, Result};
use crate::math::matrix::Matrix;
use crate::math::parallel::in_parallel;
use std::collections::HashMap;
use std::sync::Mutex;

/// The parts of a cache and the keys of their rows, at one point in time.
#[derive(Debug)]
pub struct Catalog {
    cache: FeatureCache,
    parts: Vec<CatalogedPart>,
}

/// A part and the keys of its rows in order.
#[derive(Debug)]
struct CatalogedPart {
    part: Part,
    keys: Vec<Key>,
}

/// Selected rows of one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartSelection {
    /// Index of the part in the catalog.
    pub part: usize,
    /// Indices of rows in the part, ascending.
    pub rows: Vec<usize>,
}

/// Features that were loaded, with their keys.
#[derive(Debug)]
pub struct KeyedFeatures {
    /// Key of each row.
    pub keys: Vec<Key>,
    /// Features `[rows, width]`.
    pub features: Matrix,
}

impl FeatureCache {
    /// Reads the keys of all parts on up to `threads` threads, without checking digests.
    ///
    /// # Errors
    /// [`Kind::Cache`] when a part cannot be read or is of another spec, or a key has two values.
    pub fn catalog(&self, threads: usize) -> Result<Catalog> {
        let parts = self.with_parts(|parts| {
            let keys = in_parallel(threads, parts, |part| part.keys(self.spec()))?;
            check_duplicates(parts, &keys, self.spec())?;
            Ok(parts.iter().cloned().zip(keys).map(|(part, keys)| CatalogedPart { part, keys }).collect())
        })?;
        Ok(Catalog { cache: self.clone(), parts })
    }
}

impl Catalog {
    /// The keys of all rows, part by part. A key that is stored twice comes twice.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.parts.iter().flat_map(|part| &part.keys)
    }

    /// Floats per row.
    pub fn width(&self) -> usize {
        self.cache.spec().width
    }

    /// Selects the rows whose key is `wanted`, part by part. A key that is stored twice is selected once. Parts
    /// without selected rows are left out.
    pub fn select(&self, wanted: impl Fn(&Key) -> bool) -> Vec<PartSelection> {
        let mut locations: HashMap<Key, (usize, usize)> = HashMap::new();
        for (index, part) in self.parts.iter().enumerate() {
            let selected = part.keys.iter().enumerate().filter(|(_, key)| wanted(key));
            locations.extend(selected.map(|(row, key)| (*key, (index, row))));
        }
        let empty = |part| PartSelection { part, rows: Vec::new() };
        let mut selections: Vec<PartSelection> = (0..self.parts.len()).map(empty).collect();
        for (part, row) in locations.into_values() {
            selections[part].rows.push(row);
        }
        selections.retain(|selection| !selection.rows.is_empty());
        selections.iter_mut().for_each(|selection| selection.rows.sort_unstable());
        selections
    }

    /// The keys of the selected rows, in order.
    ///
    /// # Panics
    /// When a selection is not of this catalog.
    pub fn keys_of<'a>(&'a self, selections: &'a [PartSelection]) -> impl Iterator<Item = Key> + 'a {
        selections.iter().flat_map(|selection| {
            let keys = &self.parts[selection.part].keys;
            selection.rows.iter().map(|&row| keys[row])
        })
    }

    /// Reads the selected rows, in order, on up to `threads` threads.
    ///
    /// # Errors
    /// [`Kind::Cache`] when a part is damaged or of another width, or rows have been removed since their keys were
    /// read; [`Kind::Io`] when a part cannot be read.
    pub fn read(&self, selections: &[PartSelection], threads: usize) -> Result<KeyedFeatures> {
        let mut features = Matrix::zeros(number_of_rows(selections), self.width());
        self.read_into(selections, &mut features, threads)?;
        Ok(KeyedFeatures { keys: self.keys_of(selections).collect(), features })
    }

    /// Reads the selected rows into the first rows of `target`. When a compaction has replaced their parts, they are
    /// looked up again in the new ones.
    ///
    /// # Errors
    /// As [`Catalog::read`].
    ///
    /// # Panics
    /// When `target` has fewer rows than are selected, or another width than the cache.
    pub fn read_into(&self, selections: &[PartSelection], target: &mut Matrix, threads: usize) -> Result<()> {
        assert_eq!(target.width(), self.width(), "the width of the cache");
        let is_gone = |selection: &PartSelection| !self.parts[selection.part].part.path.exists();
        match self.read_from_parts(selections, target, threads) {
            Err(_) if selections.iter().any(is_gone) => self.read_moved(selections, target, threads),
            result => result,
        }
    }

    /// Reads the rows from the parts of the catalog, each part once.
    fn read_from_parts(
        &self,
        selections: &[PartSelection],
        target: &mut Matrix,
        threads: usize,
    ) -> Result<()> {
        let stride = target.stride();
        let mut rest = target.padded_mut(0..number_of_rows(selections));
        let mut jobs = Vec::new();
        for selection in selections {
            let (rows, others) = rest.split_at_mut(selection.rows.len() * stride);
            jobs.push(Mutex::new((selection, rows)));
            rest = others;
        }
        in_parallel(threads, &jobs, |job| {
            let mut job = job.lock().unwrap_or_else(|e| e.into_inner());
            let (selection, rows) = &mut *job;
            self.read_part(selection, rows, stride)
        })?;
        Ok(())
    }

    /// Reads the rows from the parts that hold them now, a few parts at a time.
    fn read_moved(&self, selections: &[PartSelection], target: &mut Matrix, threads: usize) -> Result<()> {
        let targets: HashMap<Key, usize> = self.keys_of(selections).zip(0..).collect();
        let now = self.cache.catalog(threads)?;
        let selections = now.select(|key| targets.contains_key(key));
        let missing = targets.len() - number_of_rows(&selections);
        if missing > 0 {
            let message = format!("{missing} rows have been removed from it in the meantime");
            return Err(Error::new(Kind::Cache, message)
                .at(self.cache.root())
                .help("run `extract` again with the same settings: it computes only what is missing"));
        }
        for selections in selections.chunks(threads.max(1)) {
            let rows = now.read(selections, threads)?;
            for (row, key) in rows.keys.iter().enumerate() {
                target.row_mut(targets[key]).copy_from_slice(rows.features.row(row));
            }
        }
        Ok(())
    }

    /// Checks and decodes one part, and copies the selected rows to `target`, `[rows, stride]`.
    fn read_part(&self, selection: &PartSelection, target: &mut [f32], stride: usize) -> Result<()> {
        let CatalogedPart { part, keys: expected } = &self.parts[selection.part];
        let width = self.width();
        let mut targets = selection.rows.iter().zip(target.chunks_exact_mut(stride.max(1))).peekable();
        let mut rows_before = 0;
        let keys = part.scan(self.cache.spec(), |floats| {
            let rows = floats.len() / width.max(1);
            while let Some((&row, to)) = targets.next_if(|(row, _)| **row < rows_before + rows) {
                let start = (row - rows_before) * width;
                to[..width].copy_from_slice(&floats[start..start + width]);
            }
            rows_before += rows;
        })?;
        match keys == *expected {
            true => Ok(()),
            false => Err(Error::new(Kind::Cache, "it was changed while it was being read")
                .at(&part.path)
                .help("try again")),
        }
    }
}

fn number_of_rows(selections: &[PartSelection]) -> usize {
    selections.iter().map(|selection| selection.rows.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::super::compact::{CompactConfig, compact};
    use super::super::test_data::{rows, spec};
    use super::super::writer::CacheWriter;
    use crate::io::digest::sha256;
    use crate::math::matrix::Matrix;
    use crate::monitor::Silent;
    use std::collections::BTreeMap;

    #[test]
    fn selected_rows_are_loaded_and_equal_rows_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = CacheWriter::open_or_create(dir.path(), &spec()).unwrap();
        writer.append(rows(&["c", "a", "d"]), BTreeMap::new()).unwrap();
        writer.append(rows(&["b", "a"]), BTreeMap::new()).unwrap();
        for threads in [1, 3] {
            let catalog = writer.cache().catalog(threads).unwrap();
            assert_eq!((catalog.keys().count(), catalog.width()), (5, 2));
            let selections = catalog.select(|key| key.image_sha256 != sha256(b"d"));
            let found = catalog.read(&selections, threads).unwrap();
            let names: Vec<_> = found.keys.iter().map(|key| key.image_sha256).collect();
            assert_eq!(names, ["c", "b", "a"].map(|name| sha256(name.as_bytes())));
            assert!(found.features.values().eq([1.0, 99.0, 1.0, 98.0, 1.0, 97.0]));
            let none = catalog.select(|_| false);
            assert!(none.is_empty() && catalog.read(&none, threads).unwrap().keys.is_empty());
        }
    }

    #[test]
    fn rows_that_a_compaction_has_moved_are_found_again_in_the_same_order() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = CacheWriter::open_or_create(dir.path(), &spec()).unwrap();
        for names in [["c", "a"], ["d", "b"], ["f", "e"]] {
            writer.append(rows(&names), BTreeMap::new()).unwrap();
        }
        for threads in [1, 3] {
            let catalog = writer.cache().catalog(threads).unwrap();
            let selections = catalog.select(|key| key.image_sha256 != sha256(b"d"));
            let before = catalog.read(&selections, threads).unwrap();
            drop(writer);
            assert_eq!(compact(dir.path(), &CompactConfig::default(), &Silent).unwrap().parts, 1);
            let after = catalog.read(&selections, threads).unwrap();
            assert_eq!((&after.keys, &after.features), (&before.keys, &before.features));
            // Further rows of a larger matrix are left unchanged.
            let mut large = Matrix::zeros(before.keys.len() + 1, 2);
            large.row_mut(before.keys.len()).fill(5.0);
            catalog.read_into(&selections, &mut large, threads).unwrap();
            assert!(large.values().eq(before.features.values().chain([5.0, 5.0])));
            // The next round needs a second part to merge.
            writer = CacheWriter::open_or_create(dir.path(), &spec()).unwrap();
            writer.append(rows(&[if threads == 1 { "g" } else { "h" }]), BTreeMap::new()).unwrap();
        }
    }

    #[test]
    fn rows_that_were_removed_are_reported() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = CacheWriter::open_or_create(dir.path(), &spec()).unwrap();
        writer.append(rows(&["a", "b"]), BTreeMap::new()).unwrap();
        let part = writer.append(rows(&["c"]), BTreeMap::new()).unwrap();
        let catalog = writer.cache().catalog(1).unwrap();
        writer.quarantine(&part).unwrap();
        let error = catalog.read(&catalog.select(|_| true), 1).unwrap_err();
        assert!(error.to_string().contains("1 rows have been removed from it"), "{error}");
    }

    #[test]
    fn a_flipped_bit_is_detected_while_rows_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = CacheWriter::open_or_create(dir.path(), &spec()).unwrap();
        let part = writer.append(rows(&["a"]), BTreeMap::new()).unwrap();
        let catalog = writer.cache().catalog(1).unwrap();
        let mut bytes = std::fs::read(&part.path).unwrap();
        bytes[20] ^= 1;
        std::fs::write(&part.path, bytes).unwrap();
        let error = catalog.read(&catalog.select(|_| true), 2).unwrap_err();
        assert!(error.to_string().contains(&part.name), "{error}");
    }
}
