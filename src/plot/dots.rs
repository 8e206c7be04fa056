//! Dots over two scales, as large as what they stand for is frequent.

use super::axis::{Axis, Scale};
use super::columns::{HEIGHT, LEFT, frame, vertical};
use super::text::n;
use super::{Drawing, WIDTH};
use crate::markup::html;
use crate::words::count;

/// Pairs of numbers with how often they occur.
#[derive(Debug, Clone)]
pub struct Dots {
    /// Along the bottom.
    pub x: Axis,
    /// Along the left.
    pub y: Axis,
    /// (x, y, how often).
    pub dots: Vec<(f64, f64, usize)>,
    /// Whether the line y = x is drawn.
    pub diagonal: bool,
}

/// Radius of the most frequent dot and of the rarest.
const LARGEST: f64 = 11.0;
const SMALLEST: f64 = 2.5;

impl Dots {
    pub(super) fn draw(&self) -> Drawing {
        let ends = (LEFT, WIDTH - 14.0);
        let x = match self.x.range {
            Some((low, high)) => Scale { low, high, start: ends.0, end: ends.1 },
            None => Scale::around(self.dots.iter().map(|dot| dot.0), self.x.unit, ends),
        };
        let y = vertical(&self.y, self.dots.iter().map(|dot| dot.1), 14.0);
        let most = self.dots.iter().map(|dot| dot.2).max().unwrap_or(1).max(1) as f64;
        // Areas tell frequencies (Cleveland 1985, *The Elements of Graphing Data*), but for a least size that is seen.
        let radius = |often: usize| SMALLEST.max(LARGEST * (often as f64 / most).sqrt());
        let (low, high) = (x.low.max(y.low), x.high.min(y.high));
        let corner = |at: f64| format!("{},{}", n(x.at(at)), n(y.at(at)));
        let body = html! {
            (frame(&x, &self.x, &y, &self.y))
            @if self.diagonal && low < high { path.guide d={ "M" (corner(low)) " L" (corner(high)) } {} }
            @for &(a, b, often) in &self.dots {
                circle.dot.c0 cx=(n(x.at(a))) cy=(n(y.at(b))) r=(n(radius(often))) {
                    title { (self.x.unit.value(a)) " x " (self.y.unit.value(b)) ": " (count(often)) }
                }
            }
        };
        Drawing { width: WIDTH, height: HEIGHT, body }
    }
}
