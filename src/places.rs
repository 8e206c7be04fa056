//! Where a page goes, and its plots and tables as files of their own. It refuses places among files that are replaced whole.

use crate::error::{Error, Kind, Result};
use crate::fs;
use crate::page::{Page, Table, check_target, render, write, write_plots, write_tables};
use crate::plot::Figure;
use crate::run;
use crate::store::{FeatureCache, Spec};
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
    /// Checks before long work that nothing is to be written among the files of a run, which `train` replaces whole, or of
    /// a cache, nor among the images, and that the page is in nobody's way. `own` is a page that may be in a run: its own.
    ///
    /// # Errors
    /// [`Kind::Usage`] for a place inside one of them, and those of [`check_target`].
    pub fn check(&self, images: Option<&Path>, own: Option<&Path>) -> Result<()> {
        let images = images.map(fs::resolve).transpose()?;
        let own = own.map(fs::resolve).transpose()?;
        let folders = [("--plots", self.plots.as_ref()), ("--tables", self.tables.as_ref())];
        for (flag, path) in [(self.flag, Some(&self.out))].into_iter().chain(folders) {
            let Some(path) = path else { continue };
            let place = fs::resolve(path)?;
            let among_images = images.as_ref().is_some_and(|images| place.starts_with(images));
            let owner = if among_images { Some("the folder of images") } else { owner(&place) };
            let is_own = flag == self.flag && own.as_ref() == Some(&place);
            if let Some(owner) = owner.filter(|_| !is_own) {
                return Err(Error::new(Kind::Usage, format!("{flag} cannot be inside {owner}"))
                    .at(path)
                    .help(format!("choose another place for {flag}")));
            }
        }
        check_target(&self.out)
    }

    /// Refuses, beside what [`Places::check`] does, places in the folder of images that a cache is of, where the cache is
    /// still there.
    ///
    /// # Errors
    /// Those of [`Places::check`].
    pub fn check_beside(&self, cache: &Path) -> Result<()> {
        let samples = FeatureCache::open(cache).and_then(|store| store.samples());
        self.check(samples.ok().map(|samples| samples.root).as_deref(), None)
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

/// Whose folder a place is in.
fn owner(place: &Path) -> Option<&'static str> {
    let is_cache = |folder: &Path| Spec::read(folder).is_ok_and(|spec| spec.is_some());
    place.ancestors().find_map(|folder| match folder {
        run if run::read_record(run).is_ok() => Some("a run"),
        cache if is_cache(cache) => Some("a cache"),
        _ => None,
    })
}
