//! Works on chunks of a plan: reads files or computes features, writes one part a chunk, and a receipt.

use super::super::embed::check_width;
use super::super::missing::ImageJob;
use super::super::network::{Network, WantedLayer};
use super::super::pipeline;
use super::super::sink::LayerOutput;
use super::chunk_files::ChunkFiles;
use super::config::WorkerConfig;
use super::wire::{ReceiptSender, Request, Requests, SentReceipt};
use crate::backbone::{BackboneSearch, ResolvedBackbone};
use crate::cache::plan::{
    Chunk, ChunkImage, FEATURES, FILES, MAX_CHUNK_ROWS, Pass, PlanHeader, PlannedPart, Receipt, RefusedImage,
    RefusedKey, STAGING, WrittenPart, encode_found_files,
};
use crate::cache::{FeatureCache, Spec};
use crate::data::dataset::{Reason, Refused};
use crate::data::decode::limit_memory;
use crate::data::scan::{FoundFile, find_out};
use crate::error::{Error, Kind, Result};
use crate::io::digest::{Digest, sha256};
use crate::io::store::Store;
use crate::math::parallel::{in_parallel, thread_count};
use crate::monitor::Monitor;
use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

/// Works on the chunks that `requests` ask for, an Arrow IPC stream with an integer column `chunk`, one after the other. Each
/// receipt is sent to `receipts`, an Arrow IPC stream, as soon as the part is written. The network stays open until the end.
///
/// An image that ends this process ends the work; [`supervise`](super::supervise()) finds it.
///
/// # Errors
/// [`Kind::Cache`] when there is no cache or no plan, or the plan is of another version; those of opening and running the
/// backbone, and of writing; [`Kind::Interrupted`] when the monitor was interrupted. The chunk under way is then not done.
pub fn work(
    config: &WorkerConfig,
    requests: impl BufRead,
    receipts: impl Write,
    monitor: &dyn Monitor,
) -> Result<()> {
    let mut worker = Worker::open(config, monitor)?;
    // The other side may wait for the beginning before it sends anything.
    let mut sender = ReceiptSender::open(receipts)?;
    let mut requests = Requests::open(requests)?;
    while let Some(request) = requests.next()? {
        sender.send(&SentReceipt::from(&worker.work_on(&request)?))?;
    }
    sender.finish()
}

/// A worker with its network, which is opened when it is first needed.
struct Worker<'a> {
    config: &'a WorkerConfig,
    store: Store,
    spec: Spec,
    backbone: ResolvedBackbone,
    network: Option<Network>,
    monitor: &'a dyn Monitor,
}

impl<'a> Worker<'a> {
    fn open(config: &'a WorkerConfig, monitor: &'a dyn Monitor) -> Result<Self> {
        config.extraction().check_resources()?;
        limit_memory(config.decode_memory)?;
        let store = Store::open(&config.cache, STAGING)?;
        let spec = FeatureCache::spec_in(&store)?;
        let search =
            BackboneSearch { models: &config.models, given: config.backbone.as_deref(), near: &config.cache };
        let backbone = spec.resolve_backbone(search)?;
        Ok(Self { config, store, spec, backbone, network: None, monitor })
    }

    /// Does what is asked, unless it is done already.
    fn work_on(&mut self, request: &Request) -> Result<Receipt> {
        let header = PlanHeader::require(&self.store)?;
        header.check_program(&self.store)?;
        let done = Receipt::of_chunk(&self.store, &header, request.chunk)?;
        if let Some(done) = done.into_iter().find(|_| request.probe.is_none())
            && self.is_there(&header, &done)?
        {
            return Ok(done);
        }
        let started = Instant::now();
        let Chunk { images, .. } = Chunk::read(&self.store, &header, request.chunk)?;
        let is_asked = |place: &usize| {
            request.probe.as_ref().is_none_or(|probe| probe.contains(place))
                && !request.without.contains(place)
        };
        let (asked, ended): (Vec<_>, Vec<_>) = images.into_iter().enumerate().partition(|(i, _)| is_asked(i));
        let only_images =
            |images: Vec<(usize, ChunkImage)>| images.into_iter().map(|(_, image)| image).collect();
        // A probe leaves out images without refusing them.
        let ended = if request.probe.is_some() { Vec::new() } else { only_images(ended) };
        let images = only_images(asked);
        let files = ChunkFiles::of(Path::new(&header.root), &images)?;
        let work = Work { header: &header, root: files.root(), request, images, ended };
        let mut receipt = match header.pass {
            Pass::Files => self.find_files(work)?,
            Pass::Features => self.embed(work)?,
        };
        receipt.seconds = started.elapsed().as_secs_f64();
        if request.probe.is_none() {
            receipt.write(&self.store)?;
        }
        Ok(receipt)
    }

    /// Whether the part of a receipt is there.
    fn is_there(&self, header: &PlanHeader, receipt: &Receipt) -> Result<bool> {
        let folder = if header.pass == Pass::Files { FILES } else { FEATURES };
        let exists = |name: &String| self.store.exists(&format!("{folder}/{name}"));
        receipt.part.as_ref().map_or(Ok(true), exists)
    }

    /// Finds out what files are.
    fn find_files(&self, work: Work) -> Result<Receipt> {
        let Work { header, root, request, images, ended } = work;
        let find = |image: &ChunkImage| match self.monitor.is_interrupted() {
            true => {
                Err(Error::new(Kind::Interrupted, "interrupted while the files were being read").at(root))
            }
            false => Ok(find_out(root, &image.path)),
        };
        let mut files = in_parallel(thread_count(self.config.threads), &images, find)?;
        files.extend(ended.into_iter().map(|image| FoundFile::refused(image.path, Reason::EndedWorker)));
        let mut receipt = Receipt::new(header, request.chunk);
        let refused = |file: &FoundFile| Some((file.path.clone(), file.image_sha256, file.refused.clone()?));
        let refused = files.iter().filter_map(refused);
        receipt.refused = refused
            .map(|(path, image_sha256, reason)| RefusedImage {
                path,
                image_sha256,
                reason: reason.to_string(),
            })
            .collect();
        receipt.rows = files.len();
        if request.probe.is_none() {
            let bytes = encode_found_files(&files);
            let digest = sha256(&bytes);
            let name = format!("{:06}-{}.parquet", request.chunk, digest.short());
            self.store.put_if_absent(&format!("{FILES}/{name}"), &bytes)?;
            (receipt.part, receipt.sha256) = (Some(name), Some(digest));
        }
        Ok(receipt)
    }

    /// Computes features.
    fn embed(&mut self, work: Work) -> Result<Receipt> {
        let Work { header, root, request, images, ended } = work;
        let settings = self.config.extraction();
        if self.network.is_none() {
            let stored_answer = self.spec.known_answer.clone();
            let wanted = WantedLayer { chosen: &self.backbone, stored_answer };
            let opened = Network::open(&settings, vec![wanted], MAX_CHUNK_ROWS, self.monitor)?;
            check_width(&opened, &self.spec)?;
            self.network = Some(opened);
        }
        let network = self.network.as_mut().expect("it is open");
        let jobs: Vec<ImageJob> = images.into_iter().filter_map(job).collect();
        let mut part = PlannedPart::new(header, &self.spec, request.chunk);
        let mut pipeline = network.pipeline(&settings, root.to_path_buf(), self.backbone.preprocessing);
        let mut receipt = Receipt::new(header, request.chunk);
        receipt.made_by = std::mem::take(&mut pipeline.metadata);
        receipt.known_answer = Some(digest_of_bits(&network.layers[0].answer));
        let wanted = jobs.iter().flat_map(ImageJob::keys).collect();
        let output = LayerOutput { writer: &mut part, columns: network.layers[0].columns.clone(), wanted };
        let mut done = pipeline::run(&pipeline, &jobs, &mut network.sessions, vec![output], self.monitor)?;
        if done.is_interrupted {
            let message = format!("interrupted: chunk {} is not done", request.chunk);
            return Err(Error::new(Kind::Interrupted, message).at(&self.config.cache));
        }
        let of_layer = done.layers.remove(0);
        let ended = ended.into_iter().map(|image| Refused {
            path: image.path,
            image_sha256: image.image_sha256,
            reason: Reason::EndedWorker,
        });
        receipt.refused = done.refused.into_iter().chain(ended).map(RefusedImage::from).collect();
        receipt.refused_rows = of_layer
            .refused_rows
            .into_iter()
            .map(|key| RefusedKey { image_sha256: key.image_sha256, variant: key.variant.to_string() })
            .collect();
        receipt.rows = of_layer.committed.len();
        if request.probe.is_none()
            && let Some(WrittenPart { name, sha256 }) = part.put(&self.store)?
        {
            (receipt.part, receipt.sha256) = (Some(name), Some(sha256));
        }
        Ok(receipt)
    }
}

/// What is to be done for one request.
struct Work<'a> {
    header: &'a PlanHeader,
    /// The folder of the images.
    root: &'a Path,
    request: &'a Request,
    images: Vec<ChunkImage>,
    /// Images that ended a worker.
    ended: Vec<ChunkImage>,
}

/// The image of a pass over features.
fn job(ChunkImage { path, image_sha256, variants }: ChunkImage) -> Option<ImageJob> {
    Some(ImageJob { path, image_sha256: image_sha256?, variants })
}

fn digest_of_bits(answer: &[f32]) -> Digest {
    let bytes: Vec<u8> = answer.iter().flat_map(|value| value.to_le_bytes()).collect();
    sha256(&bytes)
}
