//! What all sessions have in common, on whatever device.

use crate::backbone::runtime_log::plain;
use crate::error::{Error, Kind, Result};
use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};

/// Begins a session.
///
/// # Errors
/// [`Kind::Runtime`] when the runtime refuses.
pub(super) fn builder(environment: &Environment) -> Result<SessionBuilder> {
    let fail = |e: String| Error::new(Kind::Runtime, "no session can be opened").because(plain(&e));
    Session::builder(environment)
        .map_err(|e| fail(e.to_string()))?
        .with_optimization_level(GraphOptimizationLevel::Level3)
        .map_err(|e| fail(e.to_string()))
}
