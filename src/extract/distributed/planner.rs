//! Plans an extraction: the files to read, or the feature rows to compute, in chunks.

use super::super::config::ExtractConfig;
use super::super::extraction::Extraction;
use super::super::missing::ImageJob;
use super::super::network::Network;
use super::config::PlanConfig;
use crate::cache::plan::{ChunkImage, MAX_CHUNK_ROWS, PLAN, Pass, PlanHeader, STAGING, read_found_files};
use crate::data::decode::limit_memory;
use crate::data::scan::source_digest;
use crate::error::{Error, Kind, Result};
use crate::io::digest::{Digest, sha256};
use crate::io::fs;
use crate::io::store::{Store, is_object_storage};
use crate::monitor::Monitor;
use serde::Serialize;
use std::path::Path;

/// Result of [`plan`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PlanStats {
    /// What the chunks ask for; `None` when nothing is missing.
    pub pass: Option<Pass>,
    /// Number of chunks.
    pub chunks: u32,
    /// Number of files or feature rows in all chunks.
    pub rows: u64,
    /// The chunks without a receipt, by their numbers from 0.
    pub remaining: Vec<u32>,
}

/// Plans what workers are to do next for the cache: to find out what the files are that nobody has read, else to compute the feature
/// rows that are missing. A new cache is created with its spec. A plan for the same settings that is not finished stays,
/// unless the manifest or archive has changed, and the chunks without a receipt are returned. With nothing missing the data set is described, and no plan is left.
///
/// # Errors
/// Those of [`extract`](super::super::extract()).
pub fn plan(config: &PlanConfig, monitor: &dyn Monitor) -> Result<PlanStats> {
    config.check()?;
    limit_memory(config.extract.decode_memory)?;
    let mut extraction = Extraction::open(&config.extract, None, monitor)?;
    let store = Store::new(&config.extract.cache, STAGING);
    let request = request(config)?;
    let source = source_digest(&config.extract.images)?;
    if let Some(header) = PlanHeader::read(&store)? {
        let why = match (header.request == request, header.source == source) {
            (true, true) => return PlanStats::of(&header, &store),
            (true, false) => "the images have changed since they were planned: the plan is replaced",
            (false, _) => "a plan for other settings is replaced",
        };
        monitor.note(&format!("{why}; what was computed for it stays"));
        PlanHeader::remove(&store)?;
    }
    extraction.found = Some(read_found_files(&store)?);
    let unknown = extraction.unknown_files()?;
    if extraction.is_new() {
        extraction.prove_runtime()?;
        let network = Network::open(&config.extract, vec![extraction.wanted_layer()], 1, monitor)?;
        extraction.create_cache(&network.layers[0])?;
    }
    let header = |extraction: &mut Extraction, pass, root: &Path| {
        let (spec, first_part) = extraction.spec_and_next_part()?;
        let root = root.to_string_lossy().into_owned();
        Ok::<_, Error>(PlanHeader::new(pass, spec, request, root, first_part).with_source(source))
    };
    let written = if unknown.paths.is_empty() {
        let plan = extraction.plan()?;
        if plan.jobs.is_empty() {
            extraction.describe(&plan)?;
            store.remove(PLAN)?;
            return Ok(PlanStats { pass: None, chunks: 0, rows: 0, remaining: Vec::new() });
        }
        header(&mut extraction, Pass::Features, &plan.description.samples.root)?.write_chunks(
            &store,
            plan.jobs.into_iter().map(ChunkImage::from),
            config.chunk_rows,
        )
    } else {
        let files = unknown.paths.into_iter().map(ChunkImage::file);
        header(&mut extraction, Pass::Files, &unknown.root)?.write_chunks(&store, files, config.chunk_rows)
    };
    PlanStats::of(&written?, &store)
}

impl PlanConfig {
    /// Checks the settings that can be checked without reading any file.
    ///
    /// # Errors
    /// Those of [`ExtractConfig::check`], and [`Kind::Usage`] for `chunk_rows` out of range.
    pub(super) fn check(&self) -> Result<()> {
        if !(1..=MAX_CHUNK_ROWS).contains(&self.chunk_rows) {
            return Err(Error::new(Kind::Usage, format!("`chunk_rows` must be from 1 to {MAX_CHUNK_ROWS}")));
        }
        self.extract.check()
    }
}

impl PlanStats {
    fn of(header: &PlanHeader, store: &Store) -> Result<Self> {
        let remaining = header.chunks_without_receipt(store)?;
        Ok(Self { pass: Some(header.pass), chunks: header.chunks, rows: header.rows, remaining })
    }
}

impl From<ImageJob> for ChunkImage {
    fn from(ImageJob { path, image_sha256, variants }: ImageJob) -> Self {
        Self { path, image_sha256: Some(image_sha256), variants }
    }
}

/// Digest of the settings that decide what is missing.
pub(super) fn request(config: &PlanConfig) -> Result<Digest> {
    let ExtractConfig {
        images,
        manifest,
        group_by,
        augment,
        augment_splits,
        layout,
        rehash,
        split,
        seed,
        ..
    } = &config.extract;
    let images = if is_object_storage(images) { images.clone() } else { fs::resolve(images)? };
    let settings = (images, manifest, group_by, augment, augment_splits, layout, rehash, split, seed);
    Ok(sha256(format!("{settings:?} {}", config.chunk_rows).as_bytes()))
}
