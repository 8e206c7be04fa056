//! Asks before something is downloaded and installed.

use crate::error::{Error, Kind, Result};
use crate::monitor::Monitor;

/// A request to install something that is missing.
pub(super) struct InstallRequest<'a> {
    /// What is missing, as a sentence: `ONNX Runtime is not installed`.
    pub what: &'a str,
    /// What would be downloaded, its size and its licence.
    pub terms: &'a str,
    /// How to install it separately, such as ``run `setup` ``.
    pub remedy: &'a str,
    /// How to do without the download.
    pub elsewhere: &'a str,
}

/// Asks the monitor for consent to an installation.
///
/// # Errors
/// [`Kind::Runtime`] when the answer is no or nobody can be asked.
pub(super) fn require_consent(request: &InstallRequest, monitor: &dyn Monitor) -> Result<()> {
    let InstallRequest { what, terms, remedy, elsewhere } = request;
    let why = match monitor.consent(&format!("{what}: install {terms}")) {
        Some(true) => {
            monitor.note(&format!("installing {terms}"));
            return Ok(());
        }
        Some(false) => "",
        None => ", and there is nobody to ask",
    };
    Err(Error::new(Kind::Runtime, format!("{what}{why}"))
        .help(format!("{remedy}, or repeat this with `yes`; either installs {terms}; or {elsewhere}")))
}
