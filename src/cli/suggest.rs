//! The subcommand `headstart suggest`: its arguments, and its result as text.

use super::options::{Global, parse};
use super::output::{Outcome, print_result_beside};
use super::paths::with_cache_if_given;
use super::progress::Terminal;
use super::text::{percent, table_with_header};
use crate::error::{Result, counted};
use crate::evaluate::suggest::{
    SuggestBy, SuggestConfig, SuggestStats, Suggestion, check_labels_output, suggest, write_labels,
};
use crate::report::suggestions;
use std::path::{Path, PathBuf};

/// Rank the images without a label by how much the run would learn from a label
///
/// Images without a label are in the folder `_unlabelled`, or in rows of a manifest whose label is empty; `extract` computes their
/// features. The table has a row for each image with an empty label to fill in, and `data manifest --labels` takes it back.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  headstart suggest runs/first --n 50 --out to-label.csv --html to-label.html\n  headstart data manifest photos --labels to-label.csv --out labelled.csv"
)]
pub(super) struct Args {
    /// Run that `train` wrote
    run: PathBuf,
    /// Number of images
    #[arg(long, value_name = "N", default_value_t = 50, allow_negative_numbers = true)]
    n: usize,
    /// How to rank them: margin or entropy, those that the run is least sure of; coverage, those that are unlike the images trained
    /// on and one another; mix, by coverage among those of small margin
    #[arg(long, value_name = "WAY", default_value_t = SuggestBy::default(), value_parser = parse::<SuggestBy>)]
    by: SuggestBy,
    /// Cache of the run, if it has moved since `train`, or its URL
    #[arg(long, value_name = "CACHE")]
    cache: Option<PathBuf>,
    /// Maximum number of threads; no result depends on it [default: one per core]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    threads: usize,
    /// Table to write, .csv, with a column of labels to fill in; an existing one is not replaced
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Also write a page with the images; an earlier page of headstart is replaced
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Images that are listed; the JSON has all.
const SHOWN: usize = 20;

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let given = args.cache.clone();
    with_cache_if_given(given.as_deref(), terminal, |cache| run_on(Args { cache, ..args }, global, terminal))
}

/// Ranks images with the folder of a cache.
fn run_on(args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let mut config = SuggestConfig::new(args.run);
    (config.n, config.by, config.cache, config.threads) = (args.n, args.by, args.cache, args.threads);
    args.out.as_deref().map_or(Ok(()), check_labels_output)?;
    args.html.as_deref().map_or(Ok(()), |page| suggestions::check(&config, page))?;
    terminal.stop_on_signals();
    let stats = suggest(&config, terminal)?;
    args.out.as_deref().map_or(Ok(()), |out| write_labels(&stats, out))?;
    let page = args.html.as_deref().map(|page| suggestions::write(&stats, &config, page)).transpose()?;
    let written = [args.out.as_deref(), page.as_ref().map(|page| page.out.as_path())];
    let beside = args.out.as_deref().unwrap_or(Path::new(""));
    print_result_beside(beside, global, &stats, || text(&stats, written))?;
    Ok(Outcome::Done)
}

fn text(stats: &SuggestStats, written: [Option<&Path>; 2]) -> String {
    let row = |image: &Suggestion| {
        let first = image.predictions.first();
        [
            image.path.clone(),
            first.map_or(String::new(), |class| class.label.clone()),
            first.map_or(String::new(), |class| percent(class.probability)),
            format!("{:.3}", image.uncertainty.margin),
            format!("{:.3}", image.uncertainty.entropy),
            image.distance.map_or("-".into(), |distance| format!("{distance:.3}")),
        ]
    };
    let heading = ["image", "answer", "probability", "margin", "entropy", "distance"];
    let mut out = format!(
        "{} of {} without a label, by {}\n\n{}",
        stats.images.len(),
        counted(stats.unlabelled, "image"),
        stats.by,
        table_with_header(heading, stats.images.iter().take(SHOWN).map(row))
    );
    if stats.images.len() > SHOWN {
        out.push_str(&format!("... and {} more (--json has all)\n", stats.images.len() - SHOWN));
    }
    out.extend(written.into_iter().flatten().map(|path| format!("{}\n", path.display())));
    out
}
