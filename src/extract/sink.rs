//! The end of the pipeline: commits the features of one layer as parts. A part holds the rows of one time interval, so a crash loses the same
//! amount of work on slow and fast devices, and its size is limited.

use super::batch::BatchRow;
use super::settings::PipelineSettings;
use super::timing::Stopwatch;
use crate::backbone::{Embeddings, NotFinite};
use crate::cache::{FeatureRows, Key, MAX_PART_ROWS, RowTarget};
use crate::data::dataset::{Reason, Refused};
use crate::error::{Result, counted};
use crate::monitor::Monitor;
use std::collections::HashSet;
use std::ops::Range;
use std::time::{Duration, Instant};

/// Where the features of one layer go.
pub(super) struct LayerOutput<'a> {
    pub writer: &'a mut (dyn RowTarget + 'static),
    /// The features of the layer in a row of the network.
    pub columns: Range<usize>,
    /// The rows that its cache lacks.
    pub wanted: HashSet<Key>,
}

/// What was done for one layer.
#[derive(Debug, Default)]
pub(super) struct LayerResult {
    /// The rows committed.
    pub committed: Vec<Key>,
    /// Images whose features are not finite.
    pub refused: Vec<Refused>,
    /// The rows with these features.
    pub refused_rows: Vec<Key>,
}

/// Collects rows of one layer and commits them.
pub(super) struct Sink<'a> {
    settings: &'a PipelineSettings,
    output: LayerOutput<'a>,
    writing: &'a Stopwatch,
    /// Rows that are not committed yet.
    rows: FeatureRows,
    last_commit: Instant,
    monitor: &'a dyn Monitor,
    pub result: LayerResult,
}

impl<'a> Sink<'a> {
    /// Creates a sink. `writing` measures the time of writing.
    pub fn new(
        settings: &'a PipelineSettings,
        output: LayerOutput<'a>,
        writing: &'a Stopwatch,
        monitor: &'a dyn Monitor,
    ) -> Self {
        Self {
            settings,
            output,
            writing,
            rows: FeatureRows::default(),
            last_commit: Instant::now(),
            monitor,
            result: LayerResult::default(),
        }
    }

    /// Takes rows with the features of all layers. Commits whenever a part is full.
    ///
    /// # Errors
    /// Those of [`Sink::commit`].
    pub fn take(&mut self, rows: &[BatchRow], features: &Embeddings) -> Result<()> {
        let own = features.columns(self.output.columns.clone());
        for (BatchRow { path, key }, embedding) in rows.iter().zip(own.rows()) {
            let key = *key;
            if !self.output.wanted.contains(&key) {
                continue;
            }
            match embedding {
                Ok(embedding) => {
                    if self.rows.keys.len() == MAX_PART_ROWS {
                        self.commit()?;
                    }
                    self.rows.keys.push(key);
                    self.rows.embeddings.extend_from_slice(embedding);
                }
                Err(NotFinite) => {
                    let reason = Reason::NonFiniteFeatures { variant: key.variant.to_string() };
                    // Without the digest: it is the row that is refused, and other variants of the image may be fine.
                    self.result.refused.push(Refused { path: path.clone(), image_sha256: None, reason });
                    self.result.refused_rows.push(key);
                }
            }
        }
        Ok(())
    }

    /// Returns how long the rows may still wait; a day if there are none.
    pub fn until_due(&self) -> Duration {
        match self.rows.keys.is_empty() {
            true => Duration::from_secs(86_400),
            false => self.settings.commit_every.saturating_sub(self.last_commit.elapsed()),
        }
    }

    /// Commits when the rows have waited for the time set.
    ///
    /// # Errors
    /// Those of [`Sink::commit`].
    pub fn commit_if_due(&mut self) -> Result<()> {
        if self.last_commit.elapsed() >= self.settings.commit_every { self.commit() } else { Ok(()) }
    }

    /// Writes all rows taken so far to disk.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::error::Kind::Io) when the part cannot be written.
    pub fn commit(&mut self) -> Result<()> {
        if !self.rows.keys.is_empty() {
            let width = self.output.columns.len();
            let rows = FeatureRows { width, ..std::mem::take(&mut self.rows) };
            if let Some(warning) = sameness(&rows).filter(|_| self.result.committed.is_empty()) {
                self.monitor.warn(&warning);
            }
            let keys = rows.keys.clone();
            self.writing.time(|| self.output.writer.take_part(rows, self.settings.metadata.clone()))?;
            self.result.committed.extend(keys);
        }
        self.last_commit = Instant::now();
        Ok(())
    }
}

/// Says that the features of several images are the same, or all zero; no head can learn from them.
fn sameness(rows: &FeatureRows) -> Option<String> {
    let mut all = rows.embeddings.chunks_exact(rows.width.max(1));
    let first = all.next()?;
    let is_zero = first.iter().all(|value| *value == 0.0);
    let are_same = rows.keys.len() > 1 && all.all(|row| row == first);
    let how = if is_zero { "all zero" } else { "the same" };
    are_same.then(|| {
        let rows = counted(rows.keys.len(), "row");
        format!("the features of the first {rows} are {how}: check `layer` and `preprocess`, and the network")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::augment::Variant;
    use crate::io::digest::sha256;

    #[test]
    fn features_that_say_nothing_are_noticed() {
        let rows = |embeddings: Vec<f32>| {
            let key = |i: usize| Key { image_sha256: sha256(&[i as u8]), variant: Variant::None };
            FeatureRows { keys: (0..embeddings.len() / 2).map(key).collect(), width: 2, embeddings }
        };
        assert!(sameness(&rows(vec![0.0; 6])).unwrap().contains("first 3 rows are all zero"));
        assert!(sameness(&rows(vec![1.0, 2.0, 1.0, 2.0])).unwrap().contains("are the same"));
        for fine in [vec![1.0, 2.0, 1.0, 3.0], vec![1.0, 1.0], vec![]] {
            assert_eq!(sameness(&rows(fine)), None);
        }
    }
}
