//! Object storage in a program without the feature `cloud`: there is none.

use super::facts::ObjectFacts;
use super::location::Url;
use crate::error::{Error, Kind, Result};
use std::io::Write;
use std::ops::Range;
use std::path::Path;

/// Nothing of this type exists.
#[derive(Debug, Clone)]
pub(super) enum Remote {}

impl Remote {
    pub fn open(url: &Url) -> Result<Self> {
        Err(Error::new(Kind::Usage, "this program was built without object storage")
            .at(&url.text)
            .help("build it with the cargo feature cloud"))
    }

    pub fn read_if_any(&self, _: &str) -> Result<Option<Vec<u8>>> {
        match *self {}
    }

    pub fn fetch(&self, _: &str) -> Result<Option<(Vec<u8>, i64)>> {
        match *self {}
    }

    pub fn exists(&self, _: &str) -> Result<bool> {
        match *self {}
    }

    pub fn put_if_absent(&self, _: &str, _: &[u8]) -> Result<bool> {
        match *self {}
    }

    pub fn put(&self, _: &str, _: &[u8]) -> Result<()> {
        match *self {}
    }

    pub fn list(&self, _: &str, _: &str) -> Result<Vec<String>> {
        match *self {}
    }

    pub fn facts(&self, _: &str) -> Result<Vec<ObjectFacts>> {
        match *self {}
    }

    pub fn copy_out(&self, _: &ObjectFacts, _: &mut dyn Write) -> Result<()> {
        match *self {}
    }

    pub fn read_range(&self, _: &ObjectFacts, _: Range<u64>) -> Result<Vec<u8>> {
        match *self {}
    }

    pub fn copy_in(&self, _: &str, _: &Path) -> Result<()> {
        match *self {}
    }

    pub fn remove_all(&self, _: Vec<String>) -> Result<()> {
        match *self {}
    }
}
