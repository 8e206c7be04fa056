//! What differs among runs: the settings that tell them apart, and the seeds and splits of repeats.

use super::member::Member;
use crate::data::dataset::Resplit;
use crate::evaluate::fit_settings::Settings;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;

/// What varies among the runs of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Varied {
    /// Number of runs.
    pub heads: usize,
    /// Number of splits.
    pub splits: usize,
    /// Number of seeds of the first weights; 1 for L-BFGS.
    pub seeds: usize,
    /// Whether the splits are the folds of one cross-validation.
    pub are_folds: bool,
}

impl Varied {
    /// Of runs whose splits are `splits`.
    pub(super) fn of(splits: &[Option<Resplit>], members: &[&Member]) -> Self {
        let seeds: BTreeSet<Option<u64>> = members.iter().map(|member| member.seed).collect();
        Self {
            heads: members.len(),
            splits: splits.len(),
            seeds: seeds.len(),
            are_folds: Resplit::are_all_folds(splits),
        }
    }
}

impl fmt::Display for Varied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.are_folds { "folds" } else { "splits" };
        match (self.splits, self.seeds) {
            (1, 1) if self.heads == 1 => f.write_str("one head"),
            (1, 1) => write!(f, "{} heads alike", self.heads),
            (1, seeds) => write!(f, "{seeds} seeds"),
            (splits, 1) => write!(f, "{splits} {kind}"),
            (splits, seeds) => write!(f, "{splits} {kind}, {seeds} seeds"),
        }
    }
}

/// A name for each of `all`: its values of the settings that not all share.
pub(super) fn names(all: &[&Settings]) -> Vec<String> {
    let every: BTreeSet<&String> = all.iter().flat_map(|settings| settings.keys()).collect();
    let differs = |name: &&String| all.iter().any(|one| one.get(*name) != all[0].get(*name));
    let differing: Vec<&String> = every.into_iter().filter(differs).collect();
    let name = |settings: &Settings| {
        let parts =
            differing.iter().filter_map(|name| Some(format!("{name} {}", text(settings.get(*name)?)?)));
        parts.collect::<Vec<_>>().join(", ")
    };
    all.iter().map(|settings| name(settings)).collect()
}

/// A value without the quotes of a text; `None` for a setting that is not set.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_named_by_what_they_do_not_share() {
        let settings = |json: Value| json.as_object().unwrap().clone();
        let adam = settings(serde_json::json!({ "solver": "adam", "lr": 0.1, "l2": 0.0, "init": null }));
        let other = settings(serde_json::json!({ "solver": "adam", "lr": 0.01, "l2": 0.0, "init": null }));
        let lbfgs = settings(serde_json::json!({ "solver": "lbfgs", "l2": 0.0, "init": null }));
        assert_eq!(names(&[&adam, &other]), ["lr 0.1", "lr 0.01"]);
        assert_eq!(names(&[&adam, &lbfgs]), ["lr 0.1, solver adam", "solver lbfgs"]);
        assert_eq!(names(&[&adam]), [""]);
    }

    #[test]
    fn what_varies_is_said() {
        let said = |heads, splits, seeds, are_folds| Varied { heads, splits, seeds, are_folds }.to_string();
        assert_eq!(
            [said(1, 1, 1, false), said(3, 1, 3, false), said(5, 5, 1, true), said(6, 2, 3, false)]
                .join("; "),
            "one head; 3 seeds; 5 folds; 2 splits, 3 seeds"
        );
    }
}
