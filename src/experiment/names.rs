//! Names in the file of an experiment: which are allowed, what they refer to, and errors that name an entry.

use super::file::{BaselineEntry, ExperimentFile, RunEntry};
use crate::error::{Error, Kind, Result, did_you_mean};
use std::collections::BTreeSet;

/// An error in the file.
pub(super) fn usage(message: impl Into<String>) -> Error {
    Error::new(Kind::Usage, message)
}

/// Names of all runs, followed by those of all baselines.
pub(super) fn names(file: &ExperimentFile) -> Vec<&str> {
    let runs = file.runs.iter().map(|run| run.name.as_str());
    runs.chain(file.baselines.iter().map(BaselineEntry::name)).collect()
}

/// Checks that names are unique and plain (some become folders), and that there is something to do.
pub(super) fn check(file: &ExperimentFile) -> Result<()> {
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
                return Err(usage(format!("{name:?} cannot be the name of a {kind}"))
                    .help("use letters, digits, spaces and - _ . , + =, and do not begin with a dot"));
            }
            if !seen.insert(name) {
                return Err(usage(format!(
                    "two entries are called {name:?}, and the name of a {kind} must be unique"
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

/// The position of `name` in `names`; `key` is the key of the file that refers to it.
pub(super) fn find(key: &str, name: &str, names: &[&str]) -> Result<usize> {
    names.iter().position(|known| *known == name).ok_or_else(|| {
        let known = if names.is_empty() { "none".into() } else { names.join(", ") };
        let meant = did_you_mean(name, names.iter().copied());
        usage(format!("{key} names {name:?}, which does not exist"))
            .help(format!("{meant}there are: {known}"))
    })
}

/// An entry of the file as errors name it, such as `run "plain"`.
pub(super) fn entry(kind: &str, name: &str) -> String {
    format!("{kind} {name:?}")
}

/// Adds to an error the entry of the file that it is about.
pub(super) fn within(entry: &str, error: Error) -> Error {
    let named = Error::new(error.kind(), format!("{entry}: {}", error.with_causes()));
    match error.remedy() {
        Some(remedy) => named.help(remedy),
        None => named,
    }
}

/// Positions of all runs in an order in which each comes after the one that it starts from.
pub(super) fn order(runs: &[RunEntry]) -> Result<Vec<usize>> {
    let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    let inits = runs.iter().map(|run| run.init.as_deref().map(|init| find("init", init, &names)).transpose());
    let inits: Vec<Option<usize>> = inits.collect::<Result<_>>()?;
    let mut order: Vec<usize> = Vec::new();
    while order.len() < runs.len() {
        let is_next = |i: &usize| !order.contains(i) && inits[*i].is_none_or(|init| order.contains(&init));
        match (0..runs.len()).find(is_next) {
            Some(next) => order.push(next),
            None => return Err(usage("init: some runs start from each other in a circle")),
        }
    }
    Ok(order)
}
