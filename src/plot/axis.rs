//! Scales: from numbers to places, and the round numbers that are written beside them.

use super::text::n;
use crate::words;

/// What numbers are, which decides how they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Whole numbers.
    Count,
    /// Fractions, written as percentages.
    Percent,
    /// Differences of fractions, written as percentages with a sign.
    SignedPercent,
    /// Differences of fractions, written as percentage points with a sign.
    Points,
    /// Numbers with so many decimals.
    Plain(usize),
}

impl Unit {
    /// A value beside its bar.
    pub(super) fn value(self, value: f64) -> String {
        match self {
            Self::Count => words::count(value.round().max(0.0) as usize),
            Self::Percent => words::percent(value),
            Self::SignedPercent => words::signed_percent(value),
            Self::Points => words::points(value),
            Self::Plain(decimals) => format!("{value:.decimals$}"),
        }
    }

    /// A round number of a scale.
    pub(super) fn tick(self, value: f64) -> String {
        match self {
            Self::Count => words::count(value.round().max(0.0) as usize),
            Self::Percent => format!("{} %", n(100.0 * value)),
            Self::Points if value == 0.0 => "0".into(),
            Self::Points => format!("{}{}", if value > 0.0 { "+" } else { "" }, n(100.0 * value)),
            Self::SignedPercent if value == 0.0 => "0 %".into(),
            Self::SignedPercent => format!("{}{} %", if value > 0.0 { "+" } else { "" }, n(100.0 * value)),
            Self::Plain(_) => n(value),
        }
    }
}

/// What stands along a side of a plot.
#[derive(Debug, Clone)]
pub struct Axis {
    /// What the numbers tell.
    pub label: String,
    /// How they are written.
    pub unit: Unit,
    /// The ends; those of the data where it is `None`.
    pub range: Option<(f64, f64)>,
}

/// Numbers from `low` to `high` over places from `start` to `end`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub low: f64,
    pub high: f64,
    pub start: f64,
    pub end: f64,
}

impl Scale {
    /// A scale that begins and ends with round numbers around `values`.
    pub fn around(values: impl Iterator<Item = f64>, unit: Unit, (start, end): (f64, f64)) -> Self {
        let finite = values.filter(|value| value.is_finite());
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
        let high = if high > low { high } else { low + if unit == Unit::Count { 1.0 } else { 0.1 } };
        let step = step(low, high, unit);
        Self { low: (low / step).floor() * step, high: (high / step).ceil() * step, start, end }
    }

    pub fn at(&self, value: f64) -> f64 {
        self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)
    }

    /// The round numbers on it.
    pub fn ticks(&self, unit: Unit) -> Vec<f64> {
        let step = step(self.low, self.high, unit);
        let first = (self.low / step - 1e-9).ceil() as i64;
        (first..).map(|i| i as f64 * step).take_while(|tick| *tick <= self.high + 1e-9 * step).collect()
    }
}

/// 1, 2 or 5 times a power of ten, so that there are three to six steps.
fn step(low: f64, high: f64, unit: Unit) -> f64 {
    let rough = (high - low) / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|step| *step >= 0.999 * rough);
    let step = step.unwrap_or(10.0 * power);
    if unit == Unit::Count { step.max(1.0).round() } else { step }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        for (low, high) in [(0.0, 1.0), (0.0, 0.037), (-0.33, 0.6), (3.0, 977.0), (0.0, 1.0e6)] {
            let scale = Scale::around([low, high].into_iter(), Unit::Plain(2), (0.0, 100.0));
            let ticks = scale.ticks(Unit::Plain(2));
            assert!((3..=8).contains(&ticks.len()), "{low} {high}: {ticks:?}");
            assert!(scale.low <= low && scale.high >= high);
            assert!((scale.at(scale.high) - 100.0).abs() < 1e-9 && scale.at(scale.low).abs() < 1e-9);
        }
        let few = Scale::around([0.0, 2.0].into_iter(), Unit::Count, (0.0, 1.0));
        assert_eq!(few.ticks(Unit::Count), [0.0, 1.0, 2.0]);
        let nothing = Scale::around([f64::NAN].into_iter(), Unit::Percent, (0.0, 1.0));
        assert!(nothing.high > nothing.low);
    }

    #[test]
    fn ticks_as_they_are_written() {
        let told = |unit: Unit, value| unit.tick(value);
        assert_eq!(told(Unit::Percent, 0.2), "20 %");
        assert_eq!(told(Unit::SignedPercent, -0.4), "-40 %");
        assert_eq!(told(Unit::SignedPercent, 0.4), "+40 %");
        assert_eq!(told(Unit::Count, 12_000.0), "12,000");
    }
}
