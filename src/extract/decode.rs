//! Reads and decodes images on several threads. Every n-th image belongs to one decoder, and each decoder has a short
//! queue of its own. Reading the queues in turn gives the images in order, and no decoder runs far ahead of the others.

use super::missing::ImageJob;
use super::settings::PipelineSettings;
use super::timing::Stopwatch;
use crate::cache::Key;
use crate::data::dataset::{Reason, Refused};
use crate::data::decode;
use crate::error;
use crate::io::digest::sha256;
use crate::math::parallel;
use std::sync::PoisonError;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::Scope;

/// Number of images in the queue of a decoder.
pub(super) const QUEUE_IMAGES: usize = 4;

/// A decoded image, or why it cannot be used.
pub(super) type DecodeResult = Result<DecodedImage, Refused>;

/// The network inputs of one image.
pub(super) struct DecodedImage {
    /// The key of each variant.
    pub keys: Vec<Key>,
    /// The inputs `[variants, 3, size, size]`.
    pub pixels: Vec<u8>,
}

/// Starts the decoders and returns their queues. Decoder i of n decodes the jobs i, i + n, i + 2n and so on.
///
/// # Errors
/// [`Kind::Limit`](error::Kind::Limit) when the system grants too few threads. Decoders that were started end then.
pub(super) fn spawn<'scope>(
    scope: &'scope Scope<'scope, '_>,
    settings: &'scope PipelineSettings,
    jobs: &'scope [ImageJob],
    decoding: &'scope Stopwatch,
) -> error::Result<Vec<Receiver<DecodeResult>>> {
    let decoders = settings.decoders.clamp(1, jobs.len().max(1));
    let start = |decoder| {
        let (send, receive) = sync_channel(QUEUE_IMAGES);
        parallel::start(scope, move || {
            for job in jobs.iter().skip(decoder).step_by(decoders) {
                // The receiver is dropped when the run ends early.
                if send.send(decoding.time(|| decode(settings, job))).is_err() {
                    return;
                }
            }
        })
        .map_err(parallel::refused)?;
        Ok(receive)
    };
    (0..decoders).map(start).collect()
}

fn decode(settings: &PipelineSettings, job: &ImageJob) -> DecodeResult {
    let refuse = |image_sha256, reason| Refused { path: job.path.clone(), image_sha256, reason };
    let bytes = decode::read(&settings.root.join(&job.path)).map_err(|reason| refuse(None, reason))?;
    if sha256(&bytes) != job.image_sha256 {
        return Err(refuse(None, Reason::ChangedDuringRun));
    }
    let image = decode::decode_stretched(&bytes, settings.preprocessing.stretch_16bit)
        .map_err(|reason| refuse(Some(job.image_sha256), reason))?;
    if let Some(bits) = image.narrow {
        settings.narrow.lock().unwrap_or_else(PoisonError::into_inner).add(&job.path, bits);
    }
    let input_bytes = settings.preprocessing.input_bytes();
    let mut pixels = vec![0; input_bytes * job.variants.len()];
    for (variant, input) in job.variants.iter().zip(pixels.chunks_exact_mut(input_bytes)) {
        settings.preprocessing.planes(&variant.apply(&image.pixels), input);
    }
    let key = |&variant| Key { image_sha256: job.image_sha256, variant };
    Ok(DecodedImage { keys: job.variants.iter().map(key).collect(), pixels })
}
