//! Names in the file of an experiment: which are allowed, what they stand for, and how an entry is told in an error.

use super::file::{Baseline, File, Run};
use crate::error::{Error, Kind, Result};
use std::collections::BTreeSet;

/// A request that makes no sense.
pub(super) fn usage(message: impl Into<String>) -> Error {
    Error::new(Kind::Usage, message)
}

/// Names of runs and then of baselines.
pub(super) fn names(file: &File) -> Vec<&str> {
    let runs = file.runs.iter().map(|run| run.name.as_str());
    runs.chain(file.baselines.iter().map(Baseline::name)).collect()
}

/// Names become folders, so they are plain; and each is there once.
pub(super) fn check(file: &File) -> Result<()> {
    let lists = [
        ("cache", file.caches.iter().map(|cache| cache.name.as_str()).collect()),
        ("run or baseline", names(file)),
        ("switch", file.switches.iter().map(|switch| switch.name.as_str()).collect()),
        ("condition", file.conditions.iter().map(|condition| condition.name.as_str()).collect::<Vec<_>>()),
    ];
    for (kind, names) in lists {
        let mut seen = BTreeSet::new();
        for name in names {
            let is_plain = |c: char| c.is_alphanumeric() || " _-.,+=".contains(c);
            if name.trim() != name || name.is_empty() || name.starts_with('.') || !name.chars().all(is_plain)
            {
                return Err(usage(format!("{name:?} is no name for a {kind}"))
                    .help("use letters, digits, spaces, and - _ . , + = but no dot in front"));
            }
            if !seen.insert(name) {
                return Err(usage(format!(
                    "two entries are called {name:?}: a {kind} needs a name of its own"
                )));
            }
        }
    }
    match (file.caches.is_empty(), file.runs.is_empty()) {
        (true, _) => Err(usage("it holds no [[cache]]: there are no features to work on")),
        (_, true) => Err(usage("it holds no [[run]]: there is nothing to fit")),
        _ => Ok(()),
    }
}

/// The place of `name` among `names`.
pub(super) fn find(key: &str, name: &str, names: &[&str]) -> Result<usize> {
    names.iter().position(|known| *known == name).ok_or_else(|| {
        let known = if names.is_empty() { "none".into() } else { names.join(", ") };
        usage(format!("{key} names {name:?}, which is not there")).help(format!("there are: {known}"))
    })
}

/// The same error with the entry that it is about.
pub(super) fn within(kind: &str, name: &str, error: Error) -> Error {
    let told = usage(format!("{kind} {name:?}: {error}"));
    match error.remedy() {
        Some(remedy) => told.help(remedy),
        None => told,
    }
}

/// Runs in an order in which each comes after the one that it starts from.
pub(super) fn order(runs: &[Run]) -> Result<Vec<usize>> {
    let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    let inits = runs.iter().map(|run| run.init.as_deref().map(|init| find("init", init, &names)).transpose());
    let inits: Vec<Option<usize>> = inits.collect::<Result<_>>()?;
    let mut order: Vec<usize> = Vec::new();
    while order.len() < runs.len() {
        let is_next = |i: &usize| !order.contains(i) && inits[*i].is_none_or(|init| order.contains(&init));
        match (0..runs.len()).find(is_next) {
            Some(next) => order.push(next),
            None => return Err(usage("init: some runs start from one another in a circle")),
        }
    }
    Ok(order)
}
