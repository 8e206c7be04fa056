//! The subcommand `headstart worker`, which works on chunks of a plan. It does so in a process of its own, the same program again, which
//! an image may end.

use super::options::{Global, Size, now, parse};
use super::output::Outcome;
use super::progress::Terminal;
use crate::backbone::Device;
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
    /// The cache that holds the plan
    #[arg(long)]
    cache: PathBuf,
    /// The ONNX file of the network [default: where it was when the cache was made, or a built backbone]
    #[arg(long, value_name = "FILE.onnx")]
    backbone: Option<PathBuf>,
    /// Device to run on: auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "D", default_value = "auto", value_parser = parse::<Device>)]
    device: Device,
    /// Images in a batch [default: 4 on a CPU, 64 elsewhere]
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    /// Number of threads [default: one per core]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    threads: usize,
    /// Memory for decoding, such as 4GiB, of all threads together [default: half of what is free]
    #[arg(long, value_name = "SIZE", value_parser = parse::<Size>)]
    decode_memory: Option<Size>,
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
        device: args.device,
        batch: args.batch,
        threads: args.threads,
        decode_memory: args.decode_memory.map(Size::bytes),
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
