//! Curves with dashes and markers of their own, and moments that are marked.

use super::axis::{Axis, Scale};
use super::columns::{HEIGHT, LEFT, frame, vertical};
use super::style::SERIES;
use super::text::{n, width};
use super::{Drawing, WIDTH};
use crate::markup::{Markup, html};

/// Curves over one scale.
#[derive(Debug, Clone)]
pub struct Lines {
    /// Along the bottom.
    pub x: Axis,
    /// Along the left.
    pub y: Axis,
    /// Drawn in this order.
    pub curves: Vec<Curve>,
    /// Upright lines.
    pub marks: Vec<Mark>,
}

/// One curve.
#[derive(Debug, Clone)]
pub struct Curve {
    /// For the legend.
    pub name: String,
    /// (x, y), from left to right; what is not finite breaks it.
    pub points: Vec<(f64, f64)>,
}

/// An upright line at a place.
#[derive(Debug, Clone)]
pub struct Mark {
    /// Where.
    pub x: f64,
    /// What is there, in a few words.
    pub label: String,
}

/// Markers along a curve at most.
const MARKERS: usize = 12;

impl Lines {
    pub(super) fn draw(&self) -> Drawing {
        let (legend, rows) = self.legend();
        let top = 8.0 + 16.0 * rows as f64 + if self.marks.is_empty() { 0.0 } else { 12.0 };
        let points = || self.curves.iter().flat_map(|curve| curve.points.iter().copied());
        let [low, high] = match self.x.range {
            Some((low, high)) => [low, high],
            None => [f64::min, f64::max].map(|pick| points().map(|(x, _)| x).reduce(pick).unwrap_or(0.0)),
        };
        let x =
            Scale { low, high: if high > low { high } else { low + 1.0 }, start: LEFT, end: WIDTH - 12.0 };
        let y = vertical(&self.y, points().map(|(_, y)| y), top);
        let body = html! {
            (legend)
            (frame(&x, &self.x, &y, &self.y))
            @for mark in &self.marks { (upright(mark, &x, &y)) }
            @for (at, curve) in self.curves.iter().enumerate() { (drawn(at, curve, &x, &y)) }
        };
        Drawing { width: WIDTH, height: HEIGHT, body }
    }

    /// A sample of each curve with its name, in as many rows as they need.
    fn legend(&self) -> (Markup, usize) {
        let (mut x, mut row) = (0.0, 0usize);
        let mut places = Vec::new();
        for curve in &self.curves {
            let wide = 32.0 + width(&curve.name, 10.0) + 14.0;
            if x > 0.0 && x + wide > WIDTH {
                (x, row) = (0.0, row + 1);
            }
            places.push((x, 8.0 + 16.0 * row as f64));
            x += wide;
        }
        let drawn = html! {
            @for (at, (curve, (x, y))) in self.curves.iter().zip(places).enumerate() {
                path.line.{ "c" (at % SERIES) }.{ "d" (dashes(at)) } d=(format!("M{},{} h26", n(x + 1.0), n(y))) {}
                (marker(at, x + 14.0, y))
                text.small x=(n(x + 32.0)) y=(n(y + 3.5)) { (super::text::shorten(&curve.name, WIDTH - 40.0, 10.0)) }
            }
        };
        (drawn, if self.curves.is_empty() { 0 } else { row + 1 })
    }
}

fn upright(mark: &Mark, x: &Scale, y: &Scale) -> Markup {
    let at = x.at(mark.x);
    let (ends_here, begins_here) = (at > x.end - 60.0, at < x.start + 60.0);
    html! {
        path.guide d=(format!("M{},{} V{}", n(at), n(y.end - 4.0), n(y.start))) {}
        text.small.end[ends_here].middle[!ends_here && !begins_here] x=(n(at)) y=(n(y.end - 7.0)) { (mark.label) }
    }
}

fn drawn(at: usize, curve: &Curve, x: &Scale, y: &Scale) -> Markup {
    let mut path = String::new();
    let mut pen = 'M';
    for &(a, b) in &curve.points {
        if a.is_finite() && b.is_finite() {
            path.push_str(&format!("{pen}{},{}", n(x.at(a)), n(y.at(b))));
            pen = 'L';
        } else {
            pen = 'M';
        }
    }
    let every = curve.points.len().div_ceil(MARKERS).max(1);
    // Curves put their markers at places of their own, so that none hides another's.
    let first = at * every / 2 % every;
    html! {
        path.line.{ "c" (at % SERIES) }.{ "d" (dashes(at)) } d=(path) { title { (curve.name) } }
        @for &(a, b) in curve.points.iter().skip(first).step_by(every).filter(|(a, b)| a.is_finite() && b.is_finite()) {
            (marker(at, x.at(a), y.at(b)))
        }
    }
}

/// Colours begin anew after so many curves; their dashes are then others.
fn dashes(at: usize) -> usize {
    (at + at / SERIES) % SERIES
}

/// A circle, square, triangle, diamond, cross or bar for the series.
fn marker(at: usize, x: f64, y: f64) -> Markup {
    let shape = match at % SERIES {
        0 => "m-2.6,0 a2.6,2.6 0 1,0 5.2,0 a2.6,2.6 0 1,0 -5.2,0 z",
        1 => "m-2.4,-2.4 h4.8 v4.8 h-4.8 z",
        2 => "m0,-3 l2.9,5 h-5.8 z",
        3 => "m0,-3.2 l3.2,3.2 l-3.2,3.2 l-3.2,-3.2 z",
        4 => "m-2.5,-2.5 l5,5 m0,-5 l-5,5",
        _ => "m0,-3 v6",
    };
    html! { path.marker.{ "c" (at % SERIES) } d=(format!("M{},{} {shape}", n(x), n(y))) {} }
}
