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

/// Free space above the plot area and right of it.
const MARGIN: f64 = 14.0;

impl ScatterChart {
    /// The axes around the points. With a diagonal both begin at one value and have the same units, so that the line y = x rises
    /// by 45 degrees.
    fn axes(&self) -> Axes<'_> {
        let xs = self.points.iter().map(|point| point.x);
        let ys = self.points.iter().map(|point| point.y);
        let axes = Axes::new(self.x.lay_out(xs, LEFT, WIDTH - MARGIN), &self.y, ys, MARGIN);
        if !self.diagonal {
            return axes;
        }
        let low = axes.x.low.min(axes.y.low);
        let [width, height] = [axes.x.end - axes.x.start, axes.y.start - axes.y.end];
        let unit = ((axes.x.high - low) / width).max((axes.y.high - low) / height);
        Axes {
            x: self.x.over(low, low + unit * width, axes.x.start, axes.x.end),
            y: self.y.over(low, low + unit * height, axes.y.start, axes.y.end),
        }
    }

    pub(super) fn draw(&self) -> Drawing {
        let axes = self.axes();
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

#[cfg(test)]
mod tests {
    use super::super::axis::Unit;
    use super::*;

    #[test]
    fn the_line_of_squares_rises_by_45_degrees_and_holds_all_points() {
        let axis = || Axis { label: String::new(), unit: Unit::Count, range: None };
        for sides in [
            [(640.0, 480.0), (480.0, 640.0)],
            [(100.0, 4000.0), (90.0, 80.0)],
            [(250.0, 250.0), (251.0, 250.0)],
        ] {
            let points = sides.map(|(x, y)| ScatterPoint { x, y, count: 1 }).to_vec();
            let chart = ScatterChart { x: axis(), y: axis(), points, diagonal: true };
            let axes = chart.axes();
            let (from, to) = (axes.x.low, axes.x.high.min(axes.y.high));
            let run = axes.x.at(to) - axes.x.at(from);
            let rise = axes.y.at(from) - axes.y.at(to);
            assert!((run - rise).abs() < 1e-9 && run > 50.0, "{run} {rise}");
            for (x, y) in sides {
                assert!((axes.x.low..=axes.x.high).contains(&x) && (axes.y.low..=axes.y.high).contains(&y));
            }
        }
    }
}
