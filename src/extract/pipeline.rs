//! From missing rows to parts on disk: decoders -> batches -> sessions -> parts, each stage on threads of its own, with
//! short queues between them. Rows are committed in the order of the work, whichever thread was faster, and memory does
//! not grow with the number of images.

use super::decode::{self, Batch};
use super::plan::Work;
use super::sink::Sink;
use crate::backbone::Backbone;
use crate::dataset::Refused;
use crate::error::{Error, Kind, Result};
use crate::monitor::{Monitor, Unit};
use crate::preprocess::Preprocessing;
use crate::store::{CacheWriter, Key};
use serde::Serialize;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Rows that may be under way or wait for a slower batch before them: enough to keep a fast device busy while a part is
/// written; as features of 2,048 floats, 32 MiB.
const WINDOW_ROWS: usize = 4096;

pub(super) struct Settings {
    pub root: PathBuf,
    pub preprocessing: Preprocessing,
    /// Rows in a batch.
    pub batch: usize,
    /// Threads that decode.
    pub decoders: usize,
    /// The longest that computed rows wait to be committed.
    pub commit_every: Duration,
    /// What stands in each part beside the rows.
    pub metadata: BTreeMap<String, String>,
}

/// What a run of the pipeline did.
#[derive(Debug)]
pub(super) struct Outcome {
    pub computed: usize,
    pub refused: Vec<Refused>,
    pub stages: Stages,
    /// Whether the monitor was interrupted before all was begun.
    pub is_cut: bool,
}

/// Where the time went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Stages {
    /// Wall time from the first file opened to the last part on disk.
    pub seconds: f64,
    /// Reading, decoding, augmenting and resizing, all decoders added up.
    pub decode_seconds: f64,
    /// In the network, all sessions added up.
    pub embed_seconds: f64,
    /// Encoding parts and making them durable.
    pub write_seconds: f64,
    /// Sessions of the network side by side.
    pub sessions: usize,
}

impl Stages {
    /// The share of the wall time in which the sessions computed.
    pub fn busy(&self) -> f64 {
        self.embed_seconds / (self.seconds * self.sessions as f64)
    }

    /// Both, one after the other.
    pub(super) fn and(self, next: Self) -> Self {
        Self {
            seconds: self.seconds + next.seconds,
            decode_seconds: self.decode_seconds + next.decode_seconds,
            embed_seconds: self.embed_seconds + next.embed_seconds,
            write_seconds: self.write_seconds + next.write_seconds,
            sessions: next.sessions.max(self.sessions),
        }
    }
}

/// Adds up what several threads spend on one thing.
#[derive(Debug, Default)]
pub(super) struct Stopwatch(AtomicU64);

impl Stopwatch {
    pub fn time<T>(&self, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let done = work();
        self.0.fetch_add(started.elapsed().as_nanos() as u64, Ordering::Relaxed);
        done
    }

    fn seconds(&self) -> f64 {
        self.0.load(Ordering::Relaxed) as f64 / 1e9
    }
}

/// A batch with its features, or why there are none.
struct Embedded {
    number: usize,
    rows: Vec<(String, Key)>,
    refused: Vec<Refused>,
    features: Result<Vec<f32>>,
}

/// Computes all of `work` in `sessions` of one network and commits it. When the monitor is interrupted, no session begins
/// another batch, and what is under way is committed.
///
/// # Errors
/// Those of the backbone and the cache; rows that were computed before are committed all the same. Images that cannot
/// be used are no errors: they come back refused.
pub(super) fn run(
    settings: &Settings,
    work: &[Work],
    sessions: &mut [Box<dyn Backbone>],
    writer: &mut CacheWriter,
    monitor: &dyn Monitor,
) -> Result<Outcome> {
    let started = Instant::now();
    let total = work.iter().map(|work| work.variants.len() as u64).sum();
    let task = monitor.task("embedding", Some(total), Unit::Images);
    let (decoding, embedding, writing) = (Stopwatch::default(), Stopwatch::default(), Stopwatch::default());
    let (number, width) = (sessions.len(), sessions.first().map_or(0, |session| session.width()));
    let mut sink = Sink::new(settings, width, writer, &writing);
    let is_cut = AtomicBool::new(false);
    let stop = &|| shall_stop(monitor, &is_cut);
    std::thread::scope(|scope| -> Result<()> {
        let queues = decode::spawn(scope, settings, work, &decoding);
        // A full window holds the batches back; a stage that is gone makes the one before it end.
        let (enter, window) = sync_channel((WINDOW_ROWS / settings.batch).min(64).max(number + 2));
        let (batches, to_embed) = sync_channel(1);
        scope.spawn(move || {
            let send = |batch| enter.send(()).is_ok() && batches.send(batch).is_ok();
            decode::into_batches(settings, work, queues, stop, send);
        });
        let (results, embedded) = mpsc::channel();
        let to_embed = Arc::new(Mutex::new(to_embed));
        for session in sessions {
            let (to_embed, results, embedding) = (to_embed.clone(), results.clone(), &embedding);
            scope.spawn(move || embed(session.as_mut(), &to_embed, &results, embedding, stop));
        }
        drop((to_embed, results));
        collect(&embedded, &window, &mut sink, |rows| task.advance(rows as u64))
    })?;
    let (computed, refused) = sink.finish();
    let stages = Stages {
        seconds: started.elapsed().as_secs_f64(),
        decode_seconds: decoding.seconds(),
        embed_seconds: embedding.seconds(),
        write_seconds: writing.seconds(),
        sessions: number,
    };
    Ok(Outcome { computed, refused, stages, is_cut: is_cut.into_inner() })
}

/// Whether to begin nothing more; the first time that it is so, this is told and noted in `is_cut`.
fn shall_stop(monitor: &dyn Monitor, is_cut: &AtomicBool) -> bool {
    let stops = monitor.is_interrupted();
    if stops && !is_cut.swap(true, Ordering::Relaxed) {
        monitor.note("stopping: what is under way is finished and committed; a second signal stops at once");
    }
    stops
}

/// One session's thread: takes the next batch until there are no more, or until it shall stop.
fn embed(
    session: &mut dyn Backbone,
    batches: &Mutex<Receiver<Batch>>,
    results: &Sender<Embedded>,
    embedding: &Stopwatch,
    stop: &dyn Fn() -> bool,
) {
    loop {
        let next = batches.lock().unwrap_or_else(|e| e.into_inner()).recv();
        let Ok(Batch { number, rows, pixels, refused }) = next else { return };
        if stop() {
            return;
        }
        // A batch that never came back would keep all others waiting.
        let features = match rows.is_empty() {
            true => Ok(Vec::new()),
            false => catch_unwind(AssertUnwindSafe(|| embedding.time(|| session.embed(&pixels, rows.len()))))
                .unwrap_or_else(|_| Err(Error::new(Kind::Backbone, "the network's thread panicked"))),
        };
        drop(pixels);
        if results.send(Embedded { number, rows, refused, features }).is_err() {
            return;
        }
    }
}

/// Puts the batches back in order and hands them to the sink, which commits when there is nothing to take just now; at a
/// failure commits what came before it.
fn collect(
    embedded: &Receiver<Embedded>,
    window: &Receiver<()>,
    sink: &mut Sink,
    mut advance: impl FnMut(usize),
) -> Result<()> {
    let mut early = BTreeMap::new();
    let mut next = 0;
    loop {
        // Rows do not wait for a batch that takes long.
        let first = match embedded.recv_timeout(sink.until_due()) {
            Err(RecvTimeoutError::Disconnected) => break,
            other => other.ok(),
        };
        for done in first.into_iter().chain(embedded.try_iter()) {
            early.insert(done.number, done);
            while let Some(Embedded { rows, refused, features, .. }) = early.remove(&next) {
                next += 1;
                let _ = window.recv();
                advance(rows.len() + refused.len());
                match features {
                    Ok(features) => sink.take(rows, &features, refused)?,
                    Err(failure) => {
                        // Of two failures the first is told.
                        let _ = sink.commit();
                        return Err(failure);
                    }
                }
            }
        }
        sink.commit_if_due()?;
    }
    sink.commit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::Variant;
    use crate::backbone::CPU_PROVIDER;
    use crate::digest::sha256;
    use crate::image_io::encode_png;
    use crate::monitor::Silent;
    use crate::pixels::Pixels;
    use crate::store::{BackboneSpec, PreprocessingSpec, Spec, spec::SCHEMA};
    use std::path::Path;

    /// One feature of each input, which `work` makes of the number of the call and the input's bytes.
    struct Fake<W> {
        calls: usize,
        work: W,
    }

    impl<W: Fn(usize, &[u8]) -> Result<f32> + Send> Backbone for Fake<W> {
        fn width(&self) -> usize {
            1
        }
        fn provider(&self) -> &str {
            CPU_PROVIDER
        }
        fn runtime(&self) -> &str {
            "none"
        }
        fn embed(&mut self, pixels: &[u8], n: usize) -> Result<Vec<f32>> {
            self.calls += 1;
            pixels.chunks_exact(pixels.len() / n).map(|input| (self.work)(self.calls - 1, input)).collect()
        }
    }

    fn preprocessing() -> Preprocessing {
        Preprocessing { size: 4, ..Preprocessing::named("unit").unwrap() }
    }

    fn settings(root: PathBuf) -> Settings {
        let metadata = BTreeMap::new();
        let commit_every = Duration::from_secs(3600);
        Settings { root, preprocessing: preprocessing(), batch: 2, decoders: 3, commit_every, metadata }
    }

    /// A folder with one picture of each shade, the work that they are, and a new cache.
    fn grey(dir: &Path, shades: impl Iterator<Item = u8>) -> (Settings, Vec<Work>, CacheWriter) {
        let root = dir.join("in");
        std::fs::create_dir(&root).unwrap();
        let picture = |grey: u8| {
            let bytes = encode_png(&Pixels::new(4, 4, vec![grey; 48]));
            std::fs::write(root.join(grey.to_string()), &bytes).unwrap();
            Work { path: grey.to_string(), image_sha256: sha256(&bytes), variants: vec![Variant::None] }
        };
        let work = shades.map(picture).collect();
        let spec = Spec {
            schema: SCHEMA.into(),
            backbone: BackboneSpec { name: "n".into(), title: "t".into(), graph_sha256: sha256(b"ab") },
            layer: "l".into(),
            width: 1,
            preprocessing: PreprocessingSpec { decode: "d".into(), steps: preprocessing() },
            known_answer: None,
        };
        (settings(root), work, CacheWriter::open_or_create(&dir.join("c"), &spec).unwrap())
    }

    /// Sessions of `work`, each of which counts its calls from zero.
    fn sessions<W>(n: usize, work: W) -> Vec<Box<dyn Backbone>>
    where
        W: Fn(usize, &[u8]) -> Result<f32> + Clone + Send + 'static,
    {
        (0..n).map(|_| Box::new(Fake { calls: 0, work: work.clone() }) as Box<dyn Backbone>).collect()
    }

    #[test]
    fn an_image_of_which_the_network_makes_no_numbers_is_refused_and_the_others_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (settings, work, mut writer) = grey(dir.path(), [255u8, 0, 128].into_iter());
        // The logarithm of black is no number.
        let mut network = sessions(1, |_, input| Ok(f32::from(input[0]).ln()));
        let done = run(&settings, &work, &mut network, &mut writer, &Silent).unwrap();
        assert_eq!((done.computed, done.stages.sessions), (2, 1));
        assert!(done.stages.busy() > 0.0 && done.stages.busy() <= 1.0);
        let told: Vec<_> = done.refused.iter().map(|r| (r.path.as_str(), &r.image_sha256)).collect();
        assert_eq!(told, [("0", &None)]);
        assert!(done.refused[0].reason.contains("no numbers (none)"), "{}", done.refused[0].reason);
        let rows = writer.cache().rows(|_| true).unwrap();
        assert!(rows.keys.len() == 2 && rows.embeddings.iter().all(|value| value.is_finite()));
    }

    /// The features of all parts in the order of the parts.
    fn committed(writer: &CacheWriter) -> Vec<f32> {
        let parts = writer.cache().parts().unwrap();
        parts.iter().flat_map(|part| part.rows(1).unwrap().embeddings).collect()
    }

    #[test]
    fn rows_keep_their_order_when_one_session_is_slower_than_the_other() {
        let dir = tempfile::tempdir().unwrap();
        let (settings, work, mut writer) = grey(dir.path(), 0..=200);
        let mut network = sessions(3, |calls, input| {
            // Every other batch of a session takes a while.
            for i in 0..calls % 2 * 200_000 {
                std::hint::black_box(i);
            }
            Ok(f32::from(input[0]))
        });
        let done = run(&settings, &work, &mut network, &mut writer, &Silent).unwrap();
        assert_eq!(done.computed, 201);
        assert_eq!(committed(&writer), (0u8..=200).map(f32::from).collect::<Vec<_>>());
    }

    #[test]
    fn what_was_computed_before_a_failure_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (settings, work, mut writer) = grey(dir.path(), 0..=200);
        let mut network = sessions(2, |_, input| match input[0] {
            101 => Err(Error::new(Kind::Device, "the device fell off the bus")),
            shade => Ok(f32::from(shade)),
        });
        let failure = run(&settings, &work, &mut network, &mut writer, &Silent).unwrap_err();
        assert_eq!(failure.to_string(), "the device fell off the bus");
        assert_eq!(committed(&writer), (0u8..100).map(f32::from).collect::<Vec<_>>());
    }

    /// Wants everything to stop once it was asked this often.
    struct Impatient(AtomicU64);

    impl Monitor for Impatient {
        fn note(&self, _: &str) {}
        fn warn(&self, _: &str) {}
        fn task(&self, label: &str, total: Option<u64>, unit: Unit) -> Box<dyn crate::monitor::Task + '_> {
            Silent.task(label, total, unit)
        }
        fn consent(&self, _: &str) -> Option<bool> {
            None
        }
        fn is_interrupted(&self) -> bool {
            self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err()
        }
    }

    #[test]
    fn interrupted_it_finishes_what_is_under_way_and_commits_it() {
        let dir = tempfile::tempdir().unwrap();
        let (settings, work, mut writer) = grey(dir.path(), 0..=200);
        let mut network = sessions(2, |_, input| Ok(f32::from(input[0])));
        let impatient = Impatient(AtomicU64::new(51));
        let done = run(&settings, &work, &mut network, &mut writer, &impatient).unwrap();
        // Asked before each image and each batch of two, so after some 17 batches, of which some were not begun.
        assert!(done.is_cut && (2..60).contains(&done.computed), "{done:?}");
        let shades: Vec<f32> = (0u8..=200).take(done.computed).map(f32::from).collect();
        assert_eq!(committed(&writer), shades, "what is kept has no gap");
    }

    #[test]
    fn a_network_that_panics_is_a_failure_and_nobody_waits_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let (settings, work, mut writer) = grey(dir.path(), 0..=255);
        let mut network = sessions(2, |_, input| match input[0] {
            20 => panic!("out of luck"),
            shade => Ok(f32::from(shade)),
        });
        let failure = run(&settings, &work, &mut network, &mut writer, &Silent).unwrap_err();
        assert_eq!(failure.to_string(), "the network's thread panicked");
        assert_eq!(committed(&writer), (0u8..20).map(f32::from).collect::<Vec<_>>());
    }

    #[test]
    fn parts_follow_the_time_that_rows_took() {
        let dir = tempfile::tempdir().unwrap();
        let (settings, work, mut writer) = grey(dir.path(), 0..=20);
        let often = Settings { commit_every: Duration::ZERO, ..settings };
        // The last batch is not begun before something was committed.
        let features = dir.path().join("c/features");
        let mut network = sessions(1, move |calls, input| {
            while calls == 10 && std::fs::read_dir(&features).unwrap().count() == 0 {
                std::thread::yield_now();
            }
            Ok(f32::from(input[0]))
        });
        run(&often, &work, &mut network, &mut writer, &Silent).unwrap();
        let parts = writer.cache().parts().unwrap().len();
        assert!((2..=11).contains(&parts), "{parts} parts of eleven batches");
    }
}
