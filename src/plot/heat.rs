//! A table of counts by colour: how the answers for each truth are spread.

use super::Drawing;
use super::style::STEPS;
use super::text::{n, shorten, width};
use crate::markup::{Markup, html};
use crate::words::{count, percent};

/// Counts of rows against columns, both with the same names; the colour tells a count's share of its row.
#[derive(Debug, Clone)]
pub struct Heat {
    /// Of rows and of columns.
    pub names: Vec<String>,
    /// Row by row.
    pub counts: Vec<Vec<usize>>,
    /// What rows are.
    pub rows: String,
    /// What columns are.
    pub columns: String,
}

/// Beyond so many names cells are small and hold no numbers.
const NUMBERED: usize = 40;
/// The longest a name may be.
const NAME: f64 = 110.0;

impl Heat {
    pub(super) fn draw(&self) -> Drawing {
        let classes = self.names.len();
        let (cell, letters) = match classes {
            0..=12 => (24.0, 10.0),
            13..=NUMBERED => (22.0, 9.0),
            _ => (11.0, 8.0),
        };
        let names = self.names.iter().map(|name| width(name, letters)).fold(20.0, f64::max).min(NAME);
        let (left, top) = (16.0 + names + 6.0, 16.0 + names + 6.0);
        let side = cell * classes as f64;
        let at = |i: usize| i as f64 * cell;
        let body = html! {
            text.small.middle x=(n(left + side / 2.0)) y="9" { (self.columns) }
            text.small.middle transform=(format!("translate(9 {}) rotate(-90)", n(top + side / 2.0))) { (self.rows) }
            @for (i, name) in self.names.iter().enumerate() {
                @let middle = at(i) + cell / 2.0;
                @let below = letters * 0.36;
                g.end transform=(format!("translate({} {})", n(left - 6.0), n(top + middle + below))) { (label(name, letters)) }
                g transform=(format!("translate({} {}) rotate(-90)", n(left + middle + below), n(top - 6.0))) { (label(name, letters)) }
            }
            @for (row, counts) in self.counts.iter().enumerate() {
                @let total: usize = counts.iter().sum();
                @for (column, &value) in counts.iter().enumerate() {
                    @if value > 0 || row == column {
                        (self.cell((row, column), value, total, (left + at(column), top + at(row), cell)))
                    }
                }
            }
            rect.grid x=(n(left)) y=(n(top)) width=(n(side)) height=(n(side)) {}
            (key(left, top + side + 12.0))
        };
        let width = (left + side + 4.0).max(left + 170.0);
        Drawing { width, height: top + side + 42.0, body }
    }

    fn cell(
        &self,
        (row, column): (usize, usize),
        value: usize,
        total: usize,
        (x, y, side): (f64, f64, f64),
    ) -> Markup {
        let share = if total > 0 { value as f64 / total as f64 } else { 0.0 };
        let step = ((share * STEPS as f64).ceil() as usize).clamp(1, STEPS) - 1;
        let small = side - 1.0;
        html! {
            rect.{ "h" (step) } x=(n(x + 0.5)) y=(n(y + 0.5)) width=(n(small)) height=(n(small)) {
                title { (self.names[row]) " answered as " (self.names[column]) ": " (count(value)) " of " (count(total)) " (" (percent((total > 0).then_some(share))) ")" }
            }
            // Right answers are framed.
            @if row == column {
                rect.target x=(n(x + 1.0)) y=(n(y + 1.0)) width=(n(side - 2.0)) height=(n(side - 2.0)) {}
            }
            @if self.names.len() <= NUMBERED {
                text.tiny.middle.{ "t" (step) } x=(n(x + side / 2.0)) y=(n(y + side / 2.0 + 3.2)) { (value) }
            }
        }
    }
}

fn label(name: &str, letters: f64) -> Markup {
    html! {
        text style=(format!("font-size:{letters}px")) {
            title { (name) }
            (shorten(name, NAME, letters))
        }
    }
}

/// Which colour is which share.
fn key(x: f64, y: f64) -> Markup {
    html! {
        @for step in 0..STEPS {
            rect.{ "h" (step) } x=(n(x + 22.0 * step as f64)) y=(n(y)) width="22" height="9" {}
        }
        rect.grid x=(n(x)) y=(n(y)) width=(n(22.0 * STEPS as f64)) height="9" {}
        text.small x=(n(x)) y=(n(y + 21.0)) { "0 %" }
        text.small.end x=(n(x + 22.0 * STEPS as f64)) y=(n(y + 21.0)) { "100 % of the row" }
    }
}
