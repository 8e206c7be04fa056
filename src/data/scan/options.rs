//! Settings of a scan.

use super::known::{EarlierScan, RefusedFiles};
use crate::data::dataset::LayoutChoice;
use crate::data::manifest::ManifestOptions;

/// How much of each file is examined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ScanDepth {
    /// The header: format and dimensions of the image.
    Header,
    /// The whole image, decoded, which finds files that are damaged or cut short.
    #[default]
    Pixels,
}

/// Settings of a scan.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ScanOptions<'a> {
    /// How much of each file is examined.
    pub depth: ScanDepth,
    /// Result of the latest scan, if there was one. Its labels stay where folders are still called as they were.
    pub earlier: Option<EarlierScan<'a>>,
    /// Whether files are read again although they look unchanged since the earlier scan.
    pub rehash: bool,
    /// How folders that are called as splits are taken. `None` takes them as classes, with a remark.
    pub layout: Option<LayoutChoice>,
    /// How a manifest is read, where one stands in place of the folder; `None` for the usual names of columns.
    pub manifest: Option<&'a ManifestOptions>,
    /// Whether such folders are an error without a `layout`.
    pub must_choose: bool,
    /// Files refused before, if known.
    pub refused: Option<&'a RefusedFiles>,
    /// Whether remarks about the folder go to the monitor. A repeated scan leaves them out.
    pub notes: bool,
}

impl ScanOptions<'_> {
    /// Options for a first scan, without earlier results.
    pub fn new(depth: ScanDepth) -> Self {
        Self {
            depth,
            earlier: None,
            rehash: false,
            layout: None,
            manifest: None,
            must_choose: false,
            refused: None,
            notes: true,
        }
    }
}
