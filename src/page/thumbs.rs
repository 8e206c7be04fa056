//! Many small pictures in rows, a few words below each.

use super::Picture;
use crate::markup::{Markup, html};

/// The rules for what is here.
pub(super) const CSS: &str = include_str!("thumbs.css");

/// A small picture.
#[derive(Debug, Clone)]
pub struct Thumb {
    /// Above.
    pub picture: Picture,
    /// Below it.
    pub words: Markup,
}

/// Small pictures in rows, as many to a row as fit.
pub fn thumbs(all: &[Thumb]) -> Markup {
    html! {
        ul.thumbs { @for thumb in all { li { div.frame { (thumb.picture.markup()) } (thumb.words) } } }
    }
}
