//! Drawing axes: the value axis below rows, and the two axes around a plot area.

use super::axis::{Axis, PlacedAxis, Unit};
use super::drawing::{HEIGHT, WIDTH};
use super::text::{decimal, text_width};
use crate::report::html::{Markup, html};

/// Left edge of a plot area, right of the vertical axis.
pub(super) const LEFT: f64 = 54.0;
/// Room below a plot area for the tick values and label of the horizontal axis.
const BELOW: f64 = 34.0;

/// Draws a horizontal value axis with grid lines from `top` to `bottom`, and its tick values and label below them.
pub(super) fn value_axis(axis: &PlacedAxis, top: f64, bottom: f64) -> Markup {
    html! {
        @for tick in axis.ticks() { path.grid d=(vertical_line(axis.at(tick), top, bottom)) {} }
        (tick_labels(axis, bottom + 13.0))
        text.small.middle x=(decimal((axis.start + axis.end) / 2.0)) y=(decimal(bottom + 27.0)) { (axis.axis.label) }
    }
}

/// Draws the tick values of a horizontal axis at the height `y`.
pub(super) fn tick_labels(axis: &PlacedAxis, y: f64) -> Markup {
    let ticks = axis.ticks();
    let labels = axis.tick_labels();
    // Tick values are left out where they would touch; zero always has its own.
    let widest = labels.iter().map(|label| text_width(label, 10.0)).fold(0.0, f64::max) + 6.0;
    let spacing = (axis.end - axis.start) / ticks.len().saturating_sub(1).max(1) as f64;
    let every = ((widest / spacing).ceil() as usize).max(1);
    let zero = ticks.iter().position(|tick| tick.abs() < 1e-12).unwrap_or(0);
    html! {
        @for (i, (tick, label)) in ticks.iter().zip(labels).enumerate() {
            @if i.abs_diff(zero) % every == 0 {
                text.small.middle x=(decimal(inside(axis.at(*tick), &label))) y=(decimal(y)) { (label) }
            }
        }
    }
}

/// The middle of a tick value at `x`, moved where it would reach beyond the right edge of the drawing.
fn inside(x: f64, label: &str) -> f64 {
    x.min(WIDTH - text_width(label, 10.0) / 2.0)
}

/// Path of a vertical line.
pub(super) fn vertical_line(x: f64, top: f64, bottom: f64) -> String {
    format!("M{},{} V{}", decimal(x), decimal(top), decimal(bottom))
}

/// The horizontal and the vertical axis of a plot area.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axes<'a> {
    pub x: PlacedAxis<'a>,
    pub y: PlacedAxis<'a>,
}

impl<'a> Axes<'a> {
    /// Adds a vertical axis to `x`. It spans `values` where it has no range of its own and leaves `top` free above it.
    pub fn new(x: PlacedAxis<'a>, y: &'a Axis, values: impl Iterator<Item = f64>, top: f64) -> Self {
        Self { x, y: y.lay_out(values, HEIGHT - BELOW, top) }
    }

    /// A point as SVG coordinates, `x,y`.
    pub fn point(&self, x: f64, y: f64) -> String {
        format!("{},{}", decimal(self.x.at(x)), decimal(self.y.at(y)))
    }

    /// Draws both axes with grid lines, tick values and labels.
    pub fn draw(&self) -> Markup {
        let (x, y) = (&self.x, &self.y);
        let (left, right, bottom, top) = (x.start, x.end, y.start, y.end);
        let middle = (top + bottom) / 2.0;
        let x_unit = x.axis.unit;
        let x_ticks = x.ticks();
        let every = if x_ticks.len() > 7 || (x_unit == Unit::Count && x_ticks.len() > 6) { 2 } else { 1 };
        html! {
            @for (tick, label) in y.ticks().into_iter().zip(y.tick_labels()) {
                path.grid d=(format!("M{},{} H{}", decimal(left), decimal(y.at(tick)), decimal(right))) {}
                text.small.end x=(decimal(left - 6.0)) y=(decimal(y.at(tick) + 3.5)) { (label) }
            }
            @for (tick, label) in x_ticks.iter().zip(x.tick_labels()).step_by(every) {
                text.small.middle x=(decimal(inside(x.at(*tick), &label))) y=(decimal(bottom + 14.0)) { (label) }
            }
            path.zero d=(format!("M{},{} H{}", decimal(left), decimal(bottom), decimal(right))) {}
            text.small.middle x=(decimal((left + right) / 2.0)) y=(decimal(bottom + 29.0)) { (x.axis.label) }
            text.small.middle transform=(format!("translate(9 {}) rotate(-90)", decimal(middle))) { (y.axis.label) }
        }
    }
}
