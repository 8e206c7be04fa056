//! Standing columns over intervals: histograms, and the reliability diagram with its line of perfect answers.

use super::axis::{Axis, Scale, Unit};
use super::bars::legend;
use super::style::{SERIES, fill};
use super::text::n;
use super::{Drawing, Series, WIDTH};
use crate::markup::{Markup, html};

/// A column for each interval and series.
#[derive(Debug, Clone)]
pub struct Columns {
    /// Ends of the intervals, one more than there are.
    pub edges: Vec<f64>,
    /// As many values each as there are intervals; nothing is drawn where they are undefined.
    pub series: Vec<Series>,
    /// Along the bottom.
    pub x: Axis,
    /// Along the left.
    pub y: Axis,
    /// Whether the line y = x is drawn.
    pub diagonal: bool,
    /// Points (x, y), and what they are.
    pub points: Option<(String, Vec<(f64, f64)>)>,
}

/// Room around the columns: left, above the bottom, and the height of all.
pub(super) const LEFT: f64 = 54.0;
pub(super) const BELOW: f64 = 34.0;
pub(super) const HEIGHT: f64 = 250.0;

impl Columns {
    pub(super) fn draw(&self, plot: &str) -> Drawing {
        let (low, high) = match self.edges[..] {
            [low, .., high] => (low, high),
            _ => (0.0, 1.0),
        };
        let top = if self.series.len() > 1 || self.points.is_some() { 24.0 } else { 8.0 };
        let x = Scale { low, high, start: LEFT, end: WIDTH - 10.0 };
        let values = self.series.iter().flat_map(|series| series.values.iter().flatten().copied());
        let y = vertical(&self.y, values.chain([0.0]), top);
        let corner = |(a, b): (f64, f64)| format!("{},{}", n(x.at(a)), n(y.at(b)));
        let body = html! {
            (self.legend(plot))
            (frame(&x, &self.x, &y, &self.y))
            @for (at, series) in self.series.iter().enumerate() {
                @for (bin, value) in series.values.iter().enumerate() {
                    @if let Some(value) = value { (self.column(plot, (at, series), bin, *value, (&x, &y))) }
                }
            }
            @if self.diagonal {
                @let line = format!("M{} L{}", corner((low, low)), corner((high, high)));
                path.halo d=(line) {}
                path.guide d=(line) {}
            }
            @for &(a, b) in self.points.iter().flat_map(|(_, points)| points) {
                circle.marker.c1 cx=(n(x.at(a))) cy=(n(y.at(b))) r="3.2" {}
            }
        };
        Drawing { width: WIDTH, height: HEIGHT, body }
    }

    fn legend(&self, plot: &str) -> Markup {
        let Some((name, _)) = &self.points else {
            return html! { @if self.series.len() > 1 { (legend(plot, &self.series)) } };
        };
        let x = self.series.first().map_or(0.0, |s| super::text::width(&s.name, 10.0) + 40.0);
        html! {
            (legend(plot, &self.series[..1.min(self.series.len())]))
            circle.marker.c1 cx=(n(x)) cy="7.5" r="3.2" {}
            text.small x=(n(x + 9.0)) y="11" { (name) }
        }
    }

    fn column(
        &self,
        plot: &str,
        (at, series): (usize, &Series),
        bin: usize,
        value: f64,
        (x, y): (&Scale, &Scale),
    ) -> Markup {
        let (from, to) = (x.at(self.edges[bin]), x.at(self.edges[bin + 1]));
        let wide = (to - from - 2.0).max(0.5) / self.series.len() as f64;
        let (left, top, ground) = (from + 1.0 + wide * at as f64, y.at(value), y.at(0.0));
        let [low, high] = [bin, bin + 1].map(|edge| self.x.unit.value(self.edges[edge]));
        html! {
            @if value != 0.0 {
                rect.edge.{ "c" (at % SERIES) " f" (at % SERIES) } style=[fill(plot, at)] x=(n(left)) y=(n(top.min(ground)))
                    width=(n(wide)) height=(n((ground - top).abs())) {
                    title { (low) " to " (high) ", " (series.name) ": " (self.y.unit.value(value)) }
                }
            }
        }
    }
}

/// The scale of the left side, from the bottom up.
pub(super) fn vertical(axis: &Axis, values: impl Iterator<Item = f64>, top: f64) -> Scale {
    let (start, end) = (HEIGHT - BELOW, top);
    match axis.range {
        Some((low, high)) => Scale { low, high, start, end },
        None => Scale::around(values, axis.unit, (start, end)),
    }
}

/// Lines and numbers of both sides, and what they tell.
pub(super) fn frame(x: &Scale, x_axis: &Axis, y: &Scale, y_axis: &Axis) -> Markup {
    let (left, right, bottom, top) = (x.start, x.end, y.start, y.end);
    let middle = (top + bottom) / 2.0;
    let across = x.ticks(x_axis.unit);
    let every = if across.len() > 7 || (x_axis.unit == Unit::Count && across.len() > 6) { 2 } else { 1 };
    html! {
        @for tick in y.ticks(y_axis.unit) {
            path.grid d=(format!("M{},{} H{}", n(left), n(y.at(tick)), n(right))) {}
            text.small.end x=(n(left - 6.0)) y=(n(y.at(tick) + 3.5)) { (y_axis.unit.tick(tick)) }
        }
        @for tick in across.iter().step_by(every) {
            text.small.middle x=(n(x.at(*tick))) y=(n(bottom + 14.0)) { (x_axis.unit.tick(*tick)) }
        }
        path.zero d=(format!("M{},{} H{}", n(left), n(bottom), n(right))) {}
        text.small.middle x=(n((left + right) / 2.0)) y=(n(bottom + 29.0)) { (x_axis.label) }
        text.small.middle transform=(format!("translate(9 {}) rotate(-90)", n(middle))) { (y_axis.label) }
    }
}
