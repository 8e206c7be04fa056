//! Chooses the values that stay in floats, where a network of integers throughout would be too far off.

use super::fidelity::Features;
use super::images::{ChosenImages, embed};
use crate::backbone::graph::Calibrated;
use crate::backbone::onnx_runtime::OnnxBackbone;
use crate::backbone::resolved::ResolvedBackbone;
use crate::backbone::{Device, SessionOptions};
use crate::data::dataset::ImageFile;
use crate::error::{Error, Kind, Result};
use crate::monitor::{Monitor, Silent, Unit};
use std::collections::BTreeSet;
use std::path::Path;

/// Images that decide how much a single value costs.
const RANKED: usize = 16;
/// Share of the work of all convolutions of integers that may become floats.
const MOST_FLOAT: f64 = 0.4;

/// What a search needs.
pub(super) struct Search<'a> {
    pub resolved: &'a ResolvedBackbone,
    pub library: &'a Path,
    pub calibrated: &'a Calibrated,
    /// The cosine to reach, after the mean of all images was subtracted.
    pub goal: f64,
    /// Where the network of integers runs.
    pub device: Device,
    pub monitor: &'a dyn Monitor,
}

/// Images in batches with the features of the network of floats.
struct Known {
    batches: Vec<(Vec<u8>, usize)>,
    features: Vec<f32>,
    width: usize,
}

/// The centred cosine over images.
#[derive(Clone, Copy)]
struct Cosine {
    mean: f64,
    /// The mean less two standard errors: what other images are likely to reach.
    likely: f64,
}

impl Cosine {
    fn of(images: &[f64]) -> Self {
        let count = images.len() as f64;
        let mean = images.iter().sum::<f64>() / count;
        let variance = images.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
        Self { mean, likely: mean - 2.0 * (variance / count).sqrt() }
    }
}

impl Known {
    fn images(&self) -> usize {
        self.batches.iter().map(|(_, n)| n).sum()
    }
}

impl Search<'_> {
    /// Returns values without whose rounding the features of `files` reach the goal, so that other images are likely to. Each
    /// value is left out alone at first; then those stay in floats whose rounding costs most for the work that it saves, one
    /// after the other.
    ///
    /// # Errors
    /// Those of opening and running networks, and of reading the images.
    pub fn run(&self, images: &ChosenImages, files: &[ImageFile]) -> Result<BTreeSet<String>> {
        let known = self.known(images, files)?;
        let mut floats = BTreeSet::new();
        let mut best = self.cosine(&floats, &known, files.len())?;
        if best.likely >= self.goal {
            return Ok(floats);
        }
        let (ranked, all) = self.ranked(&known)?;
        let mut spent = 0;
        let task = self.monitor.task("choosing floats", None, Unit::Images);
        for (value, cost) in ranked {
            if (spent + cost) as f64 > MOST_FLOAT * all as f64 {
                continue;
            }
            floats.insert(value.clone());
            let cosine = self.cosine(&floats, &known, files.len())?;
            task.advance(files.len() as u64);
            if cosine.likely >= self.goal {
                return Ok(floats);
            }
            if cosine.mean > best.mean {
                (best, spent) = (cosine, spent + cost);
            } else {
                floats.remove(&value);
            }
        }
        let Cosine { mean, likely } = best;
        self.monitor.warn(&format!(
            "the centred cosine of these images is {mean:.5}, and {likely:.5} is likely for others, less than {}: no further value in \
             floats is worth its time",
            self.goal
        ));
        Ok(floats)
    }

    /// The values whose rounding costs fidelity, those first that cost most for the work that floats would be, with this; and the
    /// work of all convolutions of integers.
    fn ranked(&self, known: &Known) -> Result<(Vec<(String, u64)>, u64)> {
        let (costs, all) = self.calibrated.float_costs(self.resolved.preprocessing.size)?;
        let rounded = self.cosine(&BTreeSet::new(), known, RANKED)?.mean;
        let each = RANKED.min(known.images()) as u64;
        let task = self.monitor.task("ranking values", Some(each * costs.len() as u64), Unit::Images);
        let mut ranked: Vec<(f64, String, u64)> = Vec::new();
        for (value, cost) in costs {
            let alone = self.cosine(&BTreeSet::from([value.clone()]), known, RANKED)?.mean;
            if alone > rounded {
                ranked.push(((alone - rounded) / cost.max(1) as f64, value, cost));
            }
            task.advance(each);
        }
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        Ok((ranked.into_iter().map(|(_, value, cost)| (value, cost)).collect(), all))
    }

    /// Computes `files` with the network of floats.
    fn known(&self, images: &ChosenImages, files: &[ImageFile]) -> Result<Known> {
        let mut float = self.resolved.open(SessionOptions::new(Device::Cpu), self.monitor)?.swap_remove(0);
        let mut known = Known { batches: Vec::new(), features: Vec::new(), width: float.width() };
        let steps = &self.resolved.preprocessing;
        embed(images, files, "measuring floats", steps, self.monitor, &mut |pixels, n| {
            known.features.extend(float.embed(pixels, n)?.into_finite()?);
            known.batches.push((pixels.to_vec(), n));
            Ok(())
        })?;
        Ok(known)
    }

    /// The centred cosine of the first `count` images, in whole batches, where `floats` are not rounded.
    fn cosine(&self, floats: &BTreeSet<String>, known: &Known, count: usize) -> Result<Cosine> {
        if self.monitor.is_interrupted() {
            return Err(Error::new(Kind::Interrupted, "interrupted before the backbone was written"));
        }
        let Self { resolved, library, device, .. } = self;
        let onnx = self.calibrated.write(floats, &[])?.onnx;
        let options = SessionOptions::new(*device);
        let mut network =
            OnnxBackbone::open(library, onnx, &resolved.layer, &resolved.preprocessing, options, &Silent)?
                .swap_remove(0);
        let mut rounded = Vec::new();
        for (pixels, n) in &known.batches {
            if rounded.len() < count * known.width {
                rounded.extend(network.embed(pixels, *n)?.into_finite()?);
            }
        }
        let float = known.features[..rounded.len()].to_vec();
        Ok(Cosine::of(&Features { float, rounded, width: known.width }.centred_cosines()))
    }
}
