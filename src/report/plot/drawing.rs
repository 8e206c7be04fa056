//! The result of drawing a chart, and the sizes that most charts share.

use crate::report::html::Markup;

/// A chart as SVG elements. One unit is one pixel on a phone.
pub(super) struct Drawing {
    pub width: f64,
    pub height: f64,
    pub body: Markup,
}

/// Width of most charts: that of a phone. Wider screens enlarge them a little. A heat map is as wide as it must be.
pub(super) const WIDTH: f64 = 360.0;

/// Height of a chart with a vertical axis.
pub(super) const HEIGHT: f64 = 250.0;
