//! The first half of the pipeline: files -> pixels as the network wants them -> batches. Each decoder has its own queue and
//! every n-th image, and the queues are emptied in turn: so the order is that of the work whatever the number of
//! threads, and no decoder can run far ahead of the others.

use super::pipeline::{Settings, Stopwatch};
use super::plan::Work;
use crate::dataset::Refused;
use crate::digest::{Digest, sha256};
use crate::image_io;
use crate::store::Key;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::Scope;

/// Images that each decoder may be ahead.
const AHEAD: usize = 4;

/// One image, decoded and prepared in all its variants, or why it cannot be used.
pub(super) type Decoded = Result<Ready, Refused>;

pub(super) struct Ready {
    keys: Vec<Key>,
    pixels: Vec<u8>,
}

/// Rows on their way into the network.
#[derive(Default)]
pub(super) struct Batch {
    /// Counted from zero.
    pub number: usize,
    /// The path and key of each row.
    pub rows: Vec<(String, Key)>,
    /// The inputs, one after the other.
    pub pixels: Vec<u8>,
    /// Images before or among these rows that cannot be used.
    pub refused: Vec<Refused>,
}

/// Starts the decoders.
pub(super) fn spawn<'scope>(
    scope: &'scope Scope<'scope, '_>,
    settings: &'scope Settings,
    work: &'scope [Work],
    decoding: &'scope Stopwatch,
) -> Vec<Receiver<Decoded>> {
    let decoders = settings.decoders.clamp(1, work.len().max(1));
    let start = |decoder| {
        let (send, receive) = sync_channel(AHEAD);
        scope.spawn(move || {
            for work in work.iter().skip(decoder).step_by(decoders) {
                // The other end hangs up when the run ends early.
                if send.send(decoding.time(|| decode(settings, work))).is_err() {
                    return;
                }
            }
        });
        receive
    };
    (0..decoders).map(start).collect()
}

fn decode(settings: &Settings, work: &Work) -> Decoded {
    let refuse = |image_sha256: Option<Digest>, reason: String| Refused {
        path: work.path.clone(),
        image_sha256,
        reason,
    };
    let bytes = image_io::read(&settings.root.join(&work.path)).map_err(|reason| refuse(None, reason))?;
    if sha256(&bytes) != work.image_sha256 {
        return Err(refuse(None, "changed while the images were being read".into()));
    }
    let image = image_io::decode(&bytes).map_err(|reason| refuse(Some(work.image_sha256), reason))?;
    let one = settings.preprocessing.input_len();
    let mut pixels = vec![0; one * work.variants.len()];
    for (variant, out) in work.variants.iter().zip(pixels.chunks_exact_mut(one)) {
        settings.preprocessing.planes(&variant.apply(&image), out);
    }
    let key = |&variant| Key { image_sha256: work.image_sha256, variant };
    Ok(Ready { keys: work.variants.iter().map(key).collect(), pixels })
}

/// Empties the queues in turn and sends off full batches, the last one as it is, until `send` says that nobody takes them
/// or `stop` that they shall not be begun.
pub(super) fn into_batches(
    settings: &Settings,
    work: &[Work],
    queues: Vec<Receiver<Decoded>>,
    stop: &dyn Fn() -> bool,
    send: impl Fn(Batch) -> bool,
) {
    let one = settings.preprocessing.input_len();
    let mut batch = Batch::default();
    for (queue, work) in queues.iter().cycle().zip(work) {
        if stop() {
            return;
        }
        match queue.recv() {
            Ok(Ok(Ready { keys, pixels })) => {
                for (key, pixels) in keys.into_iter().zip(pixels.chunks_exact(one)) {
                    batch.rows.push((work.path.clone(), key));
                    batch.pixels.extend_from_slice(pixels);
                    if batch.rows.len() == settings.batch {
                        let number = batch.number + 1;
                        if !send(std::mem::replace(&mut batch, Batch { number, ..Batch::default() })) {
                            return;
                        }
                    }
                }
            }
            Ok(Err(refused)) => batch.refused.push(refused),
            // A decoder that is gone has panicked, which the scope passes on.
            Err(_) => return,
        }
    }
    if !(batch.rows.is_empty() && batch.refused.is_empty()) {
        send(batch);
    }
}
