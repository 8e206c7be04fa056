//! A named series of values, and the legend of a chart with several of them.

use super::style::{SERIES, fill_style};
use super::text::{decimal, text_width};
use crate::report::html::{Markup, html};

/// One value for each category or bin of a chart.
#[derive(Debug, Clone)]
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// Values in the order of the categories or bins; `None` where a value is undefined.
    pub values: Vec<Option<f64>>,
}

/// A colour sample and the name of each series, in one row.
pub(super) fn legend(plot: &str, series: &[Series]) -> Markup {
    let mut x = 0.0;
    let starts: Vec<f64> = series
        .iter()
        .map(|series| {
            let start = x;
            x += 17.0 + text_width(&series.name, 10.0) + 16.0;
            start
        })
        .collect();
    html! {
        @for (i, (series, x)) in series.iter().zip(starts).enumerate() {
            rect.edge.{ "c" (i % SERIES) " f" (i % SERIES) } style=[fill_style(plot, i)] x=(decimal(x + 0.5)) y="3" width="12" height="9" {}
            text.small x=(decimal(x + 17.0)) y="11" { (series.name) }
        }
    }
}
