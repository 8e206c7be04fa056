//! How stages report what they do: notes, warnings, progress and questions. The library never prints; the caller passes
//! a [`Monitor`].
//!
//! Ready monitors: [`Silent`] discards everything, [`LogMonitor`] passes each note and warning to a function,
//! [`Collected`] keeps them. None of them answers a question, so nothing is installed; wrapped in [`Agreeing`] they
//! answer yes.

use serde::Serialize;
use std::fmt;
use std::io::Write;
use std::sync::{Mutex, MutexGuard};

/// What the counts of a [`Task`] are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// Feature rows or image files.
    Images,
    /// Bytes read, written or downloaded.
    Bytes,
    /// Epochs of training.
    Epochs,
    /// Parts of a cache.
    Parts,
    /// Runs on disk.
    Runs,
    /// Heads fitted.
    Fits,
}

/// An epoch of a fit that has just ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EpochReport {
    /// Number of the epoch, from 1.
    pub epoch: usize,
    /// The most epochs that the fit may have.
    pub epochs: usize,
    /// Mean cross entropy over the train rows, each measured before the step of its batch.
    pub train_loss: f64,
    /// Accuracy over the train rows, 0 to 1, measured in the same way.
    pub train_accuracy: f64,
    /// Mean cross entropy of the validation rows after the epoch; `None` without validation rows.
    pub validation_loss: Option<f64>,
    /// Accuracy on the validation rows after the epoch, 0 to 1; `None` without validation rows.
    pub validation_accuracy: Option<f64>,
    /// Learning rate of the first step of the epoch.
    pub learning_rate: f64,
    /// Wall time of the epoch and its validation, in seconds.
    pub seconds: f64,
}

/// Receives the reports of a stage and answers its questions. Any thread may call it.
pub trait Monitor: Sync {
    /// Reports something that may be of interest, in one line.
    fn note(&self, message: &str);

    /// Reports something that may make the result wrong or incomplete, in one line.
    fn warn(&self, message: &str);

    /// Reports the start of long work, which ends when the returned task is dropped. `total` is `None` when it is not
    /// known.
    fn task(&self, label: &str, total: Option<u64>, unit: Unit) -> Box<dyn Task + '_>;

    /// Answers a yes-or-no question, for example "ONNX Runtime is not installed: install ONNX Runtime 1.23 (8 MB,
    /// MIT)".
    ///
    /// A stage asks before it downloads and installs a runtime or a backbone. `Some(true)` installs it. On
    /// `Some(false)`, and on `None`, which means that there is nobody to ask, nothing is installed: the stage fails
    /// with an error that says what to install.
    fn consent(&self, question: &str) -> Option<bool>;

    /// Reports an epoch of the fit of one head with Adam, as soon as it ends.
    fn epoch(&self, _report: &EpochReport) {}

    /// Whether the caller wants the work to stop. A stage that polls this finishes and keeps what is in progress,
    /// starts nothing new, and returns [`crate::error::Kind::Interrupted`].
    fn is_interrupted(&self) -> bool {
        false
    }
}

/// Long work in progress. Any thread may report.
pub trait Task: Sync {
    /// Adds `done` finished units.
    fn advance(&self, done: u64);

    /// Sets a short description of the state, shown beside the count.
    fn status(&self, _text: &str) {}
}

/// A task that ignores its progress.
struct NoTask;

impl Task for NoTask {
    fn advance(&self, _done: u64) {}
}

/// Discards notes, progress and **warnings**, and leaves questions unanswered, so that nothing is installed.
///
/// Use [`LogMonitor`] or [`Collected`] to learn of files that were skipped and settings that had no effect, and
/// `Agreeing(Silent)` to let a stage install what it needs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Monitor for Silent {
    fn note(&self, _message: &str) {}

    fn warn(&self, _message: &str) {}

    fn task(&self, _label: &str, _total: Option<u64>, _unit: Unit) -> Box<dyn Task + '_> {
        Box::new(NoTask)
    }

    fn consent(&self, _question: &str) -> Option<bool> {
        None
    }
}

/// Answers yes to every question, so that a missing runtime or backbone is downloaded and installed. Reports everything
/// else to the monitor inside; the stage reports what it installs, and under which licence, as a note.
///
/// ```
/// use headstart::monitor::{Agreeing, Monitor, Silent};
/// assert_eq!(Silent.consent("install ONNX Runtime"), None);
/// assert_eq!(Agreeing(Silent).consent("install ONNX Runtime"), Some(true));
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Agreeing<M>(pub M);

impl<M: Monitor> Monitor for Agreeing<M> {
    fn note(&self, message: &str) {
        self.0.note(message);
    }

    fn warn(&self, message: &str) {
        self.0.warn(message);
    }

    fn task(&self, label: &str, total: Option<u64>, unit: Unit) -> Box<dyn Task + '_> {
        self.0.task(label, total, unit)
    }

    fn consent(&self, _question: &str) -> Option<bool> {
        Some(true)
    }

    fn epoch(&self, report: &EpochReport) {
        self.0.epoch(report);
    }

    fn is_interrupted(&self) -> bool {
        self.0.is_interrupted()
    }
}

/// Passes each note and each warning to a function as one line; warnings begin with `warning: `. Discards progress, and
/// leaves questions unanswered.
///
/// ```
/// use headstart::monitor::{Agreeing, LogMonitor, Monitor};
/// let to_stderr = LogMonitor::to_writer(std::io::stderr());
/// to_stderr.note("10 images added");
/// let to_a_logger = Agreeing(LogMonitor::new(|line| drop(line.len())));
/// to_a_logger.warn("2 files were skipped");
/// ```
pub struct LogMonitor<'a> {
    log: Box<dyn Fn(&str) + Send + Sync + 'a>,
}

impl<'a> LogMonitor<'a> {
    /// Passes each line, without a line break, to `log`.
    pub fn new(log: impl Fn(&str) + Send + Sync + 'a) -> Self {
        Self { log: Box::new(log) }
    }

    /// Writes each line to `writer`. Errors of the writer are ignored.
    pub fn to_writer(writer: impl Write + Send + 'a) -> Self {
        let writer = Mutex::new(writer);
        Self::new(move |line| drop(writeln!(lock(&writer), "{line}")))
    }
}

impl fmt::Debug for LogMonitor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogMonitor").finish_non_exhaustive()
    }
}

impl Monitor for LogMonitor<'_> {
    fn note(&self, message: &str) {
        (self.log)(message);
    }

    fn warn(&self, message: &str) {
        (self.log)(&format!("warning: {message}"));
    }

    fn task(&self, _label: &str, _total: Option<u64>, _unit: Unit) -> Box<dyn Task + '_> {
        Box::new(NoTask)
    }

    fn consent(&self, _question: &str) -> Option<bool> {
        None
    }
}

/// Keeps notes, warnings and questions, for tests and for callers who show them later. Discards progress, and leaves
/// questions unanswered.
#[derive(Debug, Default)]
pub struct Collected {
    messages: Mutex<Messages>,
}

/// What a [`Collected`] has received, each kind in the order of arrival.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Messages {
    /// From [`Monitor::note`].
    pub notes: Vec<String>,
    /// From [`Monitor::warn`].
    pub warnings: Vec<String>,
    /// From [`Monitor::consent`].
    pub questions: Vec<String>,
}

impl Collected {
    /// The messages so far.
    pub fn messages(&self) -> Messages {
        lock(&self.messages).clone()
    }
}

impl Monitor for Collected {
    fn note(&self, message: &str) {
        lock(&self.messages).notes.push(message.into());
    }

    fn warn(&self, message: &str) {
        lock(&self.messages).warnings.push(message.into());
    }

    fn task(&self, _label: &str, _total: Option<u64>, _unit: Unit) -> Box<dyn Task + '_> {
        Box::new(NoTask)
    }

    fn consent(&self, question: &str) -> Option<bool> {
        lock(&self.messages).questions.push(question.into());
        None
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report_to(monitor: &dyn Monitor) -> Option<bool> {
        monitor.note("a note");
        monitor.warn("a problem");
        monitor.task("reading", None, Unit::Parts).advance(3);
        monitor.consent("install it")
    }

    #[test]
    fn log_lines_are_notes_and_marked_warnings() {
        let mut written = Vec::new();
        assert_eq!(report_to(&LogMonitor::to_writer(&mut written)), None);
        assert_eq!(String::from_utf8(written).unwrap(), "a note\nwarning: a problem\n");
    }

    #[test]
    fn collected_messages_are_kept_in_order() {
        let strings = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        let collected = Collected::default();
        assert_eq!(report_to(&collected), None);
        let (notes, warnings) = (strings(&["a note"]), strings(&["a problem"]));
        let asked = Messages { notes, warnings, questions: strings(&["install it"]) };
        assert_eq!(collected.messages(), asked);
        let agreeing = Agreeing(Collected::default());
        assert_eq!(report_to(&agreeing), Some(true));
        assert_eq!(agreeing.0.messages(), Messages { questions: vec![], ..asked });
    }
}
