//! Plots as data, drawn as SVG inside a page or as SVG and PNG files.
//!
//! The SVG is written here because crates that write it (plotters, kuva) use fixed colours and no accessible names: a page
//! could not switch such plots to dark colours, and a screen reader could not announce them.

mod axes;
mod axis;
mod bar_chart;
mod drawing;
mod font;
mod heat_map;
mod histogram;
mod interval_chart;
mod line_chart;
mod raster;
mod scatter;
mod series;
mod style;
mod text;

pub use axis::{Axis, Unit};
pub use bar_chart::{BarChart, Remarks};
pub use heat_map::HeatMap;
pub use histogram::{HistogramChart, PointSeries};
pub use interval_chart::{Interval, IntervalChart};
pub use line_chart::{Curve, LineChart, Mark, curve_sample};
pub use scatter::{ScatterChart, ScatterPoint};
pub use series::Series;
pub use style::{CSS, DARK, LIGHT};

use crate::report::format::escape_direction;
use crate::report::html::{Markup, PreEscaped, html};
use drawing::{Drawing, WIDTH};
use serde_json::Value;
use text::decimal;

/// A chart with its title, a description in words and its numbers.
#[derive(Debug, Clone)]
pub struct Figure {
    /// Name in lower case and hyphens, unique in a page. It is the stem of the file and the prefix of all ids.
    pub name: String,
    /// Title, a few words.
    pub title: String,
    /// What the plot shows, in a sentence or two.
    pub summary: String,
    /// The chart.
    pub chart: Chart,
    /// The numbers of the plot, as in the JSON output of the command.
    pub numbers: Value,
}

/// The kinds of chart.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Chart {
    /// Horizontal bars by category.
    Bar(BarChart),
    /// Bars over bins of numbers.
    Histogram(HistogramChart),
    /// Curves.
    Line(LineChart),
    /// A square table of counts.
    HeatMap(HeatMap),
    /// Estimates with their intervals.
    Interval(IntervalChart),
    /// Pairs of numbers.
    Scatter(ScatterChart),
}

/// A plot inside a page.
#[derive(Debug)]
pub struct InlinePlot {
    /// The plot, or of a chart with many rows the first ones.
    pub first: InlineSvg,
    /// The other rows, to be unfolded, and what they are.
    pub rest: Option<(String, InlineSvg)>,
}

/// A plot, or a part of one, as SVG inside a page.
#[derive(Debug)]
pub struct InlineSvg {
    /// The `svg` element.
    pub svg: Markup,
    /// Minimum width in pixels of a plot that needs a scrolling region because it is wider than a phone.
    pub min_width: Option<f64>,
}

/// The start of every plot as an SVG file.
pub const SVG_START: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg class=\"plot\"";

impl Figure {
    fn drawing(&self) -> Drawing {
        match &self.chart {
            Chart::Bar(chart) => chart.draw(&self.name),
            Chart::Histogram(chart) => chart.draw(&self.name),
            Chart::Line(chart) => chart.draw(),
            Chart::HeatMap(chart) => chart.draw(),
            Chart::Interval(chart) => chart.draw(),
            Chart::Scatter(chart) => chart.draw(),
        }
    }

    /// Draws the plot for a page that contains [`CSS`] and the colours [`LIGHT`] or [`DARK`].
    pub fn inline(&self) -> InlinePlot {
        match &self.chart {
            Chart::Bar(chart) if chart.is_long() => {
                let [first, rest] = chart.parts();
                let label = rest.label(chart.categories.len());
                let (part, summary) = (format!("{}-rest", self.name), format!("{}, {label}", self.title));
                let below = self.inline_svg(&part, &summary, chart.draw_rows(&part, &rest));
                let first = self.inline_svg(&self.name, &self.summary, chart.draw_rows(&self.name, &first));
                InlinePlot { first, rest: Some((label, below)) }
            }
            Chart::HeatMap(map) if map.is_large() => {
                let svg = map.draw_sticky(&self.name, &self.described(&self.name, &self.summary));
                InlinePlot { first: InlineSvg { svg, min_width: None }, rest: None }
            }
            _ => InlinePlot { first: self.inline_svg(&self.name, &self.summary, self.drawing()), rest: None },
        }
    }

    /// Title and description of an `svg` element, for screen readers.
    fn described(&self, id: &str, summary: &str) -> Markup {
        html! {
            title id=(format!("{id}-title")) { (self.title) }
            desc id=(format!("{id}-desc")) { (summary) }
        }
    }

    fn inline_svg(&self, id: &str, summary: &str, drawing: Drawing) -> InlineSvg {
        let Drawing { width, height, body } = drawing;
        let svg = html! {
            svg.plot xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {} {}", decimal(width), decimal(height)))
                role="img" aria-labelledby=(format!("{id}-title {id}-desc")) {
                (self.described(id, summary))
                (style::pattern_defs(id))
                (body)
            }
        };
        InlineSvg { svg, min_width: (width > WIDTH).then_some(width) }
    }

    /// Draws the plot as an SVG file in light colours on white, with its title above.
    pub fn svg(&self) -> String {
        const TITLE_HEIGHT: f64 = 30.0;
        let Drawing { width, height, body } = self.drawing();
        let (outer_width, outer_height) = (width + 24.0, height + TITLE_HEIGHT + 12.0);
        let svg = html! {
            svg.plot xmlns="http://www.w3.org/2000/svg" width=(decimal(outer_width)) height=(decimal(outer_height))
                viewBox=(format!("0 0 {} {}", decimal(outer_width), decimal(outer_height))) role="img" aria-labelledby="title desc" {
                title id="title" { (self.title) }
                desc id="desc" { (self.summary) }
                style { (PreEscaped(style::light_css())) }
                (style::pattern_defs(&self.name))
                rect.paper width="100%" height="100%" {}
                text.heading x="12" y="22" { (text::truncate(&self.title, outer_width - 24.0, 13.0)) }
                g transform=(format!("translate(12 {TITLE_HEIGHT})")) { (body) }
            }
        };
        let svg = escape_direction(&text::replace_non_xml(&svg.into_string()));
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{svg}\n")
    }

    /// Draws the plot as a PNG file with [`raster::PNG_SCALE`] pixels per unit of [`Figure::svg`].
    pub fn png(&self) -> Vec<u8> {
        raster::png(&self.svg())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::decode;

    fn axis(unit: Unit) -> Axis {
        Axis { label: "label".into(), unit, range: None }
    }

    fn figure(name: &str, chart: Chart) -> Figure {
        let hostile = "<script>alert(1)</script> & \"quoted\" \u{1}";
        Figure {
            name: name.into(),
            title: hostile.into(),
            summary: hostile.into(),
            chart,
            numbers: Value::Null,
        }
    }

    fn series(values: &[Option<f64>]) -> Vec<Series> {
        ["one", "two"].map(|name| Series { name: name.into(), values: values.to_vec() }).to_vec()
    }

    fn one_of_each_kind() -> Vec<Figure> {
        let names =
            vec!["<b>&\"".to_string(), "a rather long name that cannot be shown whole".into(), "猫".into()];
        let curve = |points: &[(f64, f64)]| Curve { name: "<i>".into(), points: points.to_vec() };
        vec![
            figure(
                "bar",
                Chart::Bar(BarChart {
                    categories: names.clone(),
                    series: series(&[Some(-0.5), None, Some(0.25)]),
                    values: axis(Unit::SignedPercent),
                    notes: Vec::new(),
                    remarks: None,
                }),
            ),
            figure(
                "histogram",
                Chart::Histogram(HistogramChart {
                    edges: vec![0.0, 0.5, 1.0],
                    series: series(&[Some(3.0), None]),
                    x: axis(Unit::Percent),
                    y: axis(Unit::Count),
                    diagonal: true,
                    ranges: Vec::new(),
                    points: Some(PointSeries { name: "mean".into(), points: vec![(0.3, 2.0)] }),
                }),
            ),
            figure(
                "line",
                Chart::Line(LineChart {
                    x: axis(Unit::Count),
                    y: axis(Unit::Plain(2)),
                    curves: vec![curve(&[(1.0, 0.5), (2.0, f64::NAN), (3.0, 0.2)]), curve(&[])],
                    context: vec![curve(&[(1.0, 0.4), (3.0, 0.3)])],
                    has_legend: true,
                    marks: vec![Mark { x: 2.0, label: "<here>".into() }],
                }),
            ),
            figure(
                "heat-map",
                Chart::HeatMap(HeatMap {
                    names,
                    counts: vec![vec![9, 1, 0], vec![0, 0, 0], vec![0, 3, 3]],
                    rows: "truth".into(),
                    columns: "answer".into(),
                }),
            ),
            figure(
                "interval",
                Chart::Interval(IntervalChart {
                    rows: vec![
                        Interval { name: "<b>".into(), low: -0.1, value: 0.0, high: 0.2 },
                        Interval { name: "one point".into(), low: 0.1, value: 0.1, high: 0.1 },
                    ],
                    values: axis(Unit::Points),
                    zero: true,
                }),
            ),
            figure(
                "scatter",
                Chart::Scatter(ScatterChart {
                    x: axis(Unit::Count),
                    y: axis(Unit::Count),
                    points: [(250.0, 250.0, 90), (640.0, 480.0, 1), (480.0, 640.0, 10)]
                        .map(|(x, y, count)| ScatterPoint { x, y, count })
                        .to_vec(),
                    diagonal: true,
                }),
            ),
        ]
    }

    #[test]
    fn every_plot_is_strict_svg_and_a_png_of_its_size() {
        for figure in one_of_each_kind() {
            let svg = figure.svg();
            assert!(svg.starts_with(SVG_START), "{svg}");
            // resvg parses XML strictly and draws nothing where it does not understand an element.
            let png = decode::decode(&figure.png()).unwrap();
            let side = |name: &str| -> f32 {
                svg.split(&format!(" {name}=\"")).nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
            };
            assert_eq!(
                (png.width(), png.height()),
                (
                    (side("width") * raster::PNG_SCALE).ceil() as usize,
                    (side("height") * raster::PNG_SCALE).ceil() as usize
                )
            );
            let drawn = png.data().chunks(3).filter(|pixel| pixel.iter().any(|c| *c < 128)).count();
            assert!(drawn > 2000, "{}: {drawn} dark pixels", figure.name);
            assert!(!svg.contains("<script") && !svg.contains("<b>") && !svg.contains("NaN"), "{svg}");
            assert!(
                figure
                    .inline()
                    .first
                    .svg
                    .into_string()
                    .contains(&format!("<title id=\"{}-title\">", figure.name))
            );
        }
    }

    #[test]
    fn drawing_is_deterministic() {
        let draw =
            || one_of_each_kind().iter().map(|figure| (figure.svg(), figure.png())).collect::<Vec<_>>();
        assert!(draw() == draw());
    }
}
