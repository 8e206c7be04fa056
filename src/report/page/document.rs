//! A whole page: title, contents, sections and style.

use crate::report::html::{DOCTYPE, Markup, PreEscaped, escape_direction_outside_bdi, html};
use crate::report::plot;

/// A page.
#[derive(Debug)]
pub struct Page {
    /// Title of the window, and the first heading.
    pub title: String,
    /// Paragraph below the title: what the page is about.
    pub lead: Markup,
    /// In order; the page begins with a list of links to them.
    pub sections: Vec<Section>,
}

/// A part of a page below a heading of the second level.
#[derive(Debug)]
pub struct Section {
    /// Target of links: lower case and hyphens.
    pub id: &'static str,
    /// The heading.
    pub title: String,
    /// The content; its headings are of the third level and below.
    pub body: Markup,
}

impl Section {
    /// Creates a section.
    pub fn new(id: &'static str, title: &str, body: Markup) -> Self {
        Self { id, title: title.into(), body }
    }
}

/// Start of the element by which a page is recognised as one that may be replaced.
pub(super) const MADE_BY: &str = "<meta name=\"generator\" content=\"headstart ";

/// Renders the page as HTML.
pub fn render(page: &Page) -> String {
    // Nothing is loaded and nothing runs, whatever the names in the page contain.
    let policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";
    let generator = format!("{MADE_BY}{}\">", env!("CARGO_PKG_VERSION"));
    let page = html! {
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
                (header(page))
                main id="main" tabindex="-1" { @for section in &page.sections { (section_element(section)) } }
                footer { p { "Made by headstart " (env!("CARGO_PKG_VERSION")) ". This page needs no network and no other file." } }
            }
        }
    };
    escape_direction_outside_bdi(&page.into_string())
}

fn header(page: &Page) -> Markup {
    html! {
        header {
            h1 { (page.title) }
            p.lead { (page.lead) }
            @if page.sections.len() > 2 {
                nav aria-label="Contents" {
                    ul { @for section in &page.sections { li { a href={ "#" (section.id) } { (section.title) } } } }
                }
            }
        }
    }
}

fn section_element(section: &Section) -> Markup {
    html! {
        section id=(section.id) aria-labelledby={ (section.id) "-heading" } {
            h2 id={ (section.id) "-heading" } { (section.title) }
            (section.body)
        }
    }
}

/// Custom properties of the light and the dark palette, then the rules.
fn style() -> String {
    let palette = |colours: &[(&str, &str)]| -> String {
        colours.iter().map(|(name, colour)| format!("--{name}:{colour};")).collect()
    };
    format!(
        ":root{{color-scheme:light dark;{}}}\n@media (prefers-color-scheme: dark){{:root{{{}}}}}\n@media print{{:root{{color-scheme:light;{}}}}}\n{}\n{}\n{}\n{}",
        palette(&plot::LIGHT),
        palette(&plot::DARK),
        palette(&plot::LIGHT),
        include_str!("page.css"),
        include_str!("gallery.css"),
        include_str!("../map/map.css"),
        plot::CSS
    )
}
