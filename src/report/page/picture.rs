//! Pictures inside a page, as JPEG thumbnails in `data:` URIs.

use crate::data::decode::{Reason, encode_jpeg};
use crate::data::pixels::Pixels;
use crate::data::thumbnail;
use crate::io::base64::data_uri;
use crate::io::digest::Digest;
use crate::report::html::{Markup, html};
use std::path::Path;

/// A picture scaled down, encoded for a page.
#[derive(Debug, Clone)]
pub struct Thumbnail {
    uri: String,
    width: usize,
    height: usize,
}

/// A picture in a page, or the frame of one that is missing.
#[derive(Debug, Clone)]
pub struct Picture {
    /// The picture; `None` if it cannot be shown.
    pub thumbnail: Option<Thumbnail>,
    /// Alternative text for readers who cannot see it.
    pub alt: String,
}

/// Longer side of a thumbnail at most, in pixels.
const SIDE: usize = 192;
/// JPEG quality, from 1 to 100.
const QUALITY: u8 = 80;

impl Thumbnail {
    /// Scales a picture down and encodes it; a small picture keeps its size.
    pub fn new(image: &Pixels) -> Self {
        let small = match image.width().max(image.height()) > SIDE {
            true => thumbnail::fit(image, SIDE),
            false => image.clone(),
        };
        let uri = data_uri("image/jpeg", &encode_jpeg(&small, QUALITY));
        Self { uri, width: small.width(), height: small.height() }
    }

    /// Reads the image file at `path`, which must still have the bytes of `digest`, and scales it down.
    ///
    /// # Errors
    /// The reason why it cannot be shown.
    pub fn read(path: &Path, digest: Digest) -> Result<Self, Reason> {
        thumbnail::read_verified(path, digest, None).map(|image| Self::new(&image))
    }
}

impl Thumbnail {
    /// The picture as a `data:` URI.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Width and height in pixels.
    pub fn size(&self) -> [usize; 2] {
        [self.width, self.height]
    }
}

impl Picture {
    /// Reads the picture at `path`, which must still have the bytes of `digest`; a frame if that fails.
    pub fn read(path: &Path, digest: Digest, alt: impl Into<String>) -> Self {
        Self { thumbnail: Thumbnail::read(path, digest).ok(), alt: alt.into() }
    }

    /// Renders the picture, or a frame that says that it is missing.
    pub fn markup(&self) -> Markup {
        html! {
            @match &self.thumbnail {
                Some(small) => img src=(small.uri) alt=(self.alt) width=(small.width) height=(small.height) decoding="async";,
                None => div.missing role="img" aria-label=(format!("{} (picture not found)", self.alt)) { span aria-hidden="true" { "no picture" } },
            }
        }
    }
}
