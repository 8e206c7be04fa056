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
/// Tables with more names than this are wider than a phone.
const LARGE: usize = 12;
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

/// Sizes of a table: side of a cell, font size of names, room for names, and side of the table without them.
struct Layout {
    cell: f64,
    font: f64,
    edge: f64,
    side: f64,
}

impl HeatMap {
    /// Whether the table is wider than a phone, so that its names should stay visible while it is scrolled.
    pub(super) fn is_large(&self) -> bool {
        self.names.len() > LARGE
    }

    fn layout(&self) -> Layout {
        let (cell, font) = match self.names.len() {
            few if few <= LARGE => (24.0, 10.0),
            some if some <= NUMBERED => (22.0, 9.0),
            _ => (11.0, 8.0),
        };
        let names = self.names.iter().map(|name| text_width(name, font)).fold(20.0, f64::max).min(NAME);
        // The table is square, and its names need the same room on the left as above.
        Layout { cell, font, edge: (16.0 + names + 6.0).ceil(), side: cell * self.names.len() as f64 }
    }

    pub(super) fn draw(&self) -> Drawing {
        let layout = self.layout();
        let Layout { edge, side, .. } = layout;
        let (near, far) = (decimal(edge), edge + side);
        let body = html! {
            g transform=(format!("translate({near} 0)")) { (self.column_names(&layout)) }
            g transform=(format!("translate(0 {near})")) { (self.row_names(&layout)) }
            g transform=(format!("translate({near} {near})")) { (self.cells(&layout)) }
            g transform=(format!("translate({near} {})", decimal(far + 12.0))) { (key()) }
        };
        Drawing { width: (far + 4.0).max(edge + 170.0), height: far + 42.0, body }
    }

    /// Draws the table for a page: as wide as the screen if that leaves it readable, else in a scrolling region in which
    /// the names stay visible. A table of many names can be enlarged.
    pub(super) fn draw_sticky(&self, plot: &str, described: &Markup) -> Markup {
        let layout = self.layout();
        let Layout { edge, side, .. } = layout;
        let svg = |width: f64, height: f64| format!("0 0 {} {}", decimal(width), decimal(height));
        let is_overview = self.names.len() > NUMBERED;
        let columns = format!(
            "grid-template-columns:{}fr {}fr;--natural:{}px",
            decimal(edge),
            decimal(side + 1.0),
            decimal((edge + side) * if is_overview { 1.4 } else { 1.0 })
        );
        html! {
            @if is_overview { label.enlarge { input type="checkbox"; " Enlarge" } }
            div.scroll role="region" tabindex="0" aria-label=(format!("{}: {} by {}", plot.replace('-', " "), self.rows, self.columns)) {
                div.matrix.overview[is_overview] style=(columns) {
                    svg.plot.cells viewBox=(svg(side + 1.0, side + 1.0)) role="img" aria-labelledby=(format!("{plot}-title {plot}-desc")) {
                        (described)
                        (self.cells(&layout))
                    }
                    svg.plot.columns viewBox=(svg(side + 1.0, edge)) aria-hidden="true" { (self.column_names(&layout)) }
                    svg.plot.rows viewBox=(svg(edge, side + 1.0)) aria-hidden="true" { (self.row_names(&layout)) }
                    div.corner {}
                }
            }
            svg.plot.key viewBox="0 0 170 24" aria-hidden="true" { (key()) }
        }
    }

    fn column_names(&self, layout: &Layout) -> Markup {
        let Layout { edge, side, .. } = *layout;
        html! {
            text.small.middle x=(decimal(side / 2.0)) y="9" { (self.columns) }
            @for (i, name) in self.names.iter().enumerate() {
                g transform=(format!("translate({} {}) rotate(-90)", layout.baseline(i), decimal(edge - 6.0))) { (label(name, layout.font)) }
            }
        }
    }

    fn row_names(&self, layout: &Layout) -> Markup {
        let Layout { edge, side, .. } = *layout;
        html! {
            text.small.middle transform=(format!("translate(9 {}) rotate(-90)", decimal(side / 2.0))) { (self.rows) }
            @for (i, name) in self.names.iter().enumerate() {
                g.end transform=(format!("translate({} {})", decimal(edge - 6.0), layout.baseline(i))) { (label(name, layout.font)) }
            }
        }
    }

    fn cells(&self, layout: &Layout) -> Markup {
        let side = layout.cell;
        html! {
            @for (row, counts) in self.counts.iter().enumerate() {
                @let row_total: usize = counts.iter().sum();
                @for (column, &count) in counts.iter().enumerate() {
                    @if count > 0 || row == column {
                        @let (left, top) = (column as f64 * side, row as f64 * side);
                        (self.cell(&Cell { row, column, count, row_total, left, top, side }))
                    }
                }
            }
            rect.grid width=(decimal(layout.side)) height=(decimal(layout.side)) {}
        }
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

impl Layout {
    /// Where the name of row or column `i` stands.
    fn baseline(&self, i: usize) -> String {
        decimal(i as f64 * self.cell + self.cell / 2.0 + self.font * 0.36)
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
fn key() -> Markup {
    let width = decimal(KEY * HEAT_STEPS as f64);
    html! {
        @for step in 0..HEAT_STEPS {
            rect.{ "h" (step) } x=(decimal(KEY * step as f64)) width=(decimal(KEY)) height="9" {}
        }
        rect.grid width=(width) height="9" {}
        text.small y="21" { "0 %" }
        text.small.end x=(width) y="21" { "100 % of the row" }
    }
}
