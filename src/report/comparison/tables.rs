//! Tables of a comparison of runs, as the page shows them and as CSV files.

use super::measures::MEASURES;
use crate::evaluate::comparison::{CompareStats, RunScores};
use crate::head::Epoch;
use crate::report::format::count;
use crate::report::page::{Cell, Column, Table};

pub(super) fn runs(stats: &CompareStats) -> Table {
    let columns = [
        Column::new("Run", "run"),
        Column::new("Accuracy", "accuracy"),
        Column::new("From", "low"),
        Column::new("To", "high"),
        Column::new("Macro F1", "macro_f1"),
        Column::new("Solver", "fitted_by"),
        Column::new("Variants", "variants"),
        Column::new("Best epoch", "best_epoch"),
        Column::new("Epochs", "epochs"),
    ];
    let rows = stats.runs.iter().enumerate().map(|(at, run)| {
        [
            Cell::text(&run.run),
            Cell::percent(run.accuracy),
            Cell::percent(run.interval[0]),
            Cell::percent(run.interval[1]),
            Cell::score(run.macro_f1),
            Cell::text(stats.solver_and_settings(at)),
            Cell::text(run.variant_families()),
            Cell::count(run.best_epoch),
            Cell::count(run.history.len()),
        ]
    });
    let caption = format!("The runs on {} {} images", count(stats.images), stats.split);
    Table::new("runs", caption, columns, rows)
}

pub(super) fn differences(stats: &CompareStats) -> Table {
    let columns = [
        Column::new("Run", "run"),
        Column::new("Points", "difference"),
        Column::new("From", "low"),
        Column::new("To", "high"),
        Column::new("p", "p_value"),
        Column::new("p (Holm)", "holm_p_value"),
        Column::new("Macro F1 points", "macro_f1_difference"),
        Column::new("From", "macro_f1_low"),
        Column::new("To", "macro_f1_high"),
        Column::new("Correct by this run only", "only_run"),
        Column::new("Correct by the first only", "only_first"),
        Column::new("Compared with", "against"),
    ];
    let rows = stats.differences.iter().map(|d| {
        [
            Cell::text(&d.run),
            Cell::percentage_points(d.difference),
            Cell::percentage_points(d.interval[0]),
            Cell::percentage_points(d.interval[1]),
            Cell::p_value(d.p_value),
            Cell::p_value(d.holm_p_value),
            Cell::percentage_points(d.macro_f1_difference.unwrap_or(0.0)),
            Cell::percentage_points(d.macro_f1_interval.map_or(-1.0, |interval| interval[0])),
            Cell::percentage_points(d.macro_f1_interval.map_or(1.0, |interval| interval[1])),
            Cell::count(d.only_run),
            Cell::count(d.only_first),
            Cell::text(&d.against),
        ]
    });
    let caption = "Each run compared with the first, in percentage points of accuracy";
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
        name: "curves".into(),
        caption: "Loss and accuracy of each run after each epoch".into(),
        columns: first.into_iter().chain(measures).collect(),
        rows: rows.collect(),
    }
}
