//! What a sweep fits: every combination of what was asked for, and what each is called.

use super::{SweepConfig, check_folder};
use crate::dataset::Division;
use crate::error::{Error, Kind, Result};
use crate::head::{FitConfig, FitParams};
use crate::monitor::Monitor;
use crate::run;
use crate::train::shelf::{Plan, Shelf};
use std::collections::HashSet;
use std::path::PathBuf;

/// Heads that are fitted to one plan.
#[derive(Debug)]
pub(super) struct Group {
    /// Number of the plan.
    pub plan: usize,
    /// The feature set, as asked for or found.
    pub used: String,
    division: Option<Division>,
}

/// What a head is called: its settings, of which the folder's name holds those that vary.
#[derive(Debug, Clone)]
pub(super) struct Name {
    /// The feature set.
    pub used: String,
    parts: Vec<String>,
}

/// All combinations of rates, penalties and seeds.
pub(super) fn settings(config: &SweepConfig) -> Result<Vec<FitParams>> {
    let shuffle_seed = Some(config.base.shuffle_seed.unwrap_or(0));
    let mut all = Vec::new();
    for &lr in &config.rates {
        for &l2 in &config.penalties {
            for &seed in &config.seeds {
                all.push(FitConfig { lr, l2, seed, shuffle_seed, ..config.base.clone() }.check()?);
            }
        }
    }
    match all.is_empty() {
        true => {
            Err(Error::new(Kind::Usage, "there is no head to fit: --lr, --l2 and --seeds need a value each"))
        }
        false => Ok(all),
    }
}

/// A plan for each feature set and split.
pub(super) fn groups(
    config: &SweepConfig,
    shelf: &Shelf,
    monitor: &dyn Monitor,
) -> Result<(Vec<Plan>, Vec<Group>)> {
    let (mut plans, mut groups) = (Vec::new(), Vec::new());
    for used in &config.uses {
        for &division in &config.divisions {
            let plan = shelf.plan(division, used.as_deref(), monitor)?;
            let used = match used {
                Some(names) => names.join("+"),
                None => {
                    let mut families: Vec<&str> =
                        plan.variants.iter().map(|variant| variant.family()).collect();
                    families.dedup();
                    families.join("+")
                }
            };
            groups.push(Group { plan: plans.len(), used, division });
            plans.push(plan);
        }
    }
    Ok((plans, groups))
}

/// Checks that all runs have names of their own, and that they may be written.
pub(super) fn check_names(config: &SweepConfig, groups: &[Group], settings: &[FitParams]) -> Result<()> {
    check_folder(&config.runs)?;
    let mut seen = HashSet::new();
    for group in groups {
        for params in settings {
            let path = Name::of(config, group, params.settings()).path(config);
            run::check_target(&path)?;
            if !seen.insert(path.clone()) {
                let message = "two heads would be the same: a value was given twice";
                return Err(Error::new(Kind::Usage, message).at(path).help("give each value once"));
            }
        }
    }
    Ok(())
}

impl Name {
    pub fn of(config: &SweepConfig, group: &Group, settings: &FitConfig) -> Self {
        let FitConfig { lr, l2, seed, .. } = settings;
        let mut parts = Vec::new();
        let mut part = |varies: bool, text: String| parts.extend(varies.then_some(text));
        part(config.uses.len() > 1, group.used.replace(':', ""));
        part(config.rates.len() > 1, format!("lr={lr}"));
        part(config.penalties.len() > 1, format!("l2={l2}"));
        part(config.seeds.len() > 1, format!("seed={seed}"));
        let division = match group.division {
            Some(Division::Fold { number, .. }) => format!("fold={number}"),
            Some(Division::Resplit { seed }) => format!("split={seed}"),
            None => "split=own".into(),
        };
        part(config.divisions.len() > 1, division);
        if parts.is_empty() {
            parts.push("head".into());
        }
        Self { used: group.used.clone(), parts }
    }

    pub fn path(&self, config: &SweepConfig) -> PathBuf {
        config.runs.join(self.parts.join("_"))
    }
}
