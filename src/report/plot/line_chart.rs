//! Line charts: curves that differ in colour, dashes and markers, and vertical lines with a label.

use super::axes::{Axes, LEFT, vertical_line};
use super::axis::Axis;
use super::drawing::{Drawing, HEIGHT, WIDTH};
use super::style::SERIES;
use super::text::{decimal, text_width, truncate};
use crate::report::html::{Markup, html};

/// Curves over the same axes.
#[derive(Debug, Clone)]
pub struct LineChart {
    /// The horizontal axis. Without a range it spans exactly the curves.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The curves, later ones on top.
    pub curves: Vec<Curve>,
    /// Curves drawn thin and grey behind the others.
    pub context: Vec<Curve>,
    /// Whether the drawing names its curves; else a table beside it does, with a [`curve_sample`] of each.
    pub has_legend: bool,
    /// Labelled vertical lines.
    pub marks: Vec<Mark>,
    /// Labelled points, on top of the curves.
    pub points: Vec<LabelledPoint>,
}

/// A named curve.
#[derive(Debug, Clone)]
pub struct Curve {
    /// Name in the legend.
    pub name: String,
    /// The points, (x, y), from left to right. A point that is not finite interrupts the curve.
    pub points: Vec<(f64, f64)>,
}

/// A labelled vertical line.
#[derive(Debug, Clone)]
pub struct Mark {
    /// Horizontal position.
    pub x: f64,
    /// The label, a few words.
    pub label: String,
}

/// A labelled point.
#[derive(Debug, Clone)]
pub struct LabelledPoint {
    /// Horizontal position.
    pub x: f64,
    /// Vertical position.
    pub y: f64,
    /// The label, a few words.
    pub label: String,
}

/// Upper limit on the markers of a curve.
const MARKERS: usize = 12;

/// A legend and the number of its rows.
struct Legend {
    body: Markup,
    rows: usize,
}

impl LineChart {
    pub(super) fn draw(&self) -> Drawing {
        let legend = self.legend();
        // Further rows of the legend make the drawing higher rather than the plot lower.
        let further = 16.0 * legend.rows.saturating_sub(1) as f64;
        let top = 8.0 + 16.0 * legend.rows.min(1) as f64 + if self.marks.is_empty() { 0.0 } else { 12.0 };
        let points =
            || self.curves.iter().chain(&self.context).flat_map(|curve| curve.points.iter().copied());
        let [low, high] = match self.x.range {
            Some((low, high)) => [low, high],
            None => [f64::min, f64::max].map(|pick| points().map(|(x, _)| x).reduce(pick).unwrap_or(0.0)),
        };
        let high = if high > low { high } else { low + 1.0 };
        let x = self.x.over(low, high, LEFT, WIDTH - 12.0);
        let axes = Axes::new(x, &self.y, points().map(|(_, y)| y), top);
        let body = html! {
            (legend.body)
            g transform=(format!("translate(0 {})", decimal(further))) {
                (axes.draw())
                @for curve in &self.context { path.line.context d=(path(curve, &axes)) { title { (curve.name) } } }
                @for mark in &self.marks { (draw_mark(mark, &axes)) }
                @for (i, curve) in self.curves.iter().enumerate() { (draw_curve(i, curve, &axes)) }
                @for point in &self.points { (draw_point(point, &axes)) }
            }
        };
        Drawing { width: WIDTH, height: HEIGHT + further, body }
    }

    /// Draws a sample and the name of each curve, in as many rows as they need.
    fn legend(&self) -> Legend {
        let (mut x, mut row) = (0.0, 0usize);
        let mut places = Vec::new();
        let named = if self.has_legend { &self.curves[..] } else { &[] };
        for curve in named {
            let width = 32.0 + text_width(&curve.name, 10.0) + 14.0;
            if x > 0.0 && x + width > WIDTH {
                (x, row) = (0.0, row + 1);
            }
            places.push((x, 8.0 + 16.0 * row as f64));
            x += width;
        }
        let body = html! {
            @for (i, (curve, (x, y))) in named.iter().zip(places).enumerate() {
                (sample(i, x + 1.0, y))
                text.small x=(decimal(x + 32.0)) y=(decimal(y + 3.5)) { (truncate(&curve.name, WIDTH - 40.0, 10.0)) }
            }
        };
        Legend { body, rows: if named.is_empty() { 0 } else { row + 1 } }
    }
}

fn draw_mark(mark: &Mark, axes: &Axes) -> Markup {
    let (x, top, bottom) = (axes.x.at(mark.x), axes.y.end, axes.y.start);
    // Near an edge the label is aligned so that it stays inside the drawing.
    let (near_end, near_start) = (x > axes.x.end - 60.0, x < axes.x.start + 60.0);
    html! {
        path.guide d=(vertical_line(x, top - 4.0, bottom)) {}
        text.small.end[near_end].middle[!near_end && !near_start] x=(decimal(x)) y=(decimal(top - 7.0)) { (mark.label) }
    }
}

fn draw_point(point: &LabelledPoint, axes: &Axes) -> Markup {
    let (x, y) = (axes.x.at(point.x), axes.y.at(point.y));
    let label = truncate(&point.label, WIDTH - LEFT - 24.0, 10.0);
    // On the side that has more room, below the point unless that is the edge.
    let (is_right, is_low) = (x > (axes.x.start + axes.x.end) / 2.0, y > axes.y.start - 20.0);
    let (at, below) = (if is_right { x + 6.0 } else { x - 6.0 }, if is_low { y - 10.0 } else { y + 17.0 });
    html! {
        circle.target cx=(decimal(x)) cy=(decimal(y)) r="6" { title { (point.label) } }
        text.small.over.end[is_right] x=(decimal(at)) y=(decimal(below)) { (label) }
    }
}

/// The path of a curve; a point that is not finite interrupts it.
fn path(curve: &Curve, axes: &Axes) -> String {
    let mut path = String::new();
    let mut command = 'M';
    for &(x, y) in &curve.points {
        if x.is_finite() && y.is_finite() {
            path.push_str(&format!("{command}{}", axes.point(x, y)));
            command = 'L';
        } else {
            command = 'M';
        }
    }
    path
}

fn draw_curve(i: usize, curve: &Curve, axes: &Axes) -> Markup {
    let path = path(curve, axes);
    let every = curve.points.len().div_ceil(MARKERS).max(1);
    // Each curve starts its markers at another point, so that curves that coincide do not hide each other's markers.
    let first = i * every / 2 % every;
    html! {
        path.line.{ "c" (i % SERIES) }.{ "d" (dashes(i)) } d=(path) { title { (curve.name) } }
        @for &(x, y) in curve.points.iter().skip(first).step_by(every).filter(|(x, y)| x.is_finite() && y.is_finite()) {
            (marker(i, axes.x.at(x), axes.y.at(y)))
        }
    }
}

/// A piece of curve `i` with a marker.
fn sample(i: usize, x: f64, y: f64) -> Markup {
    html! {
        path.line.{ "c" (i % SERIES) }.{ "d" (dashes(i)) } d=(format!("M{},{} h26", decimal(x), decimal(y))) {}
        (marker(i, x + 13.0, y))
    }
}

/// A piece of curve `i` as an element of its own, for the legend of a chart; `None` is that of the context.
pub fn curve_sample(i: Option<usize>) -> Markup {
    html! {
        svg.plot.sample viewBox="0 0 28 10" width="28" height="10" aria-hidden="true" {
            @match i { Some(i) => (sample(i, 1.0, 5.0)), None => path.line.context d="M1,5 h26" {} }
        }
    }
}

/// Dash pattern of curve `i`. Curves that share a colour differ in their dashes.
fn dashes(i: usize) -> usize {
    (i + i / SERIES) % SERIES
}

/// Draws the marker of curve `i`: a circle, square, triangle, diamond, cross or bar.
fn marker(i: usize, x: f64, y: f64) -> Markup {
    let shape = match i % SERIES {
        0 => "m-2.6,0 a2.6,2.6 0 1,0 5.2,0 a2.6,2.6 0 1,0 -5.2,0 z",
        1 => "m-2.4,-2.4 h4.8 v4.8 h-4.8 z",
        2 => "m0,-3 l2.9,5 h-5.8 z",
        3 => "m0,-3.2 l3.2,3.2 l-3.2,3.2 l-3.2,-3.2 z",
        4 => "m-2.5,-2.5 l5,5 m0,-5 l-5,5",
        _ => "m0,-3 v6",
    };
    html! { path.marker.{ "c" (i % SERIES) } d=(format!("M{},{} {shape}", decimal(x), decimal(y))) {} }
}
