//! L-BFGS over train rows that are read block by block.

use super::blocks::BlockReader;
use super::stream::{Stream, StreamedFit};
use crate::error::Result;
use crate::head::{
    FeatureBlocks, LabelledFeatures, LbfgsJob, LbfgsParams, LbfgsResult, Precision, SolverConfig,
    fit_lbfgs_blocks,
};
use crate::run::WeightHistograms;
use crate::train::single_fit::{FitInputs, TrainResult, warn_unless_converged};
use std::time::Instant;

/// Searches for the optimum with at most `memory` bytes for features: all parts are read twice in each iteration.
///
/// # Errors
/// [`Kind::Usage`](crate::error::Kind::Usage) when the memory is too small, [`Kind::Cache`](crate::error::Kind::Cache) when features
/// are damaged, [`Kind::Run`](crate::error::Kind::Run) when the search ends before the optimum.
pub fn fit_lbfgs(inputs: FitInputs, params: &LbfgsParams, memory: u64) -> Result<TrainResult> {
    let read_seconds = inputs.reading.elapsed().as_secs_f64();
    let started = Instant::now();
    inputs.set.check_classes(inputs.splits)?;
    inputs.set.require_equal_weights()?;
    let mut stream = Stream::open(inputs, memory, 0)?;
    let class_weights = inputs.set.class_weights(inputs.splits, &params.settings().class_weights)?;
    let job = LbfgsJob {
        params,
        class_weights: &class_weights,
        start: None,
        precision: Precision::Optimum,
        threads: inputs.threads,
    };
    let found = fit_lbfgs_blocks(job, inputs.set.spec().width, &mut stream.train)?;
    let validation = stream.validation.select(&inputs.splits.validation);
    let LbfgsResult { fitted, convergence } = found.scored_on(validation.rows());
    drop(validation);
    warn_unless_converged(&convergence, inputs.monitor);
    let fit = StreamedFit {
        solver: SolverConfig::Lbfgs(params.settings().clone()),
        fitted,
        convergence: Some(convergence),
        histograms: WeightHistograms::default(),
    };
    stream.finish(inputs, fit, read_seconds, started)
}

impl FeatureBlocks for BlockReader<'_> {
    fn visit(&mut self, visit: &mut dyn FnMut(LabelledFeatures)) -> Result<()> {
        self.in_order(&mut |_, rows| visit(rows))
    }

    fn spare_memory(&self) -> usize {
        self.block_bytes()
    }
}
