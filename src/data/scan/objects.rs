//! Lists images in object storage: the objects below a URL, as the files below a folder are.

use super::walk::{Listing, ObjectTable};
use crate::data::dataset::LayoutChoice;
use crate::data::decode::FileFacts;
use crate::error::{Error, Kind, Result};
use crate::io::fs::FileIdentity;
use crate::io::store::Store;
use std::path::Path;

/// Asks for size and time of all objects below `url`.
///
/// # Errors
/// [`Kind::Io`] when they cannot be listed.
pub(super) fn table(url: &Path) -> Result<ObjectTable> {
    let facts = |bytes, mtime_ns| FileFacts { bytes, mtime_ns, identity: FileIdentity::default() };
    let objects = Store::open(url, "")?.objects("")?;
    Ok(objects.into_iter().map(|object| (object.name, facts(object.bytes, object.changed_ns))).collect())
}

/// Lists the class folders below `url` and all objects in them. Without a `choice`, folders that are called as splits are an error
/// if `must_choose`, else classes.
///
/// # Errors
/// Those of [`table`]; [`Kind::Input`] when there is no object; those of [`Listing::add_names`].
pub(super) fn list(url: &Path, choice: Option<LayoutChoice>, must_choose: bool) -> Result<Listing> {
    let objects = table(url)?;
    let mut names: Vec<&String> = objects.keys().collect();
    names.sort_unstable();
    if names.is_empty() {
        return Err(Error::new(Kind::Input, "no objects there")
            .at(url)
            .help("check the URL, and the endpoint in the environment; a manifest is a file, whose `root` may be a URL"));
    }
    let mut listing = Listing { root: url.to_path_buf(), ..Listing::default() };
    listing.add_names(url, names.into_iter().map(String::as_str), choice, must_choose)?;
    listing.objects = Some(objects);
    Ok(listing)
}
