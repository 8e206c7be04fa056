//! The page of a comparison: the runs' accuracies and differences with their intervals, and their curves over each
//! other. It refuses to compute any figure.

use super::{CompareStats, Compared};
use crate::head::Epoch;
use crate::markup::{Markup, html};
use crate::page::{self, Cell, Column, Page, Section, Table};
use crate::places::Made;
use crate::plot::{Axis, Chart, Curve, Figure, Interval, IntervalChart, LineChart, Unit};
use crate::words::{count, p_value, percent, percentage_points};
use serde_json::{Value, json};

/// The page with its plots and tables.
pub(super) fn made(stats: &CompareStats) -> Made {
    let names = short_names(&stats.runs.iter().map(|run| run.run.as_str()).collect::<Vec<_>>());
    let differences = [accuracies(stats, &names), differences(stats, &names)];
    let curves = curves(stats, &names);
    let tables = vec![runs_table(stats), differences_table(stats), curves_table(stats)];
    let sections = vec![
        Section::new("summary", "Summary", summary(stats, &names)),
        Section::new("accuracy", "Accuracy", accuracy(stats, &differences, &tables)),
        Section::new("curves", "Curves", curves_body(stats, &names, &curves)),
    ];
    let lead = html! {
        "Measured on the " (count(stats.images)) " " (stats.split.name()) " images that all runs hold out"
        @if stats.left_out > 0 { "; " (count(stats.left_out)) " that only some do are left out" }
        "."
    };
    let page = Page { title: format!("{} runs compared", stats.runs.len()), lead, sections };
    Made { page, figures: differences.into_iter().chain(curves).collect(), tables }
}

/// As many last parts of each path as tell all of them apart.
fn short_names(paths: &[&str]) -> Vec<String> {
    let parts =
        |path: &str| path.split(['/', '\\']).filter(|part| !part.is_empty()).map(String::from).collect();
    let all: Vec<Vec<String>> = paths.iter().map(|path| parts(path)).collect();
    let most = all.iter().map(Vec::len).max().unwrap_or(1);
    let of = |n: usize| -> Vec<String> {
        all.iter().map(|parts| parts[parts.len().saturating_sub(n)..].join("/")).collect()
    };
    let differ = |names: &Vec<String>| {
        (0..names.len()).all(|i| !names[..i].contains(&names[i]) || paths[..i].contains(&paths[i]))
    };
    (1..=most).map(of).find(differ).unwrap_or_else(|| paths.iter().map(|path| (*path).into()).collect())
}

fn summary(stats: &CompareStats, names: &[String]) -> Markup {
    let best = (0..stats.runs.len())
        .reduce(|best, i| if stats.runs[i].accuracy > stats.runs[best].accuracy { i } else { best });
    let (first, best) = (&stats.runs[0], best.unwrap_or(0));
    let interval = |run: &Compared| {
        format!("95 % interval {} to {}", percent(run.interval[0]), percent(run.interval[1]))
    };
    let mut facts = vec![
        ("First run", percent(first.accuracy), format!("{}, {}", names[0], interval(first))),
        (
            "Highest accuracy",
            percent(stats.runs[best].accuracy),
            format!("{}, {}", names[best], interval(&stats.runs[best])),
        ),
    ];
    if let Some(difference) = best.checked_sub(1).map(|at| &stats.differences[at]) {
        let [low, high] = difference.interval.map(percentage_points);
        facts.push((
            "Difference",
            percentage_points(difference.difference),
            format!("percentage points, {low} to {high}, p {}", p_value(difference.p_value)),
        ));
    }
    page::facts(&facts)
}

fn accuracy(stats: &CompareStats, figures: &[Figure], tables: &[Table]) -> Markup {
    html! {
        div.charts { @for one in figures { div { (page::figure(one)) } } }
        (tables[0].markup())
        (tables[1].markup())
        p.note {
            "Differences are of the same images, run less first run, with Newcombe's interval for paired shares; p is of McNemar's "
            "exact test of that pair alone."
            @if stats.differences.len() > 1 {
                " Of " (stats.differences.len()) " pairs the one that looks best looks better than it is: with Bonferroni's bound a "
                "difference is told from chance at 5 % where p is below " (format!("{:.4}", 0.05 / stats.differences.len() as f64)) "."
            }
        }
    }
}

fn axis(label: &str, unit: Unit) -> Axis {
    Axis { label: label.into(), unit, range: None }
}

fn accuracies(stats: &CompareStats, names: &[String]) -> Figure {
    let rows = stats.runs.iter().zip(names).map(|(run, name)| Interval {
        name: name.clone(),
        low: run.interval[0],
        value: run.accuracy,
        high: run.interval[1],
    });
    let one = |run: &Compared| json!({"run": run.run, "accuracy": run.accuracy, "interval": run.interval});
    let numbers: Vec<Value> = stats.runs.iter().map(one).collect();
    Figure {
        name: "accuracy".into(),
        title: "Accuracy of each run".into(),
        summary: "With Wilson's 95 % interval. Runs answer the same images, so look at the differences to tell them apart.".into(),
        chart: Chart::Interval(IntervalChart { rows: rows.collect(), values: axis("accuracy", Unit::Percent), zero: false }),
        numbers: json!({"runs": numbers}),
    }
}

fn differences(stats: &CompareStats, names: &[String]) -> Figure {
    let rows = stats.differences.iter().zip(&names[1..]).map(|(difference, name)| Interval {
        name: name.clone(),
        low: difference.interval[0],
        value: difference.difference,
        high: difference.interval[1],
    });
    Figure {
        name: "differences".into(),
        title: "Difference from the first run".into(),
        summary: format!("Against {}. An interval that leaves out zero tells the two apart.", names[0]),
        chart: Chart::Interval(IntervalChart {
            rows: rows.collect(),
            values: axis("percentage points of accuracy", Unit::Points),
            zero: true,
        }),
        numbers: json!({"differences": stats.differences}),
    }
}

/// What of an epoch a plot shows: its name in the JSON, the title, the value, the unit.
type Measure = (&'static str, &'static str, fn(&Epoch) -> f64, Unit);

const MEASURES: [Measure; 4] = [
    ("validation_loss", "Validation loss", |epoch| epoch.validation_loss, Unit::Plain(4)),
    ("train_loss", "Train loss", |epoch| epoch.train_loss, Unit::Plain(4)),
    ("validation_accuracy", "Validation accuracy", |epoch| epoch.validation_accuracy, Unit::Percent),
    ("train_accuracy", "Train accuracy", |epoch| epoch.train_accuracy, Unit::Percent),
];

/// The runs that have a curve, by number.
fn with_curves(stats: &CompareStats) -> impl Iterator<Item = usize> + '_ {
    (0..stats.runs.len()).filter(|&at| stats.runs[at].history.len() > 1)
}

fn curves(stats: &CompareStats, names: &[String]) -> Vec<Figure> {
    let one = |(key, title, of, unit): &Measure| {
        let curve = |at: usize| Curve {
            name: names[at].clone(),
            points: stats.runs[at].history.iter().map(|epoch| (epoch.epoch as f64, of(epoch))).collect(),
        };
        let numbers = |run: &Compared| {
            let history: Vec<Value> =
                run.history.iter().map(|epoch| json!({"epoch": epoch.epoch, *key: of(epoch)})).collect();
            json!({"run": run.run, "best_epoch": run.best_epoch, "history": history})
        };
        Figure {
            name: key.replace('_', "-"),
            title: (*title).into(),
            summary: format!("{title} of each run after each epoch."),
            chart: Chart::Line(LineChart {
                x: axis("epoch", Unit::Count),
                y: axis(&title.to_lowercase(), *unit),
                curves: with_curves(stats).map(curve).collect(),
                marks: Vec::new(),
            }),
            numbers: json!({"runs": stats.runs.iter().map(numbers).collect::<Vec<_>>()}),
        }
    };
    if with_curves(stats).next().is_none() { Vec::new() } else { MEASURES.iter().map(one).collect() }
}

fn curves_body(stats: &CompareStats, names: &[String], figures: &[Figure]) -> Markup {
    let without: Vec<&str> = (0..stats.runs.len())
        .filter(|&at| stats.runs[at].history.len() < 2)
        .map(|at| names[at].as_str())
        .collect();
    html! {
        @if !figures.is_empty() {
            p {
                "A train loss is the mean over an epoch while the head still moves, a validation loss is taken after it. Losses of runs that "
                "were fitted with other variants, label smoothing or class weights are not of the same thing: compare their accuracies."
            }
            div.charts { @for one in figures { div { (page::figure(one)) } } }
        }
        @if !without.is_empty() { p { "Without a curve, fitted in one step: " (without.join(", ")) "." } }
    }
}

fn runs_table(stats: &CompareStats) -> Table {
    let columns = [
        ("Run", "run"),
        ("Accuracy", "accuracy"),
        ("From", "low"),
        ("To", "high"),
        ("Macro F1", "macro_f1"),
        ("Fitted by", "fitted_by"),
        ("Trained on", "variants"),
        ("Best epoch", "best_epoch"),
        ("Epochs", "epochs"),
    ];
    let rows = stats.runs.iter().enumerate().map(|(at, run)| {
        vec![
            Cell::text(&run.run),
            Cell::percent(run.accuracy),
            Cell::percent(run.interval[0]),
            Cell::percent(run.interval[1]),
            Cell::score(run.macro_f1),
            Cell::text(stats.fitted_by(at)),
            Cell::text(run.families()),
            Cell::count(run.best_epoch),
            Cell::count(run.history.len()),
        ]
    });
    Table {
        name: "runs".into(),
        caption: format!("The runs on {} {} images", count(stats.images), stats.split),
        columns: columns.map(|(title, key)| Column::new(title, key)).into(),
        rows: rows.collect(),
    }
}

fn differences_table(stats: &CompareStats) -> Table {
    let columns = [
        ("Run", "run"),
        ("Points", "difference"),
        ("From", "low"),
        ("To", "high"),
        ("p", "p_value"),
        ("Only this right", "only_run"),
        ("Only the first right", "only_first"),
        ("Against", "against"),
    ];
    let signed = |value: f64| Cell::Number { told: percentage_points(value), value: Some(value) };
    let rows = stats.differences.iter().map(|d| {
        vec![
            Cell::text(&d.run),
            signed(d.difference),
            signed(d.interval[0]),
            signed(d.interval[1]),
            Cell::Number { told: p_value(d.p_value), value: Some(d.p_value) },
            Cell::count(d.only_run),
            Cell::count(d.only_first),
            Cell::text(&d.against),
        ]
    });
    Table {
        name: "differences".into(),
        caption: "Each run against the first, in percentage points of accuracy".into(),
        columns: columns.map(|(title, key)| Column::new(title, key)).into(),
        rows: rows.collect(),
    }
}

fn curves_table(stats: &CompareStats) -> Table {
    let head = [("Run", "run"), ("Epoch", "epoch")].map(|(title, key)| Column::new(title, key));
    let measures = MEASURES.iter().map(|(key, title, ..)| Column::new(*title, *key));
    let row = |run: &Compared, epoch: &Epoch| {
        let values = MEASURES.iter().map(|(_, _, of, _)| Cell::score(of(epoch)));
        [Cell::text(&run.run), Cell::count(epoch.epoch)].into_iter().chain(values).collect()
    };
    let rows = stats.runs.iter().flat_map(|run| run.history.iter().map(move |epoch| row(run, epoch)));
    Table {
        name: "curves".into(),
        caption: "Loss and accuracy of each run after each epoch".into(),
        columns: head.into_iter().chain(measures).collect(),
        rows: rows.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_called_by_what_tells_them_apart() {
        assert_eq!(short_names(&["runs/a", "runs/b/"]), ["a", "b"]);
        assert_eq!(short_names(&["x/one/a", "x/two/a"]), ["one/a", "two/a"]);
        assert_eq!(short_names(&["r", "r"]), ["r", "r"]);
        assert_eq!(short_names(&["a", "x/a"]), ["a", "x/a"]);
    }
}
