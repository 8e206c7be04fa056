//! The part of one chunk. It says nothing of time and device, so that whoever computes it writes the same bytes; the receipt of the
//! chunk does.

use super::super::part::{EncodedPart, FeatureRows, SPEC_DIGEST};
use super::super::spec::Spec;
use super::super::writer::RowTarget;
use super::header::PlanHeader;
use super::layout::FEATURES;
use crate::error::Result;
use crate::io::digest::Digest;
use crate::io::store::Store;
use std::collections::BTreeMap;

/// Metadata of a part: where to look for device, provider, runtime, version and time.
const MADE_BY: (&str, &str) = ("headstart.made_by", "receipts-v1");

/// The rows of a chunk, which are written when all of them are there.
#[derive(Debug)]
pub(crate) struct PlannedPart {
    number: u32,
    metadata: BTreeMap<String, String>,
    rows: FeatureRows,
}

/// A part that was written, or was there.
#[derive(Debug)]
pub(crate) struct WrittenPart {
    pub name: String,
    pub sha256: Digest,
}

/// Whether a part with such metadata was written for a chunk.
pub(crate) fn is_planned(metadata: &BTreeMap<String, String>) -> bool {
    metadata.get(MADE_BY.0).is_some_and(|value| value == MADE_BY.1)
}

impl PlannedPart {
    /// The part of chunk `chunk`, without rows.
    pub fn new(header: &PlanHeader, spec: &Spec, chunk: u32) -> Self {
        let entries = [(SPEC_DIGEST, spec.digest().to_string()), (MADE_BY.0, MADE_BY.1.to_string())];
        let metadata = entries.map(|(key, value)| (key.to_string(), value)).into();
        let rows = FeatureRows { width: spec.width, ..FeatureRows::default() };
        Self { number: header.first_part + chunk, metadata, rows }
    }

    /// Writes the part, unless it is there. `None` without rows.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::error::Kind::Io) when it cannot be written.
    pub fn put(self, store: &Store) -> Result<Option<WrittenPart>> {
        if self.rows.keys.is_empty() {
            return Ok(None);
        }
        let EncodedPart { name, bytes, sha256 } = EncodedPart::new(self.number, self.rows, self.metadata);
        store.put_if_absent(&format!("{FEATURES}/{name}"), &bytes)?;
        Ok(Some(WrittenPart { name, sha256 }))
    }
}

impl RowTarget for PlannedPart {
    /// Takes rows; the metadata of the part are its own.
    fn take_part(&mut self, mut rows: FeatureRows, _: BTreeMap<String, String>) -> Result<()> {
        self.rows.keys.append(&mut rows.keys);
        self.rows.embeddings.append(&mut rows.embeddings);
        Ok(())
    }
}
