//! Parts that any page is made of: plots, key figures, scrolling regions, columns.

use crate::report::html::{self, Markup, html};
use crate::report::plot::{Figure, InlineSvg};

/// A plot with its title and summary, and its numbers as JSON for programs.
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
            script type="application/json" data-numbers=(figure.name) { (html::json(&figure.numbers)) }
        }
    }
}

/// A scrolling region that the keyboard can reach, for content that may be wider or higher than the screen.
pub fn scrolled(label: &str, body: Markup) -> Markup {
    html! { div.scroll role="region" tabindex="0" aria-label=(label) { (body) } }
}

/// Puts plots and tables side by side where there is room.
pub fn side_by_side(parts: impl IntoIterator<Item = Markup>) -> Markup {
    html! { div.charts { @for part in parts { div { (part) } } } }
}

/// A name or path that may be broken over lines after underscores, hyphens, slashes and dots. Direction marks in it do not
/// reach the text around it.
pub fn breakable(text: &str) -> Markup {
    html! { bdi { @for part in text.split_inclusive(['_', '-', '/', '.']) { (part) wbr; } } }
}

/// A key figure.
#[derive(Debug, Clone)]
pub struct Fact {
    /// What it is.
    pub name: &'static str,
    /// The value, formatted.
    pub value: String,
    /// What the value means.
    pub note: String,
}

impl Fact {
    /// Creates a key figure.
    pub fn new(name: &'static str, value: String, note: impl Into<String>) -> Self {
        Self { name, value, note: note.into() }
    }
}

/// A row of key figures.
pub fn facts(facts: &[Fact]) -> Markup {
    html! {
        dl.facts {
            @for fact in facts {
                div { dt { (fact.name) } dd.value { (fact.value) } dd.note { (fact.note) } }
            }
        }
    }
}
