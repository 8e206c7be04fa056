//! Tables, rendered for a page and written as CSV.

use super::elements::{breakable, scrolled, sentence, short, shortened};
use crate::io::separated;
use crate::report::format;
use crate::report::html::{Markup, html};
use std::path::Path;

/// A table.
#[derive(Debug, Clone)]
pub struct Table {
    /// Lower case and hyphens: `data-table`, and the name of its CSV file.
    pub name: String,
    /// What it shows.
    pub caption: String,
    /// From the left; the cells of the first are the headings of the rows.
    pub columns: Vec<Column>,
    /// Rows of one cell per column.
    pub rows: Vec<Vec<Cell>>,
    /// The order in which a page shows the rows; empty where it is that of the file.
    pub page_order: Vec<usize>,
}

/// Rows that a page shows before the rest is folded.
const FIRST: usize = 20;
/// Tables of at most this many rows are shown whole.
const LONG: usize = 25;
/// Letters of the heading of a row at most; longer ones are shortened in the middle.
const LONGEST_HEADING: usize = 40;
/// Letters of a name in another cell at most.
const LONGEST_NAME: usize = 24;

/// The heading of a column.
#[derive(Debug, Clone)]
pub struct Column {
    /// In the page.
    pub title: String,
    /// In the first line of the CSV file: lower case and underscores, unless it holds the name of a class.
    pub key: String,
    /// Whether it is one of several columns, one for each class.
    is_of_class: bool,
    /// Whether only the CSV file has it.
    is_file_only: bool,
}

/// Begins the key of a column of a class, so that no class can be called like another column.
const CLASS_PREFIX: &str = "predicted_";

impl Column {
    /// Creates a heading.
    pub fn new(title: impl Into<String>, key: impl Into<String>) -> Self {
        Self { title: title.into(), key: key.into(), is_of_class: false, is_file_only: false }
    }

    /// Creates the heading of a column about predictions of the class `name`.
    pub fn of_class(name: &str) -> Self {
        Self {
            title: name.into(),
            key: format!("{CLASS_PREFIX}{name}"),
            is_of_class: true,
            is_file_only: false,
        }
    }

    /// Creates the heading of a column that only the CSV file has.
    pub fn file_only(key: impl Into<String>) -> Self {
        Self { is_file_only: true, ..Self::new("", key) }
    }
}

/// A cell: what the page shows, and what the CSV file holds.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Cell {
    /// Text.
    Text(String),
    /// Text of which the page shows a short form, such as the name of a run for its path.
    Shortened {
        /// As the page shows it.
        shown: String,
        /// As the CSV file holds it.
        text: String,
    },
    /// A number.
    Number {
        /// As the page shows it, such as `63.7 %`.
        text: String,
        /// Its interval, on a line below, such as `58.6 to 68.5`.
        interval: Option<String>,
        /// As the CSV file holds it, such as 0.637; `None` where it is undefined.
        value: Option<f64>,
    },
}

impl Cell {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A text of which the page shows a short form.
    pub fn shortened(text: impl Into<String>, shown: impl Into<String>) -> Self {
        Self::Shortened { shown: shown.into(), text: text.into() }
    }

    /// A name, which the page shortens in the middle where it is long.
    pub fn name(name: &str) -> Self {
        shortened(name, LONGEST_NAME).map_or_else(|| Self::text(name), |shown| Self::shortened(name, shown))
    }

    fn number(text: String, value: impl Into<Option<f64>>) -> Self {
        Self::Number { text, interval: None, value: value.into() }
    }

    /// A whole number.
    pub fn count(count: usize) -> Self {
        Self::number(format::count(count), Some(count as f64))
    }

    /// A whole number, or a dash where there is none.
    pub fn optional_count(count: Option<usize>) -> Self {
        Self::number(count.map_or("-".into(), format::count), count.map(|count| count as f64))
    }

    /// A fraction, shown as a percentage.
    pub fn percent(fraction: impl Into<Option<f64>>) -> Self {
        let value = fraction.into();
        Self::number(format::percent(value), value)
    }

    /// A fraction with its interval, shown as percentages. The file has the limits in columns of their own.
    pub fn percent_with_interval(fraction: Option<f64>, interval: Option<[f64; 2]>) -> Self {
        let interval = interval.map(format::percent_range);
        Self::Number { text: format::percent(fraction), interval, value: fraction }
    }

    /// A difference of fractions, shown as a percentage with its sign.
    pub fn signed_percent(fraction: impl Into<Option<f64>>) -> Self {
        let value = fraction.into();
        Self::number(format::signed_percent(value), value)
    }

    /// A difference of fractions, shown in percentage points with its sign.
    pub fn percentage_points(difference: f64) -> Self {
        Self::number(format::percentage_points(difference), Some(difference))
    }

    /// A difference of fractions with its interval, shown in percentage points with their signs. The file has the limits in
    /// columns of their own.
    pub fn points_with_interval(difference: f64, interval: Option<[f64; 2]>) -> Self {
        let interval = interval.map(|[low, high]| {
            format!("{} to {}", format::percentage_points(low), format::percentage_points(high))
        });
        Self::Number { text: format::percentage_points(difference), interval, value: Some(difference) }
    }

    /// A score from 0 to 1, shown with three decimals.
    pub fn score(score: impl Into<Option<f64>>) -> Self {
        let value = score.into();
        Self::number(format::score(value), value)
    }

    /// A score from 0 to 1 with its interval. The file has the limits in columns of their own.
    pub fn score_with_interval(score: Option<f64>, interval: Option<[f64; 2]>) -> Self {
        let interval = interval.map(|[low, high]| format!("{low:.3} to {high:.3}"));
        Self::Number { text: format::score(score), interval, value: score }
    }

    /// A number shown with four decimals, such as a loss or a distance.
    pub fn four_decimals(value: f64) -> Self {
        Self::number(format!("{value:.4}"), Some(value))
    }

    /// A p value.
    pub fn p_value(p: f64) -> Self {
        Self::number(format::p_value(p), Some(p))
    }

    fn csv(&self) -> String {
        match self {
            Self::Text(text) | Self::Shortened { text, .. } => without_formula(text),
            // The shortest text that reads as the same number.
            Self::Number { value, .. } => value.map_or(String::new(), |value| value.to_string()),
        }
    }
}

/// Puts an apostrophe before a text that a spreadsheet would evaluate as a formula (OWASP, *CSV injection*).
fn without_formula(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.into() }
}

impl Table {
    /// Creates a table with a fixed number of columns.
    pub fn new<const N: usize>(
        name: &str,
        caption: impl Into<String>,
        columns: [Column; N],
        rows: impl IntoIterator<Item = [Cell; N]>,
    ) -> Self {
        let rows = rows.into_iter().map(Vec::from).collect();
        Self {
            name: name.into(),
            caption: caption.into(),
            columns: columns.into(),
            rows,
            page_order: Vec::new(),
        }
    }

    /// The rows in the order of the page.
    fn page_rows(&self) -> Vec<&Vec<Cell>> {
        match self.page_order.is_empty() {
            true => self.rows.iter().collect(),
            false => self.page_order.iter().map(|&row| &self.rows[row]).collect(),
        }
    }

    /// The first `most` rows of the page, as a table of their own.
    pub(super) fn first(&self, most: usize) -> Self {
        let rows = self.page_rows().into_iter().take(most).cloned().collect();
        Self { rows, page_order: Vec::new(), ..self.clone() }
    }

    /// Renders the table in a region that scrolls sideways where the screen is too narrow. Of many rows all but the first are
    /// folded, so that none is cut by the edge of a region.
    pub fn markup(&self) -> Markup {
        let rows = self.page_rows();
        let (first, rest) = rows.split_at(if rows.len() > LONG { FIRST } else { rows.len() });
        html! {
            (scrolled(&self.caption, self.rows_markup(first, Some(&self.name))))
            @if !rest.is_empty() {
                details.rest {
                    summary { "The rest: rows " (first.len() + 1) " to " (rows.len()) }
                    (scrolled(&format!("{}, the rest", self.caption), self.rows_markup(rest, None)))
                }
            }
        }
    }

    /// A table of some of the rows, with a caption where it has a `name`.
    fn rows_markup(&self, rows: &[&Vec<Cell>], name: Option<&str>) -> Markup {
        let is_number =
            |column: usize| self.rows.iter().any(|row| matches!(row[column], Cell::Number { .. }));
        let numbers: Vec<bool> = (0..self.columns.len()).map(is_number).collect();
        html! {
            table data-table=[name] {
                @if name.is_some() { caption { span { (sentence(&self.caption)) } } }
                thead {
                    tr { @for (column, number) in self.columns.iter().zip(&numbers).filter(|(column, _)| !column.is_file_only) { th.number[*number] scope="col" { (short(&column.title, LONGEST_HEADING)) } } }
                }
                tbody { @for row in rows { (self.row_markup(row)) } }
            }
        }
    }

    fn row_markup(&self, row: &[Cell]) -> Markup {
        html! {
            tr {
                @for (i, cell) in row.iter().enumerate().filter(|(i, _)| !self.columns[*i].is_file_only) {
                    @match cell {
                        Cell::Text(text) if i == 0 => th scope="row" { (short(text, LONGEST_HEADING)) },
                        Cell::Shortened { shown, text } if i == 0 => th scope="row" title=(text) { (short(shown, LONGEST_HEADING)) },
                        Cell::Text(text) => td { (breakable(text)) },
                        Cell::Shortened { shown, text } => td title=(text) { (breakable(shown)) },
                        Cell::Number { text, interval, .. } => td.number {
                            (text)
                            @if let Some(interval) = interval { small { (interval) } }
                        },
                    }
                }
            }
        }
    }

    /// Whether the file at `path` is CSV whose first line is that of this table, of whatever classes. Only the first
    /// two columns count, since later versions may add some.
    pub(super) fn has_same_heading(&self, path: &Path) -> bool {
        let heading = separated::heading(path);
        let fixed = self.columns.iter().filter(|column| !column.is_of_class).take(2);
        heading.is_some_and(|heading| {
            fixed
                .enumerate()
                .all(|(at, column)| heading.get(at).is_some_and(|name| *name == without_formula(&column.key)))
        })
    }

    /// The table as CSV (RFC 4180): UTF-8, first a line of column keys; fractions as such rather than as percentages; an
    /// empty field for an undefined number. A text that starts like a formula gets an apostrophe before it.
    pub fn csv(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut out = separated::Writer::new(&mut bytes, b',');
        let in_memory = "writing to memory cannot fail";
        out.write(self.columns.iter().map(|column| without_formula(&column.key).to_string()))
            .expect(in_memory);
        for row in &self.rows {
            out.write(row.iter().map(Cell::csv)).expect(in_memory);
        }
        out.finish().expect(in_memory);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_out() {
        let columns = [Column::new("class", "=class"), Column::new("share", "share")];
        let rows = [
            [Cell::text("a, \"b\"\nc"), Cell::percent(0.5)],
            [Cell::text("=1+1"), Cell::percent(None)],
            [Cell::text("<b>"), Cell::signed_percent(-0.25)],
            [Cell::shortened("runs/x", "x"), Cell::score_with_interval(Some(0.5), Some([0.25, 0.75]))],
        ];
        let table = Table::new("t", "c", columns, rows);
        let csv = String::from_utf8(table.csv()).unwrap();
        assert_eq!(csv, "'=class,share\n\"a, \"\"b\"\"\nc\",0.5\n'=1+1,\n<b>,-0.25\nruns/x,0.5\n");
        let html = table.markup().into_string();
        assert!(html.contains("&lt;b&gt;") && !html.contains("<b>"), "{html}");
        assert!(html.contains("0.250 to 0.750") && html.contains("title=\"runs/x\"><bdi>x<"), "{html}");
    }
}
