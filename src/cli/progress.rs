//! The terminal's implementation of `Monitor`: notes, warnings, progress and questions on stderr. The only door to
//! `indicatif`.

use super::fields::FieldNames;
use super::signals::Signals;
use super::text::{escape_direction, percent, seconds};
use crate::error::{Error, Kind, Result};
use crate::io::json;
use crate::math::parallel;
use crate::monitor::{EpochReport, Monitor, Task, Unit};
use indicatif::{
    HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
};
use serde::Serialize;
use std::io::{BufRead, IsTerminal, Write};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

/// Time between two lines of progress when stderr is not a terminal.
const INTERVAL: Duration = Duration::from_secs(5);

/// Writes to stderr: a progress bar when that is a terminal which can redraw it, else a line every few seconds.
#[derive(Debug)]
pub(super) struct Terminal {
    bars: MultiProgress,
    names: FieldNames,
    yes: bool,
    is_terminal: bool,
    /// Whether the terminal can redraw a line.
    draws_bars: bool,
    signals: OnceLock<Signals>,
    epochs: OnceLock<EpochLines>,
}

/// How epochs are printed while a head is fitted.
#[derive(Debug, Clone, Copy)]
pub(super) struct EpochLines {
    /// As text, on stderr.
    pub as_text: bool,
    /// As JSON, on stdout.
    pub as_json: bool,
}

/// Prints a line on stdout. A pipe that its reader has closed is not a failure.
pub(super) fn print_stdout(line: &str) -> Result<()> {
    let mut out = std::io::stdout();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::new(Kind::Io, "the work is done, but the results could not be printed").because(e))
        }
        _ => Ok(()),
    }
}

/// Prints an event as one line of JSON: its kind, and the fields of `value`.
pub(super) fn print_json_line(event: &str, value: &impl Serialize) -> Result<()> {
    #[derive(Serialize)]
    struct Line<'a, T> {
        event: &'a str,
        #[serde(flatten)]
        value: &'a T,
    }
    print_stdout(&json::encode(&Line { event, value }))
}

/// Prints a line on stderr, with direction marks in names escaped.
pub(super) fn print_stderr(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", escape_direction(line));
}

impl Terminal {
    /// `yes` answers every question with yes; `names` puts texts of the library into the words of the running command.
    pub fn new(yes: bool, names: FieldNames) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let is_dumb = std::env::var_os("TERM").is_none_or(|name| name.is_empty() || name == "dumb");
        Self {
            bars: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()),
            names,
            yes,
            is_terminal,
            // Windows sets no TERM.
            draws_bars: is_terminal && (cfg!(windows) || !is_dumb),
            signals: OnceLock::new(),
            epochs: OnceLock::new(),
        }
    }

    /// Makes the first Ctrl-C ask for a stop instead of ending the process, for stages that check for it.
    pub fn stop_on_signals(&self) {
        self.signals.get_or_init(Signals::watch);
    }

    /// Prints a line after each epoch of a fit.
    pub fn show_epochs(&self, lines: EpochLines) {
        self.epochs.get_or_init(|| lines);
    }

    /// The signal that asked for a stop, if there was one.
    pub fn signal(&self) -> Option<u8> {
        self.signals.get().and_then(Signals::received)
    }

    /// A failure and what can be done about it, in one line.
    pub fn explain(&self, error: &Error) -> String {
        match error.remedy() {
            Some(remedy) => format!("{}; {}", self.names.error(error), self.names.render(remedy)),
            None => self.names.error(error),
        }
    }

    /// Prints a failure and what can be done about it.
    pub fn fail(&self, error: &Error) {
        print_stderr(&format!("error: {}", self.names.error(error)));
        if let Some(remedy) = error.remedy() {
            print_stderr(&format!("  help: {}", self.names.render(remedy)));
        }
    }
}

impl Monitor for Terminal {
    fn note(&self, message: &str) {
        let message = self.names.render(message);
        self.bars.suspend(|| print_stderr(&message));
    }

    fn warn(&self, message: &str) {
        self.note(&format!("warning: {message}"));
    }

    fn task(&self, label: &str, total: Option<u64>, unit: Unit) -> Box<dyn Task + '_> {
        if self.draws_bars {
            let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
            let bar = self.bars.add(bar.with_style(style(total, unit)).with_message(label.to_string()));
            // The tick runs on a thread of its own, and would panic without one.
            if parallel::available(1) == 1 {
                bar.enable_steady_tick(Duration::from_millis(200));
            }
            return Box::new(Bar(bar));
        }
        let now = Instant::now();
        let state = Mutex::new(State { done: 0, printed: now, status: String::new() });
        Box::new(Lines { label: label.into(), total, unit, started: now, state })
    }

    fn consent(&self, question: &str) -> Option<bool> {
        if self.yes {
            return Some(true);
        }
        if !(self.is_terminal && std::io::stdin().is_terminal()) {
            return None;
        }
        let question = self.names.render(question);
        let ask = || {
            let _ = write!(std::io::stderr(), "{question}? [y/N] ");
            let mut answer = String::new();
            std::io::stdin().lock().read_line(&mut answer).ok()?;
            Some(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
        };
        self.bars.suspend(|| match self.signals.get() {
            Some(signals) => signals.end_at_once(ask),
            None => ask(),
        })
    }

    fn epoch(&self, report: &EpochReport) {
        let Some(EpochLines { as_text, as_json }) = self.epochs.get() else { return };
        if *as_text {
            self.note(&epoch_line(report));
        }
        if *as_json {
            // A failure is reported with the result, which goes to the same place.
            let _ = self.bars.suspend(|| print_json_line("epoch", report));
        }
    }

    fn is_interrupted(&self) -> bool {
        self.signal().is_some()
    }
}

/// An epoch as a line of text.
fn epoch_line(report: &EpochReport) -> String {
    let EpochReport { epoch, epochs, train_loss, train_accuracy, learning_rate, .. } = report;
    let validation = report.validation_loss.zip(report.validation_accuracy);
    let validation = validation.map_or(String::new(), |(loss, accuracy)| {
        format!(", validation loss {loss:.4}, accuracy {}", percent(accuracy))
    });
    format!(
        "epoch {epoch} of {epochs}: loss {train_loss:.4}, accuracy {}{validation}, learning rate {learning_rate:.3e}, {}",
        percent(*train_accuracy),
        seconds(report.seconds)
    )
}

fn style(total: Option<u64>, unit: Unit) -> ProgressStyle {
    let template = match (total, unit) {
        (None, _) => "{msg} {spinner} {pos} {elapsed}",
        (_, Unit::Bytes) => "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {left} {prefix}",
        _ => "{msg} {wide_bar} {pos}/{len} {rate} {left} {prefix}",
    };
    let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = write!(out, "{:.1}/s", state.per_sec());
    };
    // Without anything done there is nothing to foretell from.
    let left = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        if state.pos() > 0 {
            let _ = write!(out, "{:#} left", HumanDuration(state.eta()));
        }
    };
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("rate", rate)
        .with_key("left", left)
}

struct Bar(ProgressBar);

impl Task for Bar {
    fn advance(&self, done: u64) {
        self.0.inc(done);
    }

    fn status(&self, status: &str) {
        self.0.set_prefix(status.to_string());
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Progress as lines, for logs.
struct Lines {
    label: String,
    total: Option<u64>,
    unit: Unit,
    started: Instant,
    state: Mutex<State>,
}

struct State {
    done: u64,
    /// When the last line was printed.
    printed: Instant,
    status: String,
}

impl Task for Lines {
    fn advance(&self, done: u64) {
        let mut state = self.state.lock().unwrap_or_else(|e| e.into_inner());
        state.done += done;
        if state.printed.elapsed() >= INTERVAL {
            state.printed = Instant::now();
            print_stderr(&line(&self.label, &state, self.total, self.unit, self.started.elapsed()));
        }
    }

    fn status(&self, status: &str) {
        self.state.lock().unwrap_or_else(|e| e.into_inner()).status = status.to_string();
    }
}

fn line(label: &str, state: &State, total: Option<u64>, unit: Unit, elapsed: Duration) -> String {
    let rate = state.done as f64 / elapsed.as_secs_f64().max(1e-9);
    let (scale, name) = match unit {
        Unit::Images => (1.0, ""),
        Unit::Epochs => (1.0, " epochs"),
        Unit::Parts => (1.0, " parts"),
        Unit::Runs => (1.0, " runs"),
        Unit::Fits => (1.0, " fits"),
        Unit::Bytes => (1e6, " MB"),
    };
    let done = state.done as f64 / scale;
    let (of, left) = match total {
        Some(total) if state.done == 0 => (format!("/{:.0}", total as f64 / scale), String::new()),
        Some(total) => {
            let left = (total.saturating_sub(state.done)) as f64 / rate.max(1e-9);
            (format!("/{:.0}", total as f64 / scale), format!(", {left:.0} s left"))
        }
        None => (String::new(), String::new()),
    };
    let status = if state.status.is_empty() { String::new() } else { format!("  {}", state.status) };
    format!("{label}: {done:.0}{of}{name}, {:.1}{name}/s{left}{status}", rate / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_shows_count_rate_and_time_left() {
        let state = State { done: 50, printed: Instant::now(), status: String::new() };
        let shown = line("embedding", &state, Some(200), Unit::Images, Duration::from_secs(5));
        assert_eq!(shown, "embedding: 50/200, 10.0/s, 15 s left");
        let state = State { done: 3_000_000, printed: Instant::now(), status: "x".into() };
        let shown = line("fetching", &state, None, Unit::Bytes, Duration::from_secs(2));
        assert_eq!(shown, "fetching: 3 MB, 1.5 MB/s  x");
        let state = State { done: 0, printed: Instant::now(), status: "no answer yet, 12 s".into() };
        let shown = line("fetching", &state, Some(24_000_000), Unit::Bytes, Duration::from_secs(12));
        assert_eq!(shown, "fetching: 0/24 MB, 0.0 MB/s  no answer yet, 12 s");
    }
}
