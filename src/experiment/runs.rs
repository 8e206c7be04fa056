//! Runs on disk: the first head of each run in each condition, `OUT/runs/<condition>/<run>`, as `train` writes them, for
//! `evaluate`, `compare` and `predict`.

use super::ExperimentConfig;
use super::caches::Opened;
use super::fits::All;
use super::plan::Plan;
use crate::error::Result;
use crate::head::{FitConfig, FitResult, SolverConfig};
use crate::run::{self, Prediction};
use crate::threads::in_parallel;
use crate::train::outcome::{self, Origin};
use crate::train::shelf::Plan as Rows;
use crate::train::trust;
use std::path::{Path, PathBuf};

/// One run to be written.
struct Written {
    path: PathBuf,
    fit: usize,
    init: Option<PathBuf>,
}

fn list(plan: &Plan, out: &Path) -> Vec<Written> {
    let mut all = Vec::new();
    for condition in &plan.conditions {
        let folder = out.join("runs").join(&condition.name);
        for (scored, (name, _)) in condition.runs.iter().zip(&plan.runs) {
            let init = plan.fits[scored.fit].init.and_then(|init| {
                let place = condition.runs.iter().position(|other| other.fit == init)?;
                Some(folder.join(&plan.runs[place].0))
            });
            all.push(Written { path: folder.join(name), fit: scored.fit, init });
        }
    }
    all
}

/// Checks that all may be written.
///
/// # Errors
/// [`crate::error::Kind::Run`] where something else stands.
pub(super) fn check(plan: &Plan, out: &Path) -> Result<()> {
    list(plan, out).iter().try_for_each(|written| run::check_target(&written.path))
}

/// Writes them all.
///
/// # Errors
/// When the operating system refuses.
pub(super) fn write(
    plan: &Plan,
    all: &All,
    caches: &[Opened],
    config: &ExperimentConfig,
    threads: usize,
) -> Result<Vec<PathBuf>> {
    in_parallel(threads, &list(plan, &config.out), |written| {
        let (fit, done) = (&plan.fits[written.fit], &all[written.fit][0]);
        let opened = &caches[fit.cache];
        let (shelf, rows, fitted) = (&opened.shelf, opened.rows(&fit.variants, 0), &done.fitted[0]);
        let predictions = outcome::sorted(predictions(opened, rows, fitted));
        let solver = match fit.solver.clone() {
            SolverConfig::Adam(settings) => {
                SolverConfig::Adam(FitConfig { seed: fit.first_seed, ..settings })
            }
            other => other,
        };
        // A run and the one that it starts from have the same train images.
        let origin = Origin {
            config: solver,
            init: written.init.as_ref(),
            seen: &rows.train.images().collect(),
            memory: None,
            time: config.time,
            seconds: done.seconds,
        };
        let measured = trust::measured(shelf, rows, &opened.loaded);
        outcome::write(
            &written.path,
            shelf,
            rows,
            fitted,
            (&predictions, &measured, &done.snapshots),
            origin,
        )?;
        Ok(written.path.clone())
    })
}

/// What a head answers for all rows that are held out.
fn predictions(opened: &Opened, rows: &Rows, fitted: &FitResult) -> Vec<Prediction> {
    let answer = |(part, split)| {
        let examples = opened.loaded.examples(part);
        outcome::predict(&fitted.head, &opened.shelf, part, opened.loaded.rows(&examples), split)
    };
    rows.held_out().into_iter().flat_map(answer).collect()
}
