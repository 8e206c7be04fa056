//! Keeps a worker alive in a process of its own. A chunk that ends the process three times is divided again and again, until the
//! images are found that do it.

use super::config::WorkerConfig;
use super::wire::{ReceiptSender, Receipts, Request, RequestSender, Requests, SentReceipt};
use crate::cache::FeatureCache;
use crate::cache::plan::{Chunk, PlanHeader, STAGING};
use crate::error::{Error, Kind, Result};
use crate::io::store::Store;
use crate::monitor::Monitor;
use std::io::{BufRead, BufReader, Write};
use std::ops::Range;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

/// How often a chunk or a single image may end the process.
const TRIES: usize = 3;
/// Images of a chunk that may end the process: with more it is not the images.
const MOST_ENDED: usize = 16;

/// Works on chunks as [`work`](super::work()) does, in a child process that `start` names: a program that calls `work` with the same
/// settings, its stdin and its stdout. When the child is ended, by a crash or by the system, the chunk is tried again, three times
/// in all; then the images that end it are found and refused.
///
/// # Errors
/// Those of [`work`](super::work()), and [`Kind::Limit`] when the child is ended again and again without an image to blame.
pub fn supervise(
    config: &WorkerConfig,
    start: &dyn Fn() -> Command,
    requests: impl BufRead,
    receipts: impl Write,
    monitor: &dyn Monitor,
) -> Result<()> {
    let mut supervisor = Supervisor::new(config, start, monitor)?;
    let mut sender = ReceiptSender::open(receipts)?;
    let mut requests = Requests::open(requests)?;
    while let Some(Request { chunk, .. }) = requests.next()? {
        check_interrupted(monitor, chunk)?;
        sender.send(&supervisor.work_on(chunk)?)?;
    }
    supervisor.end()?;
    sender.finish()
}

/// A child process and who starts it.
pub(super) struct Supervisor<'a> {
    store: Store,
    start: &'a dyn Fn() -> Command,
    monitor: &'a dyn Monitor,
    child: Option<WorkerProcess>,
}

/// How a request ended.
enum Ending {
    Done(SentReceipt),
    /// The process ended without an answer.
    Ended(ExitStatus),
}

impl<'a> Supervisor<'a> {
    /// # Errors
    /// [`Kind::Cache`] when there is no cache.
    pub fn new(
        config: &WorkerConfig,
        start: &'a dyn Fn() -> Command,
        monitor: &'a dyn Monitor,
    ) -> Result<Self> {
        let store = Store::open(&config.cache, STAGING)?;
        FeatureCache::spec_in(&store)?;
        Ok(Self { store, start, monitor, child: None })
    }

    /// Works on a chunk, whatever its images do.
    pub fn work_on(&mut self, chunk: u32) -> Result<SentReceipt> {
        if let Some(receipt) = self.try_often(&Request::whole(chunk))? {
            return Ok(receipt);
        }
        let header = PlanHeader::require(&self.store)?;
        let images = Chunk::read(&self.store, &header, chunk)?.images;
        self.monitor.warn(&format!(
            "chunk {chunk} ended the worker {TRIES} times: looking for the image that does it"
        ));
        let mut without = Vec::new();
        self.bisect(chunk, 0..images.len(), &mut without)?;
        without.sort_unstable();
        for &place in &without {
            self.monitor.warn(&format!(
                "{}: it ends the process that reads it, so it is refused",
                images[place].path
            ));
        }
        let fail = || {
            Error::new(
                Kind::Limit,
                format!("chunk {chunk} ends the worker, and none of its images does so alone"),
            )
            .help("see what ended it, such as the system for want of memory; give it fewer `threads`")
        };
        self.try_often(&Request { chunk, probe: None, without })?.ok_or_else(fail)
    }

    /// Asks up to three times; `None` if the process ended each time.
    fn try_often(&mut self, request: &Request) -> Result<Option<SentReceipt>> {
        for _ in 0..TRIES {
            match self.ask(request)? {
                Ending::Done(receipt) => return Ok(Some(receipt)),
                Ending::Ended(status) => {
                    self.monitor.warn(&format!("the worker ended ({status}) during chunk {}", request.chunk))
                }
            }
        }
        Ok(None)
    }

    /// Adds the images of `range` that end the process to `found`.
    fn bisect(&mut self, chunk: u32, range: Range<usize>, found: &mut Vec<usize>) -> Result<()> {
        if range.len() == 1 {
            let request = Request { chunk, probe: Some(range.clone()), without: Vec::new() };
            if self.try_often(&request)?.is_none() {
                found.push(range.start);
            }
            return match found.len() > MOST_ENDED {
                true => Err(Error::new(Kind::Limit, format!("every image of chunk {chunk} ends the worker"))
                    .help(
                        "see what ended it, such as the system for want of memory; give it fewer `threads`",
                    )),
                false => Ok(()),
            };
        }
        let middle = range.start + range.len() / 2;
        for half in [range.start..middle, middle..range.end] {
            let request = Request { chunk, probe: Some(half.clone()), without: Vec::new() };
            if matches!(self.ask(&request)?, Ending::Ended(_)) {
                self.bisect(chunk, half, found)?;
            }
        }
        Ok(())
    }

    /// Sends a request to the process, which is started if there is none, and waits for the answer.
    fn ask(&mut self, request: &Request) -> Result<Ending> {
        let mut child = match self.child.take() {
            Some(child) => child,
            None => WorkerProcess::start((self.start)())?,
        };
        // Either fails when the process has ended; how it ended says why.
        if let Ok(Some(receipt)) = child.ask(request) {
            self.child = Some(child);
            return Ok(Ending::Done(receipt));
        }
        let status = child.end()?;
        match was_ended(status) {
            _ if self.monitor.is_interrupted() => Err(interrupted(request.chunk)),
            true => Ok(Ending::Ended(status)),
            false => Err(Error::new(Kind::Io, format!("the worker failed ({status}); it has said why"))
                .help("mend what it says, and start the work again: what is done stays")),
        }
    }

    /// Ends the process.
    pub fn end(&mut self) -> Result<()> {
        self.child.take().map_or(Ok(()), |child| child.end().map(drop))
    }
}

/// # Errors
/// [`Kind::Interrupted`] when the monitor was interrupted.
pub(super) fn check_interrupted(monitor: &dyn Monitor, chunk: u32) -> Result<()> {
    match monitor.is_interrupted() {
        true => Err(interrupted(chunk)),
        false => Ok(()),
    }
}

fn interrupted(chunk: u32) -> Error {
    Error::new(Kind::Interrupted, format!("interrupted: chunk {chunk} is not done"))
        .help("start the work again: what is done stays")
}

/// Whether a process did not end by itself: a signal, a panic, or an exit code that stands for one of them.
fn was_ended(status: ExitStatus) -> bool {
    status.code().is_none_or(|code| code == 101 || !(0..128).contains(&code))
}

/// A child process with its pipes.
struct WorkerProcess {
    child: Child,
    requests: Option<RequestSender<ChildStdin>>,
    /// Opened with the first answer.
    receipts: Option<Receipts<BufReader<ChildStdout>>>,
    output: Option<ChildStdout>,
}

impl WorkerProcess {
    fn start(mut command: Command) -> Result<Self> {
        let program = command.get_program().to_os_string();
        let fail = |e| Error::io("start", Path::new(&program), e);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(fail)?;
        let requests = child.stdin.take().map(RequestSender::open).transpose();
        let output = child.stdout.take();
        // A process that has ended already is found out with the first request.
        Ok(Self { child, requests: requests.unwrap_or(None), receipts: None, output })
    }

    fn ask(&mut self, request: &Request) -> Result<Option<SentReceipt>> {
        let ended = || Error::new(Kind::Io, "the worker has ended");
        self.requests.as_mut().ok_or_else(ended)?.send(request)?;
        if let Some(output) = self.output.take() {
            self.receipts = Some(Receipts::open(BufReader::new(output))?);
        }
        self.receipts.as_mut().ok_or_else(ended)?.next()
    }

    /// Closes the requests, reads what is left of the receipts, and waits for the end.
    fn end(mut self) -> Result<ExitStatus> {
        drop(self.requests.take());
        while let Some(Ok(Some(_))) = self.receipts.as_mut().map(Receipts::next) {}
        drop((self.receipts.take(), self.output.take()));
        self.child.wait().map_err(|e| Error::new(Kind::Io, "could not wait for the worker").because(e))
    }
}
