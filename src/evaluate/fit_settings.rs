//! The settings of fits by name: what all share, and what tells one from another.

use crate::head::SolverConfig;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Settings by name.
pub(super) type Settings = serde_json::Map<String, Value>;

/// The name of the setting that says which others there are.
const SOLVER: &str = "solver";

/// Returns the settings of a fit by name, as they took effect: without an order of rows that follows from the seed.
pub(super) fn settings(config: &SolverConfig) -> Settings {
    let mut settings = match serde_json::to_value(config) {
        Ok(Value::Object(settings)) => settings,
        _ => Settings::new(),
    };
    if let (Some(order), Some(seed)) = (settings.get("shuffle_seed"), settings.get("seed"))
        && (order.is_null() || order == seed)
    {
        settings.insert("shuffle_seed".into(), Value::Null);
    }
    settings
}

/// Returns the families of variants, without repetition, separated by commas.
pub(super) fn families(variants: &[String]) -> String {
    let mut names: Vec<&str> =
        variants.iter().map(|variant| variant.split(':').next().unwrap_or(variant)).collect();
    names.dedup();
    names.join(",")
}

/// A name for each of `all`: its solver if there are several or `with_solver`, then its values of the settings in which those that
/// have them differ, such as `adam, lr 0.01`.
pub(super) fn names(all: &[&Settings], with_solver: bool) -> Vec<String> {
    let differing: Vec<&str> = every_name(all).into_iter().filter(|name| differs(all, name)).collect();
    let with_solver = with_solver || differs(all, SOLVER);
    let name = |settings: &&Settings| {
        let value = |name: &str| settings.get(name).and_then(text);
        let solver = value(SOLVER).filter(|_| with_solver);
        let own = differing.iter().filter_map(|name| Some(format!("{name} {}", value(name)?)));
        solver.into_iter().chain(own).collect::<Vec<_>>().join(", ")
    };
    all.iter().map(name).collect()
}

/// The settings that several of `all` have and that do not differ among them: first those of all, then those of each solver, such as
/// `all runs of adam: batch 32, epochs 100`.
pub(super) fn shared(all: &[&Settings]) -> Vec<String> {
    let mut by_solvers: BTreeMap<(bool, String), Vec<String>> = BTreeMap::new();
    for name in every_name(all).into_iter().filter(|name| !differs(all, name)) {
        let having: Vec<&&Settings> = all.iter().filter(|settings| settings.contains_key(name)).collect();
        let solvers: BTreeSet<&str> = having.iter().filter_map(|one| one.get(SOLVER)?.as_str()).collect();
        let Some(value) = having[0].get(name).filter(|value| !value.is_object()).and_then(text) else {
            continue;
        };
        if having.len() > 1 {
            let of_some = having.len() < all.len();
            let solvers = solvers.into_iter().collect::<Vec<_>>().join(" and ");
            let whose = if of_some { format!("all runs of {solvers}") } else { "all runs".into() };
            by_solvers.entry((of_some, whose)).or_default().push(format!("{name} {value}"));
        }
    }
    by_solvers.into_iter().map(|((_, whose), settings)| format!("{whose}: {}", settings.join(", "))).collect()
}

/// The names of all settings but the solver.
fn every_name<'a>(all: &[&'a Settings]) -> BTreeSet<&'a str> {
    all.iter()
        .flat_map(|settings| settings.keys())
        .map(String::as_str)
        .filter(|name| *name != SOLVER)
        .collect()
}

/// Whether two of `all` have a setting with different values.
fn differs(all: &[&Settings], name: &str) -> bool {
    let mut values = all.iter().filter_map(|settings| settings.get(name));
    let first = values.next();
    values.any(|value| Some(value) != first)
}

/// A value as it is typed; `None` for a setting that is not set.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if number.is_f64() => number.as_f64().map(|number| number.to_string()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn settings_of(json: Value) -> Settings {
        json.as_object().unwrap().clone()
    }

    #[test]
    fn fits_are_named_by_what_they_do_not_share() {
        let adam = |lr: f64| settings_of(json!({ "solver": "adam", "lr": lr, "l2": 0.0, "init": null }));
        let (slow, fast) = (adam(0.01), adam(0.1));
        let lbfgs =
            |l2: f64| settings_of(json!({ "solver": "lbfgs", "l2": l2, "iterations": 9, "init": null }));
        let (weak, strong) = (lbfgs(0.0), lbfgs(0.5));
        assert_eq!(names(&[&fast, &slow], false), ["lr 0.1", "lr 0.01"]);
        assert_eq!(names(&[&fast, &slow], true), ["adam, lr 0.1", "adam, lr 0.01"]);
        assert_eq!(names(&[&fast, &weak], false), ["adam", "lbfgs"]);
        assert_eq!(names(&[&fast, &strong], false), ["adam, l2 0", "lbfgs, l2 0.5"]);
        assert_eq!(names(&[&fast, &slow, &weak], false), ["adam, lr 0.1", "adam, lr 0.01", "lbfgs"]);
        assert_eq!(names(&[&fast], false), [""]);
    }

    #[test]
    fn what_all_share_is_said_once_for_each_solver() {
        let adam = |lr: f64| {
            settings_of(json!({ "solver": "adam", "lr": lr, "batch": 32, "stop_on": "loss", "use": "none" }))
        };
        let lbfgs = settings_of(json!({ "solver": "lbfgs", "iterations": 9, "use": "none" }));
        assert_eq!(
            shared(&[&adam(0.1), &adam(0.2), &lbfgs]),
            ["all runs: use none", "all runs of adam: batch 32, stop_on loss"]
        );
        assert_eq!(shared(&[&adam(0.1), &adam(0.2)]), ["all runs: batch 32, stop_on loss, use none"]);
    }
}
