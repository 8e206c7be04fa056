//! The steps of an extraction: plan, open the network, describe the data set, compute the missing rows.

use super::config::ExtractConfig;
use super::kept;
use super::missing::check_shifts;
use super::network::Network;
use super::old_decoders;
use super::pipeline::{self, PipelineResult};
use super::plan::{Description, Plan};
use super::splits::assign;
use super::target::{Target, spec};
use crate::backbone::install::runtime;
use crate::backbone::{Device, ResolvedBackbone};
use crate::cache::{self, Key, Samples, Spec};
use crate::data::dataset::{LabelConflicts, Refused, separate_conflicts};
use crate::data::scan::{EarlierScan, RefusedFiles, ScanDepth, ScanOptions, no_images, scan};
use crate::error::Result;
use crate::monitor::Monitor;
use std::collections::BTreeSet;
use std::sync::Arc;

/// State of an extraction.
pub(super) struct Extraction<'a> {
    config: &'a ExtractConfig,
    monitor: &'a dyn Monitor,
    /// The network to run.
    pub chosen: ResolvedBackbone,
    target: Target,
    /// The description of the data set that is stored in the cache.
    stored: Option<Description>,
    /// Files refused by earlier runs and by this one.
    refused: RefusedFiles,
    /// Rows that the network gave no numbers for, in earlier runs and in this one.
    refused_rows: BTreeSet<Key>,
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
    /// Determines the network, and opens the cache if there is one.
    ///
    /// # Errors
    /// Those of [`Spec::read`], [`kept::resolve`] and [`Target::open`], and of reading the description of the data set.
    pub fn open(config: &'a ExtractConfig, monitor: &'a dyn Monitor) -> Result<Self> {
        let stored = Spec::read(&config.cache)?;
        let chosen = kept::resolve(config, stored.as_ref(), monitor)?;
        let target = Target::open(config, stored.as_ref(), &chosen)?;
        let mut extraction = Self {
            config,
            monitor,
            chosen,
            target,
            stored: None,
            refused: RefusedFiles::default(),
            refused_rows: BTreeSet::new(),
        };
        extraction.read_description()?;
        Ok(extraction)
    }

    /// Reads what earlier runs stored about the data set.
    fn read_description(&mut self) -> Result<()> {
        let Some(cache) = self.target.cache() else { return Ok(()) };
        let refused = cache::read_refused(&self.config.cache).unwrap_or_else(|e| {
            self.monitor.warn(&format!("starting without the list of refused files: {}", e.with_causes()));
            Vec::new()
        });
        self.refused_rows = crate::cache::read_refused_rows(&self.config.cache)?;
        let samples = cache.samples_if_any()?;
        // A process killed before it described the data set leaves no description, but then no parts either.
        let is_split_known = self.config.seed.is_some() && self.config.split.is_some();
        if samples.is_none() && !is_split_known && !cache.parts()?.is_empty() {
            self.monitor.warn(
                "samples.parquet is missing, and the split with it: unless `seed` and `split` are given, images are \
                 assigned anew with seed 0 and 70/5/25",
            );
        }
        self.refused = RefusedFiles::of_earlier_runs(&refused);
        self.stored = samples.map(|samples| Description { samples: Arc::new(samples), refused });
        Ok(())
    }

    /// Proves that ONNX Runtime works, before any image is read. Installs what is missing for a new cache; a cache that is
    /// there may need no network at all, so without a runtime this only says so.
    ///
    /// # Errors
    /// Those of [`ResolvedBackbone::install_missing`].
    pub fn prove_runtime(&self) -> Result<()> {
        if self.config.dry_run || !self.config.images.exists() {
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
        let plan = self.scan_and_compare(true)?;
        check_shifts(&plan.description.samples.rows, self.config, &self.chosen.preprocessing)?;
        plan.report(self.stored_samples(), self.monitor);
        Ok(plan)
    }

    /// Plans again, without repeating the remarks.
    ///
    /// # Errors
    /// Those of [`Extraction::plan`].
    pub fn replan(&self) -> Result<Plan> {
        self.scan_and_compare(false)
    }

    /// Scans until no image needs a row that the network gave no numbers for. Without such an image its class is smaller,
    /// which can move others to another split, where they need other variants.
    fn scan_and_compare(&self, mut notes: bool) -> Result<Plan> {
        let mut refused = self.refused.clone();
        loop {
            let plan = self.scan_once(&refused, notes)?;
            let again = plan.refused_again(&self.refused_rows);
            if again.is_empty() {
                return Ok(plan);
            }
            refused.add(again);
            notes = false;
        }
    }

    fn scan_once(&self, refused: &RefusedFiles, notes: bool) -> Result<Plan> {
        let stored = self.stored_samples();
        let options = ScanOptions {
            earlier: stored.map(|stored| EarlierScan { root: &stored.root, samples: &stored.rows }),
            rehash: self.config.rehash,
            layout: self.config.layout.or(stored.and_then(|stored| stored.choice_for(&self.config.images))),
            must_choose: stored.is_none(),
            manifest: Some(&self.config.manifest),
            refused: Some(refused),
            notes,
            ..ScanOptions::new(ScanDepth::Header)
        };
        let mut found = scan(&self.config.images, &options, self.monitor)?;
        let files = std::mem::take(&mut found.files);
        let LabelConflicts { kept, refused: conflicts, .. } = separate_conflicts(files);
        let mut refused = [found.refused.clone(), conflicts].concat();
        refused.sort();
        if kept.is_empty() {
            return Err(no_images(&self.config.images, &refused));
        }
        let assigned = assign(kept, &found, self.config, stored)?;
        if notes {
            assigned.notes.iter().for_each(|note| self.monitor.note(note));
        }
        let samples = Arc::new(assigned.samples);
        let plan = Plan::new(Description { samples, refused }, self.config, &self.target.keys()?);
        if let Some(cache) = self.target.cache() {
            let decode = &cache.spec().preprocessing.decode;
            old_decoders::check(&self.config.cache, decode, &plan.description.samples.root, &plan.jobs)?;
        }
        Ok(plan)
    }

    fn stored_samples(&self) -> Option<&Samples> {
        self.stored.as_ref().map(|stored| stored.samples.as_ref())
    }

    /// Opens the network for `rows` missing rows.
    ///
    /// # Errors
    /// Those of [`Network::open`].
    pub fn open_network(&self, rows: usize) -> Result<Network> {
        let stored_answer = self.target.cache().and_then(|cache| cache.spec().known_answer.clone());
        Network::open(self.config, &self.chosen, rows, stored_answer, self.monitor)
    }

    /// Creates the cache if there is none.
    ///
    /// # Errors
    /// Those of [`Target::create`], and of reading the description of the data set.
    pub fn create_cache(&mut self, network: &Network) -> Result<CacheOrigin> {
        if self.target.cache().is_some() {
            return Ok(CacheOrigin::Opened);
        }
        let spec = spec(&self.chosen, network.backbone().width(), network.new_answer.clone());
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
            let Description { samples, refused } = &plan.description;
            let writer = self.target.writer().map_err(|e| e.at(&self.config.cache))?;
            writer.describe(samples, refused)?;
            self.stored = Some(plan.description.clone());
        }
        Ok(())
    }

    /// Computes the missing rows and commits them.
    ///
    /// # Errors
    /// Those of [`pipeline::run`].
    pub fn compute(&mut self, plan: &Plan, network: &mut Network) -> Result<PipelineResult> {
        let root = plan.description.samples.root.clone();
        let settings = network.pipeline(self.config, root, self.chosen.preprocessing);
        let writer = self.target.writer().map_err(|e| e.at(&self.config.cache))?;
        let result = pipeline::run(&settings, &plan.jobs, &mut network.sessions, writer, self.monitor);
        settings.narrow.report(self.monitor);
        result
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
