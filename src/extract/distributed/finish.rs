//! Finishes a plan: checks that every chunk has a receipt whose part is whole, then describes the data set.

use super::super::extraction::Extraction;
use super::config::FinishConfig;
use super::planner::request;
use crate::cache::plan::{
    Chunk, ChunkImage, FEATURES, FILES, PLAN, Pass, PlanHeader, Receipt, STAGING, is_planned, keep_receipts,
    read_found_files,
};
use crate::cache::{FeatureCache, Key, Part, Spec};
use crate::data::dataset::Refused;
use crate::data::decode::limit_memory;
use crate::data::scan::source_digest;
use crate::error::{Error, Kind, Result, counted};
use crate::io::digest::{Digest, sha256};
use crate::io::store::Store;
use crate::math::parallel::{in_parallel, thread_count};
use crate::monitor::{Monitor, Unit};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

/// Result of [`finish`].
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct FinishStats {
    /// What the chunks asked for.
    pub pass: Pass,
    /// Number of chunks.
    pub chunks: u32,
    /// Number of files read or feature rows computed for the plan.
    pub computed: u64,
    /// Number of image files in the data set; `None` after a pass over files.
    pub samples: Option<usize>,
    /// Number of feature rows in the cache that match the samples; `None` after a pass over files.
    pub rows: Option<usize>,
    /// Number of feature rows that are missing now, and that another plan would list; `None` after a pass over files.
    pub missing: Option<usize>,
    /// Files that cannot be used, by path.
    pub refused: Vec<Refused>,
    /// The execution providers that computed the rows.
    pub providers: Vec<String>,
    /// Whether workers gave different bits for the same image.
    pub mixed_hardware: bool,
}

/// Finishes the plan of a cache. Each chunk must have a receipt, its part must have the digest that the receipt names, and hold the
/// rows of the chunk. A part that does not is moved to `damaged/`, and its receipt removed. After a pass over features the data set
/// and the refused files are described, the receipts are kept in `receipts/`, and the plan is removed.
///
/// # Errors
/// [`Kind::Usage`] when the settings are not those of the plan; [`Kind::Input`] when the manifest or archive has changed since;
/// [`Kind::Cache`] when there is no plan, or chunks have no receipt or a damaged part; [`Kind::Device`] when workers gave different
/// bits for the same image and that is not allowed. The plan then stays.
pub fn finish(config: &FinishConfig, monitor: &dyn Monitor) -> Result<FinishStats> {
    config.plan.check()?;
    let extract = &config.plan.extract;
    limit_memory(extract.decode_memory)?;
    let spec = FeatureCache::open(&extract.cache)?.spec().clone();
    let mut extraction = Extraction::open(extract, None, monitor)?;
    let store = Store::new(&extract.cache, STAGING);
    let header = PlanHeader::require(&store)?;
    header.check_program(&store)?;
    if header.request != request(&config.plan)? {
        return Err(Error::new(Kind::Usage, "the plan was made with other settings")
            .at(&extract.cache)
            .help("give the same images and options as for `plan`"));
    }
    header.check_source(&extract.images, source_digest(&extract.images)?)?;
    let parts = config.parts.as_deref().map_or_else(|| Ok(store.clone()), |at| Store::open(at, STAGING))?;
    let verifier = Verifier { store: &store, parts: &parts, header: &header, spec: &spec, monitor };
    let receipts = verifier.receipts()?;
    let is_mixed = check_hardware(&receipts, config, monitor)?;
    let providers: BTreeSet<&str> =
        receipts.iter().map(|receipt| receipt.made_by("headstart.provider")).collect();
    let mut stats = FinishStats {
        pass: header.pass,
        chunks: header.chunks,
        computed: receipts.iter().map(|receipt| receipt.rows as u64).sum(),
        samples: None,
        rows: None,
        missing: None,
        refused: Vec::new(),
        providers: providers.into_iter().filter(|name| !name.is_empty()).map(str::to_string).collect(),
        mixed_hardware: is_mixed,
    };
    if header.pass == Pass::Files {
        stats.refused = refused_files(&receipts);
        PlanHeader::remove(&store)?;
        return Ok(stats);
    }
    extraction.found = Some(read_found_files(&store)?);
    describe(&mut extraction, &receipts, &mut stats)?;
    keep_receipts(&store, &header, &receipts, is_mixed)?;
    // What the files are stays until a plan finds nothing missing.
    PlanHeader::remove(&store)?;
    Ok(stats)
}

/// The files that workers refused, by path.
fn refused_files(receipts: &[Receipt]) -> Vec<Refused> {
    let mut refused: Vec<Refused> = receipts.iter().flat_map(Receipt::refused).collect();
    refused.sort();
    refused
}

/// Describes the data set without the images that workers refused.
fn describe(extraction: &mut Extraction, receipts: &[Receipt], stats: &mut FinishStats) -> Result<()> {
    let rows: Vec<Vec<Key>> = receipts.iter().map(Receipt::refused_keys).collect::<Result<_>>()?;
    extraction.refuse(refused_files(receipts), rows.concat())?;
    // Where the images are not those that were planned, all of them may have been refused.
    let plan = extraction.plan().map_err(|e| match e.kind() {
        Kind::Input => e.help(
            "if the images have changed since they were planned, delete the folder plan of the cache, and plan again: what was \
             computed stays",
        ),
        _ => e,
    })?;
    extraction.describe(&plan)?;
    stats.samples = Some(plan.description.samples.rows.len());
    stats.rows = Some(plan.stored_rows);
    stats.missing = Some(plan.missing_rows());
    stats.refused = plan.description.refused.clone();
    Ok(())
}

/// Compares the bits that the workers' networks gave for the fixed image. Returns whether they differ.
fn check_hardware(receipts: &[Receipt], config: &FinishConfig, monitor: &dyn Monitor) -> Result<bool> {
    let mut kinds: BTreeMap<Digest, (usize, &str)> = BTreeMap::new();
    for receipt in receipts {
        if let Some(bits) = receipt.known_answer {
            kinds.entry(bits).or_insert((0, receipt.made_by("headstart.provider"))).0 += 1;
        }
    }
    if kinds.len() < 2 {
        return Ok(false);
    }
    let kind = |(bits, (chunks, provider)): (&Digest, &(usize, &str))| {
        format!("{} {} ({provider})", counted(*chunks, "chunk"), bits.short())
    };
    let kinds: Vec<String> = kinds.iter().map(kind).collect();
    let message = format!("workers gave different bits for the same image: {}", kinds.join(", "));
    if !config.mixed_hardware {
        return Err(Error::new(Kind::Device, message).at(&config.plan.extract.cache).help(
            "use machines of one kind, or allow it with `mixed_hardware`: the features then agree to 1e-3, those of integers to 0.05",
        ));
    }
    monitor.warn(&message);
    Ok(true)
}

/// Checks receipts against parts.
struct Verifier<'a> {
    store: &'a Store,
    /// Where the parts of features are.
    parts: &'a Store,
    header: &'a PlanHeader,
    spec: &'a Spec,
    monitor: &'a dyn Monitor,
}

/// What is wrong with the chunks that are not done.
#[derive(Default)]
struct Faults {
    without_receipt: usize,
    damaged: usize,
}

impl Verifier<'_> {
    /// Returns one receipt for each chunk, in their order, whose part is whole. Other parts of the plan are moved away.
    ///
    /// # Errors
    /// [`Kind::Cache`] when a chunk has none.
    fn receipts(&self) -> Result<Vec<Receipt>> {
        let mut of_chunk: BTreeMap<u32, Vec<Receipt>> =
            (0..self.header.chunks).map(|n| (n, Vec::new())).collect();
        for receipt in Receipt::all(self.store, self.header, "")? {
            of_chunk.entry(receipt.chunk).or_default().push(receipt);
        }
        let of_chunk: Vec<Vec<Receipt>> = of_chunk.into_values().collect();
        let task = self.monitor.task("checking parts", Some(of_chunk.len() as u64), Unit::Parts);
        let chosen = in_parallel(thread_count(0), &of_chunk, |receipts| {
            task.advance(1);
            self.choose(receipts)
        })?;
        let mut faults = Faults::default();
        for (receipts, chosen) in of_chunk.iter().zip(&chosen) {
            match (chosen, receipts.is_empty()) {
                (Some(_), _) => {}
                (None, true) => faults.without_receipt += 1,
                (None, false) => faults.damaged += 1,
            }
        }
        faults.check(self.store)?;
        let chosen: Vec<Receipt> = chosen.into_iter().flatten().collect();
        self.remove_others(&chosen)?;
        Ok(chosen)
    }

    /// The receipt with the most rows among those of a chunk whose part is whole. Damaged parts are moved away with their receipts.
    fn choose(&self, receipts: &[Receipt]) -> Result<Option<Receipt>> {
        let mut whole: Vec<&Receipt> = Vec::new();
        for receipt in receipts {
            match self.check(receipt) {
                Ok(()) => whole.push(receipt),
                Err(e) if e.kind() == Kind::Cache => {
                    self.monitor.warn(&e.with_causes());
                    self.move_away(receipt)?;
                }
                Err(e) => return Err(e),
            }
        }
        // Twins differ where one could not read a file, or on other hardware.
        whole.sort_by(|a, b| (b.rows, &a.part).cmp(&(a.rows, &b.part)));
        Ok(whole.first().map(|receipt| (*receipt).clone()))
    }

    /// Checks the part of a receipt: its digest, and that it holds the rows of the chunk that were not refused.
    fn check(&self, receipt: &Receipt) -> Result<()> {
        let images = Chunk::read(self.store, self.header, receipt.chunk)?.images;
        let Some((name, digest)) = receipt.part.as_ref().zip(receipt.sha256) else {
            return self.check_keys(receipt, &images, Vec::new(), &self.store.path(FEATURES));
        };
        let name = object(self.header.pass, name);
        let path = self.place().path(&name);
        let damaged = |message: &str| Error::new(Kind::Cache, message).at(&path);
        let bytes = self.place().read_if_any(&name)?.ok_or_else(|| damaged("it is missing"))?;
        if sha256(&bytes) != digest {
            return Err(damaged("its bytes are not those that its receipt names"));
        }
        match self.header.pass {
            Pass::Files if receipt.rows == images.len() => Ok(()),
            Pass::Files => Err(damaged("it does not hold the files of its chunk")),
            Pass::Features => {
                let part = Part::from_name(receipt.part.as_deref().unwrap_or_default(), path.clone());
                let part = part.ok_or_else(|| damaged("its name is not that of a part"))?;
                self.check_keys(receipt, &images, part.decode_keys(bytes, self.spec)?, &path)
            }
        }
    }

    fn check_keys(
        &self,
        receipt: &Receipt,
        images: &[ChunkImage],
        keys: Vec<Key>,
        path: &Path,
    ) -> Result<()> {
        let refused: HashSet<&str> = receipt.refused.iter().map(|refused| refused.path.as_str()).collect();
        let refused_keys: HashSet<Key> = receipt.refused_keys()?.into_iter().collect();
        let kept = images.iter().filter(|image| !refused.contains(image.path.as_str()));
        let expected = kept.flat_map(ChunkImage::keys).filter(|key| !refused_keys.contains(key));
        match expected.eq(keys) {
            true => Ok(()),
            false => {
                Err(Error::new(Kind::Cache, format!("it does not hold the rows of chunk {}", receipt.chunk))
                    .at(path))
            }
        }
    }

    /// Moves the part of a receipt to `damaged/`, if it is there, and removes the receipt.
    fn move_away(&self, receipt: &Receipt) -> Result<()> {
        if let Some(name) = &receipt.part {
            let object = object(self.header.pass, name);
            if self.place().exists(&object)? {
                self.move_to_damaged(&object, name)?;
            }
        }
        self.store.remove(&receipt.name())
    }

    /// Moves a part to `damaged/`.
    fn move_to_damaged(&self, object: &str, name: &str) -> Result<()> {
        self.place().rename(object, &format!("damaged/{name}"))?;
        // In a folder a worker may have written the part again.
        if self.place().is_remote() { self.store.remove(object) } else { Ok(()) }
    }

    /// Where that is what receipts name.
    fn place(&self) -> &Store {
        if self.header.pass == Pass::Files { self.store } else { self.parts }
    }

    /// Moves parts that workers wrote for this plan and that no chosen receipt names to `damaged/`: those of twins that were not
    /// chosen, and those that were begun again on other hardware.
    fn remove_others(&self, chosen: &[Receipt]) -> Result<()> {
        if self.header.pass == Pass::Files {
            return Ok(());
        }
        let named: HashSet<&str> = chosen.iter().filter_map(|receipt| receipt.part.as_deref()).collect();
        let numbers = self.header.first_part..self.header.first_part + self.header.chunks;
        for name in self.store.list(FEATURES, "")? {
            let object = object(self.header.pass, &name);
            let part = Part::from_name(&name, self.store.path(&object));
            let Some(part) =
                part.filter(|part| numbers.contains(&part.number) && !named.contains(part.name.as_str()))
            else {
                continue;
            };
            if is_planned(&part.metadata()?) {
                self.monitor.warn(&format!("{name} is moved to damaged: another part holds the same rows"));
                self.move_to_damaged(&object, &name)?;
            }
        }
        Ok(())
    }
}

/// The object that holds what a receipt names.
fn object(pass: Pass, name: &str) -> String {
    let folder = if pass == Pass::Files { FILES } else { FEATURES };
    format!("{folder}/{name}")
}

impl Faults {
    fn check(self, store: &Store) -> Result<()> {
        let Self { without_receipt, damaged } = self;
        if without_receipt + damaged == 0 {
            return Ok(());
        }
        let message = format!(
            "the plan is not done: {} without a receipt, {damaged} with a damaged part, which was moved to damaged",
            counted(without_receipt, "chunk")
        );
        Err(Error::new(Kind::Cache, message)
            .at(store.path(PLAN))
            .help("start workers again: they compute the chunks that are not done"))
    }
}
