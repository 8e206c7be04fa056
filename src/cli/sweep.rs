//! The subcommand `headstart sweep`: its arguments.

use super::fit_options::{AdamOptions, Epochs, LossOptions, Penalty, SolverValues, all_folds, solver};
use super::layers::with_folders;
use super::options::{Global, now, parse};
use super::output::{Outcome, print_result};
use super::paths::with_cache;
use super::progress::Terminal;
use super::sweep_text::summary;
use crate::cache::layers::{caches_in, folder_name};
use crate::data::dataset::Resplit;
use crate::error::{Error, Kind, Result, did_you_mean};
use crate::head::{FitConfig, SOLVERS};
use crate::train::sweep::{Select, SweepConfig, sweep};
use std::path::PathBuf;

/// Fit many heads at once: every combination of rates, penalties, hidden units, seeds, feature sets and splits
///
/// Each head gets a run of its own in the folder DIR, as `train` writes it. The heads of one feature set and split go through
/// the same batches in the same order, which --shuffle-seed gives; --seeds varies their initial weights. Each head is
/// bit for bit the one that `train` fits with its --lr, --l2, --use and --seed and with --shuffle-seed 0.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  headstart sweep cache/photos --runs runs/lab --seeds 20 --lr 0.001,0.003,0.01,0.03,0.1\n  headstart sweep cache/photos --runs runs/path --solver lbfgs --l2 0.1,0.01,0.001,0.0001 --select folds\n  headstart sweep cache/photos --runs runs/hidden --hidden 0,64 --resplit 1,2,3\n  headstart sweep cache/photos --runs runs/sets --use none --use none,flip --seeds 5\n  headstart sweep cache/photos --runs runs/splits --use none --seeds 5 --resplit 1,2,3\n  headstart sweep cache/layers --layers PreLogits,Mixed_6e --runs runs/layers --solver lbfgs --l2 0.01,0.001"
)]
pub(super) struct Args {
    /// Cache that `extract` wrote, or the folder of caches that it wrote for several layers, which are compared; or its URL
    cache: PathBuf,
    /// Layers to compare, of a folder of caches [default: all of them]
    #[arg(long, value_name = "LAYERS", value_delimiter = ',')]
    layers: Vec<String>,
    /// Folder of the runs to write; runs of the same names are replaced
    #[arg(long, value_name = "DIR")]
    runs: PathBuf,
    /// adam, or lbfgs for the optimum of each penalty of --l2
    #[arg(long, default_value = "adam", value_parser = SOLVERS)]
    solver: String,
    /// Number of seeds of the first weights, 0 to N - 1; the order of rows stays that of --shuffle-seed [default: 1]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seeds: Option<u64>,
    /// Numbers of hidden units, separated by commas; 0 is a head without a hidden layer [default: 0]
    #[arg(long, value_name = "UNITS", value_delimiter = ',', allow_negative_numbers = true)]
    hidden: Vec<usize>,
    /// Learning rates, separated by commas [default: 0.01]
    #[arg(long, value_delimiter = ',', allow_negative_numbers = true)]
    lr: Vec<f64>,
    /// L2 penalties, separated by commas; L-BFGS needs them above 0. Half of each times the squared weights, without the bias, is
    /// added to the mean loss; in scikit-learn's terms C is 1 / (rows * l2)
    #[arg(long, value_delimiter = ',', default_value = "0", value_parser = parse::<Penalty>, allow_negative_numbers = true)]
    l2: Vec<Penalty>,
    /// A feature set: families (none, shift, flip) or exact variants, separated by commas; may be repeated [default: every
    /// family that all train images have]
    #[arg(long = "use", value_name = "VARIANTS")]
    uses: Vec<String>,
    /// Split the images anew with each of these seeds, with the percentages of the cache
    #[arg(long, value_name = "SEEDS", value_delimiter = ',', conflicts_with = "folds")]
    resplit: Vec<u64>,
    /// Cross-validate: fit heads to each of K stratified folds
    #[arg(long, value_name = "K", allow_negative_numbers = true)]
    folds: Option<usize>,
    /// Maximum number of epochs of Adam, or of iterations of L-BFGS; auto leaves the end to --patience or the optimum
    /// [default: 100, or 1000 for L-BFGS]
    #[arg(long, visible_alias = "iterations", value_parser = parse::<Epochs>, allow_negative_numbers = true)]
    epochs: Option<Epochs>,
    /// What chooses the best head: validation, the validation images; folds, up to five folds within the train images, in
    /// which every setting is fitted as well; auto, folds where a class has fewer than 20 validation images and more than seeds
    /// is compared
    #[arg(long = "select", value_name = "WHAT", default_value = "auto", value_parser = parse::<Select>)]
    select_by: Select,
    /// Start each head from that of another run with the same classes, or some of them
    #[arg(long, value_name = "RUN")]
    init: Option<PathBuf>,
    /// Number of feature sets and splits that are worked on at the same time
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// Maximum number of threads of all jobs together; fewer are used when that is faster, and no head depends on it
    /// [default: one per core]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    threads: usize,
    #[command(flatten)]
    loss: LossOptions,
    #[command(flatten)]
    adam: AdamOptions,
}

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let given = args.cache.clone();
    with_cache(&given, terminal, |cache| run_on(Args { cache, ..args }, global, terminal))
}

/// Fits heads to the features in the folder of a cache.
fn run_on(args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let default = FitConfig::default();
    let values = SolverValues {
        solver: &args.solver,
        lr: None,
        epochs: args.epochs,
        l2: default.l2,
        seed: None,
        hidden: args.hidden.iter().copied().max(),
        lists: [
            ("--lr", !args.lr.is_empty()),
            ("--seeds", args.seeds.is_some()),
            ("--hidden", !args.hidden.is_empty()),
        ],
    };
    let base = solver(values, &args.adam, &args.loss)?;
    let resplits = match (args.folds, args.resplit.as_slice()) {
        (Some(number), _) => all_folds(number, 0)?,
        (None, []) => vec![None],
        (None, seeds) => seeds.iter().map(|&seed| Some(Resplit::Random { seed })).collect(),
    };
    let variants = match args.uses.is_empty() {
        true => vec![None],
        false => args.uses.iter().map(|set| Some(set.split(',').map(String::from).collect())).collect(),
    };
    let config = SweepConfig {
        caches: of_layers(args.cache, &args.layers)?,
        runs: args.runs,
        variants,
        resplits,
        lr: if args.lr.is_empty() { vec![default.lr] } else { args.lr },
        l2: penalties(&args.l2)?,
        hidden: if args.hidden.is_empty() { vec![default.hidden] } else { args.hidden },
        seeds: (0..args.seeds.unwrap_or(1)).collect(),
        base,
        select_by: args.select_by,
        init: args.init,
        jobs: args.jobs,
        threads: args.threads,
        time: now(),
    };
    fit(&config, global, terminal)
}

/// The cache, or those of `layers` in a folder of caches; all of them where no layer is named.
fn of_layers(folder: PathBuf, layers: &[String]) -> Result<Vec<PathBuf>> {
    if layers.is_empty() {
        return with_folders(vec![folder]);
    }
    let inside = caches_in(&folder)?;
    let cache = |layer: &String| {
        let path = folder.join(folder_name(layer));
        inside.contains(&path).then_some(path).ok_or_else(|| {
            let names = inside.iter().filter_map(|path| path.file_name()?.to_str());
            let there = names.collect::<Vec<_>>().join(", ");
            let meant = did_you_mean(layer, inside.iter().filter_map(|path| path.file_name()?.to_str()));
            Error::new(Kind::Usage, format!("there is no cache of the layer {layer:?}")).at(&folder).help(
                match inside.is_empty() {
                    true => {
                        format!("`extract` the images with --layer {layer} --layer ANOTHER into the folder")
                    }
                    false => format!("{meant}the folder has {there}"),
                },
            )
        })
    };
    layers.iter().map(cache).collect()
}

/// The penalties to compare.
fn penalties(given: &[Penalty]) -> Result<Vec<f64>> {
    match given.contains(&Penalty::Auto) {
        true => Err(Error::new(
            Kind::Usage,
            "--l2 auto cannot be used with `sweep`, which compares the penalties that it is given",
        )
        .help("list penalties, or use `train` with --l2 auto or --auto")),
        false => Ok(given.iter().map(|l2| l2.given()).collect()),
    }
}

/// Fits the heads and prints their results.
pub(super) fn fit(config: &SweepConfig, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let stats = sweep(config, terminal)?;
    print_result(global, &stats, || summary(&stats))?;
    Ok(Outcome::Done)
}
