//! The settings of a fit by name, by which runs are told from one another.

use crate::head::SolverConfig;

/// Settings by name.
pub(super) type Settings = serde_json::Map<String, serde_json::Value>;

/// Returns the settings of a fit by name, as they took effect: without an order of rows that follows from the seed.
pub(super) fn settings(config: &SolverConfig) -> Settings {
    let mut settings = match serde_json::to_value(config) {
        Ok(serde_json::Value::Object(settings)) => settings,
        _ => Settings::new(),
    };
    if let (Some(order), Some(seed)) = (settings.get("shuffle_seed"), settings.get("seed"))
        && (order.is_null() || order == seed)
    {
        settings.insert("shuffle_seed".into(), serde_json::Value::Null);
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
