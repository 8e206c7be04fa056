//! Scatter charts whose points grow with how often they occur.

use super::axes::{Axes, LEFT};
use super::axis::Axis;
use super::drawing::{Drawing, HEIGHT, WIDTH};
use super::text::decimal;
use crate::report::format::count;
use crate::report::html::html;

/// A scatter chart of pairs of numbers that may occur more than once.
#[derive(Debug, Clone)]
pub struct ScatterChart {
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The distinct points.
    pub points: Vec<ScatterPoint>,
    /// Whether the line y = x is drawn.
    pub diagonal: bool,
}

/// A point with the number of its occurrences.
#[derive(Debug, Clone, Copy)]
pub struct ScatterPoint {
    /// Horizontal position.
    pub x: f64,
    /// Vertical position.
    pub y: f64,
    /// Occurrences, which set the area of the point.
    pub count: usize,
}

/// Radius of the most frequent point.
const LARGEST: f64 = 11.0;
/// Radius below which no point falls, so that rare ones can be seen.
const SMALLEST: f64 = 2.5;

impl ScatterChart {
    pub(super) fn draw(&self) -> Drawing {
        let xs = self.points.iter().map(|point| point.x);
        let ys = self.points.iter().map(|point| point.y);
        let axes = Axes::new(self.x.lay_out(xs, LEFT, WIDTH - 14.0), &self.y, ys, 14.0);
        let most = self.points.iter().map(|point| point.count).max().unwrap_or(1).max(1) as f64;
        // Areas show frequencies (Cleveland 1985, *The Elements of Graphing Data*).
        let radius = |count: usize| SMALLEST.max(LARGEST * (count as f64 / most).sqrt());
        let (low, high) = (axes.x.low.max(axes.y.low), axes.x.high.min(axes.y.high));
        let body = html! {
            (axes.draw())
            @if self.diagonal && low < high {
                path.guide d={ "M" (axes.point(low, low)) " L" (axes.point(high, high)) } {}
            }
            @for point in &self.points {
                circle.dot.c0 cx=(decimal(axes.x.at(point.x))) cy=(decimal(axes.y.at(point.y))) r=(decimal(radius(point.count))) {
                    title { (self.x.unit.value(point.x)) " x " (self.y.unit.value(point.y)) ": " (count(point.count)) }
                }
            }
        };
        Drawing { width: WIDTH, height: HEIGHT, body }
    }
}
