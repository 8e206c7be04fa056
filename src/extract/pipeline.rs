//! Decode on worker threads, embed in batches, commit in parts. Rows come out in the order of the work whatever the
//! number of threads, because each worker has its own queue and the queues are emptied in turn.

use super::plan::Work;
use crate::backbone::Backbone;
use crate::dataset::Refused;
use crate::digest::{Digest, sha256};
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
    path: String,
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
    let mut sink =
        Sink { settings, backbone, writer, rows: Rows::default(), computed: 0, refused: Vec::new() };
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
    refused.append(&mut sink.refused);
    Ok(Outcome { computed: sink.computed, refused, seconds: started.elapsed().as_secs_f64() })
}

fn decode(settings: &Settings, work: &Work) -> std::result::Result<Ready, Refused> {
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
    let one = settings.preprocessing.tensor_len();
    let mut tensors = vec![0.0; one * work.variants.len()];
    for (variant, out) in work.variants.iter().zip(tensors.chunks_exact_mut(one)) {
        settings.preprocessing.tensor(&variant.apply(&image), out);
    }
    let key = |&variant| Key { image_sha256: work.image_sha256, variant };
    Ok(Ready { path: work.path.clone(), keys: work.variants.iter().map(key).collect(), tensors })
}

/// Inputs on their way into the network.
#[derive(Default)]
struct Batch {
    paths: Vec<String>,
    keys: Vec<Key>,
    tensors: Vec<f32>,
}

impl Batch {
    fn add(&mut self, ready: Ready, sink: &mut Sink) -> Result<()> {
        let one = sink.settings.preprocessing.tensor_len();
        for (key, tensor) in ready.keys.into_iter().zip(ready.tensors.chunks_exact(one)) {
            self.paths.push(ready.path.clone());
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
        let (paths, keys) = (std::mem::take(&mut self.paths), std::mem::take(&mut self.keys));
        sink.take(paths.into_iter().zip(keys), &embeddings)
    }
}

/// Rows on their way to disk.
struct Sink<'a> {
    settings: &'a Settings,
    backbone: &'a mut dyn Backbone,
    writer: &'a mut Writer,
    rows: Rows,
    computed: usize,
    refused: Vec<Refused>,
}

impl Sink<'_> {
    fn take(&mut self, keys: impl Iterator<Item = (String, Key)>, embeddings: &[f32]) -> Result<()> {
        for ((path, key), embedding) in keys.zip(embeddings.chunks_exact(self.backbone.width().max(1))) {
            if embedding.iter().all(|value| value.is_finite()) {
                self.rows.keys.push(key);
                self.rows.embeddings.extend_from_slice(embedding);
            } else {
                // Not remembered by content: another device may do better.
                let reason = format!("the network gave values that are no numbers ({})", key.variant);
                self.refused.push(Refused { path, image_sha256: None, reason });
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::Variant;
    use crate::backbone::CPU_PROVIDER;
    use crate::image_io::encode_png;
    use crate::monitor::Silent;
    use crate::pixels::Pixels;
    use crate::store::{BackboneSpec, PreprocessingSpec, Spec, spec::SCHEMA};

    /// Gives the first pixel's logarithm, which is no number for black.
    struct Logarithm;

    impl Backbone for Logarithm {
        fn width(&self) -> usize {
            1
        }
        fn provider(&self) -> &str {
            CPU_PROVIDER
        }
        fn runtime(&self) -> &str {
            "none"
        }
        fn embed(&mut self, batch: &[f32], n: usize) -> Result<Vec<f32>> {
            Ok(batch.chunks_exact(batch.len() / n).map(|input| input[0].ln()).collect())
        }
    }

    #[test]
    fn an_image_of_which_the_network_makes_no_numbers_is_refused_and_the_others_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (root, cache) = (dir.path().join("in"), dir.path().join("c"));
        std::fs::create_dir(&root).unwrap();
        let preprocessing = Preprocessing { size: 4, ..Preprocessing::named("unit").unwrap() };
        let work: Vec<Work> = [255u8, 0, 128]
            .iter()
            .map(|&grey| {
                let bytes = encode_png(&Pixels::new(4, 4, vec![grey; 48]));
                std::fs::write(root.join(grey.to_string()), &bytes).unwrap();
                Work { path: grey.to_string(), image_sha256: sha256(&bytes), variants: vec![Variant::None] }
            })
            .collect();
        let spec = Spec {
            schema: SCHEMA.into(),
            backbone: BackboneSpec { name: "n".into(), title: "t".into(), graph_sha256: sha256(b"ab") },
            layer: "l".into(),
            width: 1,
            preprocessing: PreprocessingSpec { decode: "d".into(), steps: preprocessing },
            known_answer: None,
        };
        let mut writer = Writer::open_or_create(&cache, &spec).unwrap();
        let settings = Settings { root, preprocessing, batch: 2, decoders: 1, metadata: BTreeMap::new() };
        let done = run(&settings, &work, &mut Logarithm, &mut writer, &Silent).unwrap();
        assert_eq!(done.computed, 2);
        let told: Vec<_> = done.refused.iter().map(|r| (r.path.as_str(), &r.image_sha256)).collect();
        assert_eq!(told, [("0", &None)]);
        assert!(done.refused[0].reason.contains("no numbers (none)"), "{}", done.refused[0].reason);
        let rows = writer.store().rows(|_| true).unwrap();
        assert!(rows.keys.len() == 2 && rows.embeddings.iter().all(|value| value.is_finite()));
    }
}
