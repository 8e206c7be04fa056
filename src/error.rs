//! The one error type: what went wrong, where, and what to do about it.
//! It refuses to print or to choose an exit code: that is the command line's work.

use std::error::Error as StdError;
use std::fmt;
use std::path::{Path, PathBuf};

/// What kind of failure this is, so that a caller can react without reading text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request itself makes no sense (a bad flag value, settings that contradict each other).
    Usage,
    /// Images or folders the user gave cannot be used.
    Input,
    /// A cache is missing, damaged, incomplete, or holds something else than asked for.
    Cache,
    /// A run folder is missing, damaged, or does not fit.
    Run,
    /// A backbone is missing, damaged, or gives wrong answers.
    Backbone,
    /// ONNX Runtime is missing or cannot be loaded.
    Runtime,
    /// The device or execution provider that was asked for cannot be used.
    Device,
    /// Another process holds the lock.
    Locked,
    /// The operating system refused to read or write.
    Io,
    /// Somebody asked the work to stop; what was done is kept.
    Interrupted,
}

/// A failure with its path, cause and remedy. `Display` gives path and message in one line; the cause stands in
/// `source` and the remedy in [`Error::remedy`].
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    path: Option<PathBuf>,
    remedy: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// `std::result::Result` with [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A failure of `kind`; `message` is lower case and ends without a full stop.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), path: None, remedy: None, source: None }
    }

    /// An operating-system failure while doing `action` ("read", "create", ...) on `path`.
    pub fn io(action: &str, path: &Path, source: std::io::Error) -> Self {
        use std::io::ErrorKind as Os;
        let remedy = match source.kind() {
            Os::PermissionDenied => Some("check who owns it, and the permissions of it and of its folder"),
            Os::ReadOnlyFilesystem => Some("the file system is mounted read-only: choose another place"),
            Os::StorageFull | Os::QuotaExceeded | Os::FileTooLarge => {
                Some("free some space or choose another place; what was finished before is kept")
            }
            _ => None,
        };
        let remedy = remedy.map(str::to_string);
        Self { remedy, ..Self::new(Kind::Io, format!("could not {action}")) }.at(path).because(source)
    }

    /// The same failure as one of another kind, for whoever knows better what it means.
    pub fn of_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Names the file or folder.
    pub fn at(mut self, path: impl AsRef<Path>) -> Self {
        self.path = Some(path.as_ref().to_path_buf());
        self
    }

    /// Says what the user can do.
    pub fn help(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Keeps the cause.
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The kind of failure.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The file or folder concerned.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// What the user can do, where that is known.
    pub fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }

    /// The line and all its causes, joined by `: `, without the remedy.
    pub fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(next) = cause {
            text = format!("{text}: {next}");
            cause = next.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}: ", path.display())?;
        }
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
