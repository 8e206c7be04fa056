//! How stages tell what they do: notes, warnings, progress, questions. The library speaks only through a
//! [`Monitor`]; it refuses to know about terminals.

/// What a task counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Feature rows or image files.
    Images,
    /// Bytes read, written or downloaded.
    Bytes,
    /// Passes over the training rows.
    Epochs,
    /// Parts of a cache.
    Parts,
    /// Runs on disk.
    Runs,
}

/// Listens to a stage.
pub trait Monitor: Sync {
    /// One line a person may like to know.
    fn note(&self, message: &str);
    /// One line a person should know.
    fn warn(&self, message: &str);
    /// Long work begins; it ends when the returned task is dropped. `total` is `None` where it is not known.
    fn task(&self, label: &str, total: Option<u64>, unit: Unit) -> Box<dyn Task + '_>;
    /// Asks whether to go on with `question`; `None` when there is nobody to ask.
    fn consent(&self, question: &str) -> Option<bool>;
    /// Whether somebody wants the work to stop: what is under way is brought to an end, nothing new is begun.
    fn is_interrupted(&self) -> bool {
        false
    }
}

/// Work under way; any thread may report.
pub trait Task: Sync {
    /// `done` more units are finished.
    fn advance(&self, done: u64);
    /// A few words on how the work stands, shown beside the count.
    fn status(&self, _words: &str) {}
}

struct NoTask;
impl Task for NoTask {
    fn advance(&self, _done: u64) {}
}

/// Says nothing and agrees to nothing.
#[derive(Debug, Default)]
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
