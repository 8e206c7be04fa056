//! The memory and the readers of a fit whose train rows are not all in memory, and what becomes of its head.

use super::answers::{HeldOutResult, predict};
use super::blocks::{BlockReader, PartRows};
use super::budget::{MemoryBudget, RowSizes};
use crate::error::{Error, Kind, Result};
use crate::head::{Convergence, FitResult, SolverConfig};
use crate::run::WeightHistograms;
use crate::train::feature_table::FeatureTable;
use crate::train::single_fit::{FitInputs, TrainResult};
use std::time::Instant;

/// The memory and the readers of a fit, with its validation rows.
pub(super) struct Stream<'a> {
    pub train: BlockReader<'a>,
    pub validation: FeatureTable,
    budget: MemoryBudget,
}

/// What a fit gives besides the answers.
pub(super) struct StreamedFit {
    pub solver: SolverConfig,
    pub fitted: FitResult,
    pub convergence: Option<Convergence>,
    pub histograms: WeightHistograms,
}

impl<'a> Stream<'a> {
    /// Reads the validation rows, and opens the parts of the train rows with at most `memory` bytes for features.
    ///
    /// # Errors
    /// [`Kind::Usage`] when the memory is too small, [`Kind::Cache`] when features are damaged.
    pub fn open(inputs: FitInputs<'a>, memory: u64, seed: u64) -> Result<Self> {
        let FitInputs { set, splits, threads, .. } = inputs;
        let parts = PartRows::of(set, &splits.train);
        let budget = budget(inputs, &parts, memory)?;
        let readers = threads.min(budget.readers);
        let validation = set.load_rows(&splits.validation, readers)?;
        let train = BlockReader::new(set, parts, budget.block_rows, seed, readers);
        Ok(Self { train, validation, budget: MemoryBudget { readers, ..budget } })
    }

    /// Frees the blocks, and predicts the held-out rows.
    pub fn finish(
        self,
        inputs: FitInputs,
        fit: StreamedFit,
        read_seconds: f64,
        started: Instant,
    ) -> Result<TrainResult> {
        let seconds = started.elapsed().as_secs_f64();
        let Self { train, validation, budget } = self;
        drop(train);
        let StreamedFit { solver, fitted, convergence, histograms } = fit;
        let HeldOutResult { predictions, measured, same_pictures } =
            predict(inputs, &fitted.head, validation, &budget)?;
        Ok(TrainResult {
            solver,
            fitted,
            convergence,
            out_of_fold: None,
            fold_answers: None,
            predictions,
            measured,
            same_pictures,
            histograms,
            read_seconds,
            seconds,
        })
    }
}

/// Divides the memory; `parts` are those of the train rows.
fn budget(inputs: FitInputs, parts: &[PartRows], memory: u64) -> Result<MemoryBudget> {
    MemoryBudget::of(memory, row_sizes(inputs, parts)).map_err(|least| {
        let message = "`memory` is too small for the validation rows and two blocks of train rows";
        Error::new(Kind::Usage, message).help(format!("give at least {}KiB", least.div_ceil(1 << 10)))
    })
}

/// The smallest number of bytes that can be divided.
pub(super) fn least_memory(inputs: FitInputs) -> u64 {
    let parts = PartRows::of(inputs.set, &inputs.splits.train);
    MemoryBudget::of(0, row_sizes(inputs, &parts)).err().unwrap_or(0)
}

fn row_sizes(inputs: FitInputs, parts: &[PartRows]) -> RowSizes {
    let FitInputs { set, splits, .. } = inputs;
    let largest = |parts: &[PartRows]| parts.iter().map(PartRows::rows).max().unwrap_or(1);
    let held_out = splits.held_out().map(|part| largest(&PartRows::of(set, part.rows)));
    RowSizes {
        row_bytes: set.row_bytes(),
        validation_rows: splits.validation.keys.len(),
        part_rows: held_out.into_iter().fold(largest(parts), usize::max),
    }
}
