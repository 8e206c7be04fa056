//! The subcommand `headstart train`: its arguments.

use super::auto::{self, Budget};
use super::fit_options::{AdamOptions, Epochs, LossOptions, Penalty, SolverValues, all_folds, fold, solver};
use super::layers::with_folders;
use super::options::{Global, Size, now, parse};
use super::output::{Outcome, print_result};
use super::paths::with_caches;
use super::progress::{EpochLines, Terminal, print_json_line};
use super::sweep;
use super::train_text::summary;
use crate::cache::Samples;
use crate::data::dataset::{Resplit, refuse_for_label_sets};
use crate::error::{Error, Kind, Result};
use crate::head::decision::ClassGoal;
use crate::head::{FeatureFormat, FitConfig, SOLVERS, SolverConfig};
use crate::train::auto::{AutoConfig, auto as train_auto};
use crate::train::sweep::{Select, SweepConfig};
use crate::train::{TrainConfig, TrainStats, train};
use std::path::PathBuf;

/// Fit a softmax head to the features of a cache
///
/// Adam with early stopping on the validation images, or L-BFGS for the optimum of the penalised loss. Without validation
/// images, folds within the train images choose the number of epochs and calibrate temperature and rejection, and the head is
/// fitted to all train images.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  headstart train cache/photos --run runs/first --use none,flip --seed 1\n  headstart train cache/photos --run runs/folds --folds 5\n  headstart train cache/photos --run runs/even --class-weights balanced --schedule cosine\n  headstart train cache/photos --run runs/optimum --solver lbfgs --l2 auto\n  headstart train cache/photos --run runs/wide --hidden 256 --dropout 0.5 --weight-decay 0.01 --epochs 30 -v\n  headstart train cache/photos --run runs/best --auto\n  headstart train cache/photos --run runs/sure --threshold \"Tony Blair=precision>=0.95\""
)]
pub(super) struct Args {
    /// Cache that `extract` wrote, or its URL; with --auto also several caches of the same images, such as those of several layers
    #[arg(required = true, value_name = "CACHE")]
    cache: Vec<PathBuf>,
    /// Folder of the run to write; an existing run is replaced
    #[arg(long)]
    run: PathBuf,
    /// Choose the settings by repeated folds within the train images: the penalty of L-BFGS, standardization, label smoothing,
    /// variants and, of several caches, one; then fit the head once more to all train images
    #[arg(long, conflicts_with_all = ["solver", "lr", "epochs", "l2", "seed", "hidden", "init", "memory"])]
    auto: bool,
    /// Time after which --auto ends its search, such as 5m, or none; the fit of what it chose comes on top [default: 60s]
    #[arg(long, value_name = "TIME", requires = "auto", value_parser = parse::<Budget>, allow_negative_numbers = true)]
    budget: Option<Budget>,
    /// Variants to train on: families (none, shift, flip) or exact variants, separated by commas [default: every family
    /// that all train images have]
    #[arg(long = "use", value_name = "VARIANTS", value_delimiter = ',')]
    variants: Option<Vec<String>>,
    /// Start from the head of another run with the same classes, or some of them
    #[arg(long, value_name = "RUN")]
    init: Option<PathBuf>,
    /// adam, or lbfgs for the optimum of the loss, which needs --l2 above 0; lbfgs-linfa finds the same optimum more slowly
    #[arg(long, default_value = "adam", value_parser = SOLVERS)]
    solver: String,
    /// Learning rate of Adam, above 0 [default: 0.01]
    #[arg(long, allow_negative_numbers = true)]
    lr: Option<f64>,
    /// Maximum number of epochs of Adam, or of iterations of L-BFGS; auto leaves the end to --patience or the optimum
    /// [default: 100, or 1000 for L-BFGS]
    #[arg(long, visible_alias = "iterations", value_parser = parse::<Epochs>, allow_negative_numbers = true)]
    epochs: Option<Epochs>,
    /// L2 penalty, 0 or more: half of it times the squared weights, without the bias, is added to the mean loss; in
    /// scikit-learn's terms C is 1 / (rows * l2). With lbfgs also auto: the penalty of least loss on the validation images, or
    /// in folds within the train images where a class has fewer than 20 of them
    #[arg(long, default_value = "0", value_parser = parse::<Penalty>, allow_negative_numbers = true)]
    l2: Penalty,
    /// Seed of Adam's initial weights and order of rows [default: 0]
    #[arg(long, allow_negative_numbers = true)]
    seed: Option<u64>,
    /// Rectified units between features and classes, of Adam; 0 for none. See also --dropout and --weight-decay [default: 0]
    #[arg(long, value_name = "UNITS", allow_negative_numbers = true)]
    hidden: Option<usize>,
    /// Split the images anew with this seed, for this run alone, with the percentages of the cache
    #[arg(long, value_name = "SEED", allow_negative_numbers = true, conflicts_with = "folds")]
    resplit: Option<u64>,
    /// Cross-validate: fit a head to each of K stratified folds; RUN becomes a folder of runs, RUN/fold=1 and so on
    #[arg(long, value_name = "K", allow_negative_numbers = true)]
    folds: Option<usize>,
    /// Fit only fold N of --folds, counted from 1; RUN is then the run of that fold
    #[arg(long, value_name = "N", requires = "folds", allow_negative_numbers = true)]
    fold: Option<usize>,
    /// Seed that assigns images to folds [default: that of --seed]
    #[arg(long, value_name = "SEED", requires = "folds", allow_negative_numbers = true)]
    fold_seed: Option<u64>,
    /// Goal for a class, CLASS=precision>=0.95 or CLASS=recall>=0.9; repeatable. Its threshold is chosen on the validation images,
    /// or by folds within the train images where the class has fewer than 20 of them. `predict` then answers `unsure` instead of
    /// a class with a goal of precision whose probability is below its threshold, and answers a class with a goal of recall
    /// wherever its probability reaches its threshold
    #[arg(long, value_name = "GOAL", value_parser = parse::<ClassGoal>, conflicts_with_all = ["auto", "costs"])]
    threshold: Vec<ClassGoal>,
    /// Costs of confusions, a CSV file with the classes as header and first column: the true class of a row, the answer of a
    /// column. `predict` then gives the answer of least expected cost
    #[arg(long, value_name = "FILE", conflicts_with = "auto")]
    costs: Option<PathBuf>,
    /// Memory for features, such as 1GiB: train rows that do not fit are read again in each epoch or iteration, in blocks [default: all
    /// rows stay in memory]
    #[arg(long, value_name = "SIZE", value_parser = parse::<Size>)]
    memory: Option<Size>,
    /// How train rows are held in memory: f32, as the cache holds them, or bf16, rounded to 8 bits of precision in half the memory;
    /// bf16 is for Adam, and needs validation images
    #[arg(long, value_name = "FORMAT", default_value = "f32", value_parser = parse::<FeatureFormat>, conflicts_with_all = ["auto", "memory"])]
    features: FeatureFormat,
    /// Maximum number of threads; fewer are used when that is faster, and the head does not depend on it [default: one
    /// per core]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    threads: usize,
    /// Print a line on stderr after each epoch of Adam
    #[arg(short, long)]
    verbose: bool,
    /// Print JSON lines on stdout: one after each epoch of Adam, as soon as it ends, and the result as the last one
    #[arg(long, conflicts_with = "json")]
    json_lines: bool,
    #[command(flatten)]
    loss: LossOptions,
    #[command(flatten)]
    adam: AdamOptions,
}

impl Args {
    /// Whether every fold is fitted, each into a run of its own.
    fn is_cross_validation(&self) -> bool {
        self.folds.is_some() && self.fold.is_none()
    }

    /// The solver with its settings.
    fn solver(&self) -> Result<SolverConfig> {
        let Self { lr, epochs, seed, hidden, .. } = *self;
        let (l2, lists) = (self.l2.given(), [("", false); 3]);
        let values = SolverValues { solver: &self.solver, lr, epochs, l2, seed, hidden, lists };
        solver(values, &self.adam, &self.loss)
    }

    /// The one cache.
    fn cache(&self) -> Result<PathBuf> {
        match self.cache.as_slice() {
            [cache] => Ok(cache.clone()),
            _ => Err(Error::new(Kind::Usage, "only --auto takes several caches, and chooses one of them")
                .help("give one cache, or --auto")),
        }
    }

    /// The seed that assigns images to folds.
    fn fold_seed(&self) -> u64 {
        self.fold_seed.or(self.seed).unwrap_or(FitConfig::default().seed)
    }

    /// The split of the run, where it is not that of the cache.
    fn resplit(&self) -> Result<Option<Resplit>> {
        match (self.resplit, self.folds.zip(self.fold)) {
            (Some(seed), _) => Ok(Some(Resplit::Random { seed })),
            (None, Some((folds, number))) => fold(number, folds, self.fold_seed()).map(Some),
            (None, None) => Ok(None),
        }
    }
}

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let given = args.cache.clone();
    with_caches(&given, terminal, Box::new(|cache| run_on(Args { cache, ..args }, global, terminal)))
}

/// Trains from the folders of caches.
fn run_on(args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    terminal.show_epochs(EpochLines { as_text: args.verbose, as_json: args.json_lines });
    if args.auto {
        return run_auto(args, global, terminal);
    }
    let (solver, resplit) = (args.solver()?, args.resplit()?);
    if let Some(number) = args.folds.filter(|_| args.is_cross_validation()) {
        require_one_label(&args.cache, "folds", "leave `folds` out, or fit one fold at a time with `fold`")?;
        return sweep::fit(&cross_validation(args, solver, number)?, global, terminal);
    }
    let cache = args.cache()?;
    let Args { run, variants, init, threads, threshold, costs, .. } = args;
    let (memory, features) = (args.memory.map(|size| size.bytes()), args.features);
    let auto_l2 = args.l2 == Penalty::Auto;
    let (time, json_lines) = (now(), args.json_lines);
    let config = TrainConfig {
        cache,
        run,
        variants,
        init,
        solver,
        auto_l2,
        resplit,
        memory,
        features,
        threshold,
        costs,
        threads,
        time,
        ..TrainConfig::default()
    };
    let stats = train(&config, terminal)?;
    print_train_result(global, json_lines, &stats, || summary(&stats, &config.run))
}

/// Prints the result: as a document or text, or as the last of JSON lines.
fn print_train_result(
    global: &Global,
    json_lines: bool,
    stats: &TrainStats,
    text: impl FnOnce() -> String,
) -> Result<Outcome> {
    match json_lines {
        true => print_json_line("result", stats)?,
        false => print_result(global, stats, text)?,
    }
    Ok(Outcome::Done)
}

fn run_auto(args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let refuse = |flag: &str, help: &str| {
        Err(Error::new(Kind::Usage, format!("{flag} cannot be used with --auto")).help(help.to_string()))
    };
    if let Some(flag) = args.adam.first_given() {
        return refuse(flag, "it fits with L-BFGS; leave the option out, or --auto");
    }
    if args.is_cross_validation() {
        return refuse("--folds alone", "fit one fold at a time with --fold: each chooses for itself");
    }
    let resplit = args.resplit()?;
    let default = AutoConfig::default();
    let mut base = default.base.clone();
    args.loss.apply_to_lbfgs(&mut base);
    let budget = args.budget.map_or(default.budget, |Budget(seconds)| seconds);
    let Args { cache, run, variants, threads, json_lines, .. } = args;
    let caches = with_folders(cache)?;
    require_one_label(&caches, "auto", "leave `auto` out")?;
    let config = AutoConfig { caches, run, variants, base, resplit, budget, threads, time: now() };
    let stats = train_auto(&config, terminal)?;
    let tried = stats.selection.as_ref().map_or(String::new(), |selection| auto::summary(selection, &stats));
    print_train_result(global, json_lines, &stats, || format!("{tried}\n{}", summary(&stats, &config.run)))
}

/// Refuses an option that knows only images of one class.
fn require_one_label(caches: &[PathBuf], field: &str, help: &str) -> Result<()> {
    for cache in caches {
        if Samples::are_label_sets(cache)? {
            return Err(refuse_for_label_sets(field).at(cache).help(help));
        }
    }
    Ok(())
}

/// Checks that no option is given that a cross-validation has no use for.
fn check_cross_validation(args: &Args) -> Result<()> {
    let refused = [
        (
            args.l2 == Penalty::Auto,
            "--l2 auto cannot be used with --folds, which has one penalty for all folds",
            "fit one fold at a time with --fold, or give a number",
        ),
        (
            !args.threshold.is_empty() || args.costs.is_some(),
            "--threshold and --costs cannot be used with --folds, whose heads answer with the most probable class",
            "leave them out, or fit one fold at a time with --fold",
        ),
        (
            args.verbose || args.json_lines,
            "--verbose and --json-lines cannot be used with --folds, whose heads are fitted side by side",
            "leave them out, or fit one fold at a time with --fold",
        ),
        (
            args.features != FeatureFormat::F32,
            "--features bf16 cannot be used with --folds, which holds all features as they are",
            "leave --features out, or fit one fold at a time with --fold",
        ),
        (
            args.memory.is_some(),
            "--memory cannot be used with --folds, which holds all features in memory",
            "leave --memory out, or fit one fold at a time with --fold",
        ),
    ];
    match refused.iter().find(|(is_given, _, _)| *is_given) {
        Some((_, message, help)) => Err(Error::new(Kind::Usage, *message).help(*help)),
        None => Ok(()),
    }
}

/// A sweep over all folds with one setting.
fn cross_validation(args: Args, solver: SolverConfig, folds: usize) -> Result<SweepConfig> {
    check_cross_validation(&args)?;
    let cache = args.cache()?;
    let resplits = all_folds(folds, args.fold_seed())?;
    let mut adam = FitConfig::default();
    let base = match solver {
        SolverConfig::Adam(base) => {
            adam = FitConfig { shuffle_seed: Some(base.order_seed()), ..base };
            SolverConfig::Adam(adam.clone())
        }
        other => other,
    };
    Ok(SweepConfig {
        resplits,
        variants: vec![args.variants],
        lr: vec![adam.lr],
        l2: vec![base.l2()],
        seeds: vec![adam.seed],
        hidden: vec![adam.hidden],
        base,
        caches: vec![cache],
        runs: args.run,
        select_by: Select::Validation,
        init: args.init,
        jobs: 0,
        threads: args.threads,
        time: now(),
    })
}
