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
mod picture_chart;
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
pub use line_chart::{Curve, LabelledPoint, LineChart, Mark, curve_sample};
pub use picture_chart::{DivergingKey, Panel, PictureChart, diverging};
pub use scatter::{ScatterChart, ScatterPoint};
pub use series::Series;
pub use style::{CSS, DARK, LIGHT};

use crate::report::format::{escape_direction, without_isolates};
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
    /// Pictures.
    Pictures(PictureChart),
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

/// How many pixels a unit of a drawing takes on a wide screen at most, so that the letters of all plots are alike.
const LARGEST_SCALE: f64 = 1.42;

/// Where the chart begins in a file, to the right of a margin and below the title.
const ORIGIN: [f64; 2] = [12.0, 30.0];

/// How much wider the bold letters of a title are than those that are measured.
const BOLD: f64 = 1.13;

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
            Chart::Pictures(chart) => chart.draw(),
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

    /// Draws the plot as [`Figure::inline`] does, but the rows of a bar chart that it shows first in two columns.
    pub fn inline_in_columns(&self) -> InlinePlot {
        let inline = self.inline();
        let Chart::Bar(chart) = &self.chart else { return inline };
        let Some(columns) = chart.columns_of_rows() else { return inline };
        let drawn = columns.into_iter().enumerate().map(|(i, rows)| {
            let (part, label) =
                (format!("{}-column-{}", self.name, i + 1), rows.label(chart.categories.len()));
            self.inline_svg(&part, &format!("{} {label}.", self.summary), chart.draw_rows(&part, &rows)).svg
        });
        let svg = html! { div.columns { @for svg in drawn { (svg) } } };
        InlinePlot { first: InlineSvg { svg, min_width: None }, ..inline }
    }

    /// Title and description of an `svg` element, for screen readers.
    fn described(&self, id: &str, summary: &str) -> Markup {
        html! {
            title id=(format!("{id}-title")) { (without_isolates(&self.title)) }
            desc id=(format!("{id}-desc")) { (without_isolates(summary)) }
        }
    }

    fn inline_svg(&self, id: &str, summary: &str, drawing: Drawing) -> InlineSvg {
        let Drawing { width, height, body } = drawing;
        let svg = html! {
            svg.plot xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {} {}", decimal(width), decimal(height)))
                style=(format!("max-width:{:.0}px", LARGEST_SCALE * width)) role="img" aria-labelledby=(format!("{id}-title {id}-desc")) {
                (self.described(id, summary))
                (style::pattern_defs(id))
                (body)
            }
        };
        InlineSvg { svg, min_width: (width > WIDTH).then_some(width) }
    }

    /// Draws the plot as an SVG file in light colours on white, with its title above.
    pub fn svg(&self) -> String {
        let Drawing { width, height, body } = self.drawing();
        let [left, top] = ORIGIN;
        let (outer_width, outer_height) = (width + 2.0 * left, height + top + left);
        let svg = html! {
            svg.plot xmlns="http://www.w3.org/2000/svg" width=(decimal(outer_width)) height=(decimal(outer_height))
                viewBox=(format!("0 0 {} {}", decimal(outer_width), decimal(outer_height))) role="img" aria-labelledby="title desc" {
                title id="title" { (without_isolates(&self.title)) }
                desc id="desc" { (without_isolates(&self.summary)) }
                style { (PreEscaped(style::light_css())) }
                (style::pattern_defs(&self.name))
                rect.paper width="100%" height="100%" {}
                text.heading x="12" y="22" { (text::truncate(&without_isolates(&self.title), width / BOLD, 13.0)) }
                g transform=(format!("translate({left} {top})")) { (body) }
            }
        };
        let svg = escape_direction(&text::replace_non_xml(&svg.into_string()));
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{svg}\n")
    }

    /// Draws the plot as a PNG file with [`raster::PNG_SCALE`] pixels per unit of [`Figure::svg`].
    pub fn png(&self) -> Vec<u8> {
        let png = raster::png(&self.svg());
        match &self.chart {
            Chart::Pictures(chart) => chart.paste(png, ORIGIN, f64::from(raster::PNG_SCALE)),
            _ => png,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::decode;
    use crate::data::pixels::Pixels;

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
                    points: vec![LabelledPoint { x: 2.5, y: 0.3, label: "<b>a point".into() }],
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
            figure(
                "pictures",
                Chart::Pictures(PictureChart {
                    panels: [(40, 30), (30, 40)]
                        .map(|(width, height)| Panel {
                            role: "<b>& a role".into(),
                            name: "<i>& a name that is longer than its picture".into(),
                            picture: Pixels::new(width, height, vec![20; width * height * 3]),
                        })
                        .to_vec(),
                    key: DivergingKey { low: "-1 <against>".into(), high: "+1 for".into() },
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
