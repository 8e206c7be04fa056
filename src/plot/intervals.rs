//! Points with their intervals, one below the other: lying lines with a mark where the estimate is.

use super::axis::{Scale, Unit};
use super::text::{n, shorten, width};
use super::{Drawing, WIDTH};
use crate::markup::{Markup, html};

/// An estimate with its interval for each name.
#[derive(Debug, Clone)]
pub struct Intervals {
    /// From above.
    pub rows: Vec<Interval>,
    /// What the numbers are.
    pub unit: Unit,
    /// What the scale tells, in a few words.
    pub label: String,
    /// Whether zero belongs on the scale, with a line.
    pub zero: bool,
}

/// An estimate with its interval.
#[derive(Debug, Clone)]
pub struct Interval {
    /// What is estimated.
    pub name: String,
    /// The lower end.
    pub low: f64,
    /// The estimate.
    pub value: f64,
    /// The upper end.
    pub high: f64,
}

/// Height of a row, and room for its number on the right.
const ROW: f64 = 24.0;
const VALUE: f64 = 52.0;

impl Intervals {
    pub(super) fn draw(&self) -> Drawing {
        let names = self.rows.iter().map(|row| width(&row.name, 11.0)).fold(30.0, f64::max).min(132.0);
        let ends = self.rows.iter().flat_map(|row| [row.low, row.value, row.high]);
        let zero = self.zero.then_some(0.0);
        let scale = Scale::around(ends.chain(zero), self.unit, (names + 14.0, WIDTH - VALUE));
        let bottom = 4.0 + ROW * self.rows.len() as f64;
        let body = html! {
            (self.ticks(&scale, bottom))
            @if self.zero { path.zero d=(format!("M{},4 V{}", n(scale.at(0.0)), n(bottom))) {} }
            @for (i, row) in self.rows.iter().enumerate() {
                (self.row(row, names, &scale, 4.0 + ROW * (i as f64 + 0.5)))
            }
        };
        Drawing { width: WIDTH, height: bottom + 32.0, body }
    }

    fn ticks(&self, scale: &Scale, bottom: f64) -> Markup {
        let ticks = scale.ticks(self.unit);
        let widest = ticks.iter().map(|tick| width(&self.unit.tick(*tick), 10.0)).fold(0.0, f64::max) + 6.0;
        let apart = (scale.end - scale.start) / ticks.len().saturating_sub(1).max(1) as f64;
        let every = ((widest / apart).ceil() as usize).max(1);
        html! {
            @for (i, tick) in ticks.iter().enumerate() {
                path.grid d=(format!("M{},4 V{}", n(scale.at(*tick)), n(bottom))) {}
                @if i % every == 0 {
                    text.small.middle x=(n(scale.at(*tick))) y=(n(bottom + 13.0)) { (self.unit.tick(*tick)) }
                }
            }
            text.small.middle x=(n((scale.start + scale.end) / 2.0)) y=(n(bottom + 27.0)) { (self.label) }
        }
    }

    fn row(&self, row: &Interval, names: f64, scale: &Scale, y: f64) -> Markup {
        let (low, at, high) = (scale.at(row.low), scale.at(row.value), scale.at(row.high));
        let [told, from, to] = [row.value, row.low, row.high].map(|value| self.unit.value(value));
        let cap = |x: f64| format!("M{},{} v8", n(x), n(y - 4.0));
        html! {
            text.end x=(n(names)) y=(n(y + 4.0)) { title { (row.name) } (shorten(&row.name, names, 11.0)) }
            path.line.c0 d=(format!("M{},{} H{}", n(low), n(y), n(high))) {
                title { (row.name) ": " (told) ", " (from) " to " (to) }
            }
            path.line.c0 d={ (cap(low)) " " (cap(high)) } {}
            circle.marker.c0 cx=(n(at)) cy=(n(y)) r="4" {}
            text.small x=(n(scale.end + 6.0)) y=(n(y + 3.5)) { (told) }
        }
    }
}
