//! The subcommand `headstart man`: writes the manual pages. The only door to `clap_mangen`.

use super::options::Global;
use super::output::{Outcome, print_result};
use crate::error::{Error, Result};
use crate::io::fs::{self, OutputFormat};
use clap_mangen::Man;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Write the manual pages: headstart.1 and one for each command
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  headstart man --out ~/.local/share/man/man1\n  man headstart-extract")]
pub(super) struct Args {
    /// Folder for the pages; earlier ones are replaced, other files of these names refused
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct Written {
    /// The pages.
    files: Vec<PathBuf>,
}

pub(super) fn run(args: &Args, mut command: clap::Command, global: &Global) -> Result<Outcome> {
    command.build();
    let mut pages = Vec::new();
    collect(&command, "headstart", &args.out, &mut pages)?;
    for (path, _) in &pages {
        fs::check_output(path, PAGE)?;
    }
    for (path, page) in &pages {
        fs::write_output(path, PAGE, |file| file.write_all(page).map_err(|e| Error::io("write", path, e)))?;
    }
    let written = Written { files: pages.into_iter().map(|(path, _)| path).collect() };
    print_result(global, &written, || format!("{} pages in {}\n", written.files.len(), args.out.display()))?;
    Ok(Outcome::Done)
}

/// A manual page. An earlier one names this program in its heading.
const PAGE: OutputFormat = OutputFormat { name: "manual page", is_own: &is_own };

fn is_own(path: &Path) -> bool {
    fs::read(path).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains("\n.TH headstart"))
}

/// The pages of a command and of those below it, with their paths.
fn collect(
    command: &clap::Command,
    name: &str,
    folder: &Path,
    pages: &mut Vec<(PathBuf, Vec<u8>)>,
) -> Result<()> {
    let path = folder.join(format!("{name}.1"));
    let mut page = Vec::new();
    Man::new(command.clone())
        .title(name)
        .source(concat!("headstart ", env!("CARGO_PKG_VERSION")))
        .render(&mut page)
        .map_err(|e| Error::io("write", &path, e))?;
    pages.push((path, page));
    let below = command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help");
    below
        .into_iter()
        .try_for_each(|below| collect(below, &format!("{name}-{}", below.get_name()), folder, pages))
}
