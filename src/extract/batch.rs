//! Batches of rows: their inputs before the network, their features behind it.

use super::decode::{DecodeResult, DecodedImage};
use super::missing::ImageJob;
use super::settings::PipelineSettings;
use crate::backbone::Embeddings;
use crate::cache::Key;
use crate::data::dataset::Refused;
use crate::error::Result;
use std::sync::mpsc::Receiver;

/// A row of a batch.
pub(super) struct BatchRow {
    /// Path of the image, relative to the folder of images.
    pub path: String,
    pub key: Key,
}

/// Rows on their way to the network.
#[derive(Default)]
pub(super) struct Batch {
    /// Position in the order of batches, from 0.
    pub number: usize,
    pub rows: Vec<BatchRow>,
    /// The inputs `[rows, 3, size, size]`.
    pub pixels: Vec<u8>,
    /// Images before or among these rows that cannot be used.
    pub refused: Vec<Refused>,
}

/// Rows on their way to the cache.
pub(super) struct EmbeddedBatch {
    /// Position in the order of batches, from 0.
    pub number: usize,
    pub rows: Vec<BatchRow>,
    /// Images before or among these rows that cannot be used.
    pub refused: Vec<Refused>,
    /// The features of the rows, or why the network failed.
    pub features: Result<Embeddings>,
}

/// Reads the queues of the decoders in turn and sends full batches, the last one as full as it is. Ends early when `send`
/// returns false because no one receives, or when `should_stop` returns true.
pub(super) fn into_batches(
    settings: &PipelineSettings,
    jobs: &[ImageJob],
    queues: Vec<Receiver<DecodeResult>>,
    should_stop: &dyn Fn() -> bool,
    send: impl Fn(Batch) -> bool,
) {
    let input_bytes = settings.preprocessing.input_bytes();
    let mut batch = Batch::default();
    for (queue, job) in queues.iter().cycle().zip(jobs) {
        if should_stop() {
            return;
        }
        match queue.recv() {
            Ok(Ok(DecodedImage { keys, pixels })) => {
                for (key, input) in keys.into_iter().zip(pixels.chunks_exact(input_bytes)) {
                    batch.rows.push(BatchRow { path: job.path.clone(), key });
                    batch.pixels.extend_from_slice(input);
                    if batch.rows.len() == settings.batch {
                        let next = Batch { number: batch.number + 1, ..Batch::default() };
                        if !send(std::mem::replace(&mut batch, next)) {
                            return;
                        }
                    }
                }
            }
            Ok(Err(refused)) => batch.refused.push(refused),
            // The decoder panicked. Its scope passes the panic on.
            Err(_) => return,
        }
    }
    if !(batch.rows.is_empty() && batch.refused.is_empty()) {
        send(batch);
    }
}
