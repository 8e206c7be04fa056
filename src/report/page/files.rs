//! The files of a page: the page, its plots and its tables. Before any is written all are checked, so that no file of another
//! origin is replaced.

use super::document::MADE_BY;
use super::table::Table;
use crate::error::{Error, Result};
use crate::io::fs::{self, OutputFormat};
use crate::report::plot::{Figure, SVG_START};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes at the start of a file in which a mark of this program is looked for.
const HEAD: u64 = 1024;

/// A file that is ready to be written.
#[derive(Debug)]
pub struct PageFile<'a> {
    path: PathBuf,
    bytes: Vec<u8>,
    kind: FileKind<'a>,
}

#[derive(Debug, Clone, Copy)]
enum FileKind<'a> {
    Page,
    Svg,
    Png,
    Table(&'a Table),
}

impl FileKind<'_> {
    fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Svg | Self::Png => "plot",
            Self::Table(_) => "table",
        }
    }

    /// Whether the file at `path` is an earlier one of this program. A plot as PNG is one when the same plot as SVG is
    /// beside it.
    fn is_own(self, path: &Path) -> bool {
        match self {
            Self::Page => head(path).contains(MADE_BY),
            Self::Svg => head(path).starts_with(SVG_START),
            Self::Png => head(&path.with_extension("svg")).starts_with(SVG_START),
            Self::Table(table) => table.has_same_heading(path),
        }
    }
}

/// The start of a file as text; empty when it cannot be read.
fn head(path: &Path) -> String {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut bytes));
    read.map_or(String::new(), |_| String::from_utf8_lossy(&bytes).into_owned())
}

/// A page at `path`.
pub fn page_file<'a>(path: &Path, html: &str) -> PageFile<'a> {
    PageFile { path: path.into(), bytes: html.into(), kind: FileKind::Page }
}

/// Each plot as `NAME.svg` and `NAME.png` in `folder`.
pub fn plot_files<'a>(folder: &Path, figures: &[Figure]) -> Vec<PageFile<'a>> {
    let files = figures.iter().flat_map(|figure| {
        [(FileKind::Svg, "svg", figure.svg().into_bytes()), (FileKind::Png, "png", figure.png())].map(
            |(kind, extension, bytes)| PageFile {
                path: folder.join(format!("{}.{extension}", figure.name)),
                bytes,
                kind,
            },
        )
    });
    files.collect()
}

/// Each table as `NAME.csv` in `folder`.
pub fn table_files<'a>(folder: &Path, tables: &'a [Table]) -> Vec<PageFile<'a>> {
    let file = |table: &'a Table| PageFile {
        path: folder.join(format!("{}.csv", table.name)),
        bytes: table.csv(),
        kind: FileKind::Table(table),
    };
    tables.iter().map(file).collect()
}

/// Checks that a page may be written at `path`.
///
/// # Errors
/// Those of [`fs::check_output`].
pub fn check_page(path: &Path) -> Result<()> {
    with_format(FileKind::Page, |format| fs::check_output(path, format))
}

/// Writes all `files`. Earlier ones of this program are replaced, links followed, devices and pipes written through.
///
/// # Errors
/// Those of [`fs::check_output`], before anything is written, and of [`fs::write_output`].
pub fn write_files(files: &[PageFile]) -> Result<()> {
    let check = |file: &PageFile| with_format(file.kind, |format| fs::check_output(&file.path, format));
    files.iter().try_for_each(check)?;
    files.iter().try_for_each(|file| {
        // Checked above: a plot as SVG that was just written would vouch for any PNG beside it.
        fs::write_output(&file.path, OutputFormat { name: file.kind.name(), is_own: &|_| true }, |out| {
            out.write_all(&file.bytes).map_err(|e| Error::io("write", &file.path, e))
        })
    })
}

fn with_format<T>(kind: FileKind, use_format: impl FnOnce(OutputFormat) -> T) -> T {
    use_format(OutputFormat { name: kind.name(), is_own: &|path| kind.is_own(path) })
}

#[cfg(test)]
mod tests {
    use super::super::document::{Page, render};
    use super::super::table::{Cell, Column};
    use super::*;
    use crate::report::html::html;
    use crate::report::plot::{Axis, BarChart, Chart, Unit};

    fn page(title: &str) -> String {
        render(&Page { title: String::from(title), lead: html! {}, sections: Vec::new() })
    }

    #[test]
    fn only_a_page_of_headstart_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.html");
        let write = |path: &Path, html: &str| write_files(&[page_file(path, html)]);
        write(&path, &page("<one>")).unwrap();
        assert!(std::fs::read_to_string(&path).unwrap().contains("<title>&lt;one&gt;</title>"));
        write(&path, &page("two")).unwrap();
        std::fs::write(&path, "<html>mine</html>").unwrap();
        let error = write(&path, &page("three")).unwrap_err();
        assert!(error.to_string().contains("another file is in the way"), "{error}");
        assert_eq!(check_page(&path).unwrap_err().to_string(), error.to_string());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "<html>mine</html>");
        assert!(write(dir.path(), "").unwrap_err().to_string().contains("a folder"));
    }

    #[test]
    fn plots_and_tables_replace_earlier_ones_only_and_one_foreign_file_stops_all() {
        let dir = tempfile::tempdir().unwrap();
        let values = Axis { label: "l".into(), unit: Unit::Count, range: None };
        let chart = Chart::Bar(BarChart {
            categories: Vec::new(),
            series: Vec::new(),
            values,
            notes: Vec::new(),
            remarks: None,
        });
        let (title, summary, numbers) = ("t".into(), "s".into(), serde_json::Value::Null);
        let figures = [Figure { name: "bars".into(), title, summary, chart, numbers }];
        let columns = vec![Column::new("Truth", "truth"), Column::of_class("ant")];
        let rows = vec![vec![Cell::text("ant"), Cell::count(1)]];
        let tables = [Table { name: "t".into(), caption: "c".into(), columns, rows, page_order: Vec::new() }];
        let write = || {
            let plots = plot_files(dir.path(), &figures);
            write_files(&plots.into_iter().chain(table_files(dir.path(), &tables)).collect::<Vec<_>>())
        };
        write().unwrap();
        // The same table of another run has other classes.
        std::fs::write(dir.path().join("t.csv"), "truth,predicted_bee,predicted_cat\n").unwrap();
        write().unwrap();
        for (name, theirs) in [("t.csv", "path,label\n"), ("bars.svg", "<svg/>"), ("bars.png", "\u{89}PNG")] {
            let own = std::fs::read(dir.path().join(name)).unwrap();
            let others = ["t.csv", "bars.svg", "bars.png"].map(|other| dir.path().join(other));
            std::fs::write(dir.path().join(name), theirs).unwrap();
            if name == "bars.png" {
                std::fs::remove_file(dir.path().join("bars.svg")).unwrap();
            }
            let before = others.each_ref().map(|path| std::fs::read(path).ok());
            assert!(write().unwrap_err().to_string().contains("another file is in the way"), "{name}");
            assert_eq!(others.each_ref().map(|path| std::fs::read(path).ok()), before, "{name}");
            std::fs::write(dir.path().join(name), own).unwrap();
        }
    }
}
