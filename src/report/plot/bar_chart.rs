//! Horizontal bar charts: a group of bars for each category, one bar for each series.

use super::axes::{tick_labels, value_axis, vertical_line};
use super::axis::{Axis, PlacedAxis};
use super::drawing::{Drawing, WIDTH};
use super::series::{Series, legend};
use super::style::{SERIES, fill_style};
use super::text::{decimal, text_width, truncate};
use crate::report::html::{Markup, html};
use std::ops::Range;

/// A horizontal bar chart. Each bar has its value at its end.
#[derive(Debug, Clone)]
pub struct BarChart {
    /// Names of the categories, from top to bottom.
    pub categories: Vec<String>,
    /// One value for each category, `[series][category]`.
    pub series: Vec<Series>,
    /// The axis of values. It always includes zero.
    pub values: Axis,
    /// What follows the value of each bar, such as its share, `[series][category]`; may be empty.
    pub notes: Vec<Vec<String>>,
    /// A column on the right, one text for each category.
    pub remarks: Option<Remarks>,
}

/// A column of texts beside the bars.
#[derive(Debug, Clone)]
pub struct Remarks {
    /// Its heading.
    pub title: String,
    /// One text for each category.
    pub texts: Vec<String>,
}

/// Height of a bar.
const BAR: f64 = 11.0;
/// Room below a group of bars.
const GAP: f64 = 7.0;
/// Room for the name of a category at most.
const NAME: f64 = 138.0;
/// Rows that a page shows before the rest is folded.
const FIRST: usize = 20;
/// Charts of at most this many rows are shown whole.
const LONG: usize = 25;
/// A chart of more rows has its tick values at the top, too.
const TWO_AXES: usize = 12;

/// Some of the categories, and whether the drawing begins the chart.
pub(super) struct Rows {
    range: Range<usize>,
}

impl Rows {
    /// Describes the rows among `all`.
    pub fn label(&self, all: usize) -> String {
        format!("classes {} to {} of {all}", self.range.start + 1, self.range.end)
    }
}

/// Where the parts of a chart are, from left to right.
struct Columns<'a> {
    names: f64,
    axis: PlacedAxis<'a>,
}

/// Position of a bar in its chart.
struct Bar<'a> {
    category: &'a str,
    row: usize,
    series: usize,
    top: f64,
}

impl BarChart {
    /// Whether a page folds some rows.
    pub(super) fn is_long(&self) -> bool {
        self.categories.len() > LONG
    }

    /// The first rows, and the rest.
    pub(super) fn parts(&self) -> [Rows; 2] {
        [Rows { range: 0..FIRST }, Rows { range: FIRST..self.categories.len() }]
    }

    /// The rows that are shown first, in two halves; `None` for a chart that is low as it is.
    pub(super) fn columns_of_rows(&self) -> Option<[Rows; 2]> {
        let first = if self.is_long() { FIRST } else { self.categories.len() };
        let half = first.div_ceil(2);
        (first > TWO_AXES).then_some([Rows { range: 0..half }, Rows { range: half..first }])
    }

    pub(super) fn draw(&self, plot: &str) -> Drawing {
        self.draw_rows(plot, &Rows { range: 0..self.categories.len() })
    }

    /// Lays the chart out over all rows, so that parts of it share their axis.
    fn columns(&self) -> Columns<'_> {
        let widest = |texts: &mut dyn Iterator<Item = f64>| texts.fold(0.0, f64::max);
        let names =
            widest(&mut self.categories.iter().map(|name| text_width(name, 11.0))).clamp(30.0, NAME).ceil();
        let labels = (0..self.series.len())
            .flat_map(|series| (0..self.categories.len()).map(move |row| self.label(series, row)));
        let value = widest(&mut labels.map(|label| text_width(&label, 9.0))) + 8.0;
        let remarks = self.remarks.as_ref().map_or(0.0, |remarks| {
            let texts = remarks.texts.iter().chain([&remarks.title]);
            widest(&mut texts.map(|text| text_width(text, 9.0))) + 8.0
        });
        let values = self.series.iter().flat_map(|series| series.values.iter().flatten().copied());
        let has_negative = values.clone().any(|value| value < 0.0);
        let left = names + 8.0 + if has_negative { value } else { 0.0 };
        let axis = self.values.lay_out(values.chain([0.0]), left, WIDTH - value - remarks);
        Columns { names, axis }
    }

    /// The text at the end of a bar.
    fn label(&self, series: usize, row: usize) -> String {
        let value = self.series[series].values[row];
        let note = self.notes.get(series).map_or("", |notes| notes[row].as_str());
        match value {
            None => "-".into(),
            Some(value) if note.is_empty() => self.values.unit.value(value),
            Some(value) => format!("{} ({note})", self.values.unit.value(value)),
        }
    }

    /// Draws some of the rows.
    pub(super) fn draw_rows(&self, plot: &str, rows: &Rows) -> Drawing {
        let Columns { names, axis } = self.columns();
        let range = rows.range.clone();
        let (has_legend, has_two_axes) = (self.series.len() > 1, range.len() > TWO_AXES);
        let has_heading = has_legend || self.remarks.is_some();
        let top = if has_heading { 22.0 } else { 4.0 } + if has_two_axes { 14.0 } else { 0.0 };
        let group = BAR * self.series.len() as f64 + GAP;
        let bottom = top + group * range.len() as f64;
        let body = html! {
            @if has_legend { (legend(plot, &self.series)) }
            @if let Some(remarks) = &self.remarks {
                text.tiny.end x=(decimal(WIDTH)) y="11" { (remarks.title) }
            }
            @if has_two_axes { (tick_labels(&axis, top - 5.0)) }
            (value_axis(&axis, top, bottom))
            @for (i, row) in range.enumerate() {
                @let (category, y) = (&self.categories[row], top + group * i as f64);
                @let baseline = decimal(y + group / 2.0 + 4.0);
                text.end x=(decimal(names)) y=(baseline) {
                    title { (category) }
                    (truncate(category, names, 11.0))
                }
                @for series in 0..self.series.len() {
                    (self.bar(plot, &Bar { category, row, series, top: y + GAP / 2.0 + BAR * series as f64 }, &axis))
                }
                @if let Some(remarks) = &self.remarks {
                    text.tiny.end x=(decimal(WIDTH)) y=(baseline) { (remarks.texts[row]) }
                }
            }
            path.zero d=(vertical_line(axis.at(0.0), top, bottom)) {}
        };
        Drawing { width: WIDTH, height: bottom + 32.0, body }
    }

    fn bar(&self, plot: &str, bar: &Bar, axis: &PlacedAxis) -> Markup {
        let zero = axis.at(0.0);
        let (text_y, label, i) = (bar.top + BAR - 2.0, self.label(bar.series, bar.row), bar.series);
        let Some(value) = self.series[i].values[bar.row] else {
            return html! { text.tiny x=(decimal(zero + 4.0)) y=(decimal(text_y)) { (label) } };
        };
        let end = axis.at(value);
        let text_x = if value < 0.0 { end - 4.0 } else { end + 4.0 };
        html! {
            rect.edge.{ "c" (i % SERIES) " f" (i % SERIES) } style=[fill_style(plot, i)] x=(decimal(end.min(zero))) y=(decimal(bar.top + 1.0))
                width=(decimal((end - zero).abs())) height=(decimal(BAR - 2.0)) {
                title { (bar.category) @if self.series.len() > 1 { ", " (self.series[i].name) } ": " (label) }
            }
            text.tiny.end[value < 0.0] x=(decimal(text_x)) y=(decimal(text_y)) { (label) }
        }
    }
}
