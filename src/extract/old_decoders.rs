//! Keeps features of different decoders out of one cache. A cache of an earlier version takes further images only if they
//! decode to the same pixels now as then.

use super::missing::ImageJob;
use crate::data::dataset::{Reason, Refused};
use crate::data::decode::{self, DECODE_VERSION};
use crate::error::{Error, Kind, Result};
use crate::io::digest::Digest;
use crate::math::parallel::{in_parallel, thread_count};
use std::collections::HashMap;
use std::path::Path;

/// Checks the images of `jobs`, below `root`, for a cache whose features were decoded by version `decode`. Returns those that
/// decode otherwise now and were refused then, with the reason of then.
///
/// # Errors
/// [`Kind::Cache`] when another image decodes otherwise now.
pub(super) fn check(
    cache: &Path,
    decode: &str,
    root: &Path,
    jobs: &[ImageJob],
    refused_then: &[Refused],
) -> Result<Vec<Refused>> {
    if decode == DECODE_VERSION {
        return Ok(Vec::new());
    }
    let reasons: HashMap<Digest, &Reason> =
        refused_then.iter().filter_map(|refused| Some((refused.image_sha256?, &refused.reason))).collect();
    let changed = in_parallel(thread_count(0), jobs, |job| {
        // What cannot be read is refused later.
        let bytes = decode::read(&root.join(&job.path));
        Ok(bytes.is_ok_and(|bytes| decode::pixels_changed_since(decode, &bytes)))
    })?;
    let changed = jobs.iter().zip(changed).filter(|(_, changed)| *changed).map(|(job, _)| job);
    let (before, new): (Vec<_>, Vec<_>) = changed.partition(|job| reasons.contains_key(&job.image_sha256));
    let Some(first) = new.first() else {
        let refused = |job: &ImageJob| Refused {
            path: job.path.clone(),
            image_sha256: Some(job.image_sha256),
            reason: reasons[&job.image_sha256].clone(),
        };
        return Ok(before.into_iter().map(refused).collect());
    };
    let message = format!(
        "its features are of images decoded by {decode}; this version, {DECODE_VERSION}, decodes {} of the missing ones \
         otherwise, such as {}",
        new.len(),
        first.path
    );
    Err(Error::new(Kind::Cache, message)
        .at(cache)
        .help("use another `cache` for features of this version; this one can still be trained on"))
}
