//! The options of `headstart extract` for several machines: plan, share of the chunks, finish; and their results as text.

use super::options::{Global, parse};
use super::output::{Outcome, list_refused, print_result};
use super::progress::Terminal;
use super::worker;
use crate::cache::plan::{MAX_CHUNK_ROWS, Pass};
use crate::error::{Error, Kind, Result, counted};
use crate::extract::ExtractConfig;
use crate::extract::distributed::{
    FinishConfig, FinishStats, PlanConfig, PlanStats, Shard, ShardStats, WorkerConfig, finish, plan,
    work_on_shard,
};
use std::path::PathBuf;

/// How an extraction is divided among machines.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Options for several machines")]
pub(super) struct DistributedArgs {
    /// Write what is missing as chunks for `headstart worker` to CACHE/plan: first the files to read, then, when these are
    /// known, the features to compute
    #[arg(long, conflicts_with_all = ["shard", "finish", "dry_run"])]
    plan: bool,
    /// Work on the I-th of N shares of the chunks that are planned, as in the tasks of an array job
    #[arg(long, value_name = "I/N", value_parser = parse::<Shard>, conflicts_with_all = ["finish", "dry_run"])]
    shard: Option<Shard>,
    /// Check what workers did, and describe the data set; fails until all chunks are done
    #[arg(long, conflicts_with = "dry_run")]
    finish: bool,
    /// Files or feature rows in a chunk at most, 1 to 4096; the same for --plan and --finish
    #[arg(long, value_name = "N", default_value_t = MAX_CHUNK_ROWS)]
    chunk_rows: usize,
    /// Let --finish accept features of machines that give different bits for the same image
    #[arg(long, requires = "finish")]
    mixed_hardware: bool,
}

impl DistributedArgs {
    /// Whether the extraction is divided.
    pub fn is_chosen(&self) -> bool {
        self.plan || self.finish || self.shard.is_some()
    }

    /// Whether this process works on chunks, and writes to the cache as workers do.
    pub fn is_of_worker(&self) -> bool {
        self.shard.is_some()
    }

    /// Plans, works on a share, or finishes. `cache` is what was given for the cache, which may be a copy of it.
    pub fn run(
        self,
        config: ExtractConfig,
        cache: PathBuf,
        layers: &[String],
        global: &Global,
        terminal: &Terminal,
    ) -> Result<Outcome> {
        if layers.len() > 1 {
            return Err(Error::new(Kind::Usage, "several machines compute one `layer` at a time")
                .help("give one `layer`, and another `cache` for each"));
        }
        if let Some(shard) = self.shard {
            let worker = worker_config(&config, global);
            let stats =
                work_on_shard(&worker, (shard, &config.images), &|| worker::child(&worker), terminal)?;
            let ended = match list_refused(&stats.refused_files) {
                Outcome::Done if stats.refused > 0 => Outcome::WithRefusals,
                ended => ended,
            };
            print_result(global, &stats, || shard_text(&stats))?;
            return Ok(ended);
        }
        let plan_config = PlanConfig { extract: config, chunk_rows: self.chunk_rows };
        if self.plan {
            let stats = plan(&plan_config, terminal)?;
            print_result(global, &stats, || plan_text(&stats))?;
            return Ok(Outcome::Done);
        }
        let (parts, mixed_hardware) = (Some(cache), self.mixed_hardware);
        let stats = finish(&FinishConfig { plan: plan_config, parts, mixed_hardware }, terminal)?;
        let ended = list_refused(&stats.refused);
        print_result(global, &stats, || finish_text(&stats))?;
        Ok(ended)
    }
}

/// The resources of an extraction for a worker. A backbone that is a path is its file.
fn worker_config(config: &ExtractConfig, global: &Global) -> WorkerConfig {
    let file = config.backbone.backbone.as_ref().map(PathBuf::from);
    WorkerConfig {
        cache: config.cache.clone(),
        backbone: file.filter(|path| path.is_file()),
        models: global.models.clone(),
        device: config.device,
        batch: config.batch,
        threads: config.threads,
        decode_memory: config.decode_memory,
        time: config.time,
    }
}

/// What the rows of a pass are.
fn unit(pass: Pass, rows: u64) -> String {
    match pass {
        Pass::Features => format!("{} to compute", counted(rows, "feature row")),
        _ => format!("{} to read", counted(rows, "file")),
    }
}

fn plan_text(stats: &PlanStats) -> String {
    let PlanStats { pass, chunks, rows, remaining, .. } = stats;
    match pass {
        None => "nothing is missing\n".into(),
        Some(pass) => format!(
            "{} in {}, {} of them not done\nstart workers, then run this command with --finish in the place of --plan\n",
            unit(*pass, *rows),
            counted(*chunks, "chunk"),
            remaining.len()
        ),
    }
}

fn shard_text(stats: &ShardStats) -> String {
    format!(
        "{} done: {}, {} refused\n",
        counted(stats.chunks, "chunk"),
        counted(stats.rows, "row"),
        stats.refused
    )
}

fn finish_text(stats: &FinishStats) -> String {
    let mut out = format!("{} checked, {}\n", counted(stats.chunks, "chunk"), counted(stats.computed, "row"));
    match (stats.samples, stats.rows, stats.missing) {
        (Some(samples), Some(rows), Some(missing)) => {
            out.push_str(&format!(
                "{}, {}, {missing} missing\n",
                counted(samples, "image"),
                counted(rows, "feature row")
            ));
            if missing > 0 {
                out.push_str("run the same command with --plan to plan them\n");
            }
        }
        _ => out.push_str("the files are known; run the same command with --plan to plan the features\n"),
    }
    if !stats.refused.is_empty() {
        out.push_str(&format!("files refused: {}\n", stats.refused.len()));
    }
    out
}
