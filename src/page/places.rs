//! Where a page goes, and its plots and tables as files of their own.

use super::{Page, Table, check_target, render, write, write_plots, write_tables};
use crate::error::{Error, Kind, Result};
use crate::fs;
use crate::plot::Figure;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Where a page goes, and its plots and tables as files.
#[derive(Debug, Clone)]
pub struct Places {
    /// The option that names the page, for errors.
    pub flag: &'static str,
    /// The page.
    pub out: PathBuf,
    /// A folder for every plot as SVG and PNG.
    pub plots: Option<PathBuf>,
    /// A folder for every table as CSV.
    pub tables: Option<PathBuf>,
}

/// A page with its plots and tables.
#[derive(Debug)]
pub struct Made {
    /// The page.
    pub page: Page,
    /// Every plot of it.
    pub figures: Vec<Figure>,
    /// Every table that belongs to it, whether it is shown or not.
    pub tables: Vec<Table>,
}

/// What was written.
#[derive(Debug, Clone, Serialize)]
pub struct Written {
    /// The page.
    pub out: PathBuf,
    /// Its bytes.
    pub bytes: usize,
    /// Its plots, by name.
    pub plots: Vec<String>,
    /// Its tables, by name.
    pub tables: Vec<String>,
}

impl Places {
    /// Checks before long work that nothing is to be written into the folders of `owners` (a folder and what it is, such
    /// as `run`), and that the page is in nobody's way.
    ///
    /// # Errors
    /// [`Kind::Usage`] for a place inside one of them, and those of [`check_target`].
    pub fn check(&self, owners: &[(&Path, &str)]) -> Result<()> {
        let all = [
            (self.flag, Some(&self.out)),
            ("--plots", self.plots.as_ref()),
            ("--tables", self.tables.as_ref()),
        ];
        for (flag, path) in all.into_iter().filter_map(|(flag, path)| Some((flag, path?))) {
            let place = fs::resolve(path)?;
            for (owner, what) in owners {
                if place.starts_with(fs::resolve(owner)?) {
                    return Err(Error::new(Kind::Usage, format!("{flag} cannot be inside the {what}"))
                        .at(path)
                        .help(format!("choose another place for {flag}")));
                }
            }
        }
        check_target(&self.out)
    }

    /// Writes the page, its plots and its tables; a page of headstart and files of the same names are replaced.
    ///
    /// # Errors
    /// Those of [`check_target`], and when the operating system refuses.
    pub fn write(&self, made: &Made) -> Result<Written> {
        if let Some(folder) = &self.plots {
            write_plots(folder, &made.figures)?;
        }
        if let Some(folder) = &self.tables {
            write_tables(folder, &made.tables)?;
        }
        if let Some(folder) = self.out.parent() {
            fs::create_folder(folder)?;
        }
        let html = render(&made.page);
        write(&self.out, &html)?;
        Ok(Written {
            out: self.out.clone(),
            bytes: html.len(),
            plots: made.figures.iter().map(|figure| figure.name.clone()).collect(),
            tables: made.tables.iter().map(|table| table.name.clone()).collect(),
        })
    }
}
