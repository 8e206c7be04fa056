//! Downloads of single files: resumed after a cut, checked by size and digest, from the first of several addresses that
//! gives the file.

mod client;
mod confirm;
mod partial;
mod remote_file;
mod transfer;

pub(crate) use client::Client;
#[cfg(feature = "cloud")]
pub(crate) use client::NoAnswer;
pub use remote_file::RemoteFile;

use crate::error::{Error, Kind, Result};
use crate::io::digest::Digest;
use crate::io::fs;
use crate::monitor::Monitor;
use partial::Partial;
use std::path::Path;
use transfer::{Ended, Transfer};

/// Requests to one address: each but the last two must have brought some bytes.
const MAX_REQUESTS: usize = 50;

/// A file that was fetched and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FetchedFile {
    /// The address that gave it.
    pub address: String,
    /// Its SHA-256.
    pub sha256: Digest,
}

/// Fetches `file`, which is called `what` in messages, to `target`. What an interrupted call left is continued, where the
/// server can and the result can be checked. The addresses are tried in order.
///
/// # Errors
/// [`Kind::Io`] when no address gives the file, with the reason for each, or when it cannot be written;
/// [`Kind::Interrupted`] when the monitor asks to stop. What was fetched stays beside `target`.
pub fn download(what: &str, file: &RemoteFile, target: &Path, monitor: &dyn Monitor) -> Result<FetchedFile> {
    if let Some(folder) = target.parent() {
        fs::create_folder(folder)?;
    }
    let (partial, client) = (Partial::of(target), Client::new());
    let transfer = Transfer { what, file, partial: &partial, client: &client, monitor };
    let mut reasons = Vec::new();
    for address in &file.addresses {
        match fetch_from(address, &transfer)? {
            Ok(sha256) => {
                partial.finish(target)?;
                return Ok(FetchedFile { address: address.clone(), sha256 });
            }
            Err(reason) => reasons.push(format!("{address}: {reason}")),
        }
    }
    Err(Error::new(Kind::Io, format!("{what} could not be fetched")).because(reasons.join("; ")))
}

/// Fetches the file from one address, with as many requests as it takes. Returns its digest, or why that address does not
/// give it.
fn fetch_from(address: &str, transfer: &Transfer) -> Result<std::result::Result<Digest, String>> {
    let partial = transfer.partial;
    let (mut is_last_chance, mut reason) = (false, String::new());
    for _ in 0..MAX_REQUESTS {
        let before = partial.len();
        match transfer.run(address)? {
            Ended::Useless(reason) => return Ok(Err(reason)),
            Ended::Cut(_) if is_last_chance && partial.len() <= before => break,
            Ended::Cut(cut) => (is_last_chance, reason) = (partial.len() <= before, cut),
            Ended::Complete { is_resumed } => match transfer.file.check(partial.path()) {
                Ok(sha256) => return Ok(Ok(sha256)),
                Err(e) if e.kind() != Kind::Input => return Err(e),
                // The first part may be of an earlier version of the file.
                Err(_) if is_resumed => partial.remove()?,
                Err(e) => {
                    partial.remove()?;
                    return Ok(Err(e.at("the download").with_causes()));
                }
            },
        }
    }
    Ok(Err(reason))
}
