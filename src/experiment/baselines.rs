//! Baselines that are no heads, on the same splits as the runs: the majority class, the nearest neighbour, and pixels.

use super::caches::LoadedCache;
use super::fitting::check_interrupted;
use super::names::{entry, within};
use super::pixel_baseline::GreyImages;
use super::plan::{BaselineMethod, ExperimentPlan, NearestSettings, PixelSettings, PlannedBaseline};
use crate::error::Result;
use crate::head::nearest_neighbour_classes;
use crate::math::parallel::in_parallel;
use crate::monitor::Monitor;
use std::path::Path;
use std::time::Instant;

/// Result of a baseline that is no head.
#[derive(Debug)]
pub(super) struct BaselineResult {
    /// For each split, whether each test image is answered correctly, in the order of keys.
    pub correct: Vec<Vec<bool>>,
    /// Wall time over all splits, in seconds.
    pub seconds: f64,
}

/// What all baselines share.
pub(super) struct BaselineRunner<'a> {
    pub plan: &'a ExperimentPlan,
    pub caches: &'a [LoadedCache],
    /// Folder of images.
    pub images: &'a Path,
    /// Number of splits: those of the caches, then the others.
    pub splits: usize,
    pub threads: usize,
    pub monitor: &'a dyn Monitor,
}

impl BaselineRunner<'_> {
    /// Answers with all baselines of the plan; `None` for those that are heads, which are fitted with the runs.
    ///
    /// # Errors
    /// [`Kind::Input`](crate::error::Kind::Input) when images cannot be read, [`Kind::Usage`](crate::error::Kind::Usage)
    /// when there are too few of them, [`Kind::Interrupted`](crate::error::Kind::Interrupted) when the monitor was
    /// interrupted.
    pub fn run(&self) -> Result<Vec<Option<BaselineResult>>> {
        let run = |baseline: &PlannedBaseline| {
            check_interrupted(self.monitor)?;
            let started = Instant::now();
            let correct = match &baseline.method {
                BaselineMethod::Head(_) => return Ok(None),
                BaselineMethod::Majority => Ok(self.majority()),
                BaselineMethod::Nearest(settings) => self.nearest(settings),
                BaselineMethod::Pixels(settings) => self.pixels(*settings),
            };
            let correct = correct.map_err(|e| within(&entry("baseline", &baseline.name), e))?;
            Ok(Some(BaselineResult { correct, seconds: started.elapsed().as_secs_f64() }))
        };
        self.plan.baselines.iter().map(run).collect()
    }

    /// Always answers the class with the most train images, the first of equals.
    fn majority(&self) -> Vec<Vec<bool>> {
        let cache = &self.caches[0];
        let on_split = |split: usize| {
            let rows = cache.plain(split);
            let counts = rows.train.class_counts(cache.set.classes().len());
            let largest = (0..counts.len()).rev().max_by_key(|&class| counts[class]).unwrap_or(0);
            rows.test.targets.iter().map(|&target| target as usize == largest).collect()
        };
        (0..self.splits).map(on_split).collect()
    }

    /// Answers the class of the nearest train row.
    fn nearest(&self, settings: &NearestSettings) -> Result<Vec<Vec<bool>>> {
        in_parallel(self.threads, &self.split_numbers(), |&split| {
            let context = self.caches[settings.cache].context(&settings.variants, split, 1);
            let [train, test] =
                [&context.splits.train, &context.splits.test].map(|rows| context.table.select(rows));
            let found = nearest_neighbour_classes(train.rows(), test.rows())?;
            let targets = &context.splits.test.targets;
            Ok(found.iter().zip(targets).map(|(found, target)| found == target).collect())
        })
    }

    /// Answers from small grey images.
    fn pixels(&self, settings: PixelSettings) -> Result<Vec<Vec<bool>>> {
        let cache = &self.caches[0];
        let images = GreyImages::read(&cache.set, cache.plain(0), self.images, settings, self.threads)?;
        in_parallel(self.threads, &self.split_numbers(), |&split| images.correct_on_test(cache.plain(split)))
    }

    fn split_numbers(&self) -> Vec<usize> {
        (0..self.splits).collect()
    }
}
