//! Decode on worker threads, embed in batches, commit in parts. Rows come out in the order of the work whatever the
//! number of threads, because each worker has its own queue and the queues are emptied in turn.

use super::plan::Work;
use crate::backbone::Backbone;
use crate::dataset::Refused;
use crate::digest::sha256;
use crate::error::Result;
use crate::image_io;
use crate::monitor::{Monitor, Unit};
use crate::preprocess::Preprocessing;
use crate::store::{Key, Rows, Writer};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Instant;

/// Rows in a part: some seconds of work on a CPU, so that a kill costs no more.
const PART_ROWS: usize = 256;
/// Images that each decoder may be ahead.
const AHEAD: usize = 4;

pub(super) struct Settings {
    pub root: PathBuf,
    pub preprocessing: Preprocessing,
    pub batch: usize,
    pub decoders: usize,
    pub metadata: BTreeMap<String, String>,
}

/// What a run of the pipeline did.
#[derive(Debug)]
pub(super) struct Outcome {
    pub computed: usize,
    pub refused: Vec<Refused>,
    pub seconds: f64,
}

/// One image, decoded and preprocessed in all its variants.
struct Ready {
    keys: Vec<Key>,
    tensors: Vec<f32>,
}

/// Computes all of `work` and commits it.
///
/// # Errors
/// Those of the backbone and the cache. Images that cannot be used are no errors: they come back refused.
pub(super) fn run(
    settings: &Settings,
    work: &[Work],
    backbone: &mut dyn Backbone,
    writer: &mut Writer,
    monitor: &dyn Monitor,
) -> Result<Outcome> {
    let started = Instant::now();
    let total = work.iter().map(|work| work.variants.len() as u64).sum();
    let task = monitor.task("embedding", Some(total), Unit::Images);
    let mut sink = Sink { settings, backbone, writer, rows: Rows::default(), computed: 0 };
    let mut refused = Vec::new();
    std::thread::scope(|scope| -> Result<()> {
        let decoders = settings.decoders.clamp(1, work.len().max(1));
        let queues: Vec<Receiver<_>> = (0..decoders)
            .map(|decoder| {
                let (send, receive) = sync_channel(AHEAD);
                scope.spawn(move || {
                    for work in work.iter().skip(decoder).step_by(decoders) {
                        // The other end hangs up when the run fails.
                        if send.send(decode(settings, work)).is_err() {
                            return;
                        }
                    }
                });
                receive
            })
            .collect();
        let mut batch = Batch::default();
        for (queue, work) in queues.iter().cycle().zip(work) {
            match queue.recv().expect("a decoder sends one answer for each piece of work") {
                Ok(ready) => batch.add(ready, &mut sink)?,
                Err(refusal) => refused.push(refusal),
            }
            task.advance(work.variants.len() as u64);
        }
        batch.flush(&mut sink)
    })?;
    sink.commit()?;
    Ok(Outcome { computed: sink.computed, refused, seconds: started.elapsed().as_secs_f64() })
}

fn decode(settings: &Settings, work: &Work) -> std::result::Result<Ready, Refused> {
    let refuse = |image_sha256: Option<&String>, reason: String| Refused {
        path: work.path.clone(),
        image_sha256: image_sha256.cloned(),
        reason,
    };
    let bytes = image_io::read(&settings.root.join(&work.path)).map_err(|reason| refuse(None, reason))?;
    if sha256(&bytes) != work.image_sha256 {
        return Err(refuse(None, "changed while the images were being read".into()));
    }
    let image = image_io::decode(&bytes).map_err(|reason| refuse(Some(&work.image_sha256), reason))?;
    let one = settings.preprocessing.tensor_len();
    let mut tensors = vec![0.0; one * work.variants.len()];
    for (variant, out) in work.variants.iter().zip(tensors.chunks_exact_mut(one)) {
        settings.preprocessing.tensor(&variant.apply(&image), out);
    }
    let key = |&variant| Key { image_sha256: work.image_sha256.clone(), variant };
    Ok(Ready { keys: work.variants.iter().map(key).collect(), tensors })
}

/// Inputs on their way into the network.
#[derive(Default)]
struct Batch {
    keys: Vec<Key>,
    tensors: Vec<f32>,
}

impl Batch {
    fn add(&mut self, ready: Ready, sink: &mut Sink) -> Result<()> {
        let one = sink.settings.preprocessing.tensor_len();
        for (key, tensor) in ready.keys.into_iter().zip(ready.tensors.chunks_exact(one)) {
            self.keys.push(key);
            self.tensors.extend_from_slice(tensor);
            if self.keys.len() == sink.settings.batch {
                self.flush(sink)?;
            }
        }
        Ok(())
    }

    fn flush(&mut self, sink: &mut Sink) -> Result<()> {
        if self.keys.is_empty() {
            return Ok(());
        }
        let embeddings = sink.backbone.embed(&self.tensors, self.keys.len())?;
        self.tensors.clear();
        sink.take(std::mem::take(&mut self.keys), embeddings)
    }
}

/// Rows on their way to disk.
struct Sink<'a> {
    settings: &'a Settings,
    backbone: &'a mut dyn Backbone,
    writer: &'a mut Writer,
    rows: Rows,
    computed: usize,
}

impl Sink<'_> {
    fn take(&mut self, keys: Vec<Key>, embeddings: Vec<f32>) -> Result<()> {
        self.rows.keys.extend(keys);
        self.rows.embeddings.extend(embeddings);
        if self.rows.keys.len() >= PART_ROWS { self.commit() } else { Ok(()) }
    }

    fn commit(&mut self) -> Result<()> {
        if self.rows.keys.is_empty() {
            return Ok(());
        }
        let rows = Rows { width: self.backbone.width(), ..std::mem::take(&mut self.rows) };
        self.computed += rows.keys.len();
        self.writer.append(rows, self.settings.metadata.clone())?;
        Ok(())
    }
}
