//! The end of the pipeline: commits features as parts. A part holds the rows of one time interval, so a crash loses the same
//! amount of work on slow and fast devices, and its size is limited.

use super::batch::BatchRow;
use super::settings::PipelineSettings;
use super::timing::Stopwatch;
use crate::cache::{CacheWriter, FeatureRows, MAX_PART_ROWS};
use crate::data::dataset::{Reason, Refused};
use crate::error::Result;
use std::time::{Duration, Instant};

/// Collects rows and commits them.
pub(super) struct Sink<'a> {
    settings: &'a PipelineSettings,
    /// Floats in a row.
    width: usize,
    writer: &'a mut CacheWriter,
    writing: &'a Stopwatch,
    /// Rows that are not committed yet.
    rows: FeatureRows,
    last_commit: Instant,
    /// Number of rows committed.
    pub committed: usize,
    /// Images whose features are not finite.
    pub refused: Vec<Refused>,
}

impl<'a> Sink<'a> {
    /// Creates a sink for features of `width` floats. `writing` measures the time of writing.
    pub fn new(
        settings: &'a PipelineSettings,
        width: usize,
        writer: &'a mut CacheWriter,
        writing: &'a Stopwatch,
    ) -> Self {
        Self {
            settings,
            width,
            writer,
            writing,
            rows: FeatureRows::default(),
            last_commit: Instant::now(),
            committed: 0,
            refused: Vec::new(),
        }
    }

    /// Takes rows with their features `[rows, width]`. Commits whenever a part is full.
    ///
    /// # Errors
    /// Those of [`Sink::commit`].
    pub fn take(&mut self, rows: Vec<BatchRow>, features: &[f32]) -> Result<()> {
        for (BatchRow { path, key }, embedding) in
            rows.into_iter().zip(features.chunks_exact(self.width.max(1)))
        {
            if embedding.iter().all(|value| value.is_finite()) {
                if self.rows.keys.len() == MAX_PART_ROWS {
                    self.commit()?;
                }
                self.rows.keys.push(key);
                self.rows.embeddings.extend_from_slice(embedding);
            } else {
                let reason = Reason::NonFiniteFeatures { variant: key.variant.to_string() };
                // Without the digest, so that later runs try again: on another device the features may be finite.
                self.refused.push(Refused { path, image_sha256: None, reason });
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
            let rows = FeatureRows { width: self.width, ..std::mem::take(&mut self.rows) };
            let number = rows.keys.len();
            self.writing.time(|| self.writer.append(rows, self.settings.metadata.clone()))?;
            self.committed += number;
        }
        self.last_commit = Instant::now();
        Ok(())
    }
}
