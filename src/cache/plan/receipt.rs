//! `plan/receipts/NNNNNN-DDDDDDDDDDDDDDDD.json`: what came of one chunk, who computed it, and how long that took.

use super::super::key::Key;
use super::header::PlanHeader;
use super::layout::RECEIPTS;
use crate::data::dataset::Refused;
use crate::error::{Error, Kind, Result};
use crate::io::digest::Digest;
use crate::io::json;
use crate::io::store::Store;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};

/// Version of a receipt.
const SCHEMA: &str = "receipt-v1";

/// What came of a chunk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Receipt {
    schema: String,
    /// The plan that the chunk is of.
    pub plan: String,
    /// Number of the chunk, from 0.
    pub chunk: u32,
    /// Name of the part or of the list of files; `None` where every image was refused.
    pub part: Option<String>,
    /// SHA-256 of its bytes.
    pub sha256: Option<Digest>,
    /// Number of its rows.
    pub rows: usize,
    /// Images that cannot be used.
    pub refused: Vec<RefusedImage>,
    /// Rows that the network gave no numbers for.
    pub refused_rows: Vec<RefusedKey>,
    /// Digest of the bits that the network gave for the fixed image of the known-answer test; `None` in a pass over files.
    pub known_answer: Option<Digest>,
    /// Seconds from the first file to the finished part.
    pub seconds: f64,
    /// Device, provider, runtime, version and time, by the keys that they have in the metadata of other parts.
    pub made_by: BTreeMap<String, String>,
}

/// An image that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RefusedImage {
    /// Path relative to the root of the plan.
    pub path: String,
    /// SHA-256 of the file, where its content is the cause.
    pub image_sha256: Option<Digest>,
    /// Why it cannot be used.
    pub reason: String,
}

/// A row that the network gave no numbers for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RefusedKey {
    /// SHA-256 of the image.
    pub image_sha256: Digest,
    /// Name of the variant.
    pub variant: String,
}

impl From<Refused> for RefusedImage {
    fn from(Refused { path, image_sha256, reason }: Refused) -> Self {
        Self { path, image_sha256, reason: reason.to_string() }
    }
}

impl Receipt {
    /// A receipt for a chunk of which nothing is done yet.
    pub(crate) fn new(header: &PlanHeader, chunk: u32) -> Self {
        Self {
            schema: SCHEMA.into(),
            plan: header.id(),
            chunk,
            part: None,
            sha256: None,
            rows: 0,
            refused: Vec::new(),
            refused_rows: Vec::new(),
            known_answer: None,
            seconds: 0.0,
            made_by: BTreeMap::new(),
        }
    }

    /// What `made_by` says, such as `headstart.provider`; empty when it says nothing.
    pub fn made_by(&self, key: &str) -> &str {
        self.made_by.get(key).map_or("", String::as_str)
    }

    /// The refused images.
    pub fn refused(&self) -> impl Iterator<Item = Refused> {
        self.refused.iter().map(|RefusedImage { path, image_sha256, reason }| Refused {
            path: path.clone(),
            image_sha256: *image_sha256,
            reason: reason.as_str().into(),
        })
    }

    /// The refused rows.
    ///
    /// # Errors
    /// [`Kind::Cache`] when a variant is unknown.
    pub(crate) fn refused_keys(&self) -> Result<Vec<Key>> {
        let key = |RefusedKey { image_sha256, variant }: &RefusedKey| {
            let variant = variant.parse().map_err(|e: Error| e.of_kind(Kind::Cache))?;
            Ok(Key { image_sha256: *image_sha256, variant })
        };
        self.refused_rows.iter().map(key).collect()
    }

    /// Name of the object that holds the receipt.
    pub(crate) fn name(&self) -> String {
        let digest = self.sha256.map_or_else(|| "0".repeat(16), |sha256| sha256.short());
        format!("{RECEIPTS}/{:06}-{digest}.json", self.chunk)
    }

    /// Writes the receipt, unless another process has written one for the same chunk and part.
    ///
    /// # Errors
    /// [`Kind::Io`] when it cannot be written.
    pub(crate) fn write(&self, store: &Store) -> Result<()> {
        let is_there = store.read_if_any(&self.name())?.is_some_and(|bytes| Self::decode(&bytes).is_some());
        if is_there { Ok(()) } else { store.put(&self.name(), &json::encode_pretty(self)) }
    }

    /// Reads the receipts of one chunk.
    ///
    /// # Errors
    /// [`Kind::Io`] when one cannot be read.
    pub(crate) fn of_chunk(store: &Store, header: &PlanHeader, chunk: u32) -> Result<Vec<Self>> {
        Self::all(store, header, &format!("{chunk:06}-"))
    }

    /// Reads the receipts whose names begin with `prefix`. One that is damaged or of another plan is none.
    ///
    /// # Errors
    /// [`Kind::Io`] when one cannot be read.
    pub(crate) fn all(store: &Store, header: &PlanHeader, prefix: &str) -> Result<Vec<Self>> {
        let mut receipts = Vec::new();
        for name in store.list(RECEIPTS, prefix)? {
            // One of a damaged part is removed while others read.
            let bytes = store.read_if_any(&format!("{RECEIPTS}/{name}"))?;
            receipts.extend(bytes.and_then(|bytes| Self::decode(&bytes)));
        }
        let plan = header.id();
        receipts.retain(|receipt| receipt.plan == plan && receipt.chunk < header.chunks);
        Ok(receipts)
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        json::decode(bytes).ok().filter(|receipt: &Self| receipt.schema == SCHEMA)
    }
}

impl PlanHeader {
    /// The chunks without a receipt, by their numbers in order.
    ///
    /// # Errors
    /// [`Kind::Io`] when the receipts cannot be listed.
    pub(crate) fn chunks_without_receipt(&self, store: &Store) -> Result<Vec<u32>> {
        let number = |name: String| name.split('-').next()?.parse().ok();
        let done: HashSet<u32> = store.list(RECEIPTS, "")?.into_iter().filter_map(number).collect();
        Ok((0..self.chunks).filter(|chunk| !done.contains(chunk)).collect())
    }
}
