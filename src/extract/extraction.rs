//! The extraction of one layer into its cache: what is missing, the description of the data set, the features.

use super::config::ExtractConfig;
use super::kept;
use super::missing::{ImageJob, check_shifts};
use super::network::{OpenLayer, WantedLayer};
use super::old_decoders;
use super::plan::{Description, Plan};
use super::sink::LayerOutput;
use super::splits::assign;
use super::target::{Target, spec};
use crate::backbone::install::runtime;
use crate::backbone::{Device, ResolvedBackbone};
use crate::cache::plan::PlanHeader;
use crate::cache::{self, Key, RefusedList, Samples, Spec};
use crate::data::dataset::{LabelConflicts, Refused, separate_conflicts};
use crate::data::scan::{
    FoundFiles, RefusedFiles, ScanDepth, ScanOptions, UnknownFiles, no_images, scan, unknown_files,
};
use crate::error::Result;
use crate::io::digest::Digest;
use crate::io::store::is_object_storage;
use crate::monitor::Monitor;
use std::collections::BTreeSet;
use std::sync::Arc;

/// State of the extraction of one layer.
pub(super) struct Extraction<'a> {
    pub config: &'a ExtractConfig,
    monitor: &'a dyn Monitor,
    /// The network to run.
    pub chosen: ResolvedBackbone,
    target: Target,
    /// The description of the data set that is stored in the cache.
    stored: Option<Description>,
    /// Files refused by earlier runs of this version and by this run.
    refused: RefusedFiles,
    /// Files that another version refused. They are tried again where the cache can take them.
    refused_by_other: Vec<Refused>,
    /// Rows that the network gave no numbers for, in earlier runs and in this one.
    refused_rows: BTreeSet<Key>,
    /// What other processes found in the files.
    pub found: Option<FoundFiles>,
}

/// Where the cache comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CacheOrigin {
    /// It was there.
    Opened,
    /// This extraction has created it.
    Created,
    /// Another process has created and described it since it was looked for.
    CreatedByOther,
}

impl<'a> Extraction<'a> {
    /// Determines the network, and opens the cache if there is one. A new cache takes what is not chosen from `model`, the
    /// spec of another layer.
    ///
    /// # Errors
    /// Those of [`Spec::read`], [`kept::resolve`] and [`Target::open`], and of reading the description of the data set.
    pub fn open(config: &'a ExtractConfig, model: Option<&Spec>, monitor: &'a dyn Monitor) -> Result<Self> {
        let stored = Spec::read(&config.cache)?;
        let chosen = kept::resolve(config, stored.as_ref().or(model), monitor)?;
        let target = Target::open(config, stored.as_ref(), &chosen)?;
        let mut extraction = Self {
            config,
            monitor,
            chosen,
            target,
            stored: None,
            refused: RefusedFiles::default(),
            refused_by_other: Vec::new(),
            refused_rows: BTreeSet::new(),
            found: None,
        };
        extraction.read_description()?;
        Ok(extraction)
    }

    /// Whether there is no cache yet.
    pub fn is_new(&self) -> bool {
        self.target.cache().is_none()
    }

    /// Reads what earlier runs stored about the data set.
    fn read_description(&mut self) -> Result<()> {
        let Some(cache) = self.target.cache() else { return Ok(()) };
        let refused = cache::read_refused(&self.config.cache).unwrap_or_else(|e| {
            self.monitor.warn(&format!("starting without the list of refused files: {}", e.with_causes()));
            RefusedList::default()
        });
        self.refused_rows = crate::cache::read_refused_rows(&self.config.cache)?;
        let samples = cache.samples_if_any()?;
        // A process killed before it described the data set leaves no description, but then no parts either.
        let is_split_known = self.config.seed.is_some() && self.config.split.is_some();
        // Neither does a plan that is not finished.
        let is_planned = || PlanHeader::require_none(&self.config.cache).is_err();
        if samples.is_none() && !is_split_known && !cache.parts()?.is_empty() && !is_planned() {
            self.monitor.warn(
                "samples.parquet is missing, and the split with it: unless `seed` and `split` are given, images are \
                 assigned anew with seed 0 and 70/5/25",
            );
        }
        let RefusedList { files: refused, is_of_this_version } = refused;
        match is_of_this_version {
            true => self.refused = RefusedFiles::of_earlier_runs(&refused),
            false => self.refused_by_other = refused.clone(),
        }
        let is_of_this_version = is_of_this_version || refused.is_empty();
        self.stored =
            samples.map(|samples| Description { samples: Arc::new(samples), refused, is_of_this_version });
        Ok(())
    }

    /// Proves that ONNX Runtime works, before any image is read. Installs what is missing for a new cache; a cache that is
    /// there may need no network at all, so without a runtime this only says so.
    ///
    /// # Errors
    /// Those of [`ResolvedBackbone::install_missing`].
    pub fn prove_runtime(&self) -> Result<()> {
        let is_there = is_object_storage(&self.config.images) || self.config.images.exists();
        if self.config.dry_run || !is_there {
            return Ok(());
        }
        if self.target.cache().is_some() && runtime::is_missing(self.config.device)? {
            let what = match self.config.device {
                Device::Cuda(_) => "ONNX Runtime for CUDA",
                _ => "ONNX Runtime",
            };
            self.monitor.note(&format!("{what} is not installed: it is needed when features are missing"));
            return Ok(());
        }
        match self.target.cache() {
            Some(_) => runtime::find_or_install(self.config.device, None, self.monitor).map(drop),
            None => self.chosen.install_missing(self.config.device, self.monitor).map(drop),
        }
    }

    /// Scans the images and determines what is missing. Reports remarks about the data set to the monitor.
    ///
    /// # Errors
    /// [`Kind::Input`](crate::error::Kind::Input) without usable images, those of [`check_shifts`] and [`scan`], and of
    /// reading the cache.
    pub fn plan(&self) -> Result<Plan> {
        let plan = self.scan_and_compare(None, true)?;
        check_shifts(&plan.description.samples.rows, self.config, &self.chosen.preprocessing)?;
        plan.report(self.stored_samples(), self.monitor);
        Ok(plan)
    }

    /// Plans again, without repeating the remarks. Files that are as in `scanned`, the plan of another layer, are not read
    /// again.
    ///
    /// # Errors
    /// Those of [`Extraction::plan`].
    pub fn replan(&self, scanned: Option<&Plan>) -> Result<Plan> {
        self.scan_and_compare(scanned.map(|plan| plan.description.samples.as_ref()), false)
    }

    /// Scans until no image needs a row that the network gave no numbers for. Without such an image its class is smaller,
    /// which can move others to another split, where they need other variants.
    fn scan_and_compare(&self, scanned: Option<&Samples>, mut notes: bool) -> Result<Plan> {
        let mut refused = self.refused.clone();
        loop {
            let plan = self.scan_once(scanned, &refused, notes)?;
            let of_other = self.still_refused(&plan)?;
            if notes && !of_other.is_empty() {
                self.monitor.note(&format!(
                    "files that another version refused and that stay refused, since this one decodes such files otherwise than \
                     the cache: {}; another `cache` takes those that can be read now",
                    of_other.len()
                ));
            }
            let again = [plan.refused_again(&self.refused_rows), of_other].concat();
            if again.is_empty() {
                return Ok(plan);
            }
            refused.add(again);
            notes = false;
        }
    }

    /// Images of `plan` that another version refused and that do not fit into a cache of the version that made it.
    ///
    /// # Errors
    /// Those of [`old_decoders::check`] for other images.
    fn still_refused(&self, plan: &Plan) -> Result<Vec<Refused>> {
        let Some(cache) = self.target.cache() else { return Ok(Vec::new()) };
        let decode = &cache.spec().preprocessing.decode;
        let root = &plan.description.samples.root;
        old_decoders::check(&self.config.cache, decode, root, &plan.jobs, &self.refused_by_other)
    }

    /// How the images are scanned.
    fn scan_options<'s>(
        &'s self,
        scanned: Option<&'s Samples>,
        refused: &'s RefusedFiles,
        notes: bool,
    ) -> ScanOptions<'s> {
        let stored = self.stored_samples();
        let earlier = scanned.or(stored);
        ScanOptions {
            earlier: earlier.map(Samples::as_earlier_scan),
            rehash: self.config.rehash && scanned.is_none(),
            layout: self.config.layout.or(stored.and_then(|stored| stored.choice_for(&self.config.images))),
            must_choose: earlier.is_none(),
            manifest: Some(&self.config.manifest),
            found: self.found.as_ref(),
            refused: Some(refused),
            notes,
            ..ScanOptions::new(ScanDepth::Header)
        }
    }

    /// Lists the files that a plan would have to read.
    ///
    /// # Errors
    /// Those of [`unknown_files`].
    pub fn unknown_files(&self) -> Result<UnknownFiles> {
        unknown_files(&self.config.images, &self.scan_options(None, &self.refused, false), self.monitor)
    }

    fn scan_once(&self, scanned: Option<&Samples>, refused: &RefusedFiles, notes: bool) -> Result<Plan> {
        let stored = self.stored_samples();
        let options = self.scan_options(scanned, refused, notes);
        let mut found = scan(&self.config.images, &options, self.monitor)?;
        let files = std::mem::take(&mut found.files);
        let LabelConflicts { kept, refused: conflicts, .. } = separate_conflicts(files);
        let mut refused = [found.refused.clone(), conflicts].concat();
        refused.sort();
        if kept.is_empty() {
            return Err(no_images(&self.config.images, found.unlabelled.len(), &refused));
        }
        let assigned = assign(kept, &found, self.config, stored)?;
        if notes {
            assigned.notes.iter().for_each(|note| self.monitor.note(note));
        }
        let samples = Arc::new(assigned.samples);
        let description = Description { samples, refused, is_of_this_version: true };
        Ok(Plan::new(description, self.config, &self.target.keys()?))
    }

    fn stored_samples(&self) -> Option<&Samples> {
        self.stored.as_ref().map(|stored| stored.samples.as_ref())
    }

    /// Checks that no plan of several processes is under way, unless this is a dry run.
    ///
    /// # Errors
    /// [`Kind::Cache`](crate::error::Kind::Cache) when there is one.
    pub fn require_no_plan(&self) -> Result<()> {
        if self.config.dry_run { Ok(()) } else { PlanHeader::require_none(&self.config.cache) }
    }

    /// Digest of the spec of the cache, and the number of its next part.
    ///
    /// # Errors
    /// [`Kind::Cache`](crate::error::Kind::Cache) when the cache is not open for writing.
    pub fn spec_and_next_part(&mut self) -> Result<(Digest, u32)> {
        let writer = self.target.writer().map_err(|e| e.at(&self.config.cache))?;
        Ok((writer.cache().spec().digest(), writer.next_number()))
    }

    /// What to open the network for.
    pub fn wanted_layer(&self) -> WantedLayer<'_> {
        let stored_answer = self.target.cache().and_then(|cache| cache.spec().known_answer.clone());
        WantedLayer { chosen: &self.chosen, stored_answer }
    }

    /// Creates the cache if there is none.
    ///
    /// # Errors
    /// Those of [`Target::create`], and of reading the description of the data set.
    pub fn create_cache(&mut self, layer: &OpenLayer) -> Result<CacheOrigin> {
        if self.target.cache().is_some() {
            return Ok(CacheOrigin::Opened);
        }
        let spec = spec(&self.chosen, layer.columns.len(), layer.new_answer.clone());
        self.target = Target::create(&self.config.cache, &spec)?;
        self.read_description()?;
        // Only one that another process has created in the meantime is described already.
        Ok(if self.stored.is_some() { CacheOrigin::CreatedByOther } else { CacheOrigin::Created })
    }

    /// Stores the description of the data set in the cache, if it differs from the one that is there.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::error::Kind::Io) when it cannot be written.
    pub fn describe(&mut self, plan: &Plan) -> Result<()> {
        if self.stored.as_ref() != Some(&plan.description) {
            let Description { samples, refused, .. } = &plan.description;
            let writer = self.target.writer().map_err(|e| e.at(&self.config.cache))?;
            writer.describe(samples, refused)?;
            self.stored = Some(plan.description.clone());
        }
        Ok(())
    }

    /// Where the missing rows of `plan` go.
    ///
    /// # Errors
    /// [`Kind::Cache`](crate::error::Kind::Cache) when the cache is not open for writing.
    pub fn output(&mut self, plan: &Plan, layer: &OpenLayer) -> Result<LayerOutput<'_>> {
        let writer = self.target.writer().map_err(|e| e.at(&self.config.cache))?;
        let wanted = plan.jobs.iter().flat_map(ImageJob::keys).collect();
        Ok(LayerOutput { writer, columns: layer.columns.clone(), wanted })
    }

    /// Keeps files that were refused during this run out of the next plan, and refused rows out of later runs too.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::error::Kind::Io) when the list of refused rows cannot be written.
    pub fn refuse(&mut self, refused: Vec<Refused>, rows: Vec<Key>) -> Result<()> {
        self.refused.add(refused);
        if rows.is_empty() {
            return Ok(());
        }
        self.refused_rows.extend(rows);
        let writer = self.target.writer().map_err(|e| e.at(&self.config.cache))?;
        writer.record_refused_rows(&self.refused_rows)
    }
}
