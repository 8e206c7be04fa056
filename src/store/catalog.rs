//! Which rows stand where in a cache, and the rows that are wanted straight into a matrix: keys first, then
//! each part once, its digest verified on the way, its embeddings copied to where they belong. It refuses to know what
//! the rows are wanted for. Rows that a compaction has moved meanwhile are found again.

use super::{FeatureStore, Key, Part};
use crate::error::{Error, Kind, Result};
use crate::matrix::Matrix;
use crate::threads::in_parallel;
use std::collections::HashMap;

/// The parts of a cache with the keys of their rows, as they were at one moment.
#[derive(Debug)]
pub struct Catalog {
    store: FeatureStore,
    parts: Vec<(Part, Vec<Key>)>,
    width: usize,
}

/// Rows of a part that are wanted: its number in the catalog, and the rows' numbers in the part, upwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pick {
    /// Number of the part in the catalog.
    pub part: usize,
    /// Numbers of rows in the part, upwards.
    pub rows: Vec<usize>,
}

/// Rows that were read.
#[derive(Debug)]
pub struct Found {
    /// One for each row of the matrix.
    pub keys: Vec<Key>,
    /// The embeddings.
    pub features: Matrix,
}

impl FeatureStore {
    /// Reads the keys of all parts, without rehashing.
    ///
    /// # Errors
    /// [`Kind::Cache`] when a part cannot be read.
    pub fn catalog(&self, threads: usize) -> Result<Catalog> {
        let parts = self.of_all_parts(|parts| {
            let keys = in_parallel(threads, parts, Part::keys)?;
            Ok(parts.iter().cloned().zip(keys).collect())
        })?;
        Ok(Catalog { store: self.clone(), parts, width: self.spec.width })
    }
}

impl Catalog {
    /// The keys of all rows; a key that stands twice comes twice.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.parts.iter().flat_map(|(_, keys)| keys)
    }

    /// Floats in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Where the rows stand whose key is `wanted`; of a key that stands twice, the later row. Parts of which nothing is
    /// wanted are left out.
    pub fn picks(&self, wanted: impl Fn(&Key) -> bool) -> Vec<Pick> {
        let mut places: HashMap<Key, (usize, usize)> = HashMap::new();
        for (part, (_, keys)) in self.parts.iter().enumerate() {
            let own = keys.iter().enumerate().filter(|(_, key)| wanted(key));
            places.extend(own.map(|(row, key)| (*key, (part, row))));
        }
        let mut picks: Vec<Pick> =
            (0..self.parts.len()).map(|part| Pick { part, rows: Vec::new() }).collect();
        for (part, row) in places.into_values() {
            picks[part].rows.push(row);
        }
        picks.retain(|pick| !pick.rows.is_empty());
        picks.iter_mut().for_each(|pick| pick.rows.sort_unstable());
        picks
    }

    /// The keys of the rows that are picked, in their order.
    pub fn keys_of<'a>(&'a self, picks: &'a [Pick]) -> impl Iterator<Item = Key> + 'a {
        picks.iter().flat_map(|pick| pick.rows.iter().map(|&row| self.parts[pick.part].1[row]))
    }

    /// Reads the rows that are picked, in their order, on up to `threads` threads.
    ///
    /// # Errors
    /// [`Kind::Cache`] when a part is damaged or of another width, or rows are gone since their keys were read;
    /// [`Kind::Io`] when it cannot be read.
    pub fn read(&self, picks: &[Pick], threads: usize) -> Result<Found> {
        let rows: usize = picks.iter().map(|pick| pick.rows.len()).sum();
        let mut features = Matrix::zeros(rows, self.width);
        self.read_into(picks, &mut features, threads)?;
        Ok(Found { keys: self.keys_of(picks).collect(), features })
    }

    /// Reads the rows that are picked into the first rows of a matrix of the cache's width. Where a compaction has
    /// replaced their parts, they are looked for anew.
    ///
    /// # Errors
    /// As [`Catalog::read`].
    ///
    /// # Panics
    /// When the matrix has too few rows, or another width.
    pub fn read_into(&self, picks: &[Pick], to: &mut Matrix, threads: usize) -> Result<()> {
        assert_eq!(to.width(), self.width, "the width of the cache");
        let is_gone = |pick: &Pick| !self.parts[pick.part].0.path.exists();
        match self.read_here(picks, to, threads) {
            Err(_) if picks.iter().any(is_gone) => self.read_moved(picks, to, threads),
            done => done,
        }
    }

    /// From the parts of the catalog, each once.
    fn read_here(&self, picks: &[Pick], to: &mut Matrix, threads: usize) -> Result<()> {
        let stride = to.stride();
        let rows: usize = picks.iter().map(|pick| pick.rows.len()).sum();
        let mut rest = to.padded_mut(0..rows);
        let mut places = Vec::new();
        for pick in picks {
            let (own, others) = rest.split_at_mut(pick.rows.len() * stride);
            places.push(std::sync::Mutex::new((pick, own)));
            rest = others;
        }
        in_parallel(threads, &places, |place| {
            let mut place = place.lock().unwrap_or_else(|e| e.into_inner());
            let (pick, to) = &mut *place;
            self.read_part(pick, to, stride)
        })?;
        Ok(())
    }

    /// From wherever the rows stand now, a few parts at a time.
    fn read_moved(&self, picks: &[Pick], to: &mut Matrix, threads: usize) -> Result<()> {
        let places: HashMap<Key, usize> = self.keys_of(picks).zip(0..).collect();
        let now = self.store.catalog(threads)?;
        let picks = now.picks(|key| places.contains_key(key));
        let left = places.len() - picks.iter().map(|pick| pick.rows.len()).sum::<usize>();
        if left > 0 {
            let message = format!("{left} rows that were there a moment ago are gone from it");
            return Err(Error::new(Kind::Cache, message)
                .at(&self.store.root)
                .help("run the same `headstart extract` again: it computes only what is missing"));
        }
        for picks in picks.chunks(threads.max(1)) {
            let found = now.read(picks, threads)?;
            for (row, key) in found.keys.iter().enumerate() {
                to.row_mut(places[key]).copy_from_slice(found.features.row(row));
            }
        }
        Ok(())
    }

    /// One part: rehash, decode, copy.
    fn read_part(&self, pick: &Pick, to: &mut [f32], stride: usize) -> Result<()> {
        let (part, expected) = &self.parts[pick.part];
        let mut places = pick.rows.iter().zip(to.chunks_exact_mut(stride.max(1))).peekable();
        let mut seen = 0;
        let keys = part.scan(self.width, |floats| {
            let rows = floats.len() / self.width.max(1);
            while let Some((&row, to)) = places.next_if(|(row, _)| **row < seen + rows) {
                let from = (row - seen) * self.width;
                to[..self.width].copy_from_slice(&floats[from..from + self.width]);
            }
            seen += rows;
        })?;
        match keys == *expected {
            true => Ok(()),
            false => Err(Error::new(Kind::Cache, "it was changed while it was being read")
                .at(&part.path)
                .help("try again")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Writer;
    use super::super::compact::compact;
    use super::super::tests::{rows, spec};
    use crate::digest::sha256;
    use crate::matrix::Matrix;
    use crate::monitor::Silent;
    use std::collections::BTreeMap;

    #[test]
    fn what_is_wanted_lands_in_the_matrix_and_the_later_of_equals_counts() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::open_or_create(dir.path(), &spec()).unwrap();
        writer.append(rows(&["c", "a", "d"]), BTreeMap::new()).unwrap();
        let mut again = rows(&["b", "a"]);
        again.embeddings[2] = 9.0;
        writer.append(again, BTreeMap::new()).unwrap();
        for threads in [1, 3] {
            let catalog = writer.store().catalog(threads).unwrap();
            assert_eq!((catalog.keys().count(), catalog.width()), (5, 2));
            let picks = catalog.picks(|key| key.image_sha256 != sha256(b"d"));
            let found = catalog.read(&picks, threads).unwrap();
            let names: Vec<_> = found.keys.iter().map(|key| key.image_sha256).collect();
            assert_eq!(names, ["c", "b", "a"].map(|name| sha256(name.as_bytes())));
            assert!(found.features.values().eq([1.0, 99.0, 1.0, 98.0, 9.0, 97.0]));
            let none = catalog.picks(|_| false);
            assert!(none.is_empty() && catalog.read(&none, threads).unwrap().keys.is_empty());
        }
    }

    #[test]
    fn rows_that_a_compaction_has_moved_are_found_again_in_the_same_order() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::open_or_create(dir.path(), &spec()).unwrap();
        for names in [["c", "a"], ["d", "b"], ["f", "e"]] {
            writer.append(rows(&names), BTreeMap::new()).unwrap();
        }
        for threads in [1, 3] {
            let catalog = writer.store().catalog(threads).unwrap();
            let picks = catalog.picks(|key| key.image_sha256 != sha256(b"d"));
            let before = catalog.read(&picks, threads).unwrap();
            drop(writer);
            assert_eq!(compact(dir.path(), false, false, &Silent).unwrap().parts, 1);
            let after = catalog.read(&picks, threads).unwrap();
            assert_eq!((&after.keys, &after.features), (&before.keys, &before.features));
            // What lies behind them in a larger matrix stays.
            let mut large = Matrix::zeros(before.keys.len() + 1, 2);
            large.row_mut(before.keys.len()).fill(5.0);
            catalog.read_into(&picks, &mut large, threads).unwrap();
            assert!(large.values().eq(before.features.values().chain([5.0, 5.0])));
            // The next round has a second part to join.
            writer = Writer::open_or_create(dir.path(), &spec()).unwrap();
            writer.append(rows(&[if threads == 1 { "g" } else { "h" }]), BTreeMap::new()).unwrap();
        }
    }

    #[test]
    fn rows_that_are_gone_for_good_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::open_or_create(dir.path(), &spec()).unwrap();
        writer.append(rows(&["a", "b"]), BTreeMap::new()).unwrap();
        let part = writer.append(rows(&["c"]), BTreeMap::new()).unwrap();
        let catalog = writer.store().catalog(1).unwrap();
        writer.set_aside(&part).unwrap();
        let error = catalog.read(&catalog.picks(|_| true), 1).unwrap_err();
        assert!(error.to_string().contains("1 rows that were there a moment ago are gone"), "{error}");
    }

    #[test]
    fn a_flipped_bit_is_seen_on_the_way() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::open_or_create(dir.path(), &spec()).unwrap();
        let part = writer.append(rows(&["a"]), BTreeMap::new()).unwrap();
        let catalog = writer.store().catalog(1).unwrap();
        let mut bytes = std::fs::read(&part.path).unwrap();
        bytes[20] ^= 1;
        std::fs::write(&part.path, bytes).unwrap();
        let error = catalog.read(&catalog.picks(|_| true), 2).unwrap_err();
        assert!(error.to_string().contains(&part.name), "{error}");
    }
}
