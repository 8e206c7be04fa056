//! The network of an extraction, opened and tested.

use super::config::ExtractConfig;
use super::resources::{Resources, Workload};
use super::settings::PipelineSettings;
use crate::backbone::ResolvedBackbone;
use crate::backbone::{Backbone, CPU_PROVIDER, Device, SessionOptions, known_answer};
use crate::data::narrow::NarrowImages;
use crate::data::preprocess::Preprocessing;
use crate::error::Result;
use crate::monitor::Monitor;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A network that passed the known-answer test, in one session or more.
pub(super) struct Network {
    pub sessions: Vec<Box<dyn Backbone>>,
    /// Threads and batches that the system grants.
    resources: Resources,
    /// The known answer to store in a new cache; `None` if the backbone or the cache already has one.
    pub new_answer: Option<Vec<f32>>,
}

impl Network {
    /// Opens the chosen network for `rows` missing rows and tests it. `stored_answer` is the known answer in the cache.
    ///
    /// # Errors
    /// Those of [`ResolvedBackbone::open`], of [`Resources::within_limits`] and of the known-answer test.
    pub fn open(
        config: &ExtractConfig,
        chosen: &ResolvedBackbone,
        rows: usize,
        stored_answer: Option<Vec<f32>>,
        monitor: &dyn Monitor,
    ) -> Result<Self> {
        // Fetched first where it is missing: the memory needed depends on it.
        let network = chosen.install(monitor)?;
        let resources = Resources::within_limits(config, Workload { rows, network }, monitor)?;
        let Resources { threads, sessions, .. } = resources;
        let opening = SessionOptions { device: config.device, threads, sessions };
        let mut sessions = chosen.open(opening, monitor)?;
        let backbone = first(&mut sessions);
        let provider = backbone.provider().to_string();
        let known = chosen.known_answer.clone().or(stored_answer);
        let answer = known_answer::compute(backbone, &chosen.preprocessing)?;
        let reference = match &known {
            Some(known) => known.clone(),
            None if provider == CPU_PROVIDER => answer.clone(),
            None => {
                let on_cpu = SessionOptions { device: Device::Cpu, sessions: 1, ..opening };
                let mut sessions = chosen.open(on_cpu, monitor)?;
                known_answer::compute(first(&mut sessions), &chosen.preprocessing)?
            }
        };
        known_answer::check(&provider, &answer, &reference)?;
        Ok(Self { sessions, resources, new_answer: known.is_none().then_some(reference) })
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
            batch: self.resources.batch(self.backbone().provider() == CPU_PROVIDER),
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

fn first(sessions: &mut [Box<dyn Backbone>]) -> &mut dyn Backbone {
    sessions.first_mut().expect("a network opens in one session or more").as_mut()
}
