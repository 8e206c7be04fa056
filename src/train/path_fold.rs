//! One fold of a path of penalties: its rows, and where the search for the next head begins.

use super::feature_table::FeatureTable;
use super::fit_context::FitContext;
use super::split_rows::{RowSelection, SplitRows};
use crate::error::{Kind, Result};
use crate::head::{Head, LbfgsResult, LinfaConfig, Precision, RowSpace, SolverConfig};
use crate::math::matrix::Matrix;

/// One fold of a path.
#[derive(Debug)]
pub(super) struct PathFold<'a> {
    context: FitContext<'a>,
    /// The rows by their coordinates in the space of the train rows, once that pays.
    reduced: Option<FeatureTable>,
    /// The latest head, for the rows that fits take.
    head: Option<Head>,
    /// Iterations of L-BFGS until now.
    iterations: usize,
}

impl<'a> PathFold<'a> {
    /// A fold whose path is still to be walked.
    pub fn new(context: FitContext<'a>) -> Self {
        Self { context, reduced: None, head: None, iterations: 0 }
    }

    /// The rows that heads are fitted to and scored on.
    pub fn context(&self) -> FitContext<'_> {
        FitContext { table: self.reduced.as_ref().unwrap_or(self.context.table), ..self.context }
    }

    /// The rows by their coordinates, and the latest head for them, where heads as `settings` asks for are found sooner among these
    /// by now. They give the same answers.
    pub fn reduction(&self, settings: &SolverConfig) -> Option<(FeatureTable, Option<Head>)> {
        let SolverConfig::Lbfgs(config) = settings else { return None };
        let FitContext { set, table, splits, threads } = self.context;
        let SplitRows { train, validation, .. } = splits;
        let rows = table.select(train);
        if self.reduced.is_some() || !RowSpace::pays(rows.rows(), set.classes().len(), self.iterations) {
            return None;
        }
        let (space, of_train) = RowSpace::of(rows.rows(), config.standardize, threads);
        let of_validation = space.coordinates(table.select(validation).rows());
        let keys = [train, validation].map(|part: &RowSelection| part.keys.clone()).concat();
        let values: Vec<f32> = of_train.values().chain(of_validation.values()).collect();
        let table = FeatureTable::new(keys, Matrix::from_rows(of_train.width(), &values));
        Some((table, self.head.as_ref().map(|head| space.reduced(head))))
    }

    /// Takes what [`PathFold::reduction`] returned.
    pub fn reduce(&mut self, reduction: Option<(FeatureTable, Option<Head>)>) {
        if let Some((table, head)) = reduction {
            (self.reduced, self.head) = (Some(table), head);
        }
    }

    /// Searches for an optimum from the latest head, with the precision that scores need. `None` for a search that fails or is given
    /// up.
    ///
    /// # Errors
    /// [`Kind::Usage`] for settings out of range or of a class that does not exist, [`Kind::Input`] when a class has no train rows.
    pub fn fit(&self, settings: &SolverConfig, precision: Precision) -> Result<Option<LbfgsResult>> {
        if precision.is_over() {
            return Ok(None);
        }
        let found = match settings.clone() {
            SolverConfig::Lbfgs(mut config) => {
                // Coordinates are those of standardized features already.
                config.standardize &= self.reduced.is_none();
                self.context().lbfgs(&config.check()?, self.head.as_ref(), precision)
            }
            SolverConfig::Linfa(config) => {
                self.context().linfa(LinfaConfig { allow_unconverged: true, ..config }.check()?)
            }
            SolverConfig::Adam(_) => return Ok(None),
        };
        match found {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == Kind::Run => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a head the latest one, if it was found.
    pub fn go_on(&mut self, found: Option<LbfgsResult>) {
        if let Some(LbfgsResult { fitted, convergence }) = found {
            self.iterations += convergence.iterations.unwrap_or(0);
            self.head = Some(fitted.head);
        }
    }
}
