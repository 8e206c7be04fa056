//! The results of an experiment as Markdown tables. Accuracies are in percent of the test images, differences in percentage
//! points.

use super::scores::{AccuracyChange, ConditionScore, PairScore, SwitchEffect, TestScore};
use super::stats::ExperimentStats;
use crate::metrics::{
    MeanWithInterval, ResampledMean, format_p_value as p_value, percent_number, point_number,
};

/// Formats an effect.
type FormatChange = fn(&AccuracyChange) -> String;

/// Formats all tables.
pub fn markdown(stats: &ExperimentStats) -> String {
    let [train, validation, test] = stats.images;
    let mut out = format!(
        "# {}\n\n{train} train, {validation} validation and {test} test images of {} classes. Accuracies are in percent of the \
         test images, differences in percentage points; brackets hold 95 % confidence intervals.\n",
        stats.title, stats.classes
    );
    let mut part = |title: &str, text: String| {
        if !text.is_empty() {
            out.push_str(&format!("\n## {title}\n\n{text}"));
        }
    };
    part("Accuracy", accuracies(stats));
    part("One head of each run", heads(stats));
    for condition in &stats.conditions {
        part(&format!("Pairs, {}", condition.name), pairs(condition));
    }
    part("What each switch changes", effects(stats));
    part("Time", times(stats));
    out
}

fn percent(share: f64) -> String {
    percent_number(share)
}

fn points(difference: f64) -> String {
    point_number(difference)
}

fn with_interval(value: f64, interval: Option<[f64; 2]>, format_value: fn(f64) -> String) -> String {
    match interval {
        Some([low, high]) => {
            format!("{} ({} to {})", format_value(value), format_value(low), format_value(high))
        }
        None => format_value(value),
    }
}

/// The mean over heads. Heads that are alike as far as the numbers are shown have no interval, which would read as certainty.
fn over_seeds(repeats: Option<MeanWithInterval>, format_value: fn(f64) -> String) -> String {
    let Some(repeats) = repeats else { return "-".into() };
    let wide = |[low, high]: &[f64; 2]| format_value(*low) != format_value(*high);
    match repeats.interval.filter(wide) {
        None if repeats.n > 1 => format!("{} ({} alike)", format_value(repeats.mean), repeats.n),
        interval => with_interval(repeats.mean, interval, format_value),
    }
}

fn over_splits(splits: Option<ResampledMean>, format_value: fn(f64) -> String) -> String {
    splits.map_or("-".into(), |splits| with_interval(splits.mean, Some(splits.interval), format_value))
}

fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.2} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s => format!("{:.1} min", s / 60.0),
    }
}

/// Formats a table with padded columns, the first aligned to the left and the others to the right.
fn table(names: &[String], rows: &[Vec<String>]) -> String {
    let all: Vec<&[String]> = std::iter::once(names).chain(rows.iter().map(Vec::as_slice)).collect();
    let width = |column: usize| all.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..names.len()).map(width).collect();
    let mut out = String::new();
    for (number, row) in all.iter().enumerate() {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            let space = " ".repeat(width - cell.chars().count());
            if column == 0 { format!("{cell}{space}") } else { format!("{space}{cell}") }
        });
        out.push_str(&format!("| {} |\n", cells.collect::<Vec<_>>().join(" | ")));
        if number == 0 {
            let line = |(column, &width): (usize, &usize)| match column {
                0 => "-".repeat(width + 2),
                _ => format!("{}:", "-".repeat(width + 1)),
            };
            out.push_str(&format!(
                "|{}|\n",
                widths.iter().enumerate().map(line).collect::<Vec<_>>().join("|")
            ));
        }
    }
    out
}

fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(String::from).into()
}

/// Accuracy of runs and baselines over seeds and over splits, one column per condition.
fn accuracies(stats: &ExperimentStats) -> String {
    let has_published = stats.conditions[0].runs.iter().any(|run| run.published.is_some());
    let mut names = texts(["run"]);
    names.extend(has_published.then(|| "published".into()));
    for condition in &stats.conditions {
        names.push(format!("{}, {} heads", condition.name, stats.seeds));
        names.extend((stats.resplits > 0).then(|| format!("{}, {} splits", condition.name, stats.resplits)));
    }
    let cells = |score: &TestScore| {
        let mut cells = vec![over_seeds(score.seeds, percent)];
        cells.extend((stats.resplits > 0).then(|| over_splits(score.splits, percent)));
        cells
    };
    let mut rows = Vec::new();
    for (i, run) in stats.conditions[0].runs.iter().enumerate() {
        let mut row = vec![run.name.clone()];
        let published = run.published.and_then(|published| published.accuracy);
        row.extend(has_published.then(|| published.map_or("-".into(), percent)));
        stats.conditions.iter().for_each(|condition| row.extend(cells(&condition.runs[i].score)));
        rows.push(row);
    }
    // No switch changes a baseline, so it is shown where none is on.
    let place = stats.conditions.iter().position(|condition| condition.switches.is_empty());
    let place = place.unwrap_or(stats.conditions.len() - 1);
    for baseline in &stats.baselines {
        let mut row = vec![format!("*{}*", baseline.name)];
        row.extend(has_published.then(|| "-".into()));
        for i in 0..stats.conditions.len() {
            let own = cells(&baseline.score);
            row.extend(if i == place { own } else { vec!["-".into(); own.len()] });
        }
        rows.push(row);
    }
    let mut out = table(&names, &rows);
    out.push_str(&format!(
        "\nHeads: on the splits of the caches; only their initial weights vary and, where rows are shuffled, the order of \
         rows. The interval is that of their mean, by Student's t; it does not extend to other images. Heads that agree to the \
         last digit shown are alike, and have no interval. Splits: drawn anew with \
         seeds 1 to {}, one head each. The interval is that of the corrected resampled t-test (Nadeau and Bengio 2003). \
         Baselines are in italics.\n",
        stats.resplits
    ));
    out
}

/// The first head of each run, on one test split.
fn heads(stats: &ExperimentStats) -> String {
    let names = [
        "run",
        "condition",
        "test images",
        "accuracy",
        "epochs",
        "published epochs",
        "seconds per head",
        "published minutes",
    ];
    let mut rows = Vec::new();
    for i in 0..stats.conditions[0].runs.len() {
        for condition in &stats.conditions {
            let run = &condition.runs[i];
            let published = |text: Option<String>| text.unwrap_or_else(|| "-".into());
            rows.push(vec![
                run.name.clone(),
                condition.name.clone(),
                run.score.images.to_string(),
                with_interval(run.score.first, Some(run.score.interval), percent),
                run.epochs.map_or("-".into(), |epochs| format!("{:.0}", epochs.mean)),
                published(run.published.and_then(|p| p.epochs).map(|epochs| epochs.to_string())),
                format!("{:.2}", run.seconds / run.heads.max(1) as f64),
                published(run.published.and_then(|p| p.minutes).map(|minutes| format!("{minutes:.1}"))),
            ]);
        }
    }
    let mut out = table(&texts(names), &rows);
    out.push_str(
        "\nThe first head of each run, which is kept as a run on disk. The interval is Wilson's interval of a proportion. Epochs are \
         the mean over the heads; seconds per head are those of all heads together, divided by their number.\n",
    );
    out
}

fn pairs(condition: &ConditionScore) -> String {
    if condition.pairs.is_empty() {
        return String::new();
    }
    let names = ["pair", "first heads", "p (McNemar)", "splits", "p (resampled)", "p (Holm)"];
    let row = |pair: &PairScore| {
        vec![
            format!("{} - {}", pair.first, pair.second),
            with_interval(pair.difference, Some(pair.interval), points),
            p_value(pair.p_value),
            over_splits(pair.splits, points),
            pair.splits.map_or("-".into(), |splits| p_value(splits.p_value)),
            p_value(pair.adjusted_p_value),
        ]
    };
    let rows: Vec<Vec<String>> = condition.pairs.iter().map(row).collect();
    let mut out = table(&texts(names), &rows);
    out.push_str(
        "\nFirst heads: on the same test images, with Newcombe's interval and McNemar's exact test. Splits: corrected resampled \
         t-test. The last column is its p value, or without splits McNemar's, corrected for the number of pairs (Holm 1979): a \
         pair below 0.05 differs, however many there are.\n",
    );
    out
}

fn effects(stats: &ExperimentStats) -> String {
    if stats.effects.is_empty() {
        return String::new();
    }
    let mut out = String::new();
    let has_splits = stats.resplits > 0;
    let over: [(&str, FormatChange); 2] = [
        ("splits", |change| over_splits(change.splits, points)),
        ("heads", |change| over_seeds(change.seeds, points)),
    ];
    for (what, format_change) in over.into_iter().filter(|(what, _)| has_splits || *what == "heads") {
        let number = if what == "splits" { stats.resplits } else { stats.seeds };
        let mut names = vec![format!("over {number} {what}"), "mean of changed runs".into()];
        names.extend(stats.conditions[0].runs.iter().map(|run| run.name.clone()));
        let row = |effect: &SwitchEffect| {
            let mut row = vec![effect.name.clone()];
            row.extend(
                [&effect.mean]
                    .into_iter()
                    .chain(&effect.runs)
                    .map(|change| change.as_ref().map_or("-".into(), format_change)),
            );
            row
        };
        out.push_str(&table(&names, &stats.effects.iter().map(row).collect::<Vec<_>>()));
        out.push('\n');
    }
    out.push_str(
        "Accuracy with only this switch less accuracy without switches; the last rows have all switches of a condition. A dash \
         marks a run that the switch does not change.\n",
    );
    for effect in stats.effects.iter().filter(|effect| !effect.about.is_empty()) {
        out.push_str(&format!("- {}: {}\n", effect.name, effect.about));
    }
    out
}

fn times(stats: &ExperimentStats) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for cache in &stats.caches {
        let what =
            format!("features {:?}, {} of {} rows computed now", cache.name, cache.computed, cache.rows);
        rows.push(vec![what, seconds(cache.seconds)]);
    }
    let read: f64 = stats.caches.iter().map(|cache| cache.read_seconds).sum();
    rows.extend([
        vec!["reading features".into(), seconds(read)],
        vec![format!("fitting {} heads", stats.heads), seconds(stats.fit_seconds)],
        vec!["baselines without a head".into(), seconds(stats.baseline_seconds)],
        vec![format!("writing {} runs", stats.runs.len()), seconds(stats.write_seconds)],
        vec!["all".into(), seconds(stats.seconds)],
    ]);
    rows.extend(stats.published_minutes.map(|minutes| vec!["published".into(), format!("{minutes:.1} min")]));
    table(&texts(["part", "wall time"]), &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_that_are_alike_show_no_certainty() {
        let of = |values: &[f64]| over_seeds(crate::metrics::mean_with_interval(values), percent);
        assert_eq!(of(&[0.935, 0.935, 0.935]), "93.5 (3 alike)");
        assert_eq!(of(&[0.935, 0.93501, 0.93499]), "93.5 (3 alike)");
        assert_eq!(of(&[0.935]), "93.5");
        assert_eq!(of(&[0.9, 0.92]), "91.0 (78.3 to 103.7)");
    }

    #[test]
    fn numbers_are_formatted_as_in_the_tables() {
        assert_eq!([points(0.012), points(-0.0001), points(-0.02)].join(" "), "+1.2 0.0 -2.0");
        assert_eq!(with_interval(0.5, Some([0.4, 0.6]), percent), "50.0 (40.0 to 60.0)");
        let rows = [vec!["é".to_string(), "1".into()], vec!["long".into(), "10".into()]];
        assert_eq!(
            table(&texts(["a", "b"]), &rows),
            "| a    |  b |\n|------|---:|\n| é    |  1 |\n| long | 10 |\n"
        );
    }
}
