//! Where the search gets its train rows from, product after product.

use crate::error::Result;
use crate::head::labelled_features::LabelledFeatures;

/// Provides all train rows, in the same order and the same blocks each time.
pub trait FeatureBlocks {
    /// Passes all rows to `visit`, in one block or several.
    ///
    /// # Errors
    /// If rows cannot be read.
    fn visit(&mut self, visit: &mut dyn FnMut(LabelledFeatures)) -> Result<()>;

    /// Bytes that a search may take to make itself shorter.
    fn spare_memory(&self) -> usize {
        256 << 20
    }
}

/// Rows in memory, in one block.
#[derive(Debug)]
pub struct InMemoryBlocks<'a>(LabelledFeatures<'a>);

impl<'a> InMemoryBlocks<'a> {
    /// Wraps `rows`.
    pub fn new(rows: LabelledFeatures<'a>) -> Self {
        Self(rows)
    }
}

impl FeatureBlocks for InMemoryBlocks<'_> {
    fn visit(&mut self, visit: &mut dyn FnMut(LabelledFeatures)) -> Result<()> {
        visit(self.0);
        Ok(())
    }
}
