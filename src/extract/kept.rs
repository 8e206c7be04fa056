//! Which network an extraction runs: the chosen one. What is not chosen is that of the cache, where there is one.

use super::config::ExtractConfig;
use crate::backbone::{BackboneChoice, BackboneSearch, PRELOGITS, ResolvedBackbone};
use crate::cache::Spec;
use crate::data::preprocess::Preprocessing;
use crate::error::Result;
use crate::monitor::Monitor;
use std::path::Path;

/// Resolves the network, layer and preprocessing of an extraction, and reports what is kept from the cache, whose spec is `stored`. They may
/// still contradict the cache.
///
/// # Errors
/// Those of [`BackboneChoice::resolve`] and [`Spec::resolve_backbone`].
pub(super) fn resolve(
    config: &ExtractConfig,
    stored: Option<&Spec>,
    monitor: &dyn Monitor,
) -> Result<ResolvedBackbone> {
    let Some(stored) = stored else { return config.backbone.resolve() };
    let choice = &config.backbone;
    let mut kept = Vec::new();
    let mut chosen = match choice.backbone {
        Some(_) => choice.resolve_or(Some(stored.preprocessing.steps))?,
        None => {
            kept.push(format!("backbone {}", stored.backbone.name));
            recorded(config, stored)?
        }
    };
    if choice.layer.is_none() {
        if choice.pool.is_none() && (choice.backbone.is_none() || stored.layer != PRELOGITS) {
            kept.push(format!("layer {}", stored.layer));
        }
        chosen.layer = choice.pooled(&stored.layer);
    }
    // Of another network it would be no help: the cache refuses that one by its digest.
    if choice.preprocess.is_none() && chosen.graph_sha256 == stored.backbone.graph_sha256 {
        let steps = with_choices(stored.preprocessing.steps, choice)?;
        if choice.backbone.is_none() || chosen.preprocessing != steps {
            kept.push("preprocessing".into());
        }
        chosen.preprocessing = steps;
    }
    if !kept.is_empty() {
        monitor.note(&format!("as in the cache: {}", kept.join(", ")));
    }
    chosen.known_answer = chosen.stored_answer();
    Ok(chosen)
}

/// The network of the cache. A preprocessing that is chosen replaces that of the cache.
fn recorded(config: &ExtractConfig, stored: &Spec) -> Result<ResolvedBackbone> {
    let choice = &config.backbone;
    let search = BackboneSearch { models: &choice.models, given: None, near: &config.cache };
    let mut recorded = stored.resolve_backbone(search)?;
    if let Some(layer) = &choice.layer {
        recorded.layer = choice.pooled(layer);
    }
    // The network itself may name the layer that this one stands for.
    let is_default_layer = choice.layer.as_deref() == Some(PRELOGITS) && stored.layer != PRELOGITS;
    if choice.preprocess.is_some() || is_default_layer {
        let name = &stored.backbone.name;
        // A file or a folder may have moved with its project.
        let moved = if Path::new(name).is_absolute() { Some(recorded.locate()?) } else { None };
        let backbone = moved.map_or(name.clone(), |path| path.to_string_lossy().into_owned());
        let named = BackboneChoice { backbone: Some(backbone), ..choice.clone() };
        let named = named.resolve_or(Some(stored.preprocessing.steps))?;
        if is_default_layer {
            recorded.layer = named.layer;
        }
        if choice.preprocess.is_some() {
            recorded.preprocessing = named.preprocessing;
        }
    }
    Ok(recorded)
}

/// The steps of the cache with the choices that a person made.
fn with_choices(steps: Preprocessing, choice: &BackboneChoice) -> Result<Preprocessing> {
    let steps = choice.crop.map_or(Ok(steps), |crop| steps.with_crop(crop))?;
    match choice.stretch_16bit {
        None => Ok(steps),
        bits => steps.with_stretch_16bit(bits),
    }
}
