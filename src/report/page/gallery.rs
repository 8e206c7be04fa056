//! A gallery: small pictures in rows, each with a caption below.

use super::picture::Picture;
use crate::report::html::{Markup, html};

/// A small picture with its caption.
#[derive(Debug, Clone)]
pub struct GalleryItem {
    /// The picture.
    pub picture: Picture,
    /// The caption below it; may be empty.
    pub caption: Markup,
}

/// Small pictures in rows, as many to a row as fit.
pub fn gallery(items: &[GalleryItem]) -> Markup {
    html! {
        ul.gallery { @for item in items { li { div.frame { (item.picture.markup()) } (item.caption) } } }
    }
}
