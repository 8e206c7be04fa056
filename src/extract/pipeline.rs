//! The pipeline from missing rows to parts on disk: decoders -> batches -> sessions -> parts, those of one layer or of
//! several. Each stage runs on threads of its own. Rows are committed in the order of the jobs, and memory does not grow with the number of images.

use super::batch::{Batch, BatchRow, EmbeddedBatch, into_batches};
use super::decode;
use super::missing::ImageJob;
use super::settings::PipelineSettings;
use super::sink::{LayerOutput, LayerResult, Sink};
use super::timing::{StageTimes, Stopwatch};
use crate::backbone::{Backbone, Embeddings};
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
    /// For each layer, in their order.
    pub layers: Vec<LayerResult>,
    /// Images that cannot be used for any layer.
    pub refused: Vec<Refused>,
    pub stages: StageTimes,
    /// Whether the monitor was interrupted before all rows were computed.
    pub is_interrupted: bool,
}

/// Computes all of `jobs` in `sessions` of one network and commits the rows that each layer wants. After an interruption no session begins
/// another batch, and the rows of the batches under way are committed.
///
/// # Errors
/// Those of the backbone and the cache. Rows computed before are committed nevertheless. Images that cannot be used are
/// not errors, but part of the result.
pub(super) fn run(
    settings: &PipelineSettings,
    jobs: &[ImageJob],
    sessions: &mut [Box<dyn Backbone>],
    outputs: Vec<LayerOutput>,
    monitor: &dyn Monitor,
) -> Result<PipelineResult> {
    let started = Instant::now();
    let total = jobs.iter().map(|job| job.variants.len() as u64).sum();
    let task = monitor.task("embedding", Some(total), Unit::Images);
    let (decoding, embedding, writing) = (Stopwatch::default(), Stopwatch::default(), Stopwatch::default());
    let number = sessions.len();
    let sinks = outputs.into_iter().map(|output| Sink::new(settings, output, &writing, monitor));
    let mut end = PipelineEnd { sinks: sinks.collect(), refused: Vec::new() };
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
        end.collect(&embedded, &window, |rows| task.advance(rows as u64))
    })?;
    let stages = StageTimes {
        seconds: started.elapsed().as_secs_f64(),
        decode_seconds: decoding.seconds(),
        embed_seconds: embedding.seconds(),
        write_seconds: writing.seconds(),
        sessions: number,
    };
    let is_interrupted = is_interrupted.load(Ordering::Relaxed);
    let layers = end.sinks.into_iter().map(|sink| sink.result).collect();
    Ok(PipelineResult { layers, refused: end.refused, stages, is_interrupted })
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

/// What the batches come to in the end.
struct PipelineEnd<'a> {
    /// For each layer.
    sinks: Vec<Sink<'a>>,
    /// Images that cannot be used for any layer.
    refused: Vec<Refused>,
}

impl<'a> PipelineEnd<'a> {
    /// Passes the batches to the sinks in their order. The sinks commit whenever rows are due. After a failure the rows
    /// before it are committed.
    fn collect(
        &mut self,
        embedded: &Receiver<EmbeddedBatch>,
        window: &Receiver<()>,
        mut advance: impl FnMut(usize),
    ) -> Result<()> {
        let mut early = BTreeMap::new();
        let mut next = 0;
        loop {
            // The timeout commits rows in time even when the next batch takes long.
            let due = self.sinks.iter().map(Sink::until_due).min().unwrap_or_default();
            let first = match embedded.recv_timeout(due) {
                Err(RecvTimeoutError::Disconnected) => break,
                other => other.ok(),
            };
            for batch in first.into_iter().chain(embedded.try_iter()) {
                early.insert(batch.number, batch);
                while let Some(EmbeddedBatch { rows, refused, features, .. }) = early.remove(&next) {
                    next += 1;
                    let _ = window.recv();
                    advance(rows.len() + refused.len());
                    self.refused.extend(refused);
                    let taken = features.and_then(|features| self.take(&rows, &features));
                    if taken.is_err() {
                        // The first of several failures is returned.
                        let _ = self.each(Sink::commit);
                        return taken;
                    }
                }
            }
            self.each(Sink::commit_if_due)?;
        }
        self.each(Sink::commit)
    }

    fn take(&mut self, rows: &[BatchRow], features: &Embeddings) -> Result<()> {
        self.each(|sink| sink.take(rows, features))
    }

    /// Does the same with all sinks, and returns the first failure.
    fn each(&mut self, act: impl FnMut(&mut Sink<'a>) -> Result<()>) -> Result<()> {
        let results: Vec<Result<()>> = self.sinks.iter_mut().map(act).collect();
        results.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::CPU_PROVIDER;
    use crate::cache::test_data::spec;
    use crate::cache::{CacheWriter, Key, PreprocessingSpec, Spec};
    use crate::data::augment::Variant;
    use crate::data::dataset::Reason;
    use crate::data::decode::encode_png;
    use crate::data::pixels::Pixels;
    use crate::data::preprocess::Preprocessing;
    use crate::io::digest::sha256;
    use crate::monitor::Silent;
    use std::collections::HashSet;
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
            narrow: Default::default(),
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

    /// Runs a network of one layer that lacks all rows of `jobs`.
    fn run_one(
        settings: &PipelineSettings,
        jobs: &[ImageJob],
        sessions: &mut [Box<dyn Backbone>],
        writer: &mut CacheWriter,
        monitor: &dyn Monitor,
    ) -> Result<PipelineResult> {
        let output = LayerOutput { writer, columns: 0..1, wanted: wanted(jobs) };
        run(settings, jobs, sessions, vec![output], monitor)
    }

    fn wanted(jobs: &[ImageJob]) -> HashSet<Key> {
        jobs.iter().flat_map(ImageJob::keys).collect()
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
        let done = run_one(&settings, &jobs, &mut network, &mut writer, &Silent).unwrap();
        assert_eq!((done.layers[0].committed.len(), done.stages.sessions), (2, 1));
        assert!(done.stages.busy() > 0.0 && done.stages.busy() <= 1.0);
        let reason = Reason::NonFiniteFeatures { variant: "none".into() };
        assert_eq!(done.layers[0].refused, [Refused { path: "0".into(), image_sha256: None, reason }]);
        let of_black = jobs.iter().find(|job| job.path == "0").unwrap().image_sha256;
        assert_eq!(done.layers[0].refused_rows, [Key { image_sha256: of_black, variant: Variant::None }]);
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
        let done = run_one(&settings, &jobs, &mut network, &mut writer, &Silent).unwrap();
        assert_eq!(done.layers[0].committed.len(), 201);
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
        let failure = run_one(&settings, &jobs, &mut network, &mut writer, &Silent).unwrap_err();
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
        let done = run_one(&settings, &jobs, &mut network, &mut writer, &monitor).unwrap();
        // It is queried before each image and each batch of two, so about 17 batches are formed and some of them begun.
        assert!(done.is_interrupted && (2..60).contains(&done.layers[0].committed.len()), "{done:?}");
        let shades: Vec<f32> = (0u8..=200).take(done.layers[0].committed.len()).map(f32::from).collect();
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
        let failure = run_one(&settings, &jobs, &mut network, &mut writer, &Silent).unwrap_err();
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
        run_one(&often, &jobs, &mut network, &mut writer, &Silent).unwrap();
        let parts = writer.cache().parts().unwrap().len();
        assert!((2..=11).contains(&parts), "{parts} parts of eleven batches");
    }

    /// A network of two layers: the shade, and the shade and its double.
    struct TwoLayers(Arc<AtomicU64>);

    impl Backbone for TwoLayers {
        fn width(&self) -> usize {
            3
        }
        fn provider(&self) -> &str {
            CPU_PROVIDER
        }
        fn runtime(&self) -> &str {
            "none"
        }
        fn embed(&mut self, pixels: &[u8], n: usize) -> Result<Embeddings> {
            self.0.fetch_add(n as u64, Ordering::Relaxed);
            let shades = pixels.chunks_exact(pixels.len() / n).map(|input| f32::from(input[0]));
            let no_number = |shade: f32| if shade == 7.0 { f32::NAN } else { shade };
            let row = |shade: f32| [shade, no_number(shade), 2.0 * shade];
            Ok(Embeddings::new(3, shades.flat_map(row).collect()))
        }
    }

    #[test]
    fn each_layer_gets_its_columns_of_the_rows_that_it_lacks_and_the_network_runs_once() {
        let dir = tempfile::tempdir().unwrap();
        let Fixture { settings, jobs, mut writer } = grey_images(dir.path(), 1..=9);
        let two_wide = Spec { width: 2, ..writer.cache().spec().clone() };
        let mut other = CacheWriter::open_or_create(&dir.path().join("d"), &two_wide).unwrap();
        let embedded = Arc::new(AtomicU64::new(0));
        let mut network: Vec<Box<dyn Backbone>> = vec![Box::new(TwoLayers(embedded.clone()))];
        // The first layer has the features of the first three images already.
        let outputs = vec![
            LayerOutput { writer: &mut writer, columns: 0..1, wanted: wanted(&jobs[3..]) },
            LayerOutput { writer: &mut other, columns: 1..3, wanted: wanted(&jobs) },
        ];
        let done = run(&settings, &jobs, &mut network, outputs, &Silent).unwrap();
        assert_eq!(committed(&writer), (4..=9u8).map(f32::from).collect::<Vec<_>>());
        let others = (1..=9u8).filter(|shade| *shade != 7).map(f32::from);
        assert_eq!(committed(&other), others.flat_map(|shade| [shade, 2.0 * shade]).collect::<Vec<_>>());
        assert_eq!(done.layers.iter().map(|layer| layer.refused.len()).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(embedded.load(Ordering::Relaxed), 9, "each image runs once");
    }
}
