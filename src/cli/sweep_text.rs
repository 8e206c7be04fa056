//! The result of a sweep as text: a table of settings, what its intervals speak of, and the choice of the best.

use super::auto::nested_accuracy;
use super::layers::{how_clearly, points_less};
use super::over_heads_text::interval_note;
use super::text::{percent, percent_number, percent_range, seconds, table, table_with_header};
use crate::error::counted;
use crate::head::StopOn;
use crate::metrics::MeanOverHeads;
use crate::train::sweep::{LayerAccuracy, NestedAccuracy, Select, SettingResult, SweepStats};

/// Gives one cause of deviations of an accuracy.
type Deviation = fn(&MeanOverHeads) -> Option<f64>;

/// The causes of deviations, with the name of their column. All heads of a split share one order of rows.
const DEVIATIONS: [(&str, Deviation); 2] =
    [("+- first weights", |mean| mean.over_seeds), ("+- splits", |mean| mean.over_splits)];

/// Formats the whole result.
pub(super) fn summary(stats: &SweepStats) -> String {
    let failed: usize = stats.settings.iter().map(|setting| setting.failed).sum();
    format!(
        "{} in {}; features read in {}, runs written in {}\n\n{}\n{}{}{}{}",
        counted(stats.heads.len() - failed, "head"),
        seconds(stats.seconds),
        seconds(stats.read_seconds),
        seconds(stats.write_seconds),
        settings(stats),
        notes(&stats.settings),
        layers(stats),
        nested(stats),
        best(stats)
    )
}

/// The deviations that some setting has.
fn deviations(settings: &[SettingResult]) -> Vec<(&'static str, Deviation)> {
    let varies = |of: &Deviation| {
        settings.iter().filter_map(|setting| setting.test_accuracy).any(|mean| of(&mean).is_some())
    };
    DEVIATIONS.into_iter().filter(|(_, of)| varies(of)).collect()
}

fn settings(stats: &SweepStats) -> String {
    let settings = &stats.settings;
    let deviations = deviations(settings);
    let loss = match stats.selected_by {
        Select::Folds => "loss in folds",
        _ => "validation loss",
    };
    let has_layers = has_layers(settings);
    let mut names = if has_layers { vec!["layer"] } else { vec![] };
    let has_hidden = has_hidden(settings);
    names.push("use");
    names.extend(has_hidden.then_some("hidden"));
    names.extend(["lr", "l2", "heads", loss, "accuracy", "test accuracy"]);
    names.extend(deviations.iter().map(|(name, _)| *name));
    names.push("95 % interval");
    let mut rows = vec![names.into_iter().map(String::from).collect::<Vec<_>>()];
    rows.extend(settings.iter().map(|setting| row(setting, has_layers, has_hidden, &deviations)));
    table(&rows)
}

/// Whether a head has a hidden layer.
fn has_hidden(settings: &[SettingResult]) -> bool {
    settings.iter().any(|setting| setting.hidden > 0)
}

/// Whether heads of several layers are compared.
fn has_layers(settings: &[SettingResult]) -> bool {
    settings.iter().any(|setting| setting.layer != settings[0].layer)
}

fn row(
    setting: &SettingResult,
    has_layers: bool,
    has_hidden: bool,
    deviations: &[(&str, Deviation)],
) -> Vec<String> {
    let interval = setting.test_interval.map(|of| of.interval.map(percent));
    let mut row = if has_layers { vec![setting.layer.clone()] } else { vec![] };
    row.push(setting.variants.clone());
    row.extend(has_hidden.then(|| setting.hidden.to_string()));
    row.extend([
        setting.lr.map_or("-".into(), |lr| lr.to_string()),
        setting.l2.to_string(),
        setting.validation_loss.map_or(0, |loss| loss.n).to_string(),
        setting.validation_loss.map_or("failed".into(), |loss| format!("{:.4}", loss.mean)),
        percent(setting.validation_accuracy.map(|mean| mean.mean)),
        percent(setting.test_interval.map(|of| of.mean)),
    ]);
    let deviation = |of: Deviation| of(&setting.test_accuracy?);
    let text = percent_number;
    row.extend(deviations.iter().map(|(_, of)| deviation(*of).map_or("-".into(), text)));
    row.push(interval.map_or("-".into(), |[low, high]| format!("{low} to {high}")));
    row
}

/// What the deviations and the intervals of the test accuracy speak of.
fn notes(settings: &[SettingResult]) -> String {
    let deviation = match deviations(settings).is_empty() {
        true => "",
        false => "+-: standard deviation of the test accuracy in points\n",
    };
    let Some(of) = settings.iter().find_map(|setting| setting.test_interval) else {
        return deviation.into();
    };
    format!("{deviation}{}", interval_note(&of))
}

/// The layers over folds, with paired differences, and which to use.
fn layers(stats: &SweepStats) -> String {
    let Some(best) = stats.layers.first() else { return String::new() };
    let row = |one: &LayerAccuracy| {
        let accuracy = format!("{} ({})", percent(one.accuracy.mean), percent_range(one.accuracy.interval));
        [one.layer.clone(), accuracy, one.difference.map_or("best".into(), points_less)]
    };
    let near = stats.layers[1..].iter().filter(|one| one.may_be_as_good());
    let near: Vec<&str> = near.map(|one| one.layer.as_str()).collect();
    format!(
        "\naccuracy over {} folds within the train images, which vary alone\n\n{}\nuse {}: {}\n\n",
        best.accuracy.n,
        table_with_header(["layer", "accuracy (95 %)", "points less (95 %)"], stats.layers.iter().map(row)),
        best.layer,
        how_clearly(&near)
    )
}

/// How the choice does on folds that had no part in it, for each split where folds choose.
fn nested(stats: &SweepStats) -> String {
    let line = |nested: &NestedAccuracy| {
        let of = nested.resplit.map_or(String::new(), |resplit| format!("{resplit}: "));
        format!("{of}{}\n", nested_accuracy(&nested.accuracy))
    };
    stats.nested.iter().map(line).collect()
}

/// The best head or setting, marked as chosen.
fn best(stats: &SweepStats) -> String {
    let measure = match (stats.selected_by, stats.best_by) {
        (Select::Folds, StopOn::Loss) => "loss over folds within the train images",
        (Select::Folds, StopOn::Accuracy) => "accuracy over folds within the train images",
        (_, StopOn::Loss) => "validation loss",
        (_, StopOn::Accuracy) => "validation accuracy",
    };
    const CHOSEN: &str = "chosen by that score, which new images would not quite reach";
    match (&stats.best, stats.settings.as_slice()) {
        (Some(run), _) if stats.heads.len() == 1 => format!("{}\n", run.display()),
        (Some(run), _) => {
            format!("best {measure} of {} heads ({CHOSEN}): {}\n", stats.heads.len(), run.display())
        }
        (None, [first, _, ..]) => format!(
            "best mean {measure} of {} settings over the same splits ({CHOSEN}): {}\n",
            stats.settings.len(),
            name(first)
        ),
        (None, _) => String::new(),
    }
}

/// A setting by name, such as `use none,flip, lr 0.01, l2 0`.
fn name(setting: &SettingResult) -> String {
    let lr = setting.lr.map_or(String::new(), |lr| format!(", lr {lr}"));
    let hidden = if setting.hidden > 0 { format!(", hidden {}", setting.hidden) } else { String::new() };
    format!("use {}{hidden}{lr}, l2 {}", setting.variants, setting.l2)
}
