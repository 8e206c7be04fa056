//! One request for a file, or for the rest of it, whose body goes into the incomplete file.

use super::client::{Client, Response, Resume};
use super::confirm::{MAX_PAGE, confirmed_address};
use super::partial::{Origin, Partial};
use super::remote_file::RemoteFile;
use crate::error::{Error, Kind, Result};
use crate::io::fs::require_space;
use crate::monitor::{Monitor, Unit};
use std::io::Read;

/// Bytes that are read and written at a time.
const BLOCK: usize = 1 << 18;

/// Most bytes of a file whose size nobody says.
const MAX_BYTES: u64 = 16 << 30;

/// How a request ended.
pub(super) enum Ended {
    /// All bytes are there.
    Complete {
        /// Whether some of them are of an earlier request.
        is_resumed: bool,
    },
    /// The connection was cut; what came is kept.
    Cut(String),
    /// This address does not give the file.
    Useless(String),
}

/// A download under way.
pub(super) struct Transfer<'a> {
    pub what: &'a str,
    pub file: &'a RemoteFile,
    pub partial: &'a Partial,
    pub client: &'a Client,
    pub monitor: &'a dyn Monitor,
}

impl Transfer<'_> {
    /// Asks `address` for what is missing, and stores it.
    ///
    /// # Errors
    /// [`Kind::Io`] when it cannot be written, [`Kind::Interrupted`] when the monitor asks to stop.
    pub fn run(&self, address: &str) -> Result<Ended> {
        let origin = self.partial.origin().unwrap_or_default();
        let validator = origin.validator.filter(|_| origin.address == address);
        // Without either a rest could be of another file.
        let may_resume = self.file.has_digest() || validator.is_some();
        let start = if may_resume { self.partial.len() } else { 0 };
        let resume = (start > 0).then_some(Resume { start, validator: validator.as_deref() });
        let mut response =
            match self.client.get(address, resume).and_then(|found| self.confirm(found, resume)) {
                Ok(response) => response,
                Err(reason) => return Ok(Ended::Useless(reason)),
            };
        let start = match (response.status, response.range) {
            (206, Some(range)) if range.start == start && start > 0 => start,
            (200, _) => 0,
            // The server cannot continue what is there: it is asked for the whole file the next time.
            (206 | 416, _) => {
                self.partial.remove()?;
                return Ok(Ended::Cut("the server has another file than before".into()));
            }
            (status, _) => return Ok(Ended::Useless(format!("the server answers {status}"))),
        };
        let total = response.range.and_then(|range| range.total).or(response.length.map(|rest| start + rest));
        if let (Some(total), Some(expected)) = (total, self.file.bytes)
            && total != expected
        {
            return Ok(Ended::Useless(format!("the file there has {total} bytes, not {expected}")));
        }
        if start == 0 {
            let validator = response.validator.take();
            self.partial.start(&Origin { address: address.into(), validator })?;
        }
        self.store(&mut *response.body, start, total.or(self.file.bytes))
    }

    /// Follows a page that asks for a confirmation.
    fn confirm(&self, response: Response, resume: Option<Resume>) -> std::result::Result<Response, String> {
        if !response.is_page {
            return Ok(response);
        }
        let Response { status, address, body, .. } = response;
        let mut page = Vec::new();
        body.take(MAX_PAGE).read_to_end(&mut page).map_err(|e| e.to_string())?;
        let no_file = || format!("the server answers {status} with a web page instead of the file");
        let confirmed = confirmed_address(&String::from_utf8_lossy(&page), &address).ok_or_else(no_file)?;
        let answer = self.client.get(&confirmed, resume)?;
        if answer.is_page { Err(no_file()) } else { Ok(answer) }
    }

    /// Stores the body from byte `start` of the file on.
    fn store(&self, body: &mut dyn Read, start: u64, total: Option<u64>) -> Result<Ended> {
        if let Some(total) = total {
            let folder = self.partial.path().parent().unwrap_or(self.partial.path());
            require_space(folder, total.saturating_sub(start))?;
        }
        let label = format!("fetching {}", self.what);
        let task = self.monitor.task(&label, total, Unit::Bytes);
        task.advance(start);
        let (mut done, limit) = (start, total.unwrap_or(MAX_BYTES));
        let mut block = vec![0; BLOCK];
        let reason = loop {
            if self.monitor.is_interrupted() {
                return Err(Error::new(Kind::Interrupted, format!("interrupted while {label}"))
                    .help("what was fetched is kept; the same command goes on from there"));
            }
            match body.read(&mut block) {
                Ok(0) => break "the connection was cut".to_string(),
                Ok(n) => {
                    done += n as u64;
                    if done > limit {
                        self.partial.remove()?;
                        return Ok(Ended::Useless(format!("the server sends more than {limit} bytes")));
                    }
                    self.partial.append(&block[..n])?;
                    task.advance(n as u64);
                }
                Err(e) => break format!("the connection was cut: {e}"),
            }
        };
        Ok(match total {
            Some(total) if done < total => Ended::Cut(format!("{reason} after {done} of {total} bytes")),
            // Without a length only a clean end shows that this is all.
            None if reason.contains(": ") => Ended::Cut(format!("{reason} after {done} bytes")),
            _ => Ended::Complete { is_resumed: start > 0 },
        })
    }
}
