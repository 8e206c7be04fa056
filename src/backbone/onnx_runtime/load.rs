//! Loads libonnxruntime, once per process. The only user of `tracing`, through which `ort` says which version it loaded.

use super::elf::missing_end;
use crate::backbone::runtime_log::{self, plain};
use crate::error::{Error, Kind, Result};
use ort::LoadDynamicError;
use ort::environment::Environment;
use ort::logging::{LogLevel, LoggerFunction};
use std::error::Error as StdError;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Message of a library that the operating system cannot load.
pub const LOADER: &str = "ONNX Runtime cannot be loaded";

struct Loaded {
    path: PathBuf,
    version: String,
    environment: Environment,
}

/// Loads the library, once per process.
///
/// # Errors
/// [`Kind::Runtime`] with the loader's reason when it cannot be loaded, or when the process has loaded another one.
pub(super) fn load(library: &Path) -> Result<&'static Environment> {
    loaded(library).map(|loaded| &loaded.environment)
}

/// Loads the library and returns the version that it reports.
///
/// # Errors
/// [`Kind::Runtime`] with the reason of the loader when it cannot be loaded, or when the process has loaded another one.
pub fn version(library: &Path) -> Result<String> {
    loaded(library).map(|loaded| loaded.version.clone())
}

fn loaded(library: &Path) -> Result<&'static Loaded> {
    static LOADED: OnceLock<Loaded> = OnceLock::new();
    static LOADING: Mutex<()> = Mutex::new(());
    let _guard = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
    if LOADED.get().is_none() {
        let fail = |why: String| Error::new(Kind::Runtime, LOADER).at(library).because(why);
        if let Some(bytes) = missing_end(library) {
            return Err(fail(format!("it is cut short: its headers state {bytes} bytes")));
        }
        let listener = Listener::default();
        let builder = tracing::subscriber::with_default(listener.clone(), || ort::init_from(library))
            .map_err(|e| fail(reason(&e)))?;
        let version = listener.version().unwrap_or_else(|| ort::info().to_string());
        let logger: LoggerFunction = Arc::new(|level, _, _, _, message| {
            if matches!(level, LogLevel::Error | LogLevel::Fatal) {
                runtime_log::keep(message);
            }
        });
        let builder = builder.with_name("headstart").with_telemetry(false).with_logger(logger);
        let environment = builder.build().map_err(|e| fail(plain(&e.to_string())))?;
        environment.set_log_level(LogLevel::Error);
        let _ = LOADED.set(Loaded { path: library.to_path_buf(), version, environment });
    }
    let loaded = LOADED.get().expect("set above");
    if loaded.path != library {
        return Err(Error::new(Kind::Runtime, "another ONNX Runtime is loaded already").at(&loaded.path));
    }
    Ok(loaded)
}

/// The reason of the loader in its own words.
fn reason(error: &LoadDynamicError) -> String {
    match error {
        LoadDynamicError::Dlopen { error, .. } => match error.source() {
            Some(cause) => cause.to_string(),
            None => error.to_string(),
        },
        LoadDynamicError::MissingApi { .. } => "it is no ONNX Runtime: it exports no OrtGetApiBase".into(),
        LoadDynamicError::BadVersion { version_str, .. } => {
            format!("it is version {version_str}, older than 1.{}", ort::MINOR_VERSION)
        }
        other => other.to_string(),
    }
}

/// Keeps the messages of `ort` while a library is loaded.
#[derive(Debug, Clone, Default)]
struct Listener(Arc<Mutex<String>>);

impl Listener {
    /// The version in the messages, which quote it: `version '1.23.0'`.
    fn version(&self) -> Option<String> {
        let messages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (version, _) = messages.split_once("version '")?.1.split_once('\'')?;
        Some(version.to_string())
    }
}

impl Visit for Listener {
    fn record_debug(&mut self, _field: &Field, value: &dyn Debug) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_str(&format!("{value:?}\n"));
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target().starts_with("ort")
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}
