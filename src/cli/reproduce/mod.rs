//! Commands that make a run again: its features, the heads it started from, the head, its scores and its page.
//!
//! They are written for an empty folder: runs go to `runs/`, while images, cache and backbone stay where they are.

mod source;

use super::shell::command_line;
use crate::backbone::BackboneSearch;
use crate::backbone::install::known_backbone::onnx_path;
use crate::backbone::registry::registry;
use crate::data::augment::Variant;
use crate::data::dataset::Resplit;
use crate::data::manifest::Manifest;
use crate::error::Result;
use crate::head::decision::DecisionRule;
use crate::head::{FeatureFormat, FitConfig, SolverConfig};
use crate::report::run::CommandLine;
use crate::run::{Record, StoredRun};
use source::{Cache, Source, absolute, identity};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The commands that make a run again. Its cache is looked for at `cache`, if given, and built backbones in `models`.
///
/// # Errors
/// Those of reading the run itself.
pub(super) fn commands(run: &StoredRun, cache: Option<&Path>, models: &Path) -> Result<Vec<CommandLine>> {
    let mut chain = vec![Source::read(run, cache)?];
    let mut seen = BTreeSet::from([identity(run.path())]);
    // A run that cannot be read any more ends the chain: its head is then taken from where it was.
    while let Some(source) = chain.last().filter(|source| source.record.init.is_some()) {
        match source.start() {
            Some(start) if seen.insert(identity(&start.folder)) => chain.push(start),
            _ => break,
        }
    }
    chain.reverse();
    Ok(written(&chain, models))
}

/// The commands for a chain of runs, each of which but the first starts from the head of the one before.
fn written(chain: &[Source], models: &Path) -> Vec<CommandLine> {
    let mut all = extractions(chain, models);
    let mut taken = BTreeSet::new();
    let mut before: Option<String> = None;
    for (i, source) in chain.iter().enumerate() {
        let place = place(&source.name(), &mut taken);
        let init = before.or_else(|| source.record.init.clone());
        let is_last = i + 1 == chain.len();
        let mut label = String::from(if is_last { "the head" } else { "a head to start from" });
        if source.cache.is_none() {
            label.push_str(", from a cache that is gone or holds other features by now");
        }
        let is_newer = chain.get(i + 1).is_some_and(|next| source.record.time > next.record.time);
        if is_newer {
            label.push_str(", which was trained anew since, so the result differs");
        }
        if i == 0 && init.is_some() {
            label.push_str(", from a run that cannot be read any more");
        }
        all.push(step(&label, &train(&source.record, &place, init.as_deref())));
        before = Some(place);
    }
    if let Some(run) = before {
        all.push(step("its scores", &["evaluate".into(), run.clone()]));
        all.push(step("its page", &["report".into(), run]));
    }
    all
}

fn step(label: &str, arguments: &[String]) -> CommandLine {
    CommandLine { label: label.into(), line: command_line(arguments) }
}

/// A folder of its own for a run called `name`.
fn place(name: &str, taken: &mut BTreeSet<String>) -> String {
    let names = std::iter::once(name.to_string()).chain((2..).map(|n| format!("{name}-{n}")));
    let mut free = names.map(|name| format!("runs/{name}")).filter(|place| !taken.contains(place));
    let place = free.next().expect("there are numbers enough");
    taken.insert(place.clone());
    place
}

/// One command for each cache of the chain, with the variants that all its runs need.
fn extractions(chain: &[Source], models: &Path) -> Vec<CommandLine> {
    let mut by_cache: BTreeMap<&str, Vec<&Source>> = BTreeMap::new();
    for source in chain.iter().filter(|source| source.cache.is_some()) {
        by_cache.entry(&source.record.cache).or_default().push(source);
    }
    by_cache.values().filter_map(|sources| extraction(sources, models)).collect()
}

fn extraction(sources: &[&Source], models: &Path) -> Option<CommandLine> {
    let newest = sources.last()?;
    let (record, cache) = (&newest.record, newest.cache.as_ref()?);
    let arguments = extract(record, cache, sources, models);
    let label = match sources.iter().all(|source| source.has_same_split) {
        true => "the features",
        false => "the features; the cache has changed its images or splits since, so the head differs",
    };
    Some(step(label, &arguments))
}

fn extract(record: &Record, cache: &Cache, sources: &[&Source], models: &Path) -> Vec<String> {
    let images = cache.manifest.as_ref().map_or(&cache.root, |manifest| &manifest.file);
    let mut arguments = Arguments::new(["extract", &images.to_string_lossy()]);
    arguments.option("--cache", &record.cache);
    backbone(record, models, &mut arguments);
    arguments.0.extend(cache.layout.map(str::to_string));
    if let Some(Manifest { options, .. }) = &cache.manifest {
        let columns = [
            ("--path-column", &options.path_column),
            ("--label-column", &options.label_column),
            ("--split-column", &options.split_column),
            ("--group-column", &options.group_column),
            ("--labels-column", &options.labels_column),
            ("--weight-column", &options.weight_column),
        ];
        for (flag, name) in columns {
            name.iter().for_each(|name| arguments.option(flag, name));
        }
        if options.root.is_some() {
            arguments.option("--root", cache.root.display());
        }
    }
    cache.group_by.iter().for_each(|pattern| arguments.option("--group-by", pattern));
    arguments.option("--split", cache.fractions);
    arguments.option("--seed", cache.seed);
    let augmentations: BTreeSet<String> =
        sources.iter().flat_map(|source| source.variants()).filter_map(augmentation).collect();
    augmentations.iter().for_each(|name| arguments.option("--augment", name));
    if !augmentations.is_empty() && sources.iter().any(|source| source.needs_all_splits()) {
        arguments.option("--augment-splits", "all");
    }
    if let Some(device) = &cache.device {
        arguments.option("--device", device);
    }
    arguments.0
}

/// The network, and how pixels enter it.
fn backbone(record: &Record, models: &Path, arguments: &mut Arguments) {
    let spec = &record.spec;
    let steps = spec.preprocessing.steps;
    arguments.option("--backbone", backbone_name(record, models));
    arguments.option("--layer", &spec.layer);
    if let Some(text) = steps.text() {
        arguments.option("--preprocess", text);
    }
    arguments.option("--crop", steps.crop);
    steps.stretch_16bit.iter().for_each(|bits| arguments.option("--stretch-16bit", bits));
    // Without this option a built backbone is looked for in the working folder.
    let built = registry().backbone(&spec.backbone.name).ok().map(|known| onnx_path(known, models));
    if built.is_some_and(|built| built.exists()) {
        arguments.option("--models", absolute(models).display());
    }
}

/// The name of a known network, or the path where its file is now.
fn backbone_name(record: &Record, models: &Path) -> String {
    let (spec, name) = (&record.spec, record.spec.backbone.name.clone());
    if registry().backbone(&name).is_ok() || Path::new(&name).exists() {
        return name;
    }
    let search = BackboneSearch { models, given: None, near: Path::new(&record.cache) };
    let found = spec.resolve_backbone(search).and_then(|resolved| resolved.locate());
    found.map_or(name, |path| path.display().to_string())
}

/// The augmentation that makes a variant.
fn augmentation(variant: Variant) -> Option<String> {
    match variant {
        Variant::None => None,
        Variant::Shift { dx: n, dy: 0 } | Variant::Shift { dx: 0, dy: n } => {
            Some(format!("shift:{}", n.abs()))
        }
        exact => Some(exact.to_string()),
    }
}

fn train(record: &Record, run: &str, init: Option<&str>) -> Vec<String> {
    let mut arguments = Arguments::new(["train", &record.cache]);
    arguments.option("--run", run);
    arguments.option("--use", record.variants.join(","));
    match &record.config {
        SolverConfig::Lbfgs(config) => {
            arguments.option("--solver", "lbfgs");
            arguments.option("--l2", config.l2);
            arguments.option("--epochs", config.iterations);
            arguments.option("--label-smoothing", config.label_smoothing);
            arguments.option("--class-weights", &config.class_weights);
            arguments.switch("--standardize", config.standardize);
            arguments.switch("--allow-unconverged", config.allow_unconverged);
        }
        SolverConfig::Linfa(config) => {
            arguments.option("--solver", "lbfgs-linfa");
            arguments.option("--l2", config.l2);
            arguments.option("--epochs", config.iterations);
            arguments.switch("--allow-unconverged", config.allow_unconverged);
        }
        SolverConfig::Adam(config) => adam(config, &mut arguments),
    }
    match record.resplit {
        Some(Resplit::Random { seed }) => arguments.option("--resplit", seed),
        Some(Resplit::Fold { number, folds, seed }) => {
            arguments.option("--folds", folds);
            arguments.option("--fold", number);
            arguments.option("--fold-seed", seed);
        }
        None => {}
    }
    init.into_iter().for_each(|init| arguments.option("--init", init));
    record.memory.iter().for_each(|memory| arguments.option("--memory", format!("{memory}B")));
    if record.features != FeatureFormat::F32 {
        arguments.option("--features", record.features);
    }
    match record.decision.as_ref().map(|decision| &decision.rule) {
        Some(DecisionRule::Thresholds(all)) => {
            all.iter().for_each(|one| arguments.option("--threshold", &one.goal));
        }
        Some(DecisionRule::Costs(costs)) => arguments.option("--costs", &costs.file),
        None => {}
    }
    arguments.0
}

/// Every setting of Adam, also those that are the defaults of this version.
fn adam(config: &FitConfig, arguments: &mut Arguments) {
    arguments.option("--lr", config.lr);
    arguments.option("--batch", config.batch);
    arguments.option("--epochs", config.epochs);
    arguments.option("--patience", config.patience);
    arguments.option("--l2", config.l2);
    arguments.option("--seed", config.seed);
    arguments.option("--shuffle-seed", config.order_seed());
    arguments.option("--min-delta", config.min_delta);
    arguments.option("--stop-on", config.stop_on);
    arguments.option("--schedule", config.schedule);
    arguments.option("--label-smoothing", config.label_smoothing);
    arguments.option("--class-weights", &config.class_weights);
    arguments.switch("--standardize", config.standardize);
    arguments.switch("--total-patience", !config.patience_resets);
    arguments.switch("--no-shuffle", !config.shuffle);
    arguments.switch("--drop-last", config.drop_last);
    if config.hidden > 0 {
        arguments.option("--hidden", config.hidden);
        arguments.option("--dropout", config.dropout);
    }
    if config.weight_decay > 0.0 {
        arguments.option("--weight-decay", config.weight_decay);
    }
}

/// The arguments of a command.
struct Arguments(Vec<String>);

impl Arguments {
    fn new<const N: usize>(arguments: [&str; N]) -> Self {
        Self(arguments.map(String::from).to_vec())
    }

    fn option(&mut self, flag: &str, value: impl ToString) {
        self.0.extend([flag.to_string(), value.to_string()]);
    }

    fn switch(&mut self, flag: &str, is_on: bool) {
        self.0.extend(is_on.then(|| flag.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::test_data::spec;
    use crate::cache::{BackboneSpec, PreprocessingSpec, Spec};
    use crate::cli::command;
    use crate::data::manifest::ManifestOptions;
    use crate::data::preprocess::{Normalization, Preprocessing};
    use crate::head::decision::{AnswerSource, ClassThreshold, CostMatrix, Decision, ThresholdEvidence};
    use crate::head::{ClassWeights, LbfgsConfig, Schedule, StopOn};

    fn record(config: SolverConfig, normalization: Normalization, stretch: bool) -> Record {
        let steps = Preprocessing {
            crop: 0.9,
            size: 75,
            normalization,
            stretch,
            stretch_16bit: Some(12),
            ..Preprocessing::named("unit").unwrap()
        };
        Record {
            schema: String::new(),
            version: String::new(),
            time: 7,
            cache: "/c a".into(),
            spec: Spec {
                backbone: BackboneSpec { name: "/net.onnx".into(), ..spec().backbone },
                layer: "Mixed_6e".into(),
                preprocessing: PreprocessingSpec { steps, ..spec().preprocessing },
                ..spec()
            },
            classes: Vec::new(),
            config,
            resplit: None,
            memory: None,
            features: FeatureFormat::F32,
            variants: vec!["none".into(), "shift:+5:+0".into(), "shift:+0:-5".into()],
            train_rows: 0,
            init: None,
            history: Vec::new(),
            best_epoch: 1,
            seconds: 0.0,
            convergence: None,
            inner_folds: None,
            selection: None,
            temperature: None,
            same_pictures: None,
            decision: None,
            multi_label: None,
        }
    }

    fn source(folder: &str, record: Record) -> Source {
        Source {
            folder: folder.into(),
            record,
            cache: Some(Cache {
                root: "/photos".into(),
                manifest: None,
                group_by: None,
                seed: 3,
                fractions: "60/15/25".parse().unwrap(),
                layout: None,
                device: Some("cpu".into()),
            }),
            held_out_variants: [Variant::None, Variant::Flip].into(),
            has_same_split: true,
        }
    }

    /// Adam with no setting at its default.
    fn unusual() -> FitConfig {
        FitConfig {
            lr: 1e-5,
            batch: 7,
            epochs: 9,
            patience: 3,
            l2: 0.25,
            seed: 11,
            shuffle_seed: Some(12),
            min_delta: 0.001,
            stop_on: StopOn::Accuracy,
            schedule: Schedule::Linear,
            label_smoothing: 0.1,
            class_weights: ClassWeights::Given([("a b".into(), 2.0), ("c=d".into(), 0.5)].into()),
            standardize: true,
            patience_resets: false,
            shuffle: false,
            drop_last: true,
            hidden: 12,
            dropout: 0.5,
            weight_decay: 0.01,
        }
    }

    fn lines(chain: &[Source]) -> Vec<String> {
        let all = written(chain, Path::new("/models"));
        all.into_iter().map(|command| command.line.replace(" \\\n   ", "")).collect()
    }

    /// Options that cannot change a head; `--batch` is one of them in `extract` alone.
    const WITHOUT_EFFECT: [&str; 20] = [
        "json",
        "json-lines",
        "verbose",
        "yes",
        "models",
        "help",
        "batch",
        "threads",
        "commit-every",
        "dry-run",
        "rehash",
        "decode-memory",
        // What they choose is printed as the options that set it.
        "auto",
        "budget",
        // Part of the name of the layer.
        "pool",
        // Several machines compute the same features.
        "plan",
        "shard",
        "finish",
        "chunk-rows",
        "mixed-hardware",
    ];

    #[test]
    fn every_option_that_can_change_a_head_is_printed() {
        let adam = || record(SolverConfig::Adam(unusual()), Normalization::Unit, true);
        let fold = Some(Resplit::Fold { number: 2, folds: 5, seed: 4 });
        let fold = Record { resplit: fold, init: Some("gone".into()), memory: Some(1 << 20), ..adam() };
        let costs = CostMatrix { file: "costs.csv".into(), costs: Vec::new() };
        let decision = Some(Decision::new(DecisionRule::Costs(costs)));
        let features = FeatureFormat::Bf16;
        let resplit = Record { resplit: Some(Resplit::Random { seed: 8 }), decision, features, ..adam() };
        let lbfgs = LbfgsConfig { allow_unconverged: true, ..LbfgsConfig::default() };
        let chosen_on =
            ThresholdEvidence { from: AnswerSource::Folds, images: 9, of_class: 3, answered: 3, correct: 3 };
        let goal = "a b=recall>=0.9".parse().unwrap();
        let threshold = ClassThreshold { goal, threshold: 0.5, chosen_on };
        let decision = Some(Decision::new(DecisionRule::Thresholds(vec![threshold])));
        let lbfgs =
            Record { decision, ..record(SolverConfig::Lbfgs(lbfgs), Normalization::Symmetric, false) };
        let layouts = [None, Some("--split-folders"), Some("--as-classes")];
        let sources = [fold, resplit, lbfgs].into_iter().zip(layouts).map(|(record, layout)| {
            let mut source = source("r", record);
            source.cache.as_mut().unwrap().layout = layout;
            source.cache.as_mut().unwrap().group_by = Some("p[0-9]+".into());
            let name = || Some("name".to_string());
            let mut options =
                ManifestOptions { path_column: name(), label_column: name(), ..Default::default() };
            (options.labels_column, options.weight_column) = (name(), name());
            (options.split_column, options.group_column) = (name(), name());
            options.root = Some("/photos".into());
            source.cache.as_mut().unwrap().manifest = Some(Manifest { file: "/photos.csv".into(), options });
            source
        });
        let all: Vec<String> = sources.flat_map(|source| lines(&[source])).collect();
        let printed = all.join("\n");
        assert!(printed.contains("--threshold 'a b=recall>=0.9'"), "{printed}");
        for name in ["extract", "train"] {
            let sub = command();
            let sub = sub.find_subcommand(name).unwrap();
            for long in sub.get_arguments().filter_map(clap::Arg::get_long) {
                let is_of_no_effect = WITHOUT_EFFECT.contains(&long) && (name, long) != ("train", "batch");
                let line = all.iter().any(|line| {
                    line.starts_with(&format!("headstart {name}")) && line.contains(&format!(" --{long}"))
                });
                assert!(is_of_no_effect || line, "{name} --{long} is missing in\n{printed}");
            }
        }
    }

    #[test]
    fn a_run_is_made_again_in_an_empty_folder() {
        let config = FitConfig { seed: 2, ..FitConfig::default() };
        let record = Record {
            resplit: Some(Resplit::Random { seed: 8 }),
            ..record(SolverConfig::Adam(config), Normalization::Imagenet, false)
        };
        assert_eq!(
            lines(&[source("some/where/first", record)]),
            [
                "headstart extract /photos --cache '/c a' --backbone /net.onnx --layer Mixed_6e --preprocess 'imagenet,size=75' \
                 --crop 0.9 --stretch-16bit 12 --split 60/15/25 --seed 3 --augment flip --augment shift:5 --augment-splits all --device cpu",
                "headstart train '/c a' --run runs/first --use 'none,shift:+5:+0,shift:+0:-5' --lr 0.01 --batch 32 \
                 --epochs 100 --patience 20 --l2 0 --seed 2 --shuffle-seed 2 --min-delta 0 --stop-on loss \
                 --schedule constant --label-smoothing 0 --class-weights none --resplit 8",
                "headstart evaluate runs/first",
                "headstart report runs/first",
            ]
        );
    }

    #[test]
    fn heads_to_start_from_are_made_first() {
        let adam = |init: Option<&str>| Record {
            init: init.map(String::from),
            ..record(SolverConfig::Adam(FitConfig::default()), Normalization::Unit, false)
        };
        let chain = [source("a/x", adam(None)), source("b/x", adam(Some("a/x")))];
        let all = lines(&chain);
        assert_eq!(all.len(), 5);
        assert!(all[1].contains("--run runs/x --use") && !all[1].contains("--init"));
        assert!(all[2].contains("--run runs/x-2 ") && all[2].ends_with("--init runs/x"));
        assert_eq!(all[4], "headstart report runs/x-2");
    }

    #[test]
    fn what_cannot_be_made_again_is_said() {
        let gone = Source {
            cache: None,
            ..source(
                "r",
                Record {
                    init: Some("/old".into()),
                    ..record(SolverConfig::Adam(unusual()), Normalization::Unit, false)
                },
            )
        };
        let all = written(&[gone], Path::new("/models"));
        assert_eq!(all.len(), 3);
        assert!(
            all[0].label.contains("a cache that is gone") && all[0].label.contains("cannot be read any more")
        );
        assert!(all[0].line.contains("--init /old"));
        let changed = Source {
            has_same_split: false,
            ..source("r", record(SolverConfig::Adam(unusual()), Normalization::Unit, false))
        };
        assert!(written(&[changed], Path::new("/models"))[0].label.contains("so the head differs"));
    }
}
