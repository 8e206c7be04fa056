//! Interval charts (forest plots): a row for each estimate, with its interval as a horizontal line.

use super::axes::{value_axis, vertical_line};
use super::axis::{Axis, PlacedAxis};
use super::drawing::{Drawing, WIDTH};
use super::text::{decimal, text_width, truncate};
use crate::report::html::{Markup, html};

/// Estimates with their intervals, one below the other.
#[derive(Debug, Clone)]
pub struct IntervalChart {
    /// The estimates, from top to bottom.
    pub rows: Vec<Interval>,
    /// The axis of values.
    pub values: Axis,
    /// Whether the axis includes zero, marked by a line.
    pub zero: bool,
}

/// A named estimate with its interval.
#[derive(Debug, Clone)]
pub struct Interval {
    /// What is estimated.
    pub name: String,
    /// Lower end of the interval.
    pub low: f64,
    /// The estimate.
    pub value: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// Room for a name at most.
const NAME: f64 = 160.0;
/// Height of a row.
const ROW: f64 = 24.0;
/// Room for the estimate on the right.
const VALUE: f64 = 52.0;
/// Upper edge of the first row.
const TOP: f64 = 4.0;

impl IntervalChart {
    pub(super) fn draw(&self) -> Drawing {
        let widest = self.rows.iter().map(|row| text_width(&row.name, 11.0)).fold(30.0, f64::max);
        // Long names, such as those that list settings, are set smaller rather than cut.
        let font = if widest > NAME { 9.0 } else { 11.0 };
        let names = (widest * font / 11.0).min(NAME).ceil();
        let ends = self.rows.iter().flat_map(|row| [row.low, row.value, row.high]);
        let zero = self.zero.then_some(0.0);
        let axis = self.values.lay_out(ends.chain(zero), names + 14.0, WIDTH - VALUE);
        let bottom = TOP + ROW * self.rows.len() as f64;
        let body = html! {
            (value_axis(&axis, TOP, bottom))
            @if self.zero { path.zero d=(vertical_line(axis.at(0.0), TOP, bottom)) {} }
            @for (i, row) in self.rows.iter().enumerate() {
                (draw_row(row, Names { width: names, font }, &axis, TOP + ROW * (i as f64 + 0.5)))
            }
        };
        Drawing { width: WIDTH, height: bottom + 32.0, body }
    }
}

/// Room and font size of the names.
#[derive(Clone, Copy)]
struct Names {
    width: f64,
    font: f64,
}

fn draw_row(row: &Interval, names: Names, axis: &PlacedAxis, y: f64) -> Markup {
    let [low, middle, high] = [row.low, row.value, row.high].map(|value| axis.at(value));
    let [from, estimate, to] = [row.low, row.value, row.high].map(|value| axis.axis.unit.value(value));
    let cap = |x: f64| format!("M{},{} v8", decimal(x), decimal(y - 4.0));
    html! {
        text.end.tiny[names.font < 11.0] x=(decimal(names.width)) y=(decimal(y + 4.0)) {
            title { (row.name) }
            (truncate(&row.name, names.width, names.font))
        }
        path.line.c0 d=(format!("M{},{} H{}", decimal(low), decimal(y), decimal(high))) {
            title { (row.name) ": " (estimate) ", " (from) " to " (to) }
        }
        path.line.c0 d={ (cap(low)) " " (cap(high)) } {}
        circle.marker.c0 cx=(decimal(middle)) cy=(decimal(y)) r="4" {}
        text.small x=(decimal(axis.end + 6.0)) y=(decimal(y + 3.5)) { (estimate) }
    }
}
