//! HTML pages that stand alone: one file, no network, no script, light or dark as the reader's system is, good on a phone
//! and on paper. It refuses to know what the pages are about.

mod cards;
mod picture;
mod table;
mod thumbs;

pub use cards::{Card, Ranked, cards, ranked};
pub use picture::{Picture, Thumbnail, thumbnail};
pub use table::{Cell, Column, Table};
pub use thumbs::{Thumb, thumbs};

use crate::error::{Error, Kind, Result};
use crate::fs;
use crate::markup::{self, DOCTYPE, Markup, PreEscaped, html};
use crate::plot::{self, Figure, InlineSvg};
use std::path::Path;

/// A whole page.
#[derive(Debug)]
pub struct Page {
    /// Of the window, and the first heading.
    pub title: String,
    /// Below the title: what this is, in a line.
    pub lead: Markup,
    /// In order; the page begins with a list of them.
    pub sections: Vec<Section>,
}

/// A part of a page with a heading of the second level.
#[derive(Debug)]
pub struct Section {
    /// Where links lead to: lower case and hyphens.
    pub id: &'static str,
    /// The heading.
    pub title: String,
    /// What stands below it; its headings are of the third level.
    pub body: Markup,
}

impl Section {
    /// A section.
    pub fn new(id: &'static str, title: &str, body: Markup) -> Self {
        Self { id, title: title.into(), body }
    }
}

/// How a page says who made it, so that it may be replaced.
const MADE_BY: &str = "<meta name=\"generator\" content=\"headstart ";
/// It begins within so many bytes.
const HEAD: usize = 1024;

/// The page as HTML.
pub fn render(page: &Page) -> String {
    // Nothing is loaded from anywhere, and nothing runs, whatever a name in it says.
    let policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";
    let generator = format!("{MADE_BY}{}\">", env!("CARGO_PKG_VERSION"));
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                (PreEscaped(generator))
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (page.title) }
                style { (PreEscaped(style())) }
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header {
                    h1 { (page.title) }
                    p.lead { (page.lead) }
                    @if page.sections.len() > 2 {
                        nav aria-label="Contents" {
                            ul { @for section in &page.sections { li { a href={ "#" (section.id) } { (section.title) } } } }
                        }
                    }
                }
                main id="main" tabindex="-1" {
                    @for section in &page.sections {
                        section id=(section.id) aria-labelledby={ (section.id) "-heading" } {
                            h2 id={ (section.id) "-heading" } { (section.title) }
                            (section.body)
                        }
                    }
                }
                footer { p { "Made by headstart " (env!("CARGO_PKG_VERSION")) ". This page needs no network and no other file." } }
            }
        }
    }
    .into_string()
}

/// Custom properties of both palettes, then the rules.
fn style() -> String {
    let set = |colours: &[(&str, &str)]| -> String {
        colours.iter().map(|(name, colour)| format!("--{name}:{colour};")).collect()
    };
    format!(
        ":root{{color-scheme:light dark;{}}}\n@media (prefers-color-scheme: dark){{:root{{{}}}}}\n@media print{{:root{{color-scheme:light;{}}}}}\n{}\n{}\n{}",
        set(&plot::LIGHT),
        set(&plot::DARK),
        set(&plot::LIGHT),
        include_str!("page.css"),
        thumbs::CSS,
        plot::CSS
    )
}

/// A plot with its title, what it shows, and its numbers for programs.
pub fn figure(figure: &Figure) -> Markup {
    let InlineSvg { svg, min_width } = figure.inline();
    html! {
        figure.chart data-plot=(figure.name) {
            figcaption { h3 { (figure.title) } p { (figure.summary) } }
            @match min_width {
                Some(least) => (scrolled(&figure.title, html! {
                    div style=(format!("min-width:{least:.0}px;max-width:{:.0}px", (1.3 * least).max(480.0))) { (svg) }
                })),
                None => (svg),
            }
            script type="application/json" data-numbers=(figure.name) { (markup::json(&figure.numbers)) }
        }
    }
}

/// What may be wider or higher than the screen, in a region of its own that the keyboard reaches.
pub fn scrolled(label: &str, body: Markup) -> Markup {
    html! { div.scroll role="region" tabindex="0" aria-label=(label) { (body) } }
}

/// Figures, tables and the like side by side where there is room.
pub fn side_by_side(parts: impl IntoIterator<Item = Markup>) -> Markup {
    html! { div.charts { @for part in parts { div { (part) } } } }
}

/// A name or path that may break over lines behind its underscores, hyphens, slashes and dots.
pub fn name(text: &str) -> Markup {
    html! { @for part in text.split_inclusive(['_', '-', '/', '.']) { (part) wbr; } }
}

/// The few numbers that matter most, each with its name and what it means.
pub fn facts(facts: &[(&str, String, String)]) -> Markup {
    html! {
        dl.facts {
            @for (name, value, note) in facts {
                div { dt { (name) } dd.value { (value) } dd.note { (note) } }
            }
        }
    }
}

/// Checks that a page may be written at `path`: nothing there, or a page of headstart.
///
/// # Errors
/// [`Kind::Input`] for another file or a folder.
pub fn check_target(path: &Path) -> Result<()> {
    let refuse = |message: &str, remedy: &str| Err(Error::new(Kind::Input, message).at(path).help(remedy));
    match path.symlink_metadata().is_ok() {
        true if path.is_dir() => refuse("a folder, where the page is to be a file", "name a file"),
        true if !is_ours(path)? => refuse(
            "the page belongs here, but another file is in the way",
            "move it away, or choose another place",
        ),
        _ => Ok(()),
    }
}

fn is_ours(path: &Path) -> Result<bool> {
    let bytes = fs::read(path)?;
    Ok(String::from_utf8_lossy(&bytes[..bytes.len().min(HEAD)]).contains(MADE_BY))
}

/// Writes a page, whole or not at all; a page of headstart is replaced.
///
/// # Errors
/// Those of [`check_target`], and when the operating system refuses.
pub fn write(path: &Path, html: &str) -> Result<()> {
    check_target(path)?;
    fs::write_atomic(path, html.as_bytes())
}

/// Writes every plot as `NAME.svg` and `NAME.png` into a folder, which is made where it is missing.
///
/// # Errors
/// When the operating system refuses.
pub fn write_plots<'a>(folder: &Path, figures: impl IntoIterator<Item = &'a Figure>) -> Result<()> {
    fs::create_folder(folder)?;
    for figure in figures {
        fs::write_atomic(&folder.join(format!("{}.svg", figure.name)), figure.svg().as_bytes())?;
        fs::write_atomic(&folder.join(format!("{}.png", figure.name)), &figure.png())?;
    }
    Ok(())
}

/// Writes every table as `NAME.csv` into a folder, which is made where it is missing.
///
/// # Errors
/// When the operating system refuses.
pub fn write_tables<'a>(folder: &Path, tables: impl IntoIterator<Item = &'a Table>) -> Result<()> {
    fs::create_folder(folder)?;
    tables
        .into_iter()
        .try_for_each(|table| fs::write_atomic(&folder.join(format!("{}.csv", table.name)), &table.csv()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_page_of_ours_is_replaced() {
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
