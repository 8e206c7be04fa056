//! What the runs have to beat, over the same splits: the largest class, the nearest neighbour, a head of other settings,
//! and small grey pixels.

use super::caches::Opened;
use super::eyes;
use super::fits::right;
use super::plan::{How, Plan, Small};
use crate::error::{Error, Kind, Result};
use crate::head::{
    self, Example, LabelledFeatures, LbfgsConfig, nearest_neighbour_classes, principal_components,
};
use crate::matrix::Matrix;
use crate::monitor::Monitor;
use crate::threads::in_parallel;
use crate::train::shelf::{Chosen, Plan as Split};
use std::path::Path;
use std::time::Instant;

/// What a baseline that is no head answered.
#[derive(Debug)]
pub(super) struct Answered {
    /// Of each split, whether it has each test image right, in the order of keys.
    pub right: Vec<Vec<bool>>,
    pub seconds: f64,
}

/// Works out the baselines of a plan; those that are heads are among its fits, and `None` here.
///
/// # Errors
/// When images cannot be read, or there are too few of them.
pub(super) fn answers(
    plan: &Plan,
    caches: &[Opened],
    images: &Path,
    (divisions, threads): (usize, usize),
    monitor: &dyn Monitor,
) -> Result<Vec<Option<Answered>>> {
    let answer = |how: &How| -> Result<Option<Answered>> {
        if monitor.is_interrupted() {
            return Err(Error::new(Kind::Interrupted, "interrupted: all features are kept, no head is")
                .help("the same command goes on from there"));
        }
        let started = Instant::now();
        let numbers: Vec<usize> = (0..divisions).collect();
        let right = match how {
            How::Head(_) => return Ok(None),
            How::Majority => {
                numbers.iter().map(|&division| majority(caches[0].plain(division), &caches[0])).collect()
            }
            How::Nearest { cache, variants } => in_parallel(threads, &numbers, |&division| {
                let opened = &caches[*cache];
                let split = opened.rows(variants, division);
                let [train, test] = [&split.train, &split.test].map(|part| opened.loaded.examples(part));
                let found = nearest_neighbour_classes(opened.loaded.rows(&train), opened.loaded.rows(&test))?;
                Ok(found.iter().zip(&split.test.targets).map(|(found, target)| found == target).collect())
            })?,
            How::Pixels(small) => {
                let opened = &caches[0];
                let pictures = eyes::look(&opened.shelf, opened.plain(0), images, *small, threads)?;
                in_parallel(threads, &numbers, |&division| pixels(&pictures, opened, division, *small))?
            }
        };
        Ok(Some(Answered { right, seconds: started.elapsed().as_secs_f64() }))
    };
    plan.baselines.iter().map(|baseline| answer(&baseline.how)).collect()
}

/// Always the class with the most train images, the first of equals.
fn majority(split: &Split, opened: &Opened) -> Vec<bool> {
    let counts = split.train.counts(opened.shelf.classes.len());
    let largest = (0..counts.len()).rev().max_by_key(|&class| counts[class]).unwrap_or(0);
    split.test.targets.iter().map(|&target| target as usize == largest).collect()
}

/// Logistic regression on the principal components of small pictures.
fn pixels(pictures: &eyes::Pictures, opened: &Opened, division: usize, small: Small) -> Result<Vec<bool>> {
    let split = opened.plain(division);
    let examples = |part: &Chosen| -> Vec<Example> {
        let rows = part.keys.iter().zip(&part.targets);
        rows.map(|(key, &target)| Example { row: pictures.places[&key.image_sha256], target }).collect()
    };
    let [train, validation, test] = [&split.train, &split.validation, &split.test].map(examples);
    let train_pixels = LabelledFeatures { features: &pictures.values, examples: &train };
    let found: Matrix = principal_components(train_pixels, small.components)?;
    let rows = |examples| LabelledFeatures { features: &found, examples };
    let params = LbfgsConfig { l2: small.l2, ..LbfgsConfig::default() }.check()?;
    let fitted = head::fit_lbfgs(opened.shelf.classes.len(), rows(&train), rows(&validation), params)?.fitted;
    Ok(right(&fitted.head, rows(&test)))
}
