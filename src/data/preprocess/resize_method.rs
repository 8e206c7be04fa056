//! The filters that a preprocessing can resize with, under the names of their stored form.

use super::Filter;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Filter that resizes images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Resize {
    /// Pillow's antialiased bilinear filter in 8-bit fixed point ([`resize_bilinear`](super::resize_bilinear)). Width and height are scaled
    /// independently.
    #[serde(rename = "bilinear-pillow")]
    BilinearPillow,
    /// Pillow's antialiased bicubic filter in 8-bit fixed point ([`resize()`](super::resize())).
    #[serde(rename = "bicubic-pillow")]
    BicubicPillow,
    /// Pillow's nearest pixel.
    #[serde(rename = "nearest-pillow")]
    NearestPillow,
    /// Pillow's box filter, the mean of the pixels below an output pixel.
    #[serde(rename = "box-pillow")]
    BoxPillow,
    /// Pillow's Hamming filter.
    #[serde(rename = "hamming-pillow")]
    HammingPillow,
    /// Pillow's Lanczos filter of radius 3.
    #[serde(rename = "lanczos-pillow")]
    LanczosPillow,
    /// TensorFlow 1's `resize_bilinear`: not antialiased, aligned at the top left corner, not rounded
    /// ([`resize_bilinear_tensorflow1`](super::resize_bilinear_tensorflow1)).
    #[serde(rename = "bilinear-tensorflow1")]
    BilinearTensorflow1,
}

impl fmt::Display for Resize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BilinearPillow => "bilinear",
            Self::BicubicPillow => "bicubic",
            Self::NearestPillow => "nearest",
            Self::BoxPillow => "box",
            Self::HammingPillow => "Hamming",
            Self::LanczosPillow => "Lanczos",
            Self::BilinearTensorflow1 => "bilinear as in TensorFlow 1",
        })
    }
}

impl Resize {
    /// The filter of Pillow; `None` for TensorFlow's.
    pub(super) fn pillow(self) -> Option<Filter> {
        match self {
            Self::BilinearPillow => Some(Filter::Bilinear),
            Self::BicubicPillow => Some(Filter::Bicubic),
            Self::NearestPillow => Some(Filter::Nearest),
            Self::BoxPillow => Some(Filter::Box),
            Self::HammingPillow => Some(Filter::Hamming),
            Self::LanczosPillow => Some(Filter::Lanczos),
            Self::BilinearTensorflow1 => None,
        }
    }
}
