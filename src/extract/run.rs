//! A run of an extraction, for one layer or several of the same network: plan, open the network, describe the data set, compute
//! what is missing. The images are read once and the network runs once for all layers.

use super::extraction::{CacheOrigin, Extraction};
use super::missing::{MissingRows, joined_jobs};
use super::network::Network;
use super::pipeline::{self, PipelineResult};
use super::plan::Plan;
use super::sink::LayerResult;
use super::timing::StageTimes;
use crate::cache::Key;
use crate::data::dataset::Refused;
use crate::data::scan::require_files;
use crate::error::{Error, Kind, Result};
use crate::monitor::Monitor;

/// What a run found and did for one layer.
#[derive(Debug)]
pub(super) struct RunResult {
    /// What was missing at the start, by variant.
    pub missing: Vec<MissingRows>,
    /// The data set at the end.
    pub plan: Plan,
    /// Rows computed; in a dry run, those that would be.
    pub computed: usize,
    /// Rows computed of images that are not in the data set any more.
    pub unused: usize,
    /// Files that were there at the start and are not any more.
    pub vanished: Vec<Refused>,
    /// The execution provider, and the time spent in the stages. `None` without rows.
    pub work: Option<(String, StageTimes)>,
}

/// Runs the extraction of `layers`, at least one.
///
/// # Errors
/// Those of [`extract`](super::extract()).
pub(super) fn run(layers: &mut [Extraction], monitor: &dyn Monitor) -> Result<Vec<RunResult>> {
    layers.iter().try_for_each(Extraction::require_no_plan)?;
    require_files(&layers[0].config.images, &layers[0].config.manifest)?;
    let first = layers.iter().find(|layer| layer.is_new()).unwrap_or(&layers[0]);
    first.prove_runtime()?;
    let plans = plan(layers)?;
    if layers[0].config.dry_run {
        let result = |plan: Plan| RunResult {
            missing: plan.missing.clone(),
            computed: plan.missing_rows(),
            unused: 0,
            vanished: Vec::new(),
            work: None,
            plan,
        };
        return Ok(plans.into_iter().map(result).collect());
    }
    let mut run = Run { layers, plans: plans.clone(), computed: Vec::new(), work: None, monitor };
    run.computed.resize_with(plans.len(), Vec::new);
    run.compute_missing()?;
    let Run { plans: last, computed, work, .. } = run;
    let result = |((before, plan), computed): ((Plan, Plan), Vec<Key>)| RunResult {
        missing: before.missing.clone(),
        unused: computed.len() - plan.count_own(&computed),
        vanished: before.vanished(&plan),
        work: work.clone().filter(|_| !computed.is_empty()),
        computed: computed.len(),
        plan,
    };
    Ok(plans.into_iter().zip(last).zip(computed).map(result).collect())
}

/// Plans all layers. The files are read for the first one.
fn plan(layers: &[Extraction]) -> Result<Vec<Plan>> {
    let first = layers[0].plan()?;
    let others = layers[1..].iter().map(|layer| layer.replan(Some(&first))).collect::<Result<Vec<_>>>()?;
    Ok(std::iter::once(first).chain(others).collect())
}

/// The work under way. The vectors have an entry for each layer.
struct Run<'r, 'a> {
    layers: &'r mut [Extraction<'a>],
    plans: Vec<Plan>,
    computed: Vec<Vec<Key>>,
    work: Option<(String, StageTimes)>,
    monitor: &'r dyn Monitor,
}

impl Run<'_, '_> {
    /// Computes until nothing is missing of what is in the folder by then. The folder may change while this runs. And without
    /// refused images their classes are smaller, which can move others to another split, where they need other variants.
    fn compute_missing(&mut self) -> Result<()> {
        // The layers that the network is open at.
        let (mut network, mut open): (Option<Network>, Vec<usize>) = (None, Vec::new());
        loop {
            let lacks = |i: &usize| self.plans[*i].missing_rows() > 0;
            let lacking: Vec<usize> = (0..self.layers.len()).filter(lacks).collect();
            if !lacking.iter().all(|i| open.contains(i)) {
                open = lacking.clone();
                drop(network.take());
                // Open the network before writing anything, so that a failure leaves the caches unchanged.
                let opened = self.open_network(&open)?;
                let is_by_other = self.create_caches(&opened, &open)?;
                network = Some(opened);
                if is_by_other {
                    self.replan()?;
                    continue;
                }
            }
            for (layer, plan) in self.layers.iter_mut().zip(&self.plans) {
                layer.describe(plan)?;
            }
            match network.as_mut().filter(|_| !lacking.is_empty()) {
                None => return Ok(()),
                Some(network) => self.compute(network, &open)?,
            }
            self.replan()?;
        }
    }

    fn replan(&mut self) -> Result<()> {
        let first = self.layers[0].replan(None)?;
        for (layer, plan) in self.layers.iter().zip(&mut self.plans).skip(1) {
            *plan = layer.replan(Some(&first))?;
        }
        self.plans[0] = first;
        Ok(())
    }

    /// Opens the network at the layers `open`.
    fn open_network(&self, open: &[usize]) -> Result<Network> {
        let wanted = open.iter().map(|&i| self.layers[i].wanted_layer()).collect();
        let rows = open.iter().map(|&i| self.plans[i].missing_rows()).max().unwrap_or(0);
        Network::open(self.layers[0].config, wanted, rows, self.monitor)
    }

    /// Creates the caches that are not there. Returns whether another process has created one in the meantime.
    fn create_caches(&mut self, network: &Network, open: &[usize]) -> Result<bool> {
        let mut is_by_other = false;
        for (&i, layer) in open.iter().zip(&network.layers) {
            is_by_other |= self.layers[i].create_cache(layer)? == CacheOrigin::CreatedByOther;
        }
        Ok(is_by_other)
    }

    /// Computes the missing rows of the layers `open`, and commits them.
    ///
    /// # Errors
    /// Those of [`pipeline::run`], and [`Kind::Interrupted`] when the monitor was interrupted.
    fn compute(&mut self, network: &mut Network, open: &[usize]) -> Result<()> {
        let jobs = joined_jobs(open.iter().flat_map(|&i| &self.plans[i].jobs));
        let Extraction { config, chosen, .. } = &self.layers[0];
        let root = self.plans[open[0]].description.samples.root.clone();
        let settings = network.pipeline(config, root, chosen.preprocessing);
        let mut outputs = Vec::new();
        for (i, layer) in self.layers.iter_mut().enumerate() {
            if let Some(place) = open.iter().position(|&other| other == i) {
                outputs.push(layer.output(&self.plans[i], &network.layers[place])?);
            }
        }
        let result = pipeline::run(&settings, &jobs, &mut network.sessions, outputs, self.monitor);
        settings.narrow.report(self.monitor);
        let PipelineResult { layers, refused, stages, is_interrupted } = result?;
        let provider = network.backbone().provider().to_string();
        let before = self.work.take().map_or_else(StageTimes::default, |(_, stages)| stages);
        self.work = Some((provider, before.and(stages)));
        let missing: usize = open.iter().map(|&i| self.plans[i].missing_rows()).sum();
        let new: usize = layers.iter().map(|layer| layer.committed.len()).sum();
        for (&i, LayerResult { committed, refused: of_layer, refused_rows }) in open.iter().zip(layers) {
            self.computed[i].extend(committed);
            if !is_interrupted {
                self.layers[i].refuse([refused.clone(), of_layer].concat(), refused_rows)?;
            }
        }
        match is_interrupted {
            true => Err(interrupted(self.computed.iter().map(Vec::len).sum(), missing - new)),
            false => Ok(()),
        }
    }
}

/// The error of a run that was interrupted.
pub(super) fn interrupted(computed: usize, missing: usize) -> Error {
    let message = format!("interrupted: {computed} rows were computed and are kept, {missing} are missing");
    Error::new(Kind::Interrupted, message).help("the same command goes on from there")
}
