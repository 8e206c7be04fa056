//! The end of the pipeline: features in order -> parts on disk. A part is what a stretch of time gave, so that a crash costs
//! no more than that on slow and fast devices alike, and never more rows than fit in memory with ease.

use super::pipeline::{Settings, Stopwatch};
use crate::dataset::Refused;
use crate::error::Result;
use crate::store::{CacheWriter, FeatureRows, Key, MAX_PART_ROWS};
use std::time::{Duration, Instant};

/// FeatureRows on their way to disk.
pub(super) struct Sink<'a> {
    settings: &'a Settings,
    width: usize,
    writer: &'a mut CacheWriter,
    writing: &'a Stopwatch,
    rows: FeatureRows,
    since: Instant,
    computed: usize,
    refused: Vec<Refused>,
}

impl<'a> Sink<'a> {
    /// For features of `width` floats.
    pub fn new(
        settings: &'a Settings,
        width: usize,
        writer: &'a mut CacheWriter,
        writing: &'a Stopwatch,
    ) -> Self {
        let rows = FeatureRows::default();
        Self {
            settings,
            width,
            writer,
            writing,
            rows,
            since: Instant::now(),
            computed: 0,
            refused: Vec::new(),
        }
    }

    /// Takes the features of some rows; commits as often as a part is full.
    pub fn take(
        &mut self,
        rows: Vec<(String, Key)>,
        features: &[f32],
        mut refused: Vec<Refused>,
    ) -> Result<()> {
        self.refused.append(&mut refused);
        for ((path, key), embedding) in rows.into_iter().zip(features.chunks_exact(self.width.max(1))) {
            if embedding.iter().all(|value| value.is_finite()) {
                if self.rows.keys.len() == MAX_PART_ROWS {
                    self.commit()?;
                }
                self.rows.keys.push(key);
                self.rows.embeddings.extend_from_slice(embedding);
            } else {
                // Not remembered by content: another device may do better.
                let reason = format!("the network gave values that are no numbers ({})", key.variant);
                self.refused.push(Refused { path, image_sha256: None, reason });
            }
        }
        Ok(())
    }

    /// How long rows may still wait; a day when there are none.
    pub fn until_due(&self) -> Duration {
        match self.rows.keys.is_empty() {
            true => Duration::from_secs(86_400),
            false => self.settings.commit_every.saturating_sub(self.since.elapsed()),
        }
    }

    /// Commits when rows have waited for long enough.
    pub fn commit_if_due(&mut self) -> Result<()> {
        if self.since.elapsed() >= self.settings.commit_every { self.commit() } else { Ok(()) }
    }

    /// Makes all rows so far durable.
    pub fn commit(&mut self) -> Result<()> {
        if !self.rows.keys.is_empty() {
            let rows = FeatureRows { width: self.width, ..std::mem::take(&mut self.rows) };
            let number = rows.keys.len();
            self.writing.time(|| self.writer.append(rows, self.settings.metadata.clone()))?;
            self.computed += number;
        }
        self.since = Instant::now();
        Ok(())
    }

    /// FeatureRows that were committed, and images that cannot be used.
    pub fn finish(self) -> (usize, Vec<Refused>) {
        (self.computed, self.refused)
    }
}
