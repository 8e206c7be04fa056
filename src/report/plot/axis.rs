//! Axes: units, the mapping of values to positions, and round tick values.

use crate::report::format;

/// The kind of number on an axis, which decides how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// Whole numbers.
    Count,
    /// Fractions, written as percentages.
    Percent,
    /// Differences of fractions, written as signed percentages.
    SignedPercent,
    /// Differences of fractions, written as signed percentage points.
    Points,
    /// Other numbers, written with this many decimals.
    Plain(usize),
}

impl Unit {
    /// Formats a value that is shown beside its mark.
    pub(super) fn value(self, value: f64) -> String {
        match self {
            Self::Count => format::count(value.round().max(0.0) as usize),
            Self::Percent => format::percent(value),
            Self::SignedPercent => format::signed_percent(value),
            Self::Points => format::percentage_points(value),
            Self::Plain(decimals) => format!("{value:.decimals$}"),
        }
    }

    /// Formats a tick value, which is round and needs few digits: as many as a `step` between ticks has.
    pub(super) fn tick(self, value: f64, step: f64) -> String {
        let sign = if value > 0.0 { "+" } else { "" };
        let percent = || rounded(100.0 * value, 100.0 * step);
        match self {
            Self::Count => format::count(value.round().max(0.0) as usize),
            Self::Percent => format!("{} %", percent()),
            Self::Points => format!("{sign}{}", percent()),
            Self::SignedPercent => format!("{sign}{} %", percent()),
            Self::Plain(_) => rounded(value, step),
        }
    }
}

/// A multiple of `step`, with the decimals that tell it from its neighbours.
fn rounded(value: f64, step: f64) -> String {
    let decimals = (-(1.001 * step).log10().floor()).clamp(0.0, 15.0) as usize;
    format::without_minus_zero(format!("{value:.decimals$}"))
}

/// An axis of a chart.
#[derive(Debug, Clone)]
pub struct Axis {
    /// What the axis measures, in a few words.
    pub label: String,
    /// The kind of number.
    pub unit: Unit,
    /// Lowest and highest value; `None` takes round numbers around the data.
    pub range: Option<(f64, f64)>,
}

impl Axis {
    /// Lays the axis out from `start` to `end`, in units of the drawing. Without a range it spans the finite `values`.
    pub(super) fn lay_out(&self, values: impl Iterator<Item = f64>, start: f64, end: f64) -> PlacedAxis<'_> {
        match self.range {
            Some((low, high)) => PlacedAxis { axis: self, low, high, start, end },
            None => self.around(values, start, end),
        }
    }

    /// Lays the axis out over exactly `low` to `high`.
    pub(super) fn over(&self, low: f64, high: f64, start: f64, end: f64) -> PlacedAxis<'_> {
        PlacedAxis { axis: self, low, high, start, end }
    }

    fn around(&self, values: impl Iterator<Item = f64>, start: f64, end: f64) -> PlacedAxis<'_> {
        let finite = values.filter(|value| value.is_finite());
        let (low, high) =
            finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), value| (l.min(value), h.max(value)));
        let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
        let smallest_span = if self.unit == Unit::Count { 1.0 } else { 0.1 };
        let high = if high > low { high } else { low + smallest_span };
        let step = tick_step(low, high, self.unit);
        self.over((low / step).floor() * step, (high / step).ceil() * step, start, end)
    }
}

/// An axis with its range of values and its position in the drawing.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlacedAxis<'a> {
    pub axis: &'a Axis,
    pub low: f64,
    pub high: f64,
    pub start: f64,
    pub end: f64,
}

impl PlacedAxis<'_> {
    /// Position of a value in the drawing.
    pub fn at(&self, value: f64) -> f64 {
        self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)
    }

    /// The values of [`PlacedAxis::ticks`] as text.
    pub fn tick_labels(&self) -> Vec<String> {
        let step = tick_step(self.low, self.high, self.axis.unit);
        self.ticks().into_iter().map(|tick| self.axis.unit.tick(tick, step)).collect()
    }

    /// The round values on the axis, ascending.
    pub fn ticks(&self) -> Vec<f64> {
        let step = tick_step(self.low, self.high, self.axis.unit);
        let first = (self.low / step - 1e-9).ceil() as i64;
        (first..).map(|i| i as f64 * step).take_while(|tick| *tick <= self.high + 1e-9 * step).collect()
    }
}

/// Distance between ticks: 1, 2 or 5 times a power of ten, which gives three to six steps.
fn tick_step(low: f64, high: f64, unit: Unit) -> f64 {
    let rough = (high - low) / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|step| *step >= 0.999 * rough);
    let step = step.unwrap_or(10.0 * power);
    if unit == Unit::Count { step.max(1.0).round() } else { step }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(unit: Unit) -> Axis {
        Axis { label: String::new(), unit, range: None }
    }

    #[test]
    fn ticks_are_round_and_few() {
        let plain = axis(Unit::Plain(2));
        for (low, high) in [(0.0, 1.0), (0.0, 0.037), (-0.33, 0.6), (3.0, 977.0), (0.0, 1.0e6)] {
            let placed = plain.lay_out([low, high].into_iter(), 0.0, 100.0);
            let ticks = placed.ticks();
            assert!((3..=8).contains(&ticks.len()), "{low} {high}: {ticks:?}");
            assert!(placed.low <= low && placed.high >= high);
            assert!((placed.at(placed.high) - 100.0).abs() < 1e-9 && placed.at(placed.low).abs() < 1e-9);
        }
        let counts = axis(Unit::Count);
        assert_eq!(counts.lay_out([0.0, 2.0].into_iter(), 0.0, 1.0).ticks(), [0.0, 1.0, 2.0]);
        let percent = axis(Unit::Percent);
        let without_data = percent.lay_out([f64::NAN].into_iter(), 0.0, 1.0);
        assert!(without_data.high > without_data.low);
    }

    #[test]
    fn ticks_are_formatted_by_unit() {
        assert_eq!(Unit::Percent.tick(0.2, 0.1), "20 %");
        assert_eq!(Unit::Percent.tick(0.205, 0.005), "20.5 %");
        assert_eq!(Unit::SignedPercent.tick(-0.4, 0.2), "-40 %");
        assert_eq!(Unit::SignedPercent.tick(0.4, 0.2), "+40 %");
        assert_eq!(Unit::Points.tick(-0.0, 0.2), "0");
        assert_eq!(Unit::Count.tick(12_000.0, 2000.0), "12,000");
    }

    #[test]
    fn tick_values_close_to_each_other_differ() {
        for (low, high) in [(0.1234, 0.1236), (0.0, 0.004), (0.99995, 1.0), (5.0, 25.0)] {
            for unit in [Unit::Plain(4), Unit::Percent, Unit::Points, Unit::SignedPercent] {
                let axis = axis(unit);
                let labels = axis.lay_out([low, high].into_iter(), 0.0, 100.0).tick_labels();
                let distinct: std::collections::BTreeSet<&String> = labels.iter().collect();
                assert_eq!(distinct.len(), labels.len(), "{unit:?} {low} {high}: {labels:?}");
            }
        }
    }
}
