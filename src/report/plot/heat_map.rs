//! Heat maps of a square table of counts, such as a confusion matrix.

use super::drawing::Drawing;
use super::style::HEAT_STEPS;
use super::text::{decimal, text_width, truncate};
use crate::report::format::{count, percent};
use crate::report::html::{Markup, html};

/// A square table of counts. The colour of a cell shows its share of the row; cells on the diagonal are framed.
#[derive(Debug, Clone)]
pub struct HeatMap {
    /// Names of the rows, and of the columns.
    pub names: Vec<String>,
    /// Counts, `[row][column]`.
    pub counts: Vec<Vec<usize>>,
    /// What the rows are.
    pub rows: String,
    /// What the columns are.
    pub columns: String,
}

/// Tables with more names than this have small cells without numbers.
const NUMBERED: usize = 40;
/// Room for a name.
const NAME: f64 = 110.0;
/// Width of a colour in the key.
const KEY: f64 = 22.0;

/// One cell of the table: its counts, and where it is drawn.
struct Cell {
    row: usize,
    column: usize,
    count: usize,
    row_total: usize,
    left: f64,
    top: f64,
    side: f64,
}

impl HeatMap {
    pub(super) fn draw(&self) -> Drawing {
        let classes = self.names.len();
        let (cell, font) = match classes {
            0..=12 => (24.0, 10.0),
            13..=NUMBERED => (22.0, 9.0),
            _ => (11.0, 8.0),
        };
        let names = self.names.iter().map(|name| text_width(name, font)).fold(20.0, f64::max).min(NAME);
        // The table is square, and its names need the same room on the left as above.
        let edge = 16.0 + names + 6.0;
        let side = cell * classes as f64;
        let middle = decimal(edge + side / 2.0);
        let body = html! {
            text.small.middle x=(middle) y="9" { (self.columns) }
            text.small.middle transform=(format!("translate(9 {middle}) rotate(-90)")) { (self.rows) }
            @for (i, name) in self.names.iter().enumerate() {
                @let baseline = decimal(edge + i as f64 * cell + cell / 2.0 + font * 0.36);
                @let end = decimal(edge - 6.0);
                g.end transform=(format!("translate({end} {baseline})")) { (label(name, font)) }
                g transform=(format!("translate({baseline} {end}) rotate(-90)")) { (label(name, font)) }
            }
            @for (row, counts) in self.counts.iter().enumerate() {
                @let row_total: usize = counts.iter().sum();
                @for (column, &count) in counts.iter().enumerate() {
                    @if count > 0 || row == column {
                        @let (left, top) = (edge + column as f64 * cell, edge + row as f64 * cell);
                        (self.cell(&Cell { row, column, count, row_total, left, top, side: cell }))
                    }
                }
            }
            rect.grid x=(decimal(edge)) y=(decimal(edge)) width=(decimal(side)) height=(decimal(side)) {}
            (key(edge, edge + side + 12.0))
        };
        let width = (edge + side + 4.0).max(edge + 170.0);
        Drawing { width, height: edge + side + 42.0, body }
    }

    fn cell(&self, cell: &Cell) -> Markup {
        let &Cell { row, column, count: value, row_total, left, top, side } = cell;
        let share = (row_total > 0).then(|| value as f64 / row_total as f64);
        let steps = (share.unwrap_or(0.0) * HEAT_STEPS as f64).ceil() as usize;
        let step = steps.clamp(1, HEAT_STEPS) - 1;
        let (outer, inner) = (decimal(side - 1.0), decimal(side - 2.0));
        html! {
            rect.{ "h" (step) } x=(decimal(left + 0.5)) y=(decimal(top + 0.5)) width=(outer) height=(outer) {
                title { (self.names[row]) " predicted as " (self.names[column]) ": " (count(value)) " of " (count(row_total)) " (" (percent(share)) ")" }
            }
            @if row == column {
                rect.target x=(decimal(left + 1.0)) y=(decimal(top + 1.0)) width=(inner) height=(inner) {}
            }
            @if self.names.len() <= NUMBERED {
                text.tiny.middle.{ "t" (step) } x=(decimal(left + side / 2.0)) y=(decimal(top + side / 2.0 + 3.2)) { (value) }
            }
        }
    }
}

fn label(name: &str, font: f64) -> Markup {
    html! {
        text style=(format!("font-size:{font}px")) {
            title { (name) }
            (truncate(name, NAME, font))
        }
    }
}

/// Draws the key of the colours.
fn key(x: f64, y: f64) -> Markup {
    let width = decimal(KEY * HEAT_STEPS as f64);
    html! {
        @for step in 0..HEAT_STEPS {
            rect.{ "h" (step) } x=(decimal(x + KEY * step as f64)) y=(decimal(y)) width=(decimal(KEY)) height="9" {}
        }
        rect.grid x=(decimal(x)) y=(decimal(y)) width=(width) height="9" {}
        text.small x=(decimal(x)) y=(decimal(y + 21.0)) { "0 %" }
        text.small.end x=(decimal(x + KEY * HEAT_STEPS as f64)) y=(decimal(y + 21.0)) { "100 % of the row" }
    }
}
