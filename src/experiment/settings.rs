//! From settings of a fit by name, in layers, to a checked solver. The names are those of `run.json`, so an experiment can
//! set whatever a fit can.

use super::file::Settings;
use super::names::usage;
use crate::error::{Result, did_you_mean};
use crate::head::{SOLVERS, SolverConfig};
use serde_json::{Map, Value};

/// Combines `layers` to a solver; later layers replace the settings of earlier ones.
///
/// # Errors
/// [`crate::error::Kind::Usage`] for a setting that the solver does not know, or a value out of its range.
pub(super) fn solver(layers: &[&Settings]) -> Result<SolverConfig> {
    let typed: Settings = layers.iter().flat_map(|layer| (*layer).clone()).collect();
    // The layer that names the solver means this solver; the others may be for runs of another one.
    let own = layers.iter().rev().find(|layer| layer.contains_key("solver"));
    let is_of_another = |name: &str| {
        !own.is_some_and(|own| own.contains_key(name)) && SOLVERS.iter().any(|solver| has(solver, name))
    };
    let is_own = |name: &str| own.is_some_and(|own| own.contains_key(name));
    let mut known = defaults(typed.get("solver"))?;
    if typed.contains_key("seed") {
        return Err(usage("settings: seed cannot be set, because seeds numbers the heads of a run"));
    }
    if typed.get("l2").is_some_and(|l2| l2 == "auto") {
        return Err(usage("settings: l2 auto is for single runs, so it cannot be set here")
            .help("give a number, such as the one that `train` chooses with `l2` auto"));
    }
    for (name, value) in typed {
        let (name, value) = match named_by_option(&name, &value) {
            Some(setting) => setting,
            // The iterations of L-BFGS go by the name of the command line as well.
            None if name == "epochs" && known.contains_key("iterations") && is_own(&name) => {
                ("iterations".into(), value)
            }
            None => (name, value),
        };
        if !known.contains_key(&name) {
            if is_of_another(&name) {
                continue;
            }
            known.remove("seed");
            let names: Vec<&str> = known.keys().map(String::as_str).collect();
            return Err(usage(format!("settings: {name:?} is no setting of this solver")).help(format!(
                "{}it has {}",
                did_you_mean(&name, names.iter().copied()),
                names.join(", ")
            )));
        }
        known.insert(name, value);
    }
    let config: SolverConfig =
        serde_json::from_value(known.into()).map_err(|e| usage(format!("settings: {e}")))?;
    config.clone().check().map(|_| config)
}

/// Options of the command line that turn a setting off, with that setting.
const TURNED_OFF: [(&str, &str); 2] = [("total_patience", "patience_resets"), ("no_shuffle", "shuffle")];

/// The setting, and its value, that goes by the name of an option of the command line.
fn named_by_option(name: &str, value: &Value) -> Option<(String, Value)> {
    let (_, setting) = TURNED_OFF.iter().find(|(option, _)| *option == name)?;
    Some((setting.to_string(), (!value.as_bool()?).into()))
}

/// Whether a solver has a setting called `name`.
fn has(solver: &str, name: &str) -> bool {
    defaults(Some(&solver.into())).is_ok_and(|known| known.contains_key(name))
}

/// The default settings of a solver, by name.
fn defaults(solver: Option<&Value>) -> Result<Map<String, Value>> {
    let name = solver.map_or(Some("adam"), Value::as_str);
    let config = name.and_then(SolverConfig::named).ok_or_else(|| {
        let meant =
            solver.and_then(Value::as_str).map_or(String::new(), |typed| did_you_mean(typed, SOLVERS));
        usage("settings: there is no such solver").help(format!("{meant}it is one of {}", SOLVERS.join(", ")))
    })?;
    match serde_json::to_value(config) {
        Ok(Value::Object(settings)) => Ok(settings),
        _ => Err(usage("settings have no names")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, Value)]) -> Settings {
        pairs.iter().map(|(name, value)| (name.to_string(), value.clone())).collect()
    }

    #[test]
    fn later_layers_replace_earlier_ones_and_unknown_names_are_errors() {
        let base = settings(&[("lr", 0.5.into()), ("epochs", 3.into())]);
        let upon = settings(&[("epochs", 7.into()), ("shuffle", false.into()), ("shuffle_seed", 3.into())]);
        let SolverConfig::Adam(config) = solver(&[&base, &upon]).unwrap() else { panic!("adam") };
        assert_eq!((config.lr, config.epochs, config.shuffle, config.shuffle_seed), (0.5, 7, false, Some(3)));
        let options = settings(&[("total_patience", true.into()), ("no_shuffle", true.into())]);
        let SolverConfig::Adam(config) = solver(&[&options]).unwrap() else { panic!("adam") };
        assert!(!config.patience_resets && !config.shuffle);
        for (wrong, message) in [
            (("no_shuffle", "yes".into()), "\"no_shuffle\" is no setting"),
            (("rate", Value::from(1)), "\"rate\" is no setting"),
            (("epochs", "many".into()), "a whole number, or auto"),
            (("lr", 0.into()), "lr"),
            (("solver", "sgd".into()), "no such solver"),
            (("solver", "lbfgs".into()), "l2"),
            (("seed", 3.into()), "seed cannot be set"),
        ] {
            let error = solver(&[&settings(&[wrong])]).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn shared_settings_of_one_solver_do_not_disturb_runs_of_another() {
        let shared = settings(&[("lr", 0.5.into()), ("epochs", 3.into()), ("label_smoothing", 0.1.into())]);
        let own = settings(&[("solver", "lbfgs".into()), ("l2", 0.01.into())]);
        let SolverConfig::Lbfgs(config) = solver(&[&shared, &own]).unwrap() else { panic!("lbfgs") };
        assert_eq!((config.l2, config.label_smoothing), (0.01, 0.1));
        let mixed = settings(&[("solver", "lbfgs".into()), ("l2", 0.01.into()), ("lr", 0.5.into())]);
        assert!(solver(&[&mixed]).unwrap_err().to_string().contains("\"lr\" is no setting"));
        let named = settings(&[("solver", "lbfgs".into()), ("l2", 0.01.into()), ("epochs", 7.into())]);
        let SolverConfig::Lbfgs(config) = solver(&[&named]).unwrap() else { panic!("lbfgs") };
        assert_eq!(config.iterations, 7);
        let auto = settings(&[("solver", "lbfgs".into()), ("l2", "auto".into())]);
        assert!(solver(&[&auto]).unwrap_err().to_string().contains("l2 auto is for single runs"));
        let until_patience = settings(&[("epochs", "auto".into())]);
        let SolverConfig::Adam(config) = solver(&[&until_patience]).unwrap() else { panic!("adam") };
        assert_eq!(config.epochs, crate::head::AUTO_EPOCHS);
        let unknown = settings(&[("rate", 0.5.into())]);
        assert!(solver(&[&unknown, &own]).is_err());
    }
}
