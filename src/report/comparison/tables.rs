//! Tables of a comparison of runs, as the page shows them and as CSV files.

use super::measures::MEASURES;
use crate::evaluate::comparison::{CompareStats, RunScores};
use crate::head::{Epoch, SolverConfig};
use crate::report::format::count;
use crate::report::page::{Cell, Column, Table};

/// The number of epochs of a run; `None` for L-BFGS, which has none.
fn epochs(run: &RunScores) -> Option<usize> {
    matches!(run.config, SolverConfig::Adam(_)).then_some(run.history.len())
}

/// A column that the page leaves out if all runs agree on it, as the text above the table then says.
fn unless_shared(stats: &CompareStats, title: &str, key: &str, get: fn(&RunScores) -> &str) -> Column {
    if stats.shared(get).is_some() { Column::file_only(key) } else { Column::new(title, key) }
}

pub(super) fn runs(stats: &CompareStats, names: &[String]) -> Table {
    let same_variants =
        stats.runs.iter().all(|run| run.variant_families() == stats.runs[0].variant_families());
    let columns = [
        Column::new("Run", "run"),
        Column::new("Accuracy", "accuracy"),
        Column::file_only("low"),
        Column::file_only("high"),
        Column::new("Macro F1", "macro_f1"),
        Column::new("Solver", "fitted_by"),
        unless_shared(stats, "Cache", "cache", |run| &run.cache),
        unless_shared(stats, "Backbone", "backbone", |run| &run.backbone),
        unless_shared(stats, "Layer", "layer", |run| &run.layer),
        if same_variants { Column::file_only("variants") } else { Column::new("Variants", "variants") },
        Column::new("Best epoch", "best_epoch"),
        Column::new("Epochs", "epochs"),
    ];
    let rows = stats.runs.iter().enumerate().map(|(at, run)| {
        [
            Cell::shortened(&run.run, &names[at]),
            Cell::percent_with_interval(Some(run.accuracy), Some(run.interval)),
            Cell::percent(run.interval[0]),
            Cell::percent(run.interval[1]),
            Cell::score(run.macro_f1),
            Cell::text(stats.solver_and_settings(at)),
            Cell::text(&run.cache),
            Cell::text(&run.backbone),
            Cell::text(&run.layer),
            Cell::text(run.variant_families()),
            Cell::optional_count(epochs(run).map(|_| run.best_epoch)),
            Cell::optional_count(epochs(run)),
        ]
    });
    let caption = format!("The runs on {} {} images", count(stats.images), stats.split);
    Table::new("runs", caption, columns, rows)
}

pub(super) fn differences(stats: &CompareStats, names: &[String]) -> Table {
    let columns = [
        Column::new("Run", "run"),
        Column::new("Points", "difference"),
        Column::file_only("low"),
        Column::file_only("high"),
        Column::new("p", "p_value"),
        Column::new("p (Holm)", "holm_p_value"),
        Column::new("Macro F1 points", "macro_f1_difference"),
        Column::file_only("macro_f1_low"),
        Column::file_only("macro_f1_high"),
        Column::new("Only this one correct", "only_run"),
        Column::new("Only the first correct", "only_first"),
        Column::file_only("against"),
    ];
    let rows = stats.differences.iter().zip(&names[1..]).map(|(d, name)| {
        [
            Cell::shortened(&d.run, name),
            Cell::points_with_interval(d.difference, Some(d.interval)),
            Cell::percentage_points(d.interval[0]),
            Cell::percentage_points(d.interval[1]),
            Cell::p_value(d.p_value),
            Cell::p_value(d.holm_p_value),
            Cell::points_with_interval(d.macro_f1_difference.unwrap_or(0.0), d.macro_f1_interval),
            Cell::percentage_points(d.macro_f1_interval.map_or(-1.0, |interval| interval[0])),
            Cell::percentage_points(d.macro_f1_interval.map_or(1.0, |interval| interval[1])),
            Cell::count(d.only_run),
            Cell::count(d.only_first),
            Cell::text(&d.against),
        ]
    });
    let caption = format!(
        "Each run compared with the first, {}, in percentage points with their 95 % intervals",
        names[0]
    );
    Table::new("differences", caption, columns, rows)
}

pub(super) fn curves(stats: &CompareStats) -> Table {
    let first = [Column::new("Run", "run"), Column::new("Epoch", "epoch")];
    let measures = MEASURES.iter().map(|measure| Column::new(measure.title, measure.key));
    let row = |run: &RunScores, epoch: &Epoch| {
        let values = MEASURES.iter().map(|measure| Cell::score((measure.value)(epoch)));
        [Cell::text(&run.run), Cell::count(epoch.epoch)].into_iter().chain(values).collect()
    };
    let rows = stats.runs.iter().flat_map(|run| run.history.iter().map(move |epoch| row(run, epoch)));
    Table {
        page_order: Vec::new(),
        name: "curves".into(),
        caption: "Loss and accuracy of each run after each epoch".into(),
        columns: first.into_iter().chain(measures).collect(),
        rows: rows.collect(),
    }
}
