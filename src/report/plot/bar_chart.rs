//! Horizontal bar charts: a group of bars for each category, one bar for each series.

use super::axes::{value_axis, vertical_line};
use super::axis::{Axis, PlacedAxis};
use super::drawing::{Drawing, WIDTH};
use super::series::{Series, legend};
use super::style::{SERIES, fill_style};
use super::text::{decimal, text_width, truncate};
use crate::report::html::{Markup, html};

/// A horizontal bar chart. Each bar has its value at its end.
#[derive(Debug, Clone)]
pub struct BarChart {
    /// Names of the categories, from top to bottom.
    pub categories: Vec<String>,
    /// One value for each category, `[series][category]`.
    pub series: Vec<Series>,
    /// The axis of values. It always includes zero.
    pub values: Axis,
}

/// Height of a bar.
const BAR: f64 = 11.0;
/// Room below a group of bars.
const GAP: f64 = 7.0;
/// Room for a value beside its bar.
const VALUE: f64 = 52.0;

/// Position of a bar in its chart.
struct Bar<'a> {
    category: &'a str,
    series: usize,
    top: f64,
}

impl BarChart {
    pub(super) fn draw(&self, plot: &str) -> Drawing {
        let names = self.categories.iter().map(|name| text_width(name, 11.0)).fold(30.0, f64::max).min(132.0);
        let values = self.series.iter().flat_map(|series| series.values.iter().flatten().copied());
        let has_negative = values.clone().any(|value| value < 0.0);
        let left = names + 8.0 + if has_negative { VALUE } else { 0.0 };
        let axis = self.values.lay_out(values.chain([0.0]), left, WIDTH - VALUE);
        let top = if self.series.len() > 1 { 22.0 } else { 4.0 };
        let group = BAR * self.series.len() as f64 + GAP;
        let bottom = top + group * self.categories.len() as f64;
        let body = html! {
            @if self.series.len() > 1 { (legend(plot, &self.series)) }
            (value_axis(&axis, top, bottom))
            @for (i, category) in self.categories.iter().enumerate() {
                @let y = top + group * i as f64;
                text.end x=(decimal(names)) y=(decimal(y + (group - GAP) / 2.0 + 4.0 + GAP / 2.0)) {
                    title { (category) }
                    (truncate(category, names, 11.0))
                }
                @for (series, values) in self.series.iter().enumerate() {
                    @let bar = Bar { category, series, top: y + GAP / 2.0 + BAR * series as f64 };
                    (self.bar(plot, &bar, values.values[i], &axis))
                }
            }
            path.zero d=(vertical_line(axis.at(0.0), top, bottom)) {}
        };
        Drawing { width: WIDTH, height: bottom + 32.0, body }
    }

    fn bar(&self, plot: &str, bar: &Bar, value: Option<f64>, axis: &PlacedAxis) -> Markup {
        let zero = axis.at(0.0);
        let text_y = bar.top + BAR - 2.0;
        let Some(value) = value else {
            return html! { text.tiny x=(decimal(zero + 4.0)) y=(decimal(text_y)) { "-" } };
        };
        let (end, label, i) = (axis.at(value), self.values.unit.value(value), bar.series);
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
