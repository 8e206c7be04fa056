//! Histograms: a bar for each bin. A reliability diagram is one with a diagonal and points.

use super::axes::{Axes, LEFT};
use super::axis::Axis;
use super::drawing::{Drawing, HEIGHT, WIDTH};
use super::series::{Series, legend};
use super::style::{SERIES, fill_style};
use super::text::{decimal, text_width};
use crate::report::html::{Markup, html};

/// A histogram of one or more series over the same bins.
#[derive(Debug, Clone)]
pub struct HistogramChart {
    /// Edges of the bins, ascending: one more than there are bins.
    pub edges: Vec<f64>,
    /// One value for each bin, `[series][bin]`. Undefined values are not drawn.
    pub series: Vec<Series>,
    /// The horizontal axis. It spans the bins.
    pub x: Axis,
    /// The vertical axis. It includes zero where it has no range of its own.
    pub y: Axis,
    /// Whether the line y = x is drawn.
    pub diagonal: bool,
    /// A vertical line in the middle of each bin, from low to high; none where undefined. Empty for no lines.
    pub ranges: Vec<Option<[f64; 2]>>,
    /// Points drawn over the bars.
    pub points: Option<PointSeries>,
}

/// Named points.
#[derive(Debug, Clone)]
pub struct PointSeries {
    /// Name in the legend.
    pub name: String,
    /// The points, (x, y).
    pub points: Vec<(f64, f64)>,
}

impl HistogramChart {
    pub(super) fn draw(&self, plot: &str) -> Drawing {
        let (low, high) = match self.edges[..] {
            [low, .., high] => (low, high),
            _ => (0.0, 1.0),
        };
        let top = if self.series.len() > 1 || self.points.is_some() { 24.0 } else { 8.0 };
        let values = self.series.iter().flat_map(|series| series.values.iter().flatten().copied());
        let axes = Axes::new(self.x.over(low, high, LEFT, WIDTH - 10.0), &self.y, values.chain([0.0]), top);
        let body = html! {
            (self.legend(plot))
            (axes.draw())
            @for (i, series) in self.series.iter().enumerate() {
                @for (bin, value) in series.values.iter().enumerate() {
                    @if let Some(value) = value { (self.bar(plot, i, bin, *value, &axes)) }
                }
            }
            @if self.diagonal {
                @let line = format!("M{} L{}", axes.point(low, low), axes.point(high, high));
                path.halo d=(line) {}
                path.guide d=(line) {}
            }
            @for (bin, range) in self.ranges.iter().enumerate() {
                @if let Some([low, high]) = range {
                    @let middle = 0.5 * (self.edges[bin] + self.edges[bin + 1]);
                    @let line = format!("M{} L{}", axes.point(middle, *low), axes.point(middle, *high));
                    path.halo d=(line) {}
                    path.range d=(line) {}
                }
            }
            @for &(x, y) in self.points.iter().flat_map(|series| &series.points) {
                circle.marker.c1 cx=(decimal(axes.x.at(x))) cy=(decimal(axes.y.at(y))) r="3.2" {}
            }
        };
        Drawing { width: WIDTH, height: HEIGHT, body }
    }

    fn legend(&self, plot: &str) -> Markup {
        let Some(points) = &self.points else {
            return html! { @if self.series.len() > 1 { (legend(plot, &self.series)) } };
        };
        let x = self.series.first().map_or(0.0, |series| text_width(&series.name, 10.0) + 40.0);
        html! {
            (legend(plot, &self.series[..1.min(self.series.len())]))
            circle.marker.c1 cx=(decimal(x)) cy="7.5" r="3.2" {}
            text.small x=(decimal(x + 9.0)) y="11" { (points.name) }
        }
    }

    /// Draws the bar of series `i` in `bin`. The series of a bin stand side by side.
    fn bar(&self, plot: &str, i: usize, bin: usize, value: f64, axes: &Axes) -> Markup {
        let (x, y) = (&axes.x, &axes.y);
        let (from, to) = (x.at(self.edges[bin]), x.at(self.edges[bin + 1]));
        let width = (to - from - 2.0).max(0.5) / self.series.len() as f64;
        let (left, top, zero) = (from + 1.0 + width * i as f64, y.at(value), y.at(0.0));
        let [low, high] = [bin, bin + 1].map(|edge| self.x.unit.value(self.edges[edge]));
        html! {
            @if value != 0.0 {
                rect.edge.{ "c" (i % SERIES) " f" (i % SERIES) } style=[fill_style(plot, i)] x=(decimal(left)) y=(decimal(top.min(zero)))
                    width=(decimal(width)) height=(decimal((zero - top).abs())) {
                    title { (low) " to " (high) ", " (self.series[i].name) ": " (self.y.unit.value(value)) }
                }
            }
        }
    }
}
