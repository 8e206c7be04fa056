//! Rows with the same key. A power loss may leave a row in two parts; a part from elsewhere may hold another value for a key.

use super::key::Key;
use super::part::Part;
use super::spec::Spec;
use crate::error::{Error, Kind, Result};
use std::collections::{HashMap, HashSet};

/// Checks that rows with equal keys hold equal values, bit for bit. `keys` are those of each of `parts`. Only parts with such
/// rows are read.
///
/// # Errors
/// [`Kind::Cache`], naming two parts that disagree; those of [`Part::rows`].
pub(super) fn check_duplicates(parts: &[Part], keys: &[Vec<Key>], spec: &Spec) -> Result<()> {
    let mut seen = HashSet::new();
    let repeated: HashSet<Key> = keys.iter().flatten().filter(|key| !seen.insert(**key)).copied().collect();
    drop(seen);
    let mut values: HashMap<Key, (usize, Vec<u32>)> = HashMap::new();
    for (index, part) in parts.iter().enumerate() {
        if !keys[index].iter().any(|key| repeated.contains(key)) {
            continue;
        }
        let rows = part.rows(spec)?;
        for (key, row) in rows.keys.iter().zip(rows.embeddings.chunks_exact(rows.width.max(1))) {
            if !repeated.contains(key) {
                continue;
            }
            let bits: Vec<u32> = row.iter().map(|value| value.to_bits()).collect();
            let (first, expected) = values.entry(*key).or_insert_with(|| (index, bits.clone()));
            if *expected != bits {
                return Err(contradiction(part, &parts[*first], key));
            }
        }
    }
    Ok(())
}

/// The error that two parts hold different features for one key. The later part is to go: `extract` never computes a key
/// that is there.
pub(super) fn contradiction(part: &Part, earlier: &Part, key: &Key) -> Error {
    let Key { image_sha256, variant } = key;
    let message = format!(
        "it holds other features than {} for the image {} and the variant {variant}",
        earlier.name,
        image_sha256.short()
    );
    Error::new(Kind::Cache, message)
        .at(&part.path)
        .help("run `cache::verify`, which moves the later one out of the cache")
}

#[cfg(test)]
mod tests {
    use super::super::test_data::{rows, spec};
    use super::super::writer::CacheWriter;
    use crate::error::Kind;
    use std::collections::BTreeMap;

    #[test]
    fn equal_rows_may_be_stored_twice_and_a_contradiction_is_an_error_for_every_reader() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = CacheWriter::open_or_create(dir.path(), &spec()).unwrap();
        let first = writer.append(rows(&["a", "b"]), BTreeMap::new()).unwrap();
        writer.append(rows(&["b", "c"]), BTreeMap::new()).unwrap();
        assert_eq!(writer.cache().catalog(1).unwrap().keys().count(), 4);
        assert_eq!(writer.cache().rows(|_| true).unwrap().keys.len(), 3);
        let mut other = rows(&["a"]);
        other.embeddings[1] += 1.0;
        let last = writer.append(other, BTreeMap::new()).unwrap();
        let errors = [writer.cache().catalog(2).unwrap_err(), writer.cache().rows(|_| true).unwrap_err()];
        for error in errors {
            let message = error.to_string();
            assert_eq!(error.kind(), Kind::Cache);
            assert!(message.contains(&last.name) && message.contains(&first.name), "{message}");
        }
    }
}
