//! Tables, for a page and as CSV. The only door to `csv`.

use super::{name, scrolled};
use crate::markup::{Markup, html};

/// A table.
#[derive(Debug, Clone)]
pub struct Table {
    /// Lower case and hyphens: `data-table`, and the name of its CSV file.
    pub name: String,
    /// What it shows.
    pub caption: String,
    /// From the left; the first names the rows.
    pub columns: Vec<Column>,
    /// As many cells each as there are columns.
    pub rows: Vec<Vec<Cell>>,
}

/// The head of a column.
#[derive(Debug, Clone)]
pub struct Column {
    /// For people.
    pub title: String,
    /// In the first line of the CSV file: lower case and underscores.
    pub key: String,
}

impl Column {
    /// A column.
    pub fn new(title: impl Into<String>, key: impl Into<String>) -> Self {
        Self { title: title.into(), key: key.into() }
    }
}

/// A cell: what people read, and what the CSV file says.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A number as people read it, and as it is; nothing where it is undefined.
    Number {
        /// Such as `63.7 %`.
        told: String,
        /// Such as 0.637.
        value: Option<f64>,
    },
}

impl Cell {
    /// Words.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A whole number.
    pub fn count(count: usize) -> Self {
        Self::Number { told: crate::words::count(count), value: Some(count as f64) }
    }

    /// A fraction, told as a percentage.
    pub fn percent(fraction: impl Into<Option<f64>>) -> Self {
        let value = fraction.into();
        Self::Number { told: crate::words::percent(value), value }
    }

    /// A difference of fractions, told as a percentage with its sign.
    pub fn signed_percent(fraction: impl Into<Option<f64>>) -> Self {
        let value = fraction.into();
        Self::Number { told: crate::words::signed_percent(value), value }
    }

    /// A score with three decimals.
    pub fn score(score: impl Into<Option<f64>>) -> Self {
        let value = score.into();
        Self::Number { told: crate::words::score(value), value }
    }

    fn csv(&self) -> String {
        match self {
            Self::Text(text) => harmless(text),
            // The shortest text that reads as the same number.
            Self::Number { value, .. } => value.map_or(String::new(), |value| value.to_string()),
        }
    }
}

/// Words that a spreadsheet would take for a formula, behind an apostrophe, as it expects words (OWASP, *CSV injection*).
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.into() }
}

impl Table {
    /// The table in a region of its own, which scrolls where the screen is too narrow.
    pub fn markup(&self) -> Markup {
        let is_number =
            |column: usize| self.rows.iter().any(|row| matches!(row[column], Cell::Number { .. }));
        let numbers: Vec<bool> = (0..self.columns.len()).map(is_number).collect();
        let table = html! {
            table data-table=(self.name) {
                caption { span { (self.caption) } }
                thead {
                    tr { @for (column, number) in self.columns.iter().zip(&numbers) { th.number[*number] scope="col" { (name(&column.title)) } } }
                }
                tbody {
                    @for row in &self.rows {
                        tr {
                            @for (i, cell) in row.iter().enumerate() {
                                @match cell {
                                    Cell::Text(text) if i == 0 => th scope="row" { (name(text)) },
                                    Cell::Text(text) => td { (name(text)) },
                                    Cell::Number { told, .. } => td.number { (told) },
                                }
                            }
                        }
                    }
                }
            }
        };
        scrolled(&self.caption, table)
    }

    /// The table as CSV (RFC 4180): UTF-8, a first line of names, an empty field for what is undefined, numbers as they
    /// are rather than as percentages. Words that begin like a formula begin with an apostrophe.
    pub fn csv(&self) -> Vec<u8> {
        let mut out = csv::Writer::from_writer(Vec::new());
        let in_memory = "writing to memory cannot fail";
        out.write_record(self.columns.iter().map(|column| harmless(&column.key))).expect(in_memory);
        for row in &self.rows {
            out.write_record(row.iter().map(Cell::csv)).expect(in_memory);
        }
        out.into_inner().expect(in_memory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_out() {
        let table = Table {
            name: "t".into(),
            caption: "c".into(),
            columns: vec![Column::new("class", "=class"), Column::new("share", "share")],
            rows: vec![
                vec![Cell::text("a, \"b\"\nc"), Cell::percent(0.5)],
                vec![Cell::text("=1+1"), Cell::percent(None)],
                vec![Cell::text("<b>"), Cell::signed_percent(-0.25)],
            ],
        };
        let csv = String::from_utf8(table.csv()).unwrap();
        assert_eq!(csv, "'=class,share\n\"a, \"\"b\"\"\nc\",0.5\n'=1+1,\n<b>,-0.25\n");
        let html = table.markup().into_string();
        assert!(html.contains("&lt;b&gt;") && !html.contains("<b>"), "{html}");
    }
}
