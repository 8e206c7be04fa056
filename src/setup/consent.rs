//! Asks before something is downloaded and installed.

use crate::error::{Error, Kind, Result};
use crate::monitor::Monitor;

/// Something that is missing and can be installed.
pub(super) struct Missing<'a> {
    /// What is missing, as a sentence: `ONNX Runtime is not installed`.
    pub what: &'a str,
    /// What would be downloaded, its size and its licence.
    pub terms: &'a str,
    /// How to install it separately, such as ``run `setup` ``.
    pub remedy: &'a str,
}

/// Asks the monitor for consent to install what is missing.
///
/// # Errors
/// [`Kind::Runtime`] when the answer is no or nobody can be asked.
pub(super) fn require_consent(missing: &Missing, monitor: &dyn Monitor) -> Result<()> {
    let Missing { what, terms, remedy } = missing;
    let why = match monitor.consent(&format!("{what}: install {terms}")) {
        Some(true) => {
            monitor.note(&format!("installing {terms}"));
            return Ok(());
        }
        Some(false) => "",
        None => ", and there is no terminal to ask on",
    };
    Err(Error::new(Kind::Runtime, format!("{what}{why}"))
        .help(format!("{remedy}, or agree with `yes`: it installs {terms}")))
}
