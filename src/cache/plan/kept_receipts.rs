//! `receipts/DDDDDDDDDDDDDDDD.parquet`: the receipts of a finished plan, one row a chunk. They say of its parts what other parts say
//! in their own metadata: device, provider, runtime, version and time.

use super::header::PlanHeader;
use super::layout::KEPT;
use super::receipt::Receipt;
use crate::error::Result;
use crate::io::parquet::{ColumnData, ColumnSpec, ColumnType, Table};
use crate::io::store::Store;
use std::collections::BTreeSet;

/// Version of the file.
const SCHEMA: &str = "receipts-v1";
/// The metadata key of a plan whose workers gave different bits for the same image.
const MIXED: &str = "headstart.mixed_hardware";

/// What the receipts of all finished plans say.
#[derive(Debug, Default)]
pub(crate) struct KeptReceipts {
    /// The execution providers.
    pub providers: BTreeSet<String>,
    /// Whether the workers of a plan gave different bits for the same image.
    pub is_mixed: bool,
}

/// Writes the receipts of a finished plan, in the order of chunks.
///
/// # Errors
/// [`Kind::Io`](crate::error::Kind::Io) when they cannot be written.
pub(crate) fn keep_receipts(
    store: &Store,
    header: &PlanHeader,
    receipts: &[Receipt],
    is_mixed: bool,
) -> Result<()> {
    let text = |get: &dyn Fn(&Receipt) -> String| ColumnData::Text(receipts.iter().map(get).collect());
    let made_by = |key: &'static str| text(&|receipt| receipt.made_by(key).into());
    let optional =
        |get: fn(&Receipt) -> Option<String>| ColumnData::OptionalText(receipts.iter().map(get).collect());
    let long = |get: fn(&Receipt) -> i64| ColumnData::Int64(receipts.iter().map(get).collect());
    let table = Table::new([
        ("chunk", long(|receipt| receipt.chunk.into())),
        ("part", optional(|receipt| receipt.part.clone())),
        ("sha256", optional(|receipt| receipt.sha256.map(|digest| digest.to_string()))),
        ("rows", long(|receipt| receipt.rows as i64)),
        ("refused", long(|receipt| (receipt.refused.len() + receipt.refused_rows.len()) as i64)),
        ("known_answer", optional(|receipt| receipt.known_answer.map(|digest| digest.to_string()))),
        ("seconds", ColumnData::Float32(receipts.iter().map(|receipt| receipt.seconds as f32).collect())),
        ("device", made_by("headstart.device")),
        ("provider", made_by("headstart.provider")),
        ("runtime", made_by("headstart.runtime")),
        ("version", made_by("headstart.version")),
        ("time", made_by("headstart.time")),
    ]);
    let metadata = [
        ("headstart.schema", SCHEMA.to_string()),
        ("headstart.spec_sha256", header.spec_sha256.to_string()),
        (MIXED, is_mixed.to_string()),
    ];
    store.put(&format!("{KEPT}/{}.parquet", header.id()), &table.with_metadata(metadata).encode())
}

/// Reads what the receipts of all finished plans say.
///
/// # Errors
/// [`Kind::Cache`](crate::error::Kind::Cache) when a file is damaged, [`Kind::Io`](crate::error::Kind::Io) when it cannot be read.
pub(crate) fn read_kept(store: &Store) -> Result<KeptReceipts> {
    let mut kept = KeptReceipts::default();
    for name in store.list(KEPT, "")? {
        let name = format!("{KEPT}/{name}");
        let columns = [ColumnSpec::new("provider", ColumnType::Text)];
        let mut table = Table::decode(store.read(&name)?, &columns, &store.path(&name))?;
        kept.is_mixed |= table.metadata.get(MIXED).is_some_and(|value| value == "true");
        kept.providers.extend(table.take_text("provider").into_iter().filter(|name| !name.is_empty()));
    }
    Ok(kept)
}
