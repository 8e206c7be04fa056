//! Where train rows come from, epoch after epoch: the interface, and the rows that are held in memory.

use super::config::FitConfig;
use super::labelled_features::{Example, LabelledFeatures};
use crate::error::Result;
use crate::math::matrix::Matrix;
use crate::math::random::Rng;

/// Provides the train rows of each epoch.
pub trait RowSource {
    /// Number of batches of `batch` rows in an epoch.
    fn steps(&self, batch: usize) -> usize;

    /// Passes all rows of the next epoch to `visit`, in one block or several, each in training order.
    ///
    /// # Errors
    /// If rows cannot be read.
    fn epoch(&mut self, visit: &mut dyn FnMut(LabelledFeatures)) -> Result<()>;
}

/// Train rows in memory, shuffled before each epoch or always in the same order.
#[derive(Debug)]
pub struct InMemoryRows<'a> {
    features: &'a Matrix,
    order: Vec<Example>,
    /// Shuffles the order before each epoch; `None` leaves it as it is.
    rng: Option<Rng>,
    drop_last: bool,
    batch: usize,
}

impl<'a> InMemoryRows<'a> {
    /// Wraps `rows`. `settings` decide whether they are shuffled, with which seed, and whether an incomplete last batch
    /// is dropped.
    pub fn new(rows: LabelledFeatures<'a>, settings: &FitConfig) -> Self {
        let FitConfig { shuffle, drop_last, batch, .. } = *settings;
        let rng = shuffle.then(|| Rng::new(settings.order_seed(), 1));
        Self { features: rows.features, order: rows.examples.to_vec(), rng, drop_last, batch }
    }

    /// Number of rows in an epoch.
    fn rows_per_epoch(&self) -> usize {
        let rows = self.order.len();
        if self.drop_last { rows - rows % self.batch } else { rows }
    }
}

impl RowSource for InMemoryRows<'_> {
    fn steps(&self, batch: usize) -> usize {
        self.rows_per_epoch().div_ceil(batch)
    }

    fn epoch(&mut self, visit: &mut dyn FnMut(LabelledFeatures)) -> Result<()> {
        if let Some(rng) = &mut self.rng {
            rng.shuffle(&mut self.order);
        }
        visit(LabelledFeatures { features: self.features, examples: &self.order[..self.rows_per_epoch()] });
        Ok(())
    }
}
