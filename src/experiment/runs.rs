//! The runs that an experiment writes: the first head of each run in each condition, in `OUT/runs/<condition>/<run>`, for
//! `evaluate`, `compare` and `predict`.

use super::caches::LoadedCache;
use super::config::ExperimentConfig;
use super::fitting::FitResults;
use super::output_folder::RUNS;
use super::plan::ExperimentPlan;
use crate::error::Result;
use crate::head::{FeatureFormat, FitConfig, SolverConfig};
use crate::math::parallel::in_parallel;
use crate::run;
use crate::train::fitted_run::FittedRun;
use std::path::{Path, PathBuf};

/// A run to write.
struct RunTarget {
    path: PathBuf,
    /// Position of its fit.
    fit: usize,
    /// The run that it starts from.
    init: Option<PathBuf>,
}

/// Where finished fits come from.
pub(super) struct RunWriter<'a> {
    pub plan: &'a ExperimentPlan,
    pub fits: &'a FitResults,
    pub caches: &'a [LoadedCache],
    pub config: &'a ExperimentConfig,
    pub threads: usize,
}

fn targets(plan: &ExperimentPlan, out: &Path) -> Vec<RunTarget> {
    let mut all = Vec::new();
    for condition in &plan.conditions {
        let folder = out.join(RUNS).join(&condition.name);
        for (scored, run) in condition.runs.iter().zip(&plan.runs) {
            let init = plan.fits[scored.fit].spec.init.and_then(|init| {
                let position = condition.runs.iter().position(|other| other.fit == init)?;
                Some(folder.join(&plan.runs[position].name))
            });
            all.push(RunTarget { path: folder.join(&run.name), fit: scored.fit, init });
        }
    }
    all
}

/// Checks that all runs may be written into the folder `out`.
///
/// # Errors
/// [`Kind::Run`](crate::error::Kind::Run) where a folder holds something else.
pub(super) fn check(plan: &ExperimentPlan, out: &Path) -> Result<()> {
    targets(plan, out).iter().try_for_each(|target| run::check_target(&target.path))
}

impl RunWriter<'_> {
    /// Writes all runs, and returns their folders.
    ///
    /// # Errors
    /// Errors of the operating system.
    pub fn write(&self) -> Result<Vec<PathBuf>> {
        in_parallel(self.threads, &targets(self.plan, &self.config.out), |target| {
            self.write_one(target).map(|()| target.path.clone())
        })
    }

    fn write_one(&self, target: &RunTarget) -> Result<()> {
        let spec = &self.plan.fits[target.fit].spec;
        let result = self.fits.on_own_splits(target.fit);
        let context = self.caches[spec.cache].context(&spec.variants, 0, 1);
        let solver = match spec.solver.clone() {
            SolverConfig::Adam(settings) => {
                SolverConfig::Adam(FitConfig { seed: spec.first_seed, ..settings })
            }
            other => other,
        };
        let run = FittedRun {
            selection: None,
            decision: None,
            set: context.set,
            splits: context.splits,
            fitted: &result.fitted[0],
            predictions: &context.predict_held_out(&result.fitted[0].head),
            measured: &context.measure(),
            same_pictures: context.same_pictures(),
            histograms: &result.histograms,
            solver,
            convergence: result.convergence,
            out_of_fold: None,
            init: target.init.as_deref(),
            // A run and the one that it starts from have the same train images.
            init_images: None,
            memory: None,
            features: FeatureFormat::F32,
            time: self.config.time,
            seconds: result.seconds,
        };
        run.write(&target.path).map(drop)
    }
}
