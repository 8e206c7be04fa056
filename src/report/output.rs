//! Where a page is written, with its plots and tables as separate files. Nothing is written among files that other
//! stages replace as a whole.

use crate::cache::Spec;
use crate::error::{Error, Kind, Result};
use crate::io::fs;
use crate::report::page::{Page, Table, check_page, page_file, plot_files, render, table_files, write_files};
use crate::report::plot::Figure;
use crate::run::{self, StoredRun};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Where a page is written, and its plots and tables as separate files.
#[derive(Debug, Clone)]
pub struct PageOutput {
    /// The page.
    pub out: PathBuf,
    /// Folder for each plot as SVG and PNG.
    pub plots: Option<PathBuf>,
    /// Folder for each table as CSV.
    pub tables: Option<PathBuf>,
}

/// A page with its plots and tables.
#[derive(Debug)]
pub struct PageContent {
    /// The page.
    pub page: Page,
    /// All plots of the page.
    pub figures: Vec<Figure>,
    /// All tables that belong to the page, including those that it does not show.
    pub tables: Vec<Table>,
}

/// What was written.
#[derive(Debug, Clone, Serialize)]
pub struct WrittenPage {
    /// The page.
    pub out: PathBuf,
    /// Its size in bytes.
    pub bytes: usize,
    /// Names of the plots.
    pub plots: Vec<String>,
    /// Names of the tables.
    pub tables: Vec<String>,
}

impl PageOutput {
    /// Checks, before long work, that nothing would be written among the files of a run (which `train` replaces as a
    /// whole), of a cache, or below `images`, and that no other file is in the way of the page. `own_page` is the one page
    /// that may be inside a run.
    ///
    /// # Errors
    /// [`Kind::Usage`] for a path inside one of these folders, and [`Kind::Input`] where a folder or another file is in the way.
    pub fn check(&self, images: Option<&Path>, own_page: Option<&Path>) -> Result<()> {
        let own_page = own_page.map(fs::resolve).transpose()?;
        if own_page != Some(fs::resolve(&self.out)?) {
            check_place("out", &self.out, images)?;
        }
        let folders = [("plots", self.plots.as_ref()), ("tables", self.tables.as_ref())];
        folders
            .into_iter()
            .filter_map(|(field, path)| Some((field, path?)))
            .try_for_each(|(field, path)| check_place(field, path, images))?;
        check_page(&self.out)
    }

    /// Performs [`PageOutput::check`] for a page about `run`: while its cache exists, the folder of images is protected too.
    ///
    /// # Errors
    /// Those of [`PageOutput::check`], and of [`StoredRun::open`].
    pub fn check_for_run(&self, run: &Path, cache: Option<&Path>) -> Result<()> {
        self.check(images_of_run(run, cache)?.as_deref(), None)
    }

    /// Writes the page, its plots and its tables. Earlier ones of headstart are replaced; a file of another origin stops all
    /// of them.
    ///
    /// # Errors
    /// Those of [`PageOutput::check`], and [`Kind::Io`] when a file cannot be written.
    pub fn write(&self, content: &PageContent) -> Result<WrittenPage> {
        let html = render(&content.page);
        let plots = self.plots.as_ref().map(|folder| plot_files(folder, &content.figures));
        let tables = self.tables.as_ref().map(|folder| table_files(folder, &content.tables));
        let files = plots.into_iter().chain(tables).flatten();
        write_files(&files.chain([page_file(&self.out, &html)]).collect::<Vec<_>>())?;
        Ok(WrittenPage {
            out: self.out.clone(),
            bytes: html.len(),
            plots: content.figures.iter().map(|figure| figure.name.clone()).collect(),
            tables: content.tables.iter().map(|table| table.name.clone()).collect(),
        })
    }
}

/// Checks that outputs about `run`, each with the field that names it, may be written as [`PageOutput::check_for_run`] does.
///
/// # Errors
/// Those of [`PageOutput::check_for_run`].
pub fn check_for_run(outputs: &[(&str, &Path)], run: &Path, cache: Option<&Path>) -> Result<()> {
    let images = images_of_run(run, cache)?;
    outputs.iter().try_for_each(|(field, path)| check_place(field, path, images.as_deref()))
}

/// Writes plots without a page.
///
/// # Errors
/// As [`PageOutput::write`].
pub fn write_plots(folder: &Path, figures: &[Figure]) -> Result<()> {
    write_files(&plot_files(folder, figures))
}

/// Writes tables without a page.
///
/// # Errors
/// As [`PageOutput::write`].
pub fn write_tables(folder: &Path, tables: &[Table]) -> Result<()> {
    write_files(&table_files(folder, tables))
}

/// The folder of images of a run, while its cache exists and unless a manifest lists them.
fn images_of_run(run: &Path, cache: Option<&Path>) -> Result<Option<PathBuf>> {
    let Ok(cache) = StoredRun::open_any(run)?.open_cache(cache) else { return Ok(None) };
    let samples = cache.samples().ok().filter(|samples| samples.manifest.is_none());
    Ok(samples.map(|samples| samples.images_root(cache.root())))
}

/// Checks that the output `field` would not be below `images`, nor in a run or a cache.
fn check_place(field: &str, path: &Path, images: Option<&Path>) -> Result<()> {
    let resolved = fs::resolve(path)?;
    let images = images.map(fs::resolve).transpose()?;
    let is_among_images = images.is_some_and(|images| resolved.starts_with(images));
    match if is_among_images { Some("the folder of images") } else { owner(&resolved) } {
        None => Ok(()),
        Some(owner) => Err(Error::new(Kind::Usage, format!("`{field}` cannot be inside {owner}"))
            .at(path)
            .help(format!("choose another place for `{field}`"))),
    }
}

/// What the innermost run or cache around `path` is, if any.
fn owner(path: &Path) -> Option<&'static str> {
    let is_cache = |folder: &Path| Spec::read(folder).is_ok_and(|spec| spec.is_some());
    path.ancestors().find_map(|folder| match folder {
        run if run::read_record(run).is_ok() => Some("a run"),
        cache if is_cache(cache) => Some("a cache"),
        _ => None,
    })
}
