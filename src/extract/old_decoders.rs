//! Keeps features of different decoders out of one cache. A cache of an earlier version takes further images only if they
//! decode to the same pixels now as then.

use super::missing::ImageJob;
use crate::data::decode::{self, DECODE_VERSION};
use crate::error::{Error, Kind, Result};
use crate::math::parallel::{in_parallel, thread_count};
use std::path::Path;

/// Checks the images of `jobs`, below `root`, for a cache whose features were decoded by version `decode`.
///
/// # Errors
/// [`Kind::Cache`] when one of them decodes otherwise now.
pub(super) fn check(cache: &Path, decode: &str, root: &Path, jobs: &[ImageJob]) -> Result<()> {
    if decode == DECODE_VERSION {
        return Ok(());
    }
    let changed = in_parallel(thread_count(0), jobs, |job| {
        // What cannot be read is refused later.
        let bytes = decode::read(&root.join(&job.path));
        Ok(bytes.is_ok_and(|bytes| decode::pixels_changed_since(decode, &bytes)))
    })?;
    let mut changed = jobs.iter().zip(changed).filter(|(_, changed)| *changed).map(|(job, _)| &job.path);
    let Some(first) = changed.next() else { return Ok(()) };
    let message = format!(
        "its features are of images decoded by {decode}; this version, {DECODE_VERSION}, decodes {} of the missing ones \
         otherwise, such as {first}",
        1 + changed.count()
    );
    Err(Error::new(Kind::Cache, message)
        .at(cache)
        .help("use another `cache` for features of this version; this one can still be trained on"))
}
