//! Writes pages, plots and tables. A file that is no page of headstart is never replaced by one.

use super::document::MADE_BY;
use super::table::Table;
use crate::error::{Error, Kind, Result};
use crate::io::fs;
use crate::report::plot::Figure;
use std::path::Path;

/// Bytes at the start of a file in which [`MADE_BY`] is looked for.
const HEAD: usize = 1024;

/// Checks that a page may be written at `path`: nothing is there, or a page of headstart.
///
/// # Errors
/// [`Kind::Input`] for any other file, and for a folder.
pub fn check_target(path: &Path) -> Result<()> {
    let refuse = |message: &str, remedy: &str| Err(Error::new(Kind::Input, message).at(path).help(remedy));
    match path.symlink_metadata().is_ok() {
        true if path.is_dir() => refuse("a folder, where the page is to be a file", "name a file"),
        true if !is_page(path)? => refuse(
            "the page belongs here, but another file is in the way",
            "move it away, or choose another place",
        ),
        _ => Ok(()),
    }
}

fn is_page(path: &Path) -> Result<bool> {
    let bytes = fs::read(path)?;
    Ok(String::from_utf8_lossy(&bytes[..bytes.len().min(HEAD)]).contains(MADE_BY))
}

/// Writes a page atomically; an earlier page of headstart is replaced.
///
/// # Errors
/// Those of [`check_target`], and [`Kind::Io`] when the file cannot be written.
pub fn write(path: &Path, html: &str) -> Result<()> {
    check_target(path)?;
    fs::write_atomic(path, html.as_bytes())
}

/// Writes each plot as `NAME.svg` and `NAME.png` into `folder`, which is created if it is missing.
///
/// # Errors
/// [`Kind::Io`] when a file cannot be written.
pub fn write_plots<'a>(folder: &Path, figures: impl IntoIterator<Item = &'a Figure>) -> Result<()> {
    fs::create_folder(folder)?;
    for figure in figures {
        fs::write_atomic(&folder.join(format!("{}.svg", figure.name)), figure.svg().as_bytes())?;
        fs::write_atomic(&folder.join(format!("{}.png", figure.name)), &figure.png())?;
    }
    Ok(())
}

/// Writes each table as `NAME.csv` into `folder`, which is created if it is missing.
///
/// # Errors
/// [`Kind::Io`] when a file cannot be written.
pub fn write_tables<'a>(folder: &Path, tables: impl IntoIterator<Item = &'a Table>) -> Result<()> {
    fs::create_folder(folder)?;
    tables
        .into_iter()
        .try_for_each(|table| fs::write_atomic(&folder.join(format!("{}.csv", table.name)), &table.csv()))
}

#[cfg(test)]
mod tests {
    use super::super::document::{Page, render};
    use super::*;
    use crate::report::html::html;

    #[test]
    fn only_a_page_of_headstart_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.html");
        let page =
            |title: &str| render(&Page { title: String::from(title), lead: html! {}, sections: Vec::new() });
        write(&path, &page("<one>")).unwrap();
        assert!(std::fs::read_to_string(&path).unwrap().contains("<title>&lt;one&gt;</title>"));
        write(&path, &page("two")).unwrap();
        std::fs::write(&path, "<html>mine</html>").unwrap();
        assert!(write(&path, &page("three")).unwrap_err().to_string().contains("another file is in the way"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "<html>mine</html>");
        assert!(write(dir.path(), "").unwrap_err().to_string().contains("a folder"));
    }
}
