//! Measures how many images a second each device of this machine embeds, with each installed format of a backbone.

use super::catalog::{State, list_backbones};
use super::install::{has_openvino, runtime};
use super::machine_default::default_backbone;
use super::quantize::Fidelity;
use super::{Backbone, BackboneChoice, CUDA_PROVIDER, Device, MAX_SESSIONS, SessionOptions, known_answer};
use crate::backbone::cuda::{CudaFacts, obstacle};
use crate::data::preprocess::Preprocessing;
use crate::error::{Error, Kind, Result};
use crate::math::parallel;
use crate::monitor::{Monitor, Unit};
use serde::Serialize;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Images in a batch on the CPU, and on a CUDA device.
const BATCHES: [usize; 2] = [4, 64];
/// Rounds over all pairs, so that a busy moment of the machine does not meet one of them alone.
const ROUNDS: u32 = 2;

/// What to measure.
///
/// | field | default | |
/// |---|---|---|
/// | `backbone` | [`default_backbone`] | name of a backbone; its quantized forms are measured too |
/// | `models` | [`default_models`](super::registry::default_models) | folder of backbones |
/// | `budget` | 40 s | time for all measurements, without opening networks |
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SpeedConfig {
    /// The name of a backbone; `None` for the default one.
    pub backbone: Option<String>,
    /// Folder of backbones.
    pub models: PathBuf,
    /// Time for all measurements together. Opening networks comes on top.
    pub budget: Duration,
}

impl Default for SpeedConfig {
    fn default() -> Self {
        let models = super::registry::default_models();
        Self { backbone: None, models, budget: Duration::from_secs(40) }
    }
}

/// Result of [`measure_speed`].
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct SpeedStats {
    /// What was measured, the fastest first.
    pub speeds: Vec<Speed>,
    /// What cannot be used.
    pub unusable: Vec<Unusable>,
}

/// The speed of a backbone on a device.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Speed {
    /// Name of the backbone.
    pub backbone: String,
    /// The device, as it is asked for.
    pub device: String,
    /// The provider that ran it.
    pub provider: String,
    /// Images a second in the better of the rounds.
    pub images_per_second: f64,
    /// What its format costs, where it is a quantized form.
    pub fidelity: Option<Fidelity>,
}

/// A device that cannot run a backbone.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Unusable {
    /// Name of the backbone.
    pub backbone: String,
    /// The device.
    pub device: String,
    /// Why it cannot be used.
    pub reason: String,
}

/// A backbone in sessions on a device.
struct Candidate {
    speed: Speed,
    sessions: Vec<Box<dyn Backbone>>,
    steps: Preprocessing,
}

/// Measures images per second of a backbone and of its quantized forms, on each device that can be used. Downloads nothing.
///
/// # Errors
/// [`Kind::Backbone`] when the backbone is not installed, [`Kind::Interrupted`], those of [`default_backbone`] and of finding the
/// backbones.
pub fn measure_speed(config: &SpeedConfig, monitor: &dyn Monitor) -> Result<SpeedStats> {
    let name = config.backbone.clone().map_or_else(default_backbone, Ok)?;
    let forms = forms(&name, config)?;
    let (mut candidates, mut unusable) = (Vec::new(), Vec::new());
    for device in devices() {
        for (backbone, fidelity) in &forms {
            match Candidate::open(backbone, fidelity.clone(), device, config, monitor) {
                Ok(candidate) => candidates.push(candidate),
                Err(e) if e.kind() == Kind::Interrupted => return Err(e),
                Err(e) => unusable.push(Unusable {
                    backbone: backbone.clone(),
                    device: device.to_string(),
                    reason: e.with_causes(),
                }),
            }
        }
    }
    let turns = ROUNDS * candidates.len() as u32;
    let task = monitor.task("measuring", None, Unit::Images);
    for _ in 0..ROUNDS {
        for candidate in &mut candidates {
            if monitor.is_interrupted() {
                return Err(Error::new(Kind::Interrupted, "interrupted while measuring"));
            }
            task.advance(candidate.run(config.budget / turns.max(1))? as u64);
        }
    }
    let mut speeds: Vec<Speed> = candidates.into_iter().map(|candidate| candidate.speed).collect();
    speeds.sort_by(|a, b| b.images_per_second.total_cmp(&a.images_per_second));
    Ok(SpeedStats { speeds, unusable })
}

/// The installed backbones to measure: that of `name`, and those that were made from it.
fn forms(name: &str, config: &SpeedConfig) -> Result<Vec<(String, Option<Fidelity>)>> {
    let installed = list_backbones(&config.models)?.into_iter().filter(|one| one.state == State::Installed);
    let is_form = |fidelity: &Option<Fidelity>| fidelity.as_ref().is_some_and(|found| found.parent == name);
    let found: Vec<_> = installed
        .filter(|one| one.name == name || is_form(&one.fidelity))
        .map(|one| (one.name, one.fidelity))
        .collect();
    if found.iter().any(|(one, _)| one == name) {
        return Ok(found);
    }
    Err(Error::new(Kind::Backbone, format!("the backbone {name} is not installed"))
        .help("run `setup`, or name another `backbone`"))
}

/// The devices that may be usable without an installation.
fn devices() -> Vec<Device> {
    let has_cuda = obstacle(&CudaFacts::of_this_machine()).is_none()
        && runtime::is_missing(Device::CUDA).is_ok_and(|missing| !missing);
    let openvino = has_openvino().unwrap_or(false).then_some(Device::OpenVino);
    [Some(Device::Cpu), has_cuda.then_some(Device::CUDA), openvino].into_iter().flatten().collect()
}

impl Candidate {
    fn open(
        name: &str,
        fidelity: Option<Fidelity>,
        device: Device,
        config: &SpeedConfig,
        monitor: &dyn Monitor,
    ) -> Result<Self> {
        let choice = BackboneChoice { models: config.models.clone(), ..BackboneChoice::new(name) };
        let resolved = choice.resolve()?;
        let options = SessionOptions { device, threads: 0, sessions: MAX_SESSIONS };
        let mut sessions = resolved.open(options, monitor)?;
        let steps = resolved.preprocessing;
        for session in &mut sessions {
            let computed = known_answer::compute(session.as_mut(), &steps)?;
            if let Some(expected) = &resolved.known_answer {
                known_answer::check(session.as_ref(), &computed, expected)?;
            }
        }
        let provider = sessions.first().map_or("", |session| session.provider()).to_string();
        let (backbone, device) = (name.to_string(), device.to_string());
        let speed = Speed { backbone, device, provider, images_per_second: 0.0, fidelity };
        Ok(Self { speed, sessions, steps })
    }

    /// Runs all sessions side by side for `time`, on one image again and again, and keeps the better rate. Returns the number of
    /// images.
    fn run(&mut self, time: Duration) -> Result<usize> {
        let batch = BATCHES[usize::from(self.speed.provider == CUDA_PROVIDER)];
        let mut one = vec![0; self.steps.input_bytes()];
        self.steps.planes(&known_answer::probe_image(), &mut one);
        let pixels = one.repeat(batch);
        let started = Instant::now();
        let count = |session: &mut Box<dyn Backbone>| -> Result<usize> {
            let mut images = 0;
            while started.elapsed() < time || images == 0 {
                session.embed(&pixels, batch)?;
                images += batch;
            }
            Ok(images)
        };
        let sessions: Vec<&mut Box<dyn Backbone>> = self.sessions.iter_mut().collect();
        let wanted = sessions.len();
        let done = parallel::at_once(sessions, count).map_err(|few| parallel::too_few(few, wanted))?;
        let images: usize = done.into_iter().sum::<Result<usize>>()?;
        let rate = images as f64 / started.elapsed().as_secs_f64();
        self.speed.images_per_second = self.speed.images_per_second.max(rate);
        Ok(images)
    }
}
