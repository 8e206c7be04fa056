//! Writes the ONNX file of a classifier.

use super::built::BuiltClassifier;
use crate::backbone::graph::is_classifier;
use crate::error::{Error, Result};
use crate::io::fs::{self, OutputFormat};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Bytes at the start of a file in which the name of this program is looked for.
const START: u64 = 64;

const FORMAT: OutputFormat = OutputFormat { name: "classifier", is_own: &is_own };

/// Checks, before long work, that the file may be written: an earlier classifier of this program is replaced.
pub(super) fn check(path: &Path) -> Result<()> {
    fs::check_output(path, FORMAT)
}

/// Writes the file.
pub(super) fn write(path: &Path, built: &BuiltClassifier) -> Result<()> {
    fs::write_output(path, FORMAT, |out| out.write_all(&built.bytes).map_err(|e| Error::io("write", path, e)))
}

fn is_own(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(START).read_to_end(&mut start));
    read.is_ok() && is_classifier(&start)
}
