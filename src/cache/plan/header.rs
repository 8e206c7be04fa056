//! `plan/plan.json`: what all chunks of the pass under way share. It is written after the chunks, and removed before them.

use super::layout::{CHUNKS, HEADER, PLAN, RECEIPTS, STAGING};
use crate::data::decode;
use crate::error::{Error, Kind, Result};
use crate::io::digest::{Digest, sha256};
use crate::io::json;
use crate::io::store::Store;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;

/// Version of the files of a plan.
const SCHEMA: &str = "plan-v1";

/// What the chunks of a plan ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Pass {
    /// Digest and size of each file: splits depend on them.
    Files,
    /// The features that are missing.
    Features,
}

/// The content of `plan/plan.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PlanHeader {
    schema: String,
    /// What the chunks ask for.
    pub pass: Pass,
    /// The program and its decoders, which workers must have too.
    pub program: String,
    /// Digest of the spec of the cache.
    pub spec_sha256: Digest,
    /// Digest of the settings that decide what is missing. Another plan for the same settings is not needed.
    pub request: Digest,
    /// Absolute path of the folder of images.
    pub root: String,
    /// Number of chunks.
    pub chunks: u32,
    /// Number of files or feature rows in all chunks.
    pub rows: u64,
    /// Number of the part of the first chunk.
    pub first_part: u32,
    /// Digest of all chunks.
    pub chunks_sha256: Digest,
    /// Digest of the manifest or archive that lists the images, as the planner saw it; `None` for folders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Digest>,
}

impl PlanHeader {
    /// Describes a plan without chunks, to which they are added.
    pub(crate) fn new(
        pass: Pass,
        spec_sha256: Digest,
        request: Digest,
        root: String,
        first_part: u32,
    ) -> Self {
        let (chunks, rows, chunks_sha256) = (0, 0, sha256(b""));
        Self {
            schema: SCHEMA.into(),
            pass,
            program: decode::refused_by(),
            spec_sha256,
            request,
            root,
            chunks,
            rows,
            first_part,
            chunks_sha256,
            source: None,
        }
    }

    /// The same, of images that a manifest or an archive with this digest lists.
    pub(crate) fn with_source(self, source: Option<Digest>) -> Self {
        Self { source, ..self }
    }

    /// Checks that the manifest or archive at `images` is the one that was planned, where it is there. `source` is its digest.
    ///
    /// # Errors
    /// [`Kind::Input`] when it is another one.
    pub(crate) fn check_source(&self, images: &Path, source: Option<Digest>) -> Result<()> {
        if self.source.is_none() || source.is_none() || self.source == source {
            return Ok(());
        }
        Err(Error::new(Kind::Input, "it has changed since it was planned").at(images).help(
            "run the same `extract` with `plan` again, which replaces the plan: what was computed stays",
        ))
    }

    /// Reads the plan of a cache; `None` when no pass is under way.
    ///
    /// # Errors
    /// [`Kind::Cache`] when it cannot be parsed or is of another version, [`Kind::Io`] when it cannot be read.
    pub(crate) fn read(store: &Store) -> Result<Option<Self>> {
        let Some(bytes) = store.read_if_any(HEADER)? else { return Ok(None) };
        let unreadable = || {
            Error::new(Kind::Cache, format!("not a plan that this version reads, {SCHEMA}"))
                .at(store.path(HEADER))
                .help("delete the folder plan of the cache, and plan again: parts that were computed stay")
        };
        let header: Self = json::decode(&bytes).map_err(|e| unreadable().because(e))?;
        if header.schema == SCHEMA { Ok(Some(header)) } else { Err(unreadable()) }
    }

    /// Reads the plan of a cache.
    ///
    /// # Errors
    /// Those of [`PlanHeader::read`], and [`Kind::Cache`] without a plan.
    pub(crate) fn require(store: &Store) -> Result<Self> {
        Self::read(store)?.ok_or_else(|| {
            Error::new(Kind::Cache, "there is no plan")
                .at(store.path(HEADER))
                .help("make one with `extract` and `plan`")
        })
    }

    /// Checks that no plan of the cache at `root` is under way.
    ///
    /// # Errors
    /// [`Kind::Cache`] when there is one.
    pub(crate) fn require_none(root: &Path) -> Result<()> {
        let store = Store::new(root, STAGING);
        match Self::read(&store)? {
            None => Ok(()),
            Some(_) => Err(Error::new(Kind::Cache, "a plan for several workers is not finished")
                .at(store.path(PLAN))
                .help("finish it with `extract` and `finish`, or delete this folder: parts that were computed stay")),
        }
    }

    /// Checks that this program is the one that made the plan.
    ///
    /// # Errors
    /// [`Kind::Cache`] when it is another version.
    pub(crate) fn check_program(&self, store: &Store) -> Result<()> {
        let own = decode::refused_by();
        if self.program == own {
            return Ok(());
        }
        Err(Error::new(Kind::Cache, format!("the plan is of {}, this program is {own}", self.program))
            .at(store.path(HEADER))
            .help("use the same version of headstart on all machines"))
    }

    /// Writes the plan, after its chunks.
    ///
    /// # Errors
    /// [`Kind::Io`] when it cannot be written.
    pub(crate) fn write(&self, store: &Store) -> Result<()> {
        store.put(HEADER, &json::encode_pretty(self))
    }

    /// Removes the plan with its chunks and receipts.
    ///
    /// # Errors
    /// [`Kind::Io`] when one cannot be removed.
    pub(crate) fn remove(store: &Store) -> Result<()> {
        [HEADER, CHUNKS, RECEIPTS, STAGING].into_iter().try_for_each(|name| store.remove(name))
    }

    /// A short name, which differs for plans with other chunks.
    pub(crate) fn id(&self) -> String {
        sha256(&json::encode_pretty(self)).short()
    }
}

impl fmt::Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Files => "files",
            Self::Features => "features",
        })
    }
}
