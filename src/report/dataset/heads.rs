//! Heads that are fitted for the page of a data set: with the default settings, to the images as they are.

use crate::data::augment::Variant;
use crate::data::dataset::{Resplit, Split};
use crate::error::{Error, Kind, Result};
use crate::head::{FitConfig, SolverConfig};
use crate::math::parallel;
use crate::monitor::{Monitor, Unit};
use crate::run::Prediction;
use crate::train::TrainingSet;
use crate::train::fit_context::FitContext;
use crate::train::held_out;
use crate::train::inner_folds::InnerFolds;
use crate::train::solvers::fit_heads;
use crate::train::split_rows::HeldOutRows;
use std::path::Path;

/// Train rows times classes at most: about a minute of fitting on two cores.
const MOST: usize = 1_000_000;

/// Answers of heads for test images.
pub(super) struct TestAnswers {
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Sorted by image.
    pub predictions: Vec<Prediction>,
}

/// Fits one head for each of `divisions`, `None` for the splits of the cache, and answers its test images.
///
/// # Errors
/// Those of `train`; [`Kind::Input`] for more than [`MOST`] train rows times classes.
pub(super) fn answer_test_images(
    cache: &Path,
    divisions: Vec<Option<Resplit>>,
    what: &str,
    monitor: &dyn Monitor,
) -> Result<TestAnswers> {
    let threads = parallel::thread_count(0);
    let set = TrainingSet::open_with_threads(cache, threads)?;
    let none = [Variant::None.to_string()];
    let all = divisions.into_iter().map(|division| set.split_rows(division, Some(&none[..]), monitor));
    let all = all.collect::<Result<Vec<_>>>()?;
    let work = all[0].train.keys.len() * set.classes().len();
    if work > MOST {
        return Err(Error::new(
            Kind::Input,
            format!("{work} train rows times classes are too many to fit for a page"),
        )
        .help("run `train` with 5 `folds` and look at its predictions"));
    }
    let table = set.load(&all)?;
    let task = monitor.task(what, Some(all.len() as u64), Unit::Parts);
    let mut predictions: Vec<Prediction> = Vec::new();
    for splits in &all {
        let context = FitContext { set: &set, splits, table: &table, threads };
        let adam = [SolverConfig::Adam(FitConfig::default())];
        let mut heads = match splits.validation.keys.is_empty() {
            false => fit_heads(context, &adam, None, &mut |_, _, _| {})?,
            true => {
                let folds = InnerFolds::of(splits, set.classes())?;
                let heads = folds.fit_heads(context, &adam, None, &mut |_, _, _| {})?;
                heads.into_iter().map(|(head, _)| head).collect()
            }
        };
        let fitted = heads.pop().expect("one head").fitted?;
        let test = HeldOutRows { split: Split::Test, rows: &splits.test };
        let rows = table.select(test.rows);
        predictions.extend(held_out::predict(&fitted.head, &set, test, rows.rows()));
        task.advance(1);
    }
    Ok(TestAnswers { classes: set.classes().to_vec(), predictions: held_out::sorted(predictions) })
}
