//! The scores of a folder of runs as text.

use super::over_heads_text::interval_note;
use super::scores_text::class_table;
use super::text::{percent, percent_number, percent_range, score, table, table_with_header};
use crate::error::counted;
use crate::evaluate::members::{MemberScores, MembersStats, SettingScores};
use crate::metrics::MeanOverHeads;

/// The most runs that are listed as text; the JSON has all.
const MOST_RUNS: usize = 40;

/// Formats the whole result.
pub(super) fn summary(stats: &MembersStats) -> String {
    let mut out =
        format!("{} in {}, {} images\n\n", counted(stats.runs.len(), "run"), stats.folder, stats.split);
    out.push_str(&settings(&stats.settings));
    stats.shared.iter().for_each(|shared| out.push_str(&format!("{shared}\n")));
    if let [only] = &stats.settings[..]
        && !only.classes.is_empty()
    {
        out.push_str(&format!("\neach class over all folds\n{}", class_table(&only.classes)));
    }
    out.push_str(&format!("\n{}", runs(stats)));
    out
}

/// A deviation of the accuracy, with the name of its column.
type Deviation = (&'static str, fn(&MeanOverHeads) -> Option<f64>);

/// Each setting over its heads, and what the interval speaks of.
fn settings(settings: &[SettingScores]) -> String {
    let all: [Deviation; 2] =
        [("+- first weights", |mean| mean.over_seeds), ("+- splits", |mean| mean.over_splits)];
    let varies = |of: &Deviation| settings.iter().any(|setting| of.1(&setting.accuracy).is_some());
    let deviations: Vec<Deviation> = all.into_iter().filter(varies).collect();
    let mut names = vec!["setting", "runs", "what varies", "accuracy", "95 % interval", "macro F1"];
    names.extend(deviations.iter().map(|(name, _)| *name));
    let mut rows = vec![names.into_iter().map(String::from).collect::<Vec<_>>()];
    rows.extend(settings.iter().map(|setting| {
        let name = match setting.name.as_str() {
            "" if settings.len() == 1 => "all alike".into(),
            "" => "-".into(),
            name => name.into(),
        };
        let mut row = vec![
            name,
            setting.varied.heads.to_string(),
            setting.varied.to_string(),
            percent(setting.interval.mean),
            percent_range(setting.interval.interval),
            score(setting.macro_f1.map(|mean| mean.mean)),
        ];
        row.extend(deviations.iter().map(|(_, of)| match of(&setting.accuracy) {
            Some(deviation) => percent_number(deviation),
            None => "-".into(),
        }));
        row
    }));
    let mut out = table(&rows);
    if !deviations.is_empty() {
        out.push_str("+-: standard deviation of the accuracy in points\n");
    }
    // Settings that vary alike have the same note.
    let mut notes: Vec<String> = Vec::new();
    for note in settings.iter().map(|setting| interval_note(&setting.interval)) {
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    out + &notes.concat()
}

fn runs(stats: &MembersStats) -> String {
    let row = |one: &MemberScores| {
        [
            one.run.display().to_string(),
            one.resplit.map_or("own".into(), |resplit| resplit.to_string()),
            one.seed.map_or("-".into(), |seed| seed.to_string()),
            one.images.to_string(),
            percent(one.accuracy),
            percent_range(one.interval),
            score(one.macro_f1),
        ]
    };
    let names = ["run", "split", "seed", "images", "accuracy", "95 % interval", "macro F1"];
    let mut out = table_with_header(names, stats.runs.iter().take(MOST_RUNS).map(row));
    if let Some(rest) = stats.runs.len().checked_sub(MOST_RUNS).filter(|rest| *rest > 0) {
        out.push_str(&format!("... and {} (--json has all)\n", counted(rest, "more run")));
    }
    out
}
