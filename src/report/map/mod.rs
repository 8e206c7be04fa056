//! A map of images: their features in two dimensions, coloured by class, split, or whether they are answered right, with a picture
//! on hover and focus. No script is needed.

mod feature_map;
mod markup;

pub use feature_map::{FeatureMap, MapPoint};
pub(in crate::report) use markup::markup;
