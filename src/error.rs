//! The error type of the whole crate: what went wrong, where, and what to do about it.

mod counted;
mod nearest_name;

pub use counted::counted;
pub use nearest_name::{did_you_mean, nearest_name};

use std::error::Error as StdError;
use std::fmt;
use std::path::{Path, PathBuf};

/// Category of a failure, so that a caller can react without parsing text.
///
/// The program ends with one of these exit codes:
///
/// | exit code | kind |
/// |---|---|
/// | 0 | none: everything is done |
/// | 1 | every kind but the two below; also damage that was found, which is a result and no error |
/// | 2 | [`Usage`](Kind::Usage) |
/// | 3 | none: it is done, and inputs were refused, which results list in `refused` |
/// | 128 + signal | [`Interrupted`](Kind::Interrupted): 130 after Ctrl-C, 143 after SIGTERM |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The request is invalid: a value out of range, or settings that contradict each other.
    Usage,
    /// Images or folders given by the caller cannot be used.
    Input,
    /// A cache is missing, damaged or incomplete, or holds other features than requested.
    Cache,
    /// A run folder is missing or damaged, or does not fit the request.
    Run,
    /// A backbone is missing, damaged, or gives wrong outputs.
    Backbone,
    /// ONNX Runtime is missing or cannot be loaded.
    Runtime,
    /// The requested device or execution provider cannot be used.
    Device,
    /// Another process holds the lock.
    Locked,
    /// The operating system reported a failure to read or write.
    Io,
    /// The system grants fewer threads or less memory than the work needs.
    Limit,
    /// The work was stopped on request; finished results are kept.
    Interrupted,
}

/// A failure with its path, its cause and a remedy.
///
/// - `Display` is one line: the path, then the message.
/// - [`Error::with_causes`] appends the chain of causes to that line.
/// - `Debug` (`{:?}`) is a report for people: that line, the causes and the remedy, each in lines of their own. A
///   program whose `main` returns `Result<(), headstart::error::Error>` therefore prints something useful. `{:#?}`
///   shows the fields.
///
/// Messages and remedies name configuration fields and stage functions by their Rust name in backticks, for example
/// `` `memory` `` or `` `extract` ``. File names, labels and values are never in backticks.
pub struct Error {
    kind: Kind,
    message: String,
    path: Option<PathBuf>,
    remedy: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// [`std::result::Result`] with [`Error`] as its error.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Creates a failure of category `kind`. By convention `message` is lower case and has no full stop.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), path: None, remedy: None, source: None }
    }

    /// Creates a [`Kind::Io`] failure of `action` ("read", "create", ...) on `path`, with a remedy for the usual
    /// causes. Where a file or a link stands in the way, the error is about that.
    pub fn io(action: &str, path: &Path, source: std::io::Error) -> Self {
        use std::io::ErrorKind as Os;
        let remedy = match source.kind() {
            Os::PermissionDenied => {
                Some("check the owner and the permissions of the path and of its parent folder")
            }
            Os::ReadOnlyFilesystem => Some("the file system is mounted read-only: choose another place"),
            Os::StorageFull | Os::QuotaExceeded | Os::FileTooLarge => {
                Some("free some space or choose another place; finished results are kept")
            }
            Os::OutOfMemory => {
                Some("more memory is needed: raise its limit (`ulimit -v`), or end other programs")
            }
            _ => None,
        };
        let is_in_the_way = match source.kind() {
            // Else something else is missing, such as the place that a file is moved to.
            Os::NotFound => path.metadata().is_err(),
            kind => kind == Os::NotADirectory || is_loop(&source),
        };
        if is_in_the_way && let Some(obstacle) = Self::obstacle(path) {
            return obstacle;
        }
        let remedy = remedy.map(str::to_string);
        Self { remedy, ..Self::new(Kind::Io, format!("could not {action}")) }.at(path).because(source)
    }

    /// Finds what stands in the way of a folder at `path`: a link that leads nowhere or a file, at the path or above it, or
    /// a current folder that was deleted. Returns `None` when there is a folder or may be one.
    pub fn obstacle(path: &Path) -> Option<Self> {
        if path.is_relative() && std::env::current_dir().is_err() {
            let gone = Self::new(Kind::Io, "the current folder was deleted").at(path);
            return Some(gone.help("change to a folder that exists"));
        }
        let is_there = |path: &&Path| path.symlink_metadata().is_ok();
        let existing = path.ancestors().find(is_there).filter(|existing| !existing.is_dir())?;
        let message = match (existing.read_link(), existing.metadata()) {
            (Ok(_), Err(e)) if is_loop(&e) => "it is a link that leads back to itself".into(),
            (Ok(target), Err(e)) if e.kind() == std::io::ErrorKind::NotFound => {
                format!("it is a link to {}, where nothing is", target.display())
            }
            _ => "it is a file, not a folder".into(),
        };
        Some(Self::new(Kind::Io, message).at(existing).help("give another path"))
    }

    /// Creates the failure of a value that is none of `names`. `what` says what it should be, such as `a split`.
    pub fn not_one_of(typed: &str, what: &str, names: &[&str]) -> Self {
        let all = match names {
            [others @ .., last] if !others.is_empty() => format!("{} or {last}", others.join(", ")),
            all => all.join(", "),
        };
        let meant = did_you_mean(typed, names.iter().copied());
        Self::new(Kind::Usage, format!("{typed:?} is not {what}")).help(format!("{meant}use {all}"))
    }

    /// Replaces the category, for a caller who knows the meaning of a lower-level failure.
    pub fn of_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Sets the file or folder concerned.
    pub fn at(mut self, path: impl AsRef<Path>) -> Self {
        self.path = Some(path.as_ref().to_path_buf());
        self
    }

    /// Sets the remedy: what the user can do.
    pub fn help(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Sets the cause, which [`StdError::source`] returns.
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Category of the failure.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What went wrong, without the path and the causes.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The file or folder concerned.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// What the user can do, where that is known.
    pub fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }

    /// Path, message and all causes in one line, joined by `: `, without the remedy.
    pub fn with_causes(&self) -> String {
        self.causes().fold(self.to_string(), |text, cause| format!("{text}: {cause}"))
    }

    fn causes(&self) -> impl Iterator<Item = &(dyn StdError + 'static)> {
        std::iter::successors(self.source(), |cause| (*cause).source())
    }
}

/// Whether a path could not be followed because its links form a ring. The category of the standard library has no stable
/// name yet.
fn is_loop(error: &std::io::Error) -> bool {
    format!("{:?}", error.kind()) == "FilesystemLoop"
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}: ", path.display())?;
        }
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            let Self { kind, message, path, remedy, source } = self;
            let mut fields = f.debug_struct("Error");
            fields.field("kind", kind).field("message", message).field("path", path);
            return fields.field("remedy", remedy).field("source", source).finish();
        }
        write!(f, "{self}")?;
        if self.source.is_some() {
            f.write_str("\n\nCaused by:")?;
        }
        for cause in self.causes() {
            write!(f, "\n    {cause}")?;
        }
        match &self.remedy {
            Some(remedy) => write!(f, "\n\nHelp: {remedy}"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_none_of_several_is_told_with_the_nearest() {
        let error = Error::not_one_of("cosnie", "a schedule", &["constant", "linear", "cosine"]);
        assert_eq!(error.to_string(), "\"cosnie\" is not a schedule");
        let remedy = "did you mean \"cosine\"? use constant, linear or cosine";
        assert_eq!(error.remedy(), Some(remedy));
        assert_eq!(Error::not_one_of("none", "a word", &["zebra"]).remedy(), Some("use zebra"));
    }

    #[test]
    fn debug_is_a_report_for_people() {
        let cause = Error::new(Kind::Io, "bad sector").because(std::io::Error::other("timeout"));
        let error = Error::new(Kind::Cache, "not readable").at("c/part").because(cause).help("run `verify`");
        assert_eq!(
            format!("{error:?}"),
            "c/part: not readable\n\nCaused by:\n    bad sector\n    timeout\n\nHelp: run `verify`"
        );
        assert_eq!(error.with_causes(), "c/part: not readable: bad sector: timeout");
        assert_eq!(format!("{:?}", Error::new(Kind::Usage, "no")), "no");
        assert!(format!("{error:#?}").contains("kind: Cache"));
    }
}
