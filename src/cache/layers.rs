//! A folder that holds one cache for each layer of a network, such as `photos/PreLogits` and `photos/Mixed_6e`: which caches
//! there are, and how their folders are called.

use super::layout::SPEC;
use super::spec::Spec;
use crate::error::{Error, Kind, Result};
use crate::io::digest::sha256;
use crate::io::fs;
use std::path::{Path, PathBuf};

/// Longest name of a layer that is the name of its folder as it is.
const LONGEST: usize = 100;

/// Returns the name of the folder of a layer's cache: the layer's own name, where it can be one of a folder on every system.
/// In any other, what cannot be in such a name becomes `_`, and a part of the digest of the name follows.
pub fn folder_name(layer: &str) -> String {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || "_-.+[]".contains(c);
    let safe: String = layer.chars().map(|c| if is_safe(c) { c } else { '_' }).take(LONGEST).collect();
    match safe == layer && !layer.starts_with('.') && !layer.ends_with('.') && !layer.is_empty() {
        true => safe,
        false => format!("{}-{}", safe.trim_matches('.'), sha256(layer.as_bytes()).short()),
    }
}

/// Lists the caches directly in `folder`, sorted by name. None when there is no such folder.
///
/// # Errors
/// [`Kind::Io`] when the folder cannot be listed.
pub fn caches_in(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut caches: Vec<PathBuf> = fs::list(folder)?.into_iter().map(|entry| entry.path).collect();
    caches.retain(|path| path.join(SPEC).is_file());
    caches.sort();
    Ok(caches)
}

/// Returns the caches of layers in `folder` with their specs, sorted by name. Empty for any other folder, such as one that is
/// a cache itself, or one with caches that are not called as their layers.
///
/// # Errors
/// Those of [`caches_in`] and [`Spec::read`].
pub fn layer_caches(folder: &Path) -> Result<Vec<(PathBuf, Spec)>> {
    if folder.join(SPEC).exists() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for path in caches_in(folder)? {
        let Some(spec) = Spec::read(&path)? else { continue };
        if path.file_name().is_none_or(|name| name != folder_name(&spec.layer).as_str()) {
            return Ok(Vec::new());
        }
        found.push((path, spec));
    }
    Ok(found)
}

/// The message and the remedy for a folder that is no cache but holds `caches`.
pub(super) fn not_one_cache(folder: &Path, caches: &[PathBuf]) -> Error {
    let paths: Vec<String> = caches.iter().map(|path| path.display().to_string()).collect();
    let message = format!("not a cache but a folder of {} caches", caches.len());
    Error::new(Kind::Cache, message).at(folder).help(format!("give one of {}", paths.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::super::test_data::spec;
    use super::super::{CacheWriter, FeatureCache, check_layers_target};
    use super::*;

    #[test]
    fn a_folder_is_called_as_its_layer_where_every_system_allows_the_name() {
        for same in ["PreLogits", "Mixed_6e+PreLogits", "last_hidden_state[mean-patches]"] {
            assert_eq!(folder_name(same), same);
        }
        let slashes = folder_name("/encoder/Add_1");
        assert!(
            slashes.starts_with("_encoder_Add_1-") && slashes != folder_name("_encoder/Add_1"),
            "{slashes}"
        );
        for hostile in ["..", ".hidden", "", "a:b", "CON\u{202e}", &"x".repeat(300)] {
            let name = folder_name(hostile);
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.+".contains(c);
            assert!(name.chars().all(is_plain) && !name.starts_with('.') && name.len() < 130, "{name}");
        }
    }

    #[test]
    fn caches_that_are_called_as_their_layers_make_a_folder_of_layers() {
        let dir = tempfile::tempdir().unwrap();
        let create = |name: &str, layer: &str| {
            let spec = Spec { layer: layer.into(), ..spec() };
            drop(CacheWriter::open_or_create(&dir.path().join(name), &spec).unwrap());
        };
        create("Mixed_6e", "Mixed_6e");
        create("PreLogits", "PreLogits");
        let layers = |folder: &Path| layer_caches(folder).unwrap().into_iter().map(|(_, spec)| spec.layer);
        assert_eq!(layers(dir.path()).collect::<Vec<_>>(), ["Mixed_6e", "PreLogits"]);
        check_layers_target(dir.path()).unwrap();
        let error = FeatureCache::open(dir.path()).unwrap_err();
        assert!(error.to_string().contains("a folder of 2 caches"), "{error}");
        assert!(error.remedy().unwrap().contains("PreLogits"), "{error:?}");
        let error = check_layers_target(&dir.path().join("PreLogits")).unwrap_err();
        assert!(error.to_string().contains("the cache of one layer, PreLogits"), "{error}");
        // The default place of caches holds those of other images, which must not be taken for layers.
        create("photos", "PreLogits");
        assert_eq!(layers(dir.path()).count(), 0);
        assert!(check_layers_target(dir.path()).unwrap_err().to_string().contains("something else"));
    }
}
