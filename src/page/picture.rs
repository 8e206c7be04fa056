//! Small pictures inside a page.

use crate::digest::{Digest, sha256};
use crate::encoding::data_uri;
use crate::image_io::{self, Reason};
use crate::markup::{Markup, html};
use crate::pixels::Pixels;
use crate::preprocess::resize_bilinear;
use std::path::Path;

/// A picture made small, as the page holds it.
#[derive(Debug, Clone)]
pub struct Thumbnail {
    uri: String,
    width: usize,
    height: usize,
}

/// A place for a picture.
#[derive(Debug, Clone)]
pub struct Picture {
    /// The picture; `None` where it cannot be shown.
    pub thumbnail: Option<Thumbnail>,
    /// What it shows, for who cannot see it.
    pub alt: String,
}

/// The longer side of a thumbnail in pixels.
const SIDE: usize = 192;
/// Of the JPEG, in percent.
const QUALITY: u8 = 80;

impl Thumbnail {
    /// Makes a picture small; a small one stays as it is.
    pub fn of(image: &Pixels) -> Self {
        let longer = image.width().max(image.height());
        let fit = |side: usize| (side * SIDE / longer).max(1);
        let small = match longer > SIDE {
            true => resize_bilinear(image, fit(image.width()), fit(image.height())),
            false => image.clone(),
        };
        let uri = data_uri("image/jpeg", &image_io::encode_jpeg(&small, QUALITY));
        Self { uri, width: small.width(), height: small.height() }
    }
}

/// Reads an image file and makes it small.
///
/// # Errors
/// Why it cannot be shown: also where its bytes are others than those of the digest.
pub fn thumbnail(path: &Path, digest: Digest) -> Result<Thumbnail, Reason> {
    let bytes = image_io::read(path)?;
    match sha256(&bytes) == digest {
        true => Ok(Thumbnail::of(&image_io::decode(&bytes)?)),
        false => Err("it is another picture by now".into()),
    }
}

impl Picture {
    /// The picture, or a frame that says that it is missing.
    pub fn markup(&self) -> Markup {
        html! {
            @match &self.thumbnail {
                Some(small) => img src=(small.uri) alt=(self.alt) width=(small.width) height=(small.height) decoding="async";,
                None => div.missing role="img" aria-label=(format!("{} (picture not found)", self.alt)) { span aria-hidden="true" { "no picture" } },
            }
        }
    }
}
