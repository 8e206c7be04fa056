//! Plots as data, and how they look: SVG inside a page, where they take its light or dark colours, or a file of its own,
//! SVG or PNG. It refuses to compute anything but places on paper: the numbers come from whoever has them.
//!
//! Drawn here rather than by a crate, because those that write SVG (plotters, kuva) put fixed colours into it and no
//! names, so that a page can neither turn them dark nor tell them to a screen reader.

mod axis;
mod bars;
mod columns;
mod dots;
mod heat;
mod intervals;
mod lines;
mod raster;
mod style;
mod text;

pub use axis::{Axis, Unit};
pub use bars::Bars;
pub use columns::Columns;
pub use dots::Dots;
pub use heat::Heat;
pub use intervals::{Interval, Intervals};
pub use lines::{Curve, Lines, Mark};
pub use raster::SCALE;
pub use style::{CSS, DARK, LIGHT};

use crate::markup::{Markup, PreEscaped, html};
use serde_json::Value;
use text::n;

/// One plot: what is drawn, and what it says without being seen.
#[derive(Debug, Clone)]
pub struct Figure {
    /// Lower case and hyphens, one of its kind in a page: `data-plot`, the file's name, the start of all its ids.
    pub name: String,
    /// A few words.
    pub title: String,
    /// What a person would see in it, in a sentence or two.
    pub summary: String,
    /// What is drawn.
    pub chart: Chart,
    /// The numbers that it was drawn from, as the command's JSON has them.
    pub numbers: Value,
}

/// The kinds of plot.
#[derive(Debug, Clone)]
pub enum Chart {
    /// A bar or more for each name, lying.
    Bars(Bars),
    /// Standing columns over intervals of numbers.
    Columns(Columns),
    /// Curves.
    Lines(Lines),
    /// Counts of rows against columns, by colour and number.
    Heat(Heat),
    /// Estimates with their intervals.
    Intervals(Intervals),
    /// Pairs of numbers, larger where they are more frequent.
    Dots(Dots),
}

/// Numbers of one kind, in the order of what they belong to.
#[derive(Debug, Clone)]
pub struct Series {
    /// For the legend.
    pub name: String,
    /// `None` where undefined.
    pub values: Vec<Option<f64>>,
}

/// What a chart looks like, in units that are pixels of a phone.
struct Drawing {
    width: f64,
    height: f64,
    body: Markup,
}

/// Most charts are as wide as a phone; wider screens enlarge them a little. A heat map is as wide as it must be.
const WIDTH: f64 = 360.0;
/// A drawing higher than this is looked at in parts.
const TALL: f64 = 800.0;

impl Figure {
    fn drawing(&self) -> Drawing {
        match &self.chart {
            Chart::Bars(bars) => bars.draw(&self.name),
            Chart::Columns(columns) => columns.draw(&self.name),
            Chart::Lines(lines) => lines.draw(),
            Chart::Heat(heat) => heat.draw(),
            Chart::Intervals(intervals) => intervals.draw(),
            Chart::Dots(dots) => dots.draw(),
        }
    }

    /// SVG to stand in a page that has [`CSS`] and one of [`LIGHT`] and [`DARK`]; with the least width that it needs where
    /// it is wider or higher than a screen.
    pub fn inline(&self) -> (Markup, Option<f64>) {
        let Drawing { width, height, body } = self.drawing();
        let ids = ["title", "desc"].map(|part| format!("{}-{part}", self.name));
        let svg = html! {
            svg.plot xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {} {}", n(width), n(height)))
                role="img" aria-labelledby=(ids.join(" ")) {
                title id=(ids[0]) { (self.title) }
                desc id=(ids[1]) { (self.summary) }
                (style::patterns(&self.name))
                (body)
            }
        };
        let least = if width > WIDTH { Some(width) } else { (height > TALL).then_some(0.0) };
        (svg, least)
    }

    /// An SVG file with its title above, in light colours on white.
    pub fn svg(&self) -> String {
        const ABOVE: f64 = 30.0;
        let Drawing { width, height, body } = self.drawing();
        let (outer, full) = (width + 24.0, height + ABOVE + 12.0);
        let drawn = html! {
            svg.plot xmlns="http://www.w3.org/2000/svg" width=(n(outer)) height=(n(full))
                viewBox=(format!("0 0 {} {}", n(outer), n(full))) role="img" aria-labelledby="title desc" {
                title id="title" { (self.title) }
                desc id="desc" { (self.summary) }
                style { (PreEscaped(style::fixed())) }
                (style::patterns(&self.name))
                rect.paper width="100%" height="100%" {}
                text.heading x="12" y="22" { (text::shorten(&self.title, outer - 24.0, 13.0)) }
                g transform=(format!("translate(12 {ABOVE})")) { (body) }
            }
        };
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}\n", text::xml(&drawn.into_string()))
    }

    /// The same as PNG, [`SCALE`] times as large.
    pub fn png(&self) -> Vec<u8> {
        raster::png(&self.svg())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image_io;

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

    fn all() -> Vec<Figure> {
        let names =
            vec!["<b>&\"".to_string(), "a rather long name that cannot be shown whole".into(), "猫".into()];
        let curve = |points: &[(f64, f64)]| Curve { name: "<i>".into(), points: points.to_vec() };
        vec![
            figure(
                "bars",
                Chart::Bars(Bars {
                    categories: names.clone(),
                    series: series(&[Some(-0.5), None, Some(0.25)]),
                    unit: Unit::SignedPercent,
                    label: "share".into(),
                }),
            ),
            figure(
                "columns",
                Chart::Columns(Columns {
                    edges: vec![0.0, 0.5, 1.0],
                    series: series(&[Some(3.0), None]),
                    x: axis(Unit::Percent),
                    y: axis(Unit::Count),
                    diagonal: true,
                    points: Some(("mean".into(), vec![(0.3, 2.0)])),
                }),
            ),
            figure(
                "lines",
                Chart::Lines(Lines {
                    x: axis(Unit::Count),
                    y: axis(Unit::Plain(2)),
                    curves: vec![curve(&[(1.0, 0.5), (2.0, f64::NAN), (3.0, 0.2)]), curve(&[])],
                    marks: vec![Mark { x: 2.0, label: "<here>".into() }],
                }),
            ),
            figure(
                "heat",
                Chart::Heat(Heat {
                    names,
                    counts: vec![vec![9, 1, 0], vec![0, 0, 0], vec![0, 3, 3]],
                    rows: "truth".into(),
                    columns: "answer".into(),
                }),
            ),
            figure(
                "intervals",
                Chart::Intervals(Intervals {
                    rows: vec![
                        Interval { name: "<b>".into(), low: -0.1, value: 0.0, high: 0.2 },
                        Interval { name: "one point".into(), low: 0.1, value: 0.1, high: 0.1 },
                    ],
                    unit: Unit::Points,
                    label: "difference".into(),
                    zero: true,
                }),
            ),
            figure(
                "dots",
                Chart::Dots(Dots {
                    x: axis(Unit::Count),
                    y: axis(Unit::Count),
                    dots: vec![(250.0, 250.0, 90), (640.0, 480.0, 1), (480.0, 640.0, 10)],
                    diagonal: true,
                }),
            ),
        ]
    }

    #[test]
    fn every_plot_is_svg_that_a_strict_reader_takes_and_a_png_of_its_size() {
        for figure in all() {
            let svg = figure.svg();
            // resvg parses XML strictly, and would draw nothing where it does not understand.
            let png = image_io::decode(&figure.png()).unwrap();
            let side = |name: &str| -> f32 {
                svg.split(&format!(" {name}=\"")).nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
            };
            assert_eq!(
                (png.width(), png.height()),
                ((side("width") * SCALE).ceil() as usize, (side("height") * SCALE).ceil() as usize)
            );
            let drawn = png.data().chunks(3).filter(|pixel| pixel.iter().any(|c| *c < 128)).count();
            assert!(drawn > 2000, "{}: {drawn} dark pixels", figure.name);
            assert!(!svg.contains("<script") && !svg.contains("<b>") && !svg.contains("NaN"), "{svg}");
            let (inline, _) = figure.inline();
            assert!(inline.into_string().contains(&format!("<title id=\"{}-title\">", figure.name)));
        }
    }

    #[test]
    fn a_plot_is_the_same_bytes_each_time() {
        let draw = || all().iter().map(|figure| (figure.svg(), figure.png())).collect::<Vec<_>>();
        assert!(draw() == draw());
    }
}
