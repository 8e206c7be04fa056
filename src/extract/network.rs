//! The network of an extraction, opened at all layers that lack rows, and tested.

use super::config::ExtractConfig;
use super::resources::{Resources, Workload};
use super::settings::PipelineSettings;
use crate::backbone::ResolvedBackbone;
use crate::backbone::known_answer::{self, KnownAnswer};
use crate::backbone::{Backbone, CPU_PROVIDER, CUDA_PROVIDER, Device, PRELOGITS, SessionOptions};
use crate::data::narrow::NarrowImages;
use crate::data::preprocess::Preprocessing;
use crate::error::Result;
use crate::monitor::Monitor;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

/// A layer to open.
pub(super) struct WantedLayer<'a> {
    /// The network is the same for all layers.
    pub chosen: &'a ResolvedBackbone,
    /// The known answer in the cache.
    pub stored_answer: Option<KnownAnswer>,
}

/// A network that passed the known-answer test, in one session or more.
pub(super) struct Network {
    pub sessions: Vec<Box<dyn Backbone>>,
    /// Threads and batches that the system grants.
    resources: Resources,
    /// In the order in which they were wanted.
    pub layers: Vec<OpenLayer>,
}

/// A layer of an open network.
pub(super) struct OpenLayer {
    /// Its features in a row of the network.
    pub columns: Range<usize>,
    /// The known answer to store in a new cache; `None` if the backbone or the cache already has one.
    pub new_answer: Option<KnownAnswer>,
    /// What the first session of this network gave for the fixed image.
    pub answer: Vec<f32>,
}

impl Network {
    /// Opens the network of `wanted`, at least one layer, for `rows` missing rows, and tests each layer.
    ///
    /// # Errors
    /// Those of [`ResolvedBackbone::open`], of [`Resources::within_limits`] and of the known-answer test.
    pub fn open(
        config: &ExtractConfig,
        wanted: Vec<WantedLayer>,
        rows: usize,
        monitor: &dyn Monitor,
    ) -> Result<Self> {
        let chosen = wanted[0].chosen;
        // Fetched first where it is missing: the memory needed depends on it.
        // That of the whole network was measured.
        let whole = wanted.iter().map(|layer| layer.chosen).find(|chosen| chosen.layer == PRELOGITS);
        let network = whole.unwrap_or(chosen).install(monitor)?;
        let resources = Resources::within_limits(config, Workload { rows, network }, monitor)?;
        let Resources { threads, sessions, .. } = resources;
        let opening = SessionOptions { device: config.device, threads, sessions };
        let names: Vec<&str> = wanted.iter().map(|layer| layer.chosen.layer.as_str()).collect();
        let mut sessions = chosen.open_layers(&names, opening, monitor)?;
        let provider = first(&mut sessions).provider().to_string();
        let answers = answers(&mut sessions, &chosen.preprocessing)?;
        let columns = columns(first(&mut sessions).widths());
        let known: Vec<Option<KnownAnswer>> = wanted
            .into_iter()
            .map(|layer| layer.chosen.known_answer.clone().or(layer.stored_answer))
            .collect();
        let on_cpu = match provider == CPU_PROVIDER || known.iter().all(Option::is_some) {
            true => answers[0].clone(),
            false => {
                let on_cpu = SessionOptions { device: Device::Cpu, sessions: 1, ..opening };
                let mut sessions = chosen.open_layers(&names, on_cpu, monitor)?;
                known_answer::compute(first(&mut sessions), &chosen.preprocessing)?
            }
        };
        let wanted: Vec<_> = columns.into_iter().zip(known).collect();
        let layers = tested_layers(first(&mut sessions), wanted, &answers, &on_cpu, monitor)?;
        Ok(Self { sessions, resources, layers })
    }

    /// Returns one of the sessions.
    pub fn backbone(&self) -> &dyn Backbone {
        self.sessions.first().expect("a network opens in one session or more").as_ref()
    }

    /// Settings of the pipeline for images below `root` that this network embeds.
    pub fn pipeline(
        &self,
        config: &ExtractConfig,
        root: PathBuf,
        preprocessing: Preprocessing,
    ) -> PipelineSettings {
        PipelineSettings {
            root,
            preprocessing,
            batch: self.resources.batch(self.backbone().provider() != CUDA_PROVIDER),
            // Decoders mostly wait for the sessions, so that as many of them as cores do not slow the network down.
            decoders: self.resources.threads,
            commit_every: config.commit_every,
            narrow: NarrowImages::default(),
            metadata: self.metadata(config),
        }
    }

    /// Returns the metadata of new parts.
    fn metadata(&self, config: &ExtractConfig) -> BTreeMap<String, String> {
        let backbone = self.backbone();
        let time = Some(config.time).filter(|time| *time > 0);
        let always = [
            ("headstart.device", config.device.to_string()),
            ("headstart.provider", backbone.provider().to_string()),
            ("headstart.runtime", backbone.runtime().to_string()),
            ("headstart.version", env!("CARGO_PKG_VERSION").to_string()),
        ];
        let entries = always.into_iter().chain(time.map(|time| ("headstart.time", time.to_string())));
        entries.map(|(key, value)| (key.to_string(), value)).collect()
    }
}

/// Compares the `answers` of the sessions of `network` with the known answer of each layer in its columns; with that of the CPU
/// where none is known.
///
/// # Errors
/// Those of [`known_answer::check`].
fn tested_layers(
    network: &dyn Backbone,
    wanted: Vec<(Range<usize>, Option<KnownAnswer>)>,
    answers: &[Vec<f32>],
    on_cpu: &[f32],
    monitor: &dyn Monitor,
) -> Result<Vec<OpenLayer>> {
    let mut differences = Vec::new();
    let mut layers = Vec::with_capacity(wanted.len());
    for (columns, known) in wanted {
        let is_new = known.is_none();
        let known = known.unwrap_or_else(|| KnownAnswer::of_cpu(on_cpu[columns.clone()].to_vec()));
        for answer in answers {
            differences.extend(known_answer::check(network, &answer[columns.clone()], &known)?);
        }
        let answer = answers[0][columns.clone()].to_vec();
        // The answer of another provider would leave room for errors of this one.
        let own = KnownAnswer { features: answer.clone(), provider: network.provider().into() };
        let new_answer = is_new.then_some(if network.rounds_values() { own } else { known });
        layers.push(OpenLayer { answer, columns, new_answer });
    }
    let worst = differences.into_iter().max_by(|a, b| a.distance.total_cmp(&b.distance));
    worst.iter().for_each(|worst| monitor.warn(&worst.warning()));
    Ok(layers)
}

/// The known answer of one session on a CPU, where all are the same, or of each on other devices.
fn answers(sessions: &mut [Box<dyn Backbone>], steps: &Preprocessing) -> Result<Vec<Vec<f32>>> {
    let tested = if first(sessions).provider() == CPU_PROVIDER { 1 } else { sessions.len() };
    sessions[..tested].iter_mut().map(|session| known_answer::compute(session.as_mut(), steps)).collect()
}

/// Where the features of each layer are in a row, from their numbers.
fn columns(widths: Vec<usize>) -> Vec<Range<usize>> {
    let ends = widths.iter().scan(0, |end, width| {
        *end += width;
        Some(*end)
    });
    ends.zip(&widths).map(|(end, width)| end - width..end).collect()
}

fn first(sessions: &mut [Box<dyn Backbone>]) -> &mut dyn Backbone {
    sessions.first_mut().expect("a network opens in one session or more").as_mut()
}
