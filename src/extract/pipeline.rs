//! The pipeline from missing rows to parts on disk: decoders -> batches -> sessions -> parts. Each stage runs on threads of
//! its own. Rows are committed in the order of the jobs, and memory does not grow with the number of images.

use super::batch::{Batch, EmbeddedBatch, into_batches};
use super::decode;
use super::missing::ImageJob;
use super::settings::PipelineSettings;
use super::sink::Sink;
use super::timing::{StageTimes, Stopwatch};
use crate::backbone::{Backbone, Embeddings};
use crate::cache::{CacheWriter, Key};
use crate::data::dataset::Refused;
use crate::error::{Error, Kind, Result};
use crate::math::parallel;
use crate::monitor::{Monitor, Unit};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Rows in the pipeline that wait for the network or for a slower batch before them. They keep a fast device busy while a
/// part is written. With 2,048 floats a row they take 32 MiB.
const WINDOW_ROWS: usize = 4096;

/// Result of a run of the pipeline.
#[derive(Debug)]
pub(super) struct PipelineResult {
    /// The rows committed.
    pub computed: Vec<Key>,
    /// Images that cannot be used.
    pub refused: Vec<Refused>,
    /// Rows for which the network gave values that are no numbers; their images are refused.
    pub refused_rows: Vec<Key>,
    pub stages: StageTimes,
    /// Whether the monitor was interrupted before all rows were computed.
    pub is_interrupted: bool,
}

/// Computes all of `jobs` in `sessions` of one network and commits the rows. After an interruption no session begins
/// another batch, and the rows of the batches under way are committed.
///
/// # Errors
/// Those of the backbone and the cache. Rows computed before are committed nevertheless. Images that cannot be used are
/// not errors, but part of the result.
pub(super) fn run(
    settings: &PipelineSettings,
    jobs: &[ImageJob],
    sessions: &mut [Box<dyn Backbone>],
    writer: &mut CacheWriter,
    monitor: &dyn Monitor,
) -> Result<PipelineResult> {
    let started = Instant::now();
    let total = jobs.iter().map(|job| job.variants.len() as u64).sum();
    let task = monitor.task("embedding", Some(total), Unit::Images);
    let (decoding, embedding, writing) = (Stopwatch::default(), Stopwatch::default(), Stopwatch::default());
    let (number, width) = (sessions.len(), sessions.first().map_or(0, |session| session.width()));
    let mut sink = Sink::new(settings, width, writer, &writing, monitor);
    let is_interrupted = AtomicBool::new(false);
    let should_stop = &|| should_stop(monitor, &is_interrupted);
    std::thread::scope(|scope| -> Result<()> {
        // Whatever thread cannot be started: the channels are dropped with this closure, and the threads at their other
        // ends end.
        let queues = decode::spawn(scope, settings, jobs, &decoding)?;
        // A full window holds back further batches. A stage whose receiver is gone ends.
        let (enter, window) = sync_channel((WINDOW_ROWS / settings.batch).min(64).max(number + 2));
        let (batches, to_embed) = sync_channel(1);
        let make_batches = move || {
            let send = |batch| enter.send(()).is_ok() && batches.send(batch).is_ok();
            into_batches(settings, jobs, queues, should_stop, send);
        };
        parallel::start(scope, make_batches).map_err(parallel::refused)?;
        let (results, embedded) = mpsc::channel();
        let to_embed = Arc::new(Mutex::new(to_embed));
        for session in sessions {
            let (to_embed, results, embedding) = (to_embed.clone(), results.clone(), &embedding);
            let work = move || embed(session.as_mut(), &to_embed, &results, embedding, should_stop);
            parallel::start(scope, work).map_err(parallel::refused)?;
        }
        drop((to_embed, results));
        collect(&embedded, &window, &mut sink, |rows| task.advance(rows as u64))
    })?;
    let stages = StageTimes {
        seconds: started.elapsed().as_secs_f64(),
        decode_seconds: decoding.seconds(),
        embed_seconds: embedding.seconds(),
        write_seconds: writing.seconds(),
        sessions: number,
    };
    let is_interrupted = is_interrupted.load(Ordering::Relaxed);
    let Sink { committed: computed, refused, refused_rows, .. } = sink;
    Ok(PipelineResult { computed, refused, refused_rows, stages, is_interrupted })
}

/// Returns whether the monitor was interrupted. The first time, notes it for the person and in `is_interrupted`.
fn should_stop(monitor: &dyn Monitor, is_interrupted: &AtomicBool) -> bool {
    let stops = monitor.is_interrupted();
    if stops && !is_interrupted.swap(true, Ordering::Relaxed) {
        monitor
            .note("stopping: batches under way are finished and committed; interrupt again to stop at once");
    }
    stops
}

/// Embeds batches in one session until there are no more or `should_stop` returns true.
fn embed(
    session: &mut dyn Backbone,
    batches: &Mutex<Receiver<Batch>>,
    results: &Sender<EmbeddedBatch>,
    embedding: &Stopwatch,
    should_stop: &dyn Fn() -> bool,
) {
    loop {
        let next = batches.lock().unwrap_or_else(|e| e.into_inner()).recv();
        let Ok(Batch { number, rows, pixels, refused }) = next else { return };
        if should_stop() {
            return;
        }
        // A panic has to give a result too: the collector waits for every batch.
        let features = match rows.is_empty() {
            true => Ok(Embeddings::new(0, Vec::new())),
            false => catch_unwind(AssertUnwindSafe(|| embedding.time(|| session.embed(&pixels, rows.len()))))
                .unwrap_or_else(|_| Err(Error::new(Kind::Backbone, "the network's thread panicked"))),
        };
        drop(pixels);
        if results.send(EmbeddedBatch { number, rows, refused, features }).is_err() {
            return;
        }
    }
}

/// Passes the batches to the sink in their order. The sink commits whenever rows are due. After a failure the rows before
/// it are committed.
fn collect(
    embedded: &Receiver<EmbeddedBatch>,
    window: &Receiver<()>,
    sink: &mut Sink,
    mut advance: impl FnMut(usize),
) -> Result<()> {
    let mut early = BTreeMap::new();
    let mut next = 0;
    loop {
        // The timeout commits rows in time even when the next batch takes long.
        let first = match embedded.recv_timeout(sink.until_due()) {
            Err(RecvTimeoutError::Disconnected) => break,
            other => other.ok(),
        };
        for batch in first.into_iter().chain(embedded.try_iter()) {
            early.insert(batch.number, batch);
            while let Some(EmbeddedBatch { rows, refused, features, .. }) = early.remove(&next) {
                next += 1;
                let _ = window.recv();
                advance(rows.len() + refused.len());
                sink.refused.extend(refused);
                match features {
                    Ok(features) => sink.take(rows, &features)?,
                    Err(failure) => {
                        // The first of two failures is returned.
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
    use crate::backbone::CPU_PROVIDER;
    use crate::cache::test_data::spec;
    use crate::cache::{PreprocessingSpec, Spec};
    use crate::data::augment::Variant;
    use crate::data::dataset::Reason;
    use crate::data::decode::encode_png;
    use crate::data::pixels::Pixels;
    use crate::data::preprocess::Preprocessing;
    use crate::io::digest::sha256;
    use crate::monitor::Silent;
    use std::path::{Path, PathBuf};
    use std::sync::atomic::AtomicU64;
    use std::time::Duration;

    /// A network with one feature for each input, computed by `work` from the number of the call and the input.
    struct FakeNetwork<W> {
        calls: usize,
        work: W,
    }

    impl<W: Fn(usize, &[u8]) -> Result<f32> + Send> Backbone for FakeNetwork<W> {
        fn width(&self) -> usize {
            1
        }
        fn provider(&self) -> &str {
            CPU_PROVIDER
        }
        fn runtime(&self) -> &str {
            "none"
        }
        fn embed(&mut self, pixels: &[u8], n: usize) -> Result<Embeddings> {
            self.calls += 1;
            let inputs = pixels.chunks_exact(pixels.len() / n);
            let values: Result<Vec<f32>> = inputs.map(|input| (self.work)(self.calls - 1, input)).collect();
            Ok(Embeddings::new(1, values?))
        }
    }

    fn preprocessing() -> Preprocessing {
        Preprocessing { size: 4, ..Preprocessing::named("unit").unwrap() }
    }

    fn settings(root: PathBuf) -> PipelineSettings {
        let metadata = BTreeMap::new();
        let commit_every = Duration::from_secs(3600);
        PipelineSettings {
            root,
            preprocessing: preprocessing(),
            batch: 2,
            decoders: 3,
            commit_every,
            narrow: Mutex::default(),
            metadata,
        }
    }

    /// What the pipeline needs for a folder with one grey image of each shade.
    struct Fixture {
        settings: PipelineSettings,
        jobs: Vec<ImageJob>,
        writer: CacheWriter,
    }

    fn grey_images(dir: &Path, shades: impl Iterator<Item = u8>) -> Fixture {
        let root = dir.join("in");
        std::fs::create_dir(&root).unwrap();
        let image = |grey: u8| {
            let bytes = encode_png(&Pixels::new(4, 4, vec![grey; 48]));
            std::fs::write(root.join(grey.to_string()), &bytes).unwrap();
            ImageJob { path: grey.to_string(), image_sha256: sha256(&bytes), variants: vec![Variant::None] }
        };
        let jobs = shades.map(image).collect();
        let spec = Spec {
            width: 1,
            preprocessing: PreprocessingSpec { decode: "d".into(), steps: preprocessing() },
            ..spec()
        };
        let writer = CacheWriter::open_or_create(&dir.join("c"), &spec).unwrap();
        Fixture { settings: settings(root), jobs, writer }
    }

    /// `n` sessions of a fake network. Each counts its calls from 0.
    fn sessions<W>(n: usize, work: W) -> Vec<Box<dyn Backbone>>
    where
        W: Fn(usize, &[u8]) -> Result<f32> + Clone + Send + 'static,
    {
        (0..n).map(|_| Box::new(FakeNetwork { calls: 0, work: work.clone() }) as Box<dyn Backbone>).collect()
    }

    #[test]
    fn an_image_with_features_that_are_not_finite_is_refused_and_the_others_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let Fixture { settings, jobs, mut writer } = grey_images(dir.path(), [255u8, 0, 128].into_iter());
        // The logarithm of black is infinite.
        let mut network = sessions(1, |_, input| Ok(f32::from(input[0]).ln()));
        let done = run(&settings, &jobs, &mut network, &mut writer, &Silent).unwrap();
        assert_eq!((done.computed.len(), done.stages.sessions), (2, 1));
        assert!(done.stages.busy() > 0.0 && done.stages.busy() <= 1.0);
        let reason = Reason::NonFiniteFeatures { variant: "none".into() };
        assert_eq!(done.refused, [Refused { path: "0".into(), image_sha256: None, reason }]);
        let of_black = jobs.iter().find(|job| job.path == "0").unwrap().image_sha256;
        assert_eq!(done.refused_rows, [Key { image_sha256: of_black, variant: Variant::None }]);
        let rows = writer.cache().rows(|_| true).unwrap();
        assert!(rows.keys.len() == 2 && rows.embeddings.iter().all(|value| value.is_finite()));
    }

    /// The features of all parts, in the order of the parts.
    fn committed(writer: &CacheWriter) -> Vec<f32> {
        let parts = writer.cache().parts().unwrap();
        parts.iter().flat_map(|part| part.rows(writer.cache().spec()).unwrap().embeddings).collect()
    }

    #[test]
    fn rows_keep_their_order_when_later_batches_finish_first() {
        let dir = tempfile::tempdir().unwrap();
        let Fixture { settings, jobs, mut writer } = grey_images(dir.path(), 0..=200);
        // The batch of shades 0 and 1 waits until that of 4 and 5 is computed, and 100 and 101 wait for 104 and 105.
        let (computed, to_wait_for) = mpsc::channel();
        let to_wait_for = Arc::new(Mutex::new(to_wait_for));
        let mut network = sessions(3, move |_, input| {
            match input[0] {
                0 | 100 => to_wait_for.lock().unwrap().recv().unwrap(),
                5 | 105 => computed.send(()).unwrap(),
                _ => {}
            }
            Ok(f32::from(input[0]))
        });
        let done = run(&settings, &jobs, &mut network, &mut writer, &Silent).unwrap();
        assert_eq!(done.computed.len(), 201);
        assert_eq!(committed(&writer), (0u8..=200).map(f32::from).collect::<Vec<_>>());
    }

    #[test]
    fn rows_computed_before_a_failure_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let Fixture { settings, jobs, mut writer } = grey_images(dir.path(), 0..=200);
        let mut network = sessions(2, |_, input| match input[0] {
            101 => Err(Error::new(Kind::Device, "the device fell off the bus")),
            shade => Ok(f32::from(shade)),
        });
        let failure = run(&settings, &jobs, &mut network, &mut writer, &Silent).unwrap_err();
        assert_eq!(failure.to_string(), "the device fell off the bus");
        assert_eq!(committed(&writer), (0u8..100).map(f32::from).collect::<Vec<_>>());
    }

    /// A monitor that is interrupted after this number of queries.
    struct InterruptedAfter(AtomicU64);

    impl Monitor for InterruptedAfter {
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
    fn after_an_interruption_the_batches_under_way_are_finished_and_committed() {
        let dir = tempfile::tempdir().unwrap();
        let Fixture { settings, jobs, mut writer } = grey_images(dir.path(), 0..=200);
        let mut network = sessions(2, |_, input| Ok(f32::from(input[0])));
        let monitor = InterruptedAfter(AtomicU64::new(51));
        let done = run(&settings, &jobs, &mut network, &mut writer, &monitor).unwrap();
        // It is queried before each image and each batch of two, so about 17 batches are formed and some of them begun.
        assert!(done.is_interrupted && (2..60).contains(&done.computed.len()), "{done:?}");
        let shades: Vec<f32> = (0u8..=200).take(done.computed.len()).map(f32::from).collect();
        assert_eq!(committed(&writer), shades, "the rows kept have no gap");
    }

    #[test]
    fn a_network_that_panics_is_a_failure_and_does_not_block_the_pipeline() {
        let dir = tempfile::tempdir().unwrap();
        let Fixture { settings, jobs, mut writer } = grey_images(dir.path(), 0..=255);
        let mut network = sessions(2, |_, input| match input[0] {
            20 => panic!("out of luck"),
            shade => Ok(f32::from(shade)),
        });
        let failure = run(&settings, &jobs, &mut network, &mut writer, &Silent).unwrap_err();
        assert_eq!(failure.to_string(), "the network's thread panicked");
        assert_eq!(committed(&writer), (0u8..20).map(f32::from).collect::<Vec<_>>());
    }

    #[test]
    fn parts_are_written_at_intervals_of_time() {
        let dir = tempfile::tempdir().unwrap();
        let Fixture { settings, jobs, mut writer } = grey_images(dir.path(), 0..=20);
        let often = PipelineSettings { commit_every: Duration::ZERO, ..settings };
        // The last batch waits until something was committed.
        let features = dir.path().join("c/features");
        let mut network = sessions(1, move |calls, input| {
            while calls == 10 && std::fs::read_dir(&features).unwrap().count() == 0 {
                std::thread::yield_now();
            }
            Ok(f32::from(input[0]))
        });
        run(&often, &jobs, &mut network, &mut writer, &Silent).unwrap();
        let parts = writer.cache().parts().unwrap().len();
        assert!((2..=11).contains(&parts), "{parts} parts of eleven batches");
    }
}
