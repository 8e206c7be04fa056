//! The plots and tables that were made for a page, found by name.

use super::elements::{figure, side_by_side, wide_figure};
use super::table::Table;
use crate::report::html::{Markup, html};
use crate::report::plot::Figure;

/// The plots and tables of a page. One that was not made renders as nothing.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// The plots.
    pub figures: &'a [Figure],
    /// The tables.
    pub tables: &'a [Table],
}

impl Parts<'_> {
    fn find_table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == name)
    }

    /// Whether a plot was made.
    pub fn has(&self, name: &str) -> bool {
        self.figures.iter().any(|figure| figure.name == name)
    }

    /// Renders a plot.
    pub fn figure(&self, name: &str) -> Markup {
        self.figures.iter().find(|figure| figure.name == name).map_or(html! {}, figure)
    }

    /// Renders a plot over the whole width: of a chart with many rows, the first ones in two columns where there is room.
    pub fn wide_figure(&self, name: &str) -> Markup {
        self.figures.iter().find(|figure| figure.name == name).map_or(html! {}, wide_figure)
    }

    /// Renders those plots of `names` that were made side by side.
    pub fn figures(&self, names: &[&str]) -> Markup {
        let made = names.iter().filter(|name| self.has(name));
        side_by_side(made.map(|name| self.figure(name)))
    }

    /// Renders a plot and something else side by side.
    pub fn figure_beside(&self, name: &str, other: Markup) -> Markup {
        let made = self.has(name);
        side_by_side(made.then(|| self.figure(name)).into_iter().chain([other]))
    }

    /// Renders a table.
    pub fn table(&self, name: &str) -> Markup {
        self.find_table(name).map_or(html! {}, Table::markup)
    }

    /// Renders the first `most` rows of a table and, if there are more, a note.
    pub fn first_rows(&self, name: &str, most: usize) -> Markup {
        let Some(table) = self.find_table(name) else { return html! {} };
        let rest = table.rows.len().saturating_sub(most);
        html! {
            (table.first(most).markup())
            @if rest > 0 { p.note { "And " (crate::report::format::count(rest)) " more rows, which the table in CSV has." } }
        }
    }

    /// Renders a table that the reader can unfold.
    pub fn folded_table(&self, name: &str) -> Markup {
        html! {
            @if let Some(table) = self.find_table(name) {
                details { summary { (table.caption) ", as a table" } (table.markup()) }
            }
        }
    }
}
