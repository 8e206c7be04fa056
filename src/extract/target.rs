//! The cache that an extraction writes to.

use super::config::ExtractConfig;
use crate::backbone::ResolvedBackbone;
use crate::backbone::known_answer::KnownAnswer;
use crate::cache::{
    self, BackboneSpec, CacheWriter, FeatureCache, Key, PreprocessingSpec, Spec, spec::SCHEMA,
};
use crate::data::decode::{DECODE_VERSION, is_known_version};
use crate::error::{Error, Kind, Result};
use std::collections::HashSet;
use std::path::Path;

/// The cache of an extraction.
#[derive(Debug)]
pub(super) enum Target {
    /// There is no cache yet.
    New,
    /// A cache that is only read, in a dry run.
    ReadOnly(FeatureCache),
    /// A cache that is open for writing and locked.
    Writable(CacheWriter),
}

impl Target {
    /// Opens the cache if there is one, whose spec is `stored`.
    ///
    /// # Errors
    /// [`Kind::Cache`] when the cache holds features of another kind, or the folder something else;
    /// [`Kind::Locked`] when another process writes to the cache.
    pub fn open(config: &ExtractConfig, stored: Option<&Spec>, chosen: &ResolvedBackbone) -> Result<Self> {
        let path = &config.cache;
        let Some(stored) = stored else {
            cache::check_target(path)?;
            return Ok(Self::New);
        };
        // The features of an earlier version of the decoders stay together; `old_decoders` checks what is added to them.
        let stored_decode = &stored.preprocessing.decode;
        let decode = if is_known_version(stored_decode) { stored_decode } else { DECODE_VERSION };
        let mut wanted = spec(chosen, stored.width, None);
        wanted.preprocessing.decode = decode.into();
        stored.require(&wanted, path)?;
        Ok(match config.dry_run {
            true => Self::ReadOnly(FeatureCache::open(path)?),
            false => Self::Writable(CacheWriter::open_or_create(path, &wanted)?),
        })
    }

    /// Creates the cache at `path`, or opens the one that another process has created meanwhile.
    ///
    /// # Errors
    /// Those of [`Target::open`], and [`Kind::Io`] when the cache cannot be written.
    pub fn create(path: &Path, spec: &Spec) -> Result<Self> {
        CacheWriter::open_or_create(path, spec).map(Self::Writable)
    }

    /// Returns the cache for reading, if there is one.
    pub fn cache(&self) -> Option<&FeatureCache> {
        match self {
            Self::New => None,
            Self::ReadOnly(cache) => Some(cache),
            Self::Writable(writer) => Some(writer.cache()),
        }
    }

    /// Returns the cache for writing.
    ///
    /// # Errors
    /// [`Kind::Cache`] when it is not open for writing.
    pub fn writer(&mut self) -> Result<&mut CacheWriter> {
        match self {
            Self::Writable(writer) => Ok(writer),
            Self::New | Self::ReadOnly(_) => {
                Err(Error::new(Kind::Cache, "the cache is not open for writing"))
            }
        }
    }

    /// Returns the keys of the features that are stored.
    ///
    /// # Errors
    /// [`Kind::Cache`] when a part cannot be read.
    pub fn keys(&self) -> Result<HashSet<Key>> {
        self.cache().map_or_else(|| Ok(HashSet::new()), FeatureCache::keys)
    }
}

/// Returns the spec of features of `width` floats that the chosen network computes.
pub(super) fn spec(chosen: &ResolvedBackbone, width: usize, known_answer: Option<KnownAnswer>) -> Spec {
    Spec {
        schema: SCHEMA.into(),
        backbone: BackboneSpec {
            name: chosen.name.clone(),
            title: chosen.title.clone(),
            graph_sha256: chosen.graph_sha256,
        },
        layer: chosen.layer.clone(),
        width,
        preprocessing: PreprocessingSpec { decode: DECODE_VERSION.into(), steps: chosen.preprocessing },
        known_answer,
    }
}
