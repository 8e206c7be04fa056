//! The subcommand `headstart worker`, which works on chunks of a plan. It does so in a process of its own, the same program again, which
//! an image may end.

use super::options::{Global, Machine, Size, now};
use super::output::Outcome;
use super::progress::Terminal;
use crate::error::Result;
use crate::extract::distributed::{WorkerConfig, supervise, work};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Work on chunks that `extract --plan` wrote, for Spark, Ray and other engines
///
/// Reads an Arrow IPC stream of tables with an integer column chunk on stdin, and writes one receipt a chunk as an Arrow IPC stream to
/// stdout: chunk, part, sha256, rows, refused, provider, known_answer, seconds. Features and receipts go to the cache. A chunk that
/// is done already is not computed again.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Example:\n  headstart worker --cache cache/photos --threads 4 > receipts.arrows")]
pub(super) struct Args {
    /// The cache that holds the plan, or its URL
    #[arg(long)]
    cache: PathBuf,
    /// The ONNX file of the network [default: where it was when the cache was made, or a built backbone]
    #[arg(long, value_name = "FILE.onnx")]
    backbone: Option<PathBuf>,
    #[command(flatten)]
    machine: Machine,
    /// Work in this process, without another one to find images that end it
    #[arg(long, hide = true)]
    direct: bool,
}

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    terminal.stop_on_signals();
    let is_direct = args.direct;
    let config = config(args, global);
    let (requests, receipts) = (std::io::stdin().lock(), std::io::stdout());
    match is_direct {
        true => work(&config, requests, receipts, terminal)?,
        false => supervise(&config, &|| child(&config), requests, receipts, terminal)?,
    }
    Ok(Outcome::Done)
}

fn config(args: Args, global: &Global) -> WorkerConfig {
    WorkerConfig {
        cache: args.cache,
        backbone: args.backbone,
        models: global.models.clone(),
        device: args.machine.device,
        batch: args.machine.batch,
        threads: args.machine.threads,
        decode_memory: args.machine.decode_memory.map(Size::bytes),
        time: now(),
    }
}

/// The command of a process that does the work of `config`.
pub(super) fn child(config: &WorkerConfig) -> Command {
    let WorkerConfig { cache, backbone, models, device, batch, threads, decode_memory, .. } = config;
    let mut command = Command::new(std::env::current_exe().unwrap_or_else(|_| "headstart".into()));
    let path = |command: &mut Command, option: &str, path: &Path| {
        command.arg(option).arg(path);
    };
    command.args(["worker", "--direct", "--device", &device.to_string(), "--threads", &threads.to_string()]);
    path(&mut command, "--cache", cache);
    path(&mut command, "--models", models);
    if let Some(backbone) = backbone {
        path(&mut command, "--backbone", backbone);
    }
    if let Some(batch) = batch {
        command.args(["--batch", &batch.to_string()]);
    }
    if let Some(bytes) = decode_memory {
        command.args(["--decode-memory", &bytes.to_string()]);
    }
    command
}
