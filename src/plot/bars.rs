//! Lying bars: a group for each name, a bar for each series, its value at its end.

use super::axis::{Scale, Unit};
use super::style::{SERIES, fill};
use super::text::{n, shorten, width};
use super::{Drawing, Series, WIDTH};
use crate::markup::{Markup, html};

/// A bar for each category and series.
#[derive(Debug, Clone)]
pub struct Bars {
    /// What the bars stand for, from above.
    pub categories: Vec<String>,
    /// As many values each as there are categories.
    pub series: Vec<Series>,
    /// What the values are.
    pub unit: Unit,
    /// What the scale tells, in a few words.
    pub label: String,
}

/// Height of a bar, and room below a group.
const BAR: f64 = 11.0;
const GAP: f64 = 7.0;
/// Room for a value beside its bar.
const VALUE: f64 = 52.0;

impl Bars {
    pub(super) fn draw(&self, plot: &str) -> Drawing {
        let names = self.categories.iter().map(|name| width(name, 11.0)).fold(30.0, f64::max).min(132.0);
        let values = self.series.iter().flat_map(|series| series.values.iter().flatten().copied());
        let negative = values.clone().any(|value| value < 0.0);
        let left = names + 8.0 + if negative { VALUE } else { 0.0 };
        let scale = Scale::around(values.chain([0.0]), self.unit, (left, WIDTH - VALUE));
        let legend = legend(plot, &self.series);
        let top = if self.series.len() > 1 { 22.0 } else { 4.0 };
        let group = BAR * self.series.len() as f64 + GAP;
        let bottom = top + group * self.categories.len() as f64;
        let body = html! {
            @if self.series.len() > 1 { (legend) }
            (self.scale(&scale, top, bottom))
            @for (i, name) in self.categories.iter().enumerate() {
                @let y = top + group * i as f64;
                text.end x=(n(names)) y=(n(y + (group - GAP) / 2.0 + 4.0 + GAP / 2.0)) {
                    title { (name) }
                    (shorten(name, names, 11.0))
                }
                @for (s, series) in self.series.iter().enumerate() {
                    (self.bar(plot, (name, s, series), series.values[i], &scale, y + GAP / 2.0 + BAR * s as f64))
                }
            }
            path.zero d=(format!("M{},{} V{}", n(scale.at(0.0)), n(top), n(bottom))) {}
        };
        Drawing { width: WIDTH, height: bottom + 32.0, body }
    }

    fn scale(&self, scale: &Scale, top: f64, bottom: f64) -> Markup {
        let ticks = scale.ticks(self.unit);
        // As many numbers as do not touch.
        let widest = ticks.iter().map(|tick| width(&self.unit.tick(*tick), 10.0)).fold(0.0, f64::max) + 6.0;
        let apart = (scale.end - scale.start) / ticks.len().saturating_sub(1).max(1) as f64;
        let every = ((widest / apart).ceil() as usize).max(1);
        let zero = ticks.iter().position(|tick| tick.abs() < 1e-12).unwrap_or(0);
        html! {
            @for (i, tick) in ticks.iter().enumerate() {
                path.grid d=(format!("M{},{} V{}", n(scale.at(*tick)), n(top), n(bottom))) {}
                @if i.abs_diff(zero) % every == 0 {
                    text.small.middle x=(n(scale.at(*tick))) y=(n(bottom + 13.0)) { (self.unit.tick(*tick)) }
                }
            }
            text.small.middle x=(n((scale.start + scale.end) / 2.0)) y=(n(bottom + 27.0)) { (self.label) }
        }
    }

    fn bar(
        &self,
        plot: &str,
        (name, at, series): (&str, usize, &Series),
        value: Option<f64>,
        scale: &Scale,
        y: f64,
    ) -> Markup {
        let zero = scale.at(0.0);
        let Some(value) = value else {
            return html! { text.tiny x=(n(zero + 4.0)) y=(n(y + BAR - 2.0)) { "-" } };
        };
        let (end, told) = (scale.at(value), self.unit.value(value));
        let beside = if value < 0.0 { end - 4.0 } else { end + 4.0 };
        html! {
            rect.edge.{ "c" (at % SERIES) " f" (at % SERIES) } style=[fill(plot, at)] x=(n(end.min(zero))) y=(n(y + 1.0))
                width=(n((end - zero).abs())) height=(n(BAR - 2.0)) {
                title { (name) @if self.series.len() > 1 { ", " (series.name) } ": " (told) }
            }
            text.tiny.end[value < 0.0] x=(n(beside)) y=(n(y + BAR - 2.0)) { (told) }
        }
    }
}

/// A sample of each series with its name, in a row.
pub(super) fn legend(plot: &str, series: &[Series]) -> Markup {
    let mut x = 0.0;
    let places: Vec<f64> = series
        .iter()
        .map(|series| {
            let here = x;
            x += 17.0 + width(&series.name, 10.0) + 16.0;
            here
        })
        .collect();
    html! {
        @for (at, (series, x)) in series.iter().zip(places).enumerate() {
            rect.edge.{ "c" (at % SERIES) " f" (at % SERIES) } style=[fill(plot, at)] x=(n(x + 0.5)) y="3" width="12" height="9" {}
            text.small x=(n(x + 17.0)) y="11" { (series.name) }
        }
    }
}
