//! The heads of a sweep: every combination of the requested values, and the name of each.

use super::config::SweepConfig;
use crate::cache::layers::folder_name;
use crate::data::augment::Variant;
use crate::data::dataset::Resplit;
use crate::error::{Error, Kind, Result};
use crate::head::{FitConfig, LbfgsConfig, LinfaConfig, SolverConfig, SolverParams};
use crate::io::fs;
use crate::monitor::Monitor;
use crate::run;
use crate::train::TrainingSet;
use crate::train::same_images::require_same_images;
use crate::train::split_rows::SplitRows;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// A cache with the groups of heads that are fitted to its features.
pub(super) struct CacheGroups {
    pub set: TrainingSet,
    pub groups: Vec<Group>,
}

/// Heads that share a cache, a feature set and an assignment of splits.
#[derive(Debug)]
pub(super) struct Group {
    /// Name of the features: their layer, or another name of the cache where several caches have the same layer.
    pub layer: String,
    /// Name of the feature set, such as `none,flip`.
    variants: String,
    pub splits: SplitRows,
}

/// Name of a head: its features, and the values that differ within the sweep.
#[derive(Debug, Clone)]
pub(super) struct HeadName {
    /// Name of the features, as in [`Group`].
    pub layer: String,
    /// Name of the feature set.
    pub variants: String,
    parts: Vec<String>,
}

/// All combinations of hidden units, learning rates, penalties and seeds; of penalties alone for L-BFGS.
pub(super) fn settings(config: &SweepConfig) -> Result<Vec<SolverConfig>> {
    let all: Vec<SolverConfig> = match &config.base {
        SolverConfig::Adam(base) => {
            let shuffle_seed = Some(base.shuffle_seed.unwrap_or(0));
            let base = FitConfig { shuffle_seed, ..base.clone() };
            let layers = config.hidden.iter().map(|&hidden| with_hidden(&base, hidden, config));
            let rates =
                layers.flat_map(|base| config.lr.iter().map(move |&lr| FitConfig { lr, ..base.clone() }));
            let pairs =
                rates.flat_map(|base| config.l2.iter().map(move |&l2| FitConfig { l2, ..base.clone() }));
            let all = pairs.flat_map(|base| {
                config.seeds.iter().map(move |&seed| SolverConfig::Adam(FitConfig { seed, ..base.clone() }))
            });
            all.collect()
        }
        SolverConfig::Lbfgs(base) => {
            let of = |&l2: &f64| SolverConfig::Lbfgs(LbfgsConfig { l2, ..base.clone() });
            config.l2.iter().map(of).collect()
        }
        SolverConfig::Linfa(base) => {
            let of = |&l2: &f64| SolverConfig::Linfa(LinfaConfig { l2, ..*base });
            config.l2.iter().map(of).collect()
        }
    };
    for settings in &all {
        let _: SolverParams = settings.clone().check()?;
    }
    match (all.is_empty(), &config.base) {
        (false, _) => Ok(all),
        (true, SolverConfig::Adam(_)) => Err(Error::new(
            Kind::Usage,
            "there is no head to fit: `hidden`, `lr`, `l2` and `seeds` need at least one value each",
        )),
        (true, _) => Err(Error::new(Kind::Usage, "there is no head to fit: `l2` needs at least one value")),
    }
}

/// Settings with `hidden` hidden units. Dropout is for the heads that have some.
fn with_hidden(base: &FitConfig, hidden: usize, config: &SweepConfig) -> FitConfig {
    let is_of_others = hidden == 0 && config.hidden.iter().any(|&units| units > 0);
    FitConfig { hidden, dropout: if is_of_others { 0.0 } else { base.dropout }, ..base.clone() }
}

/// Opens the caches, with a group for each feature set and assignment of splits.
pub(super) fn open(config: &SweepConfig, threads: usize, monitor: &dyn Monitor) -> Result<Vec<CacheGroups>> {
    if config.caches.is_empty() {
        return Err(Error::new(Kind::Usage, "there is no head to fit: `caches` needs at least one cache"));
    }
    let mut sets = Vec::new();
    for cache in &config.caches {
        // The runs record this path.
        fs::require_utf8(cache)?;
        let set = TrainingSet::open_with_threads(cache, threads)?;
        set.warn_of_unnamed_specs(monitor)?;
        sets.push(set);
    }
    let names = names(&sets);
    let mut caches: Vec<CacheGroups> = Vec::new();
    for (set, name) in sets.into_iter().zip(names) {
        let groups = groups(config, &set, &name, monitor)?;
        if let Some(first) = caches.first() {
            require_same_images((&set, &groups[0].splits), (&first.set, &first.groups[0].splits))?;
        }
        caches.push(CacheGroups { set, groups });
    }
    Ok(caches)
}

/// A name for the features of each cache: its layer, else its folder's name, else its path, whichever differ.
fn names(sets: &[TrainingSet]) -> Vec<String> {
    let of = |name: &dyn Fn(&TrainingSet) -> String| sets.iter().map(name).collect::<Vec<String>>();
    let folder = |set: &TrainingSet| {
        set.path().file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned())
    };
    let candidates = [of(&|set| set.spec().layer.clone()), of(&folder)];
    let differ = |names: &Vec<String>| names.iter().collect::<HashSet<_>>().len() == names.len();
    candidates.into_iter().find(differ).unwrap_or_else(|| of(&|set| set.path().display().to_string()))
}

/// A group for each feature set and assignment of splits.
fn groups(config: &SweepConfig, set: &TrainingSet, layer: &str, monitor: &dyn Monitor) -> Result<Vec<Group>> {
    let mut groups = Vec::new();
    for requested in &config.variants {
        for &resplit in &config.resplits {
            let splits = set.split_rows(resplit, requested.as_deref(), monitor)?;
            let variants = match requested {
                Some(names) => names.join(","),
                None => families(&splits),
            };
            groups.push(Group { layer: layer.into(), variants, splits });
        }
    }
    Ok(groups)
}

/// Names of the families that are trained on.
fn families(splits: &SplitRows) -> String {
    let mut families: Vec<_> = splits.variants.iter().map(Variant::family).collect();
    families.dedup();
    families.join(",")
}

/// Checks that every run has a name of its own, and that all runs may be written.
pub(super) fn check_names(
    config: &SweepConfig,
    caches: &[CacheGroups],
    settings: &[SolverConfig],
) -> Result<()> {
    check_folder(&config.runs)?;
    let mut seen = HashSet::new();
    for group in caches.iter().flat_map(|cache| &cache.groups) {
        for params in settings {
            let path = HeadName::of(config, group, params).path(config);
            run::check_target(&path)?;
            if !seen.insert(path.clone()) {
                let message = "two heads would be the same: a value was given twice";
                return Err(Error::new(Kind::Usage, message).at(path).help("give each value once"));
            }
        }
    }
    Ok(())
}

/// Checks that a folder may hold runs: it does not exist, or is a folder that is no run itself.
fn check_folder(runs: &Path) -> Result<()> {
    let refuse =
        |message: &str| Err(Error::new(Kind::Run, message).at(runs).help("choose a new folder for `runs`"));
    fs::check_place(runs)?;
    match runs.exists() {
        true if run::read_record(runs).is_ok() => refuse("the folder is a run itself"),
        _ => Ok(()),
    }
}

impl HeadName {
    pub fn of(config: &SweepConfig, group: &Group, settings: &SolverConfig) -> Self {
        let mut parts = Vec::new();
        let mut part = |varies: bool, text: String| parts.extend(varies.then_some(text));
        part(config.caches.len() > 1, folder_name(&group.layer));
        part(config.variants.len() > 1, group.variants.replace(':', ""));
        if let SolverConfig::Adam(FitConfig { lr, hidden, .. }) = settings {
            part(config.hidden.len() > 1, format!("hidden={hidden}"));
            part(config.lr.len() > 1, format!("lr={lr}"));
        }
        part(config.l2.len() > 1, format!("l2={}", settings.l2()));
        if let SolverConfig::Adam(FitConfig { seed, .. }) = settings {
            part(config.seeds.len() > 1, format!("seed={seed}"));
        }
        let split = match group.splits.resplit {
            Some(Resplit::Fold { number, .. }) => format!("fold={number}"),
            Some(Resplit::Random { seed }) => format!("split={seed}"),
            None => "split=own".into(),
        };
        part(config.resplits.len() > 1, split);
        if parts.is_empty() {
            parts.push("head".into());
        }
        Self { layer: group.layer.clone(), variants: group.variants.clone(), parts }
    }

    /// The folder of the run.
    pub fn path(&self, config: &SweepConfig) -> PathBuf {
        config.runs.join(self.parts.join("_"))
    }
}
