//! Costs of confusions, read from a table.

use crate::error::{Error, Kind, Result, nearest_name};
use serde::{Deserialize, Serialize};
use std::fmt::Display;
use std::path::Path;

/// What each answer costs for an image of each class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CostMatrix {
    /// The file that the costs were read from, as it was given.
    pub file: String,
    /// `[classes, classes]` in class order: rows are the true classes, columns the answers.
    pub costs: Vec<Vec<f64>>,
}

impl CostMatrix {
    /// Parses a table in CSV (RFC 4180): the classes in the header and, in any order, in the first column. Rows are the true
    /// classes, columns the answers. `path` is the file, for messages too.
    ///
    /// # Errors
    /// [`Kind::Usage`] where the classes are not `classes`, each once, or a cell is not a number.
    pub fn parse(text: &str, path: &Path, classes: &[String]) -> Result<Self> {
        let refuse = |message: String| {
            Error::new(Kind::Usage, message)
                .at(path)
                .help("`costs` is a CSV file with the classes in its header and its first column, and a number in every other cell")
        };
        let records = records(text.trim_start_matches('\u{feff}'));
        let mut records = records.iter().filter(|record| record.cells != [""]);
        let header = records.next().ok_or_else(|| refuse("it is empty".into()))?;
        let columns = positions(&header.cells[1..], classes, "header").map_err(refuse)?;
        let (mut names, mut rows): (Vec<String>, Vec<Vec<f64>>) = (Vec::new(), Vec::new());
        for record in records {
            let on_line = |message: &dyn Display| refuse(format!("line {}: {message}", record.line));
            if record.cells.len() != header.cells.len() {
                let (here, there) = (record.cells.len(), header.cells.len());
                return Err(on_line(&format!("{here} cells, and the header has {there}")));
            }
            let cost = |cell: &String| cell.trim().parse().ok().filter(|cost: &f64| cost.is_finite());
            let wrong = record.cells[1..].iter().find(|cell| cost(cell).is_none());
            if let Some(cell) = wrong {
                return Err(on_line(&format!("{cell:?} is not a number")));
            }
            rows.push(record.cells[1..].iter().filter_map(cost).collect());
            names.push(record.cells[0].clone());
        }
        let order = positions(&names, classes, "first column").map_err(refuse)?;
        let row = |row: &usize| columns.iter().map(|&column| rows[*row][column]).collect();
        Ok(Self { file: path.display().to_string(), costs: order.iter().map(row).collect() })
    }
}

/// The position of each of `classes` among `names`, or what is wrong.
fn positions(names: &[String], classes: &[String], place: &str) -> std::result::Result<Vec<usize>, String> {
    if let Some(name) = names.iter().find(|name| !classes.contains(name)) {
        let meant = nearest_name(name, classes.iter().map(String::as_str));
        let meant = meant.map_or(String::new(), |meant| format!(" ({meant:?} is one)"));
        return Err(format!("its {place} names {name:?}, which is not a class{meant}"));
    }
    let position = |class: &String| {
        let mut places = (0..names.len()).filter(|&i| names[i] == *class);
        match (places.next(), places.next()) {
            (Some(at), None) => Ok(at),
            (None, _) => Err(format!("its {place} lacks the class {class:?}")),
            _ => Err(format!("its {place} names the class {class:?} twice")),
        }
    };
    classes.iter().map(position).collect()
}

/// A line of a table.
struct Record {
    /// Of its start, from 1.
    line: usize,
    cells: Vec<String>,
}

/// Splits a table into records and cells.
fn records(text: &str) -> Vec<Record> {
    let (mut records, mut line, mut quoted) = (Vec::new(), 1, false);
    let mut record = Record { line, cells: vec![String::new()] };
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        line += usize::from(c == '\n');
        let cell = record.cells.last_mut().expect("a record has a cell");
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
            '"' if quoted || cell.is_empty() => quoted = !quoted,
            ',' if !quoted => record.cells.push(String::new()),
            '\r' if !quoted && chars.peek() == Some(&'\n') => {}
            '\n' if !quoted => {
                records.push(std::mem::replace(&mut record, Record { line, cells: vec![String::new()] }));
            }
            c => cell.push(c),
        }
    }
    records.push(record);
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<CostMatrix> {
        CostMatrix::parse(text, Path::new("c.csv"), &["ant".into(), "b, \"c\"".into()])
    }

    #[test]
    fn classes_are_found_in_any_order_and_quoted() {
        let text = "\u{feff}truth,\"b, \"\"c\"\"\",ant\r\nant,5,0\r\n\"b, \"\"c\"\"\", 0 ,1.5\r\n\r\n";
        assert_eq!(parse(text).unwrap().costs, [[0.0, 5.0], [1.5, 0.0]]);
    }

    #[test]
    fn wrong_tables_are_refused_with_what_is_wrong() {
        let header = "x,ant,\"b, \"\"c\"\"\"\n";
        for (text, expected) in [
            ("", "it is empty"),
            ("x,ant\n", "its header lacks the class \"b, \\\"c\\\"\""),
            ("x,ant,bee\n", "its header names \"bee\", which is not a class"),
            ("x,ant,ant,\"b, \"\"c\"\"\"\n", "its header names the class \"ant\" twice"),
            (&format!("{header}ant,0,1\n"), "its first column lacks the class"),
            (&format!("{header}ant,0\n"), "line 2: 2 cells, and the header has 3"),
            (&format!("{header}\nant,0,much\n"), "line 3: \"much\" is not a number"),
            (&format!("{header}ant,0,inf\n"), "line 2: \"inf\" is not a number"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
