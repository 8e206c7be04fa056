//! Puts texts of the library into the words of the command line: fields become options, stages become commands.
//!
//! The library names a field or a stage in backticks. Here `memory` becomes `--memory`, a positional `cache` becomes
//! `CACHE`, and `extract` becomes `headstart extract`, still in backticks. Other names stay as they are.

use crate::error::Error;
use std::collections::BTreeMap;

/// Fields that no argument is named after, with the arguments that set them, the likeliest first.
const OTHER_NAMES: [(&str, &[&str]); 17] = [
    ("caches", &["cache"]),
    ("use", &["variants", "uses"]),
    ("auto_l2", &["l2"]),
    ("variants", &["uses"]),
    ("uses", &["variants"]),
    ("resplits", &["resplit"]),
    ("seed", &["seeds"]),
    ("iterations", &["epochs"]),
    ("patience_resets", &["total_patience"]),
    ("shuffle", &["no_shuffle"]),
    ("page", &["out", "html"]),
    ("out", &["html"]),
    ("html", &["out"]),
    ("depth", &["headers"]),
    ("number", &["fold"]),
    ("layout", &["split_folders"]),
    ("threshold", &["near_duplicates"]),
];

/// Fields that a switch turns off: of ``(`shuffle` false)`` the word after the field goes with it.
const TURNED_OFF: [&str; 2] = ["shuffle", "patience_resets"];

/// Stages whose function is called otherwise than their command.
const OTHER_STAGES: [(&str, &str); 1] = [("examine", "data report")];

/// Commands that texts name in full, since the last word of their name means something else: a field, or another stage.
const NAMED_IN_FULL: [&str; 3] = ["backbone use", "backbone verify", "data fetch"];

/// The command whose other settings stand in a file, under the names that the library has for them.
const OF_A_FILE: &str = "experiment";
/// The commands whose settings such a file holds.
const IN_A_FILE: [&str; 3] = ["extract", "train", "sweep"];

/// Looks up what a person calls a field or a stage while one command runs.
#[derive(Debug)]
pub(super) struct FieldNames {
    running: String,
    /// In the order of `--help`.
    commands: Vec<Named>,
}

/// A command and what its arguments are called, by field.
#[derive(Debug)]
struct Named {
    /// Without the program's own name, such as `cache verify`.
    name: String,
    options: BTreeMap<String, String>,
    positionals: BTreeMap<String, String>,
    has_subcommands: bool,
}

impl FieldNames {
    /// For texts of the command `running`, such as `["cache", "verify"]`; empty when none runs yet.
    pub fn of(mut root: clap::Command, running: &[&str]) -> Self {
        root.build();
        let mut commands = Vec::new();
        collect(&root, "", &mut commands);
        Self { running: running.join(" "), commands }
    }

    /// `text` with each name in backticks that the command line knows put into its words.
    pub fn render(&self, text: &str) -> String {
        let parts: Vec<&str> = text.split('`').collect();
        if parts.len().is_multiple_of(2) {
            return text.to_string();
        }
        let mut out = String::with_capacity(text.len());
        let mut mentioned: Vec<&Named> = Vec::new();
        for (i, part) in parts.iter().copied().enumerate() {
            if i.is_multiple_of(2) {
                let is_turned_off = i > 0 && TURNED_OFF.contains(&parts[i - 1]);
                out.push_str(if is_turned_off { part.strip_prefix(" false").unwrap_or(part) } else { part });
                continue;
            }
            let stage = self.stage(part);
            match (self.argument(part, &mentioned), stage) {
                (Some(argument), _) => out.push_str(argument),
                (None, Some(stage)) => {
                    mentioned.push(stage);
                    out.push_str(&format!("`{}`", typed(stage)));
                }
                (None, None) => out.push_str(&format!("`{part}`")),
            }
        }
        out
    }

    /// What to print for a failure: the path and the message with its causes.
    pub fn error(&self, error: &Error) -> String {
        let whole = error.with_causes();
        let path = error.path().map_or(String::new(), |path| format!("{}: ", path.display()));
        match whole.strip_prefix(&path) {
            Some(message) => format!("{path}{}", self.render(message)),
            None => self.render(&whole),
        }
    }

    /// What sets `field`: in the running command, else in one that the text mentions, else in any.
    fn argument<'a>(&'a self, field: &str, mentioned: &[&'a Named]) -> Option<&'a str> {
        let near = self.running().into_iter().chain(mentioned.iter().copied());
        if let Some(found) = near.into_iter().find_map(|command| command.argument(field)) {
            return Some(found);
        }
        if self.running == OF_A_FILE && self.is_in_a_file(field) {
            return None;
        }
        let options = self.commands.iter().find_map(|command| command.options.get(field));
        let exact =
            options.or_else(|| self.commands.iter().find_map(|command| command.positionals.get(field)));
        exact.map(String::as_str).or_else(|| self.commands.iter().find_map(|command| command.argument(field)))
    }

    fn running(&self) -> Option<&Named> {
        self.commands.iter().find(|command| command.name == self.running)
    }

    fn is_in_a_file(&self, field: &str) -> bool {
        let commands = self.commands.iter().filter(|command| IN_A_FILE.contains(&command.name.as_str()));
        commands.into_iter().any(|command| command.argument(field).is_some())
    }

    /// The command that runs a stage: its own name, or the last word of it.
    fn stage(&self, name: &str) -> Option<&Named> {
        let other = OTHER_STAGES.iter().find(|(stage, _)| *stage == name);
        let name = other.map_or_else(|| name.replace("::", " "), |(_, command)| command.to_string());
        let of = |is: &dyn Fn(&Named) -> bool| {
            self.commands.iter().find(|command| !command.has_subcommands && is(command))
        };
        of(&|command| command.name == name).or_else(|| {
            let by_last_word = |command: &Named| {
                let is_it = command.name.rsplit(' ').next() == Some(name.as_str());
                is_it && !NAMED_IN_FULL.contains(&command.name.as_str())
            };
            of(&by_last_word)
        })
    }
}

impl Named {
    fn exact(&self, field: &str) -> Option<&str> {
        self.options.get(field).or_else(|| self.positionals.get(field)).map(String::as_str)
    }

    fn argument(&self, field: &str) -> Option<&str> {
        self.exact(field).or_else(|| {
            let other = OTHER_NAMES.iter().find(|(other, _)| *other == field);
            other.and_then(|(_, ids)| ids.iter().find_map(|id| self.exact(id)))
        })
    }
}

/// `text` with each name in backticks as a flag, for messages of values that are parsed before any command runs.
pub(super) fn with_flags(text: &str) -> String {
    let flag = |name: &str| format!("--{}", name.replace('_', "-"));
    let parts = text.split('`').enumerate();
    parts.map(|(i, part)| if i.is_multiple_of(2) { part.to_string() } else { flag(part) }).collect()
}

/// A stage as a person types it; `setup` with `--yes`, because it asks otherwise.
fn typed(stage: &Named) -> String {
    let consent = if stage.name == "setup" { " --yes" } else { "" };
    format!("headstart {}{consent}", stage.name)
}

/// Lists all commands below `command`, which is called `name`.
fn collect(command: &clap::Command, name: &str, all: &mut Vec<Named>) {
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help" && !sub.is_hide_set()) {
        let name = format!("{name} {}", sub.get_name()).trim_start().to_string();
        let mut named = Named {
            name: name.clone(),
            options: BTreeMap::new(),
            positionals: BTreeMap::new(),
            has_subcommands: sub.has_subcommands(),
        };
        for argument in sub.get_arguments() {
            let id = argument.get_id().to_string();
            match argument.get_long() {
                Some(long) => named.options.insert(id, format!("--{long}")),
                None => named.positionals.insert(id.clone(), placeholder(argument, &id)),
            };
        }
        all.push(named);
        collect(sub, &name, all);
    }
}

/// The name of a positional argument in `--help`.
fn placeholder(argument: &clap::Arg, id: &str) -> String {
    let names = argument.get_value_names().unwrap_or_default();
    names.first().map_or_else(|| id.to_uppercase(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::super::command;
    use super::*;
    use crate::backbone::BackboneChoice;
    use crate::backbone::certificate::VerifyBackboneConfig;
    use crate::backbone::fetch::FetchConfig;
    use crate::backbone::import::ImportConfig;
    use crate::backbone::install::SetupConfig;
    use crate::cache::VerifyConfig;
    use crate::cache::near_duplicates::NearDuplicatesConfig;
    use crate::data::manifest::ManifestOptions;
    use crate::data::{FetchDataConfig, ManifestConfig, SelectConfig, SummaryConfig};
    use crate::error::Kind;
    use crate::evaluate::EvaluateConfig;
    use crate::evaluate::classify::ClassifyConfig;
    use crate::evaluate::comparison::CompareConfig;
    use crate::evaluate::predict::{PredictConfig, PredictorConfig};
    use crate::evaluate::search::SearchConfig;
    use crate::evaluate::suggest::SuggestConfig;
    use crate::experiment::ExperimentConfig;
    use crate::experiment::demo::DemoConfig;
    use crate::export::ExportConfig;
    use crate::extract::ExtractConfig;
    use crate::extract::distributed::{FinishConfig, PlanConfig, WorkerConfig};
    use crate::head::{FitConfig, LbfgsConfig};
    use crate::report::dataset::DatasetConfig;
    use crate::report::run::ReportConfig;
    use crate::report::tensorboard::{ProjectorConfig, TensorboardConfig};
    use crate::score::ScoreConfig;
    use crate::train::TrainConfig;
    use crate::train::auto::AutoConfig;
    use crate::train::layers::LayersConfig;
    use crate::train::sweep::SweepConfig;
    use std::collections::BTreeSet;

    fn render(running: &[&str], text: &str) -> String {
        FieldNames::of(command(), running).render(text)
    }

    #[test]
    fn fields_become_arguments_of_the_running_command() {
        let text = "`memory` cannot be used with `solver` lbfgs: leave `memory` out; see `cache`";
        let expected = "--memory cannot be used with --solver lbfgs: leave --memory out; see CACHE";
        assert_eq!(render(&["train"], text), expected);
        assert_eq!(
            render(&["extract"], "choose another folder for `cache`"),
            "choose another folder for --cache"
        );
        assert_eq!(render(&["predict"], "`html` cannot be inside a run"), "--html cannot be inside a run");
        assert_eq!(render(&["report"], "`out` cannot be inside a run"), "--out cannot be inside a run");
        let other = "`variants`, `resplit`, `shuffle`, `patience_resets`, `iterations`, `models`";
        let expected = "--use, --resplit, --no-shuffle, --total-patience, --epochs, --models";
        assert_eq!(render(&["train"], "a fixed order (`shuffle` false)"), "a fixed order (--no-shuffle)");
        assert_eq!(render(&["train"], other), expected);
        assert_eq!(
            render(&["sweep"], "`lr`, `l2` and `seeds` need a value"),
            "--lr, --l2 and --seeds need a value"
        );
    }

    #[test]
    fn other_fields_become_arguments_of_the_command_that_has_them() {
        let text = "run `extract` into another `cache`, with another `split` or `augment`";
        let expected = "run `headstart extract` into another --cache, with another --split or --augment";
        assert_eq!(render(&["evaluate"], text), expected);
        assert_eq!(render(&["compare"], "`augment_splits` all"), "--augment-splits all");
        assert_eq!(render(&[], "`crop` must be above 0"), "--crop must be above 0");
    }

    #[test]
    fn stages_become_commands() {
        let all = "`train`, `verify`, `cache::verify`, `select`, `examine`, `setup`, `tensorboard`";
        let expected = "`headstart train`, `headstart cache verify`, `headstart cache verify`, \
                        `headstart data select`, `headstart data report`, `headstart setup --yes`, \
                        `headstart tensorboard`";
        assert_eq!(render(&["compare"], all), expected);
    }

    #[test]
    fn settings_of_an_experiment_keep_the_names_that_its_file_has_for_them() {
        let text = "`lr` must be above 0, `use` and `augment` fit, `out` is free; run `setup` with `wheel`";
        let expected = "`lr` must be above 0, `use` and `augment` fit, --out is free; \
                        run `headstart setup --yes` with --wheel";
        assert_eq!(render(&["experiment"], text), expected);
    }

    #[test]
    fn everything_else_stays() {
        for text in ["plain", "`nothing of ours`", "`", "an odd ` backtick and `train`", "", "``", "`Memory`"]
        {
            assert_eq!(render(&["train"], text), text);
        }
    }

    #[test]
    fn a_path_is_not_rendered_but_causes_are() {
        let cause = std::io::Error::other("`memory`");
        let error = Error::new(Kind::Usage, "`lr` is odd").at("a`cache`b").because(cause);
        assert_eq!(FieldNames::of(command(), &["train"]).error(&error), "a`cache`b: --lr is odd: --memory");
    }

    /// The names of all fields of a configuration. It does not compile when one is left out.
    macro_rules! fields {
        ($config:ident { $($field:ident),* $(,)? }) => {{
            fn _all(config: &$config) {
                let $config { $($field: _),* } = config;
            }
            vec![$(stringify!($field)),*]
        }};
    }

    /// Fields that the command line fills in by itself.
    const NOT_TYPED: [&str; 7] = ["time", "live_after", "base", "commands", "predictor", "manifest", "parts"];

    fn fields_by_command() -> Vec<(&'static str, Vec<&'static str>)> {
        let backbone =
            fields!(BackboneChoice { backbone, layer, pool, preprocess, crop, stretch_16bit, models });
        let extract = fields!(ExtractConfig {
            images,
            cache,
            backbone,
            augment,
            augment_splits,
            layout,
            manifest,
            group_by,
            rehash,
            split,
            seed,
            device,
            batch,
            threads,
            decode_memory,
            commit_every,
            dry_run,
            time,
        });
        let adam = fields!(FitConfig {
            lr,
            batch,
            epochs,
            patience,
            l2,
            seed,
            shuffle_seed,
            min_delta,
            stop_on,
            schedule,
            label_smoothing,
            class_weights,
            standardize,
            patience_resets,
            shuffle,
            drop_last,
            hidden,
            dropout,
            weight_decay,
        });
        let train = fields!(TrainConfig {
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
            live_after,
            threads,
            time
        });
        let auto = fields!(AutoConfig { caches, run, variants, base, resplit, budget, threads, time });
        let lbfgs = fields!(LbfgsConfig {
            l2,
            iterations,
            label_smoothing,
            class_weights,
            standardize,
            allow_unconverged,
        });
        let sweep = fields!(SweepConfig {
            caches,
            runs,
            variants,
            resplits,
            lr,
            l2,
            hidden,
            seeds,
            base,
            select_by,
            init,
            jobs,
            threads,
            time,
        });
        let report =
            fields!(ReportConfig { run, split, out, images, cache, plots, tables, explain, commands });
        let tensorboard = fields!(TensorboardConfig { runs, logdir, projector, models, backbone, cache });
        let projector = fields!(ProjectorConfig { points, images });
        let columns = fields!(ManifestOptions {
            root,
            path_column,
            label_column,
            labels_column,
            split_column,
            group_column,
            weight_column
        });
        let of_images = |fields: Vec<&'static str>| [fields, columns.clone()].concat();
        let near = fields!(NearDuplicatesConfig { cache, threshold, out, threads });
        vec![
            ("search", fields!(SearchConfig { cache, images, neighbours, device, backbone, models })),
            (
                "suggest",
                [fields!(SuggestConfig { run, cache, n, by, threads }), vec!["out", "html"]].concat(),
            ),
            ("duplicates", near.iter().copied().filter(|field| *field != "out").collect()),
            ("data groups", near),
            ("demo", fields!(DemoConfig { dir, models, time })),
            (
                "setup",
                fields!(SetupConfig {
                    backbone,
                    device,
                    wheel,
                    tarball,
                    cuda_libs,
                    for_another_machine,
                    models
                }),
            ),
            (
                "data summary",
                of_images(fields!(SummaryConfig {
                    images,
                    manifest,
                    depth,
                    layout,
                    decode_memory,
                    near_duplicates
                })),
            ),
            ("data fetch", fields!(FetchDataConfig { dataset, out, archive, mirror })),
            ("data manifest", of_images(fields!(ManifestConfig { images, manifest, layout, labels, out }))),
            (
                "data select",
                of_images(fields!(SelectConfig {
                    images,
                    manifest,
                    top,
                    classes,
                    exclude,
                    max,
                    out,
                    link,
                    layout
                })),
            ),
            (
                "data report",
                [
                    of_images(fields!(DatasetConfig { images, manifest, cache, layout })),
                    vec!["out", "plots", "tables"],
                ]
                .concat(),
            ),
            ("extract", {
                let plan = fields!(PlanConfig { extract, chunk_rows });
                let plan: Vec<_> = plan.into_iter().filter(|field| *field != "extract").collect();
                let finish = fields!(FinishConfig { plan, parts, mixed_hardware });
                of_images([backbone, extract.clone(), plan, finish].concat())
            }),
            (
                "worker",
                fields!(WorkerConfig {
                    cache,
                    backbone,
                    models,
                    device,
                    batch,
                    threads,
                    decode_memory,
                    time
                }),
            ),
            ("layers", fields!(LayersConfig { caches, variants, resplit, threads })),
            ("train", [train, auto, adam.clone(), lbfgs.clone()].concat()),
            ("sweep", [sweep, adam, lbfgs, vec!["solver"]].concat()),
            ("evaluate", {
                let own = fields!(EvaluateConfig { run, split, tta, reject, confidence });
                let new = vec!["images", "allow_overlap", "cache", "html"];
                [own, new, vec!["strangers", "device", "backbone"]].concat()
            }),
            ("report", [report, vec!["device", "backbone"]].concat()),
            ("predict", {
                let own = fields!(PredictConfig { images, predictor, explain });
                let predictor = fields!(PredictorConfig {
                    run,
                    device,
                    models,
                    reject,
                    confidence,
                    neighbours,
                    backbone,
                    cache,
                });
                let score = fields!(ScoreConfig {
                    images,
                    out,
                    cache,
                    predictor,
                    batch,
                    threads,
                    decode_memory,
                    commit_every,
                });
                [own, predictor, score, vec!["html", "plots", "tables"]].concat()
            }),
            (
                "classify",
                fields!(ClassifyConfig { images, backbone, preprocess, names, top, device, models }),
            ),
            ("compare", [fields!(CompareConfig { runs, split }), vec!["out", "plots", "tables"]].concat()),
            (
                "export",
                fields!(ExportConfig {
                    run,
                    onnx,
                    triton,
                    web,
                    ort_web,
                    pictures,
                    input,
                    reject,
                    confidence,
                    backbone,
                    models
                }),
            ),
            ("experiment", fields!(ExperimentConfig { file, images, out, models, device, threads, time })),
            ("tensorboard", [tensorboard, projector].concat()),
            ("cache info", vec!["cache"]),
            ("cache verify", [vec!["cache"], fields!(VerifyConfig { dry_run, images })].concat()),
            ("cache compact", vec!["cache", "prune", "dry_run"]),
            ("cache digest", vec!["cache"]),
            ("cache export", vec!["cache", "out", "format"]),
            ("device", vec!["bench", "backbone", "seconds"]),
            ("doctor", vec!["bug_report"]),
            ("completions", vec![]),
            ("man", vec!["out"]),
            ("backbone list", vec![]),
            ("backbone use", vec!["backbone"]),
            ("backbone import", fields!(ImportConfig { file, source, name, models })),
            ("backbone fetch", fields!(FetchConfig { backbone, from, mirror, models })),
            ("backbone add", vec!["backbone", "name", "layer", "pool", "device", "models"]),
            (
                "backbone quantize",
                vec![
                    "backbone",
                    "images",
                    "name",
                    "format",
                    "samples",
                    "device",
                    "min_cosine",
                    "layer",
                    "preprocess",
                    "models",
                ],
            ),
            ("backbone verify", fields!(VerifyBackboneConfig { backbone, preprocess, device, models })),
            ("backbone inspect", vec!["backbone", "preprocess"]),
        ]
    }

    #[test]
    fn every_field_of_a_configuration_is_an_argument_of_its_command() {
        for (command, fields) in fields_by_command() {
            let names = FieldNames::of(super::super::command(), &command.split(' ').collect::<Vec<_>>());
            let running = names.running().unwrap_or_else(|| panic!("there is no command {command}"));
            for field in fields.iter().filter(|field| !NOT_TYPED.contains(field)) {
                assert!(running.argument(field).is_some(), "{command} has no argument for the field {field}");
            }
        }
    }

    /// Arguments that several fields or the command line itself take: those of every command, the one that chooses the stage,
    /// folds of a resplit, the second of two that choose the layout, and those that only say what is read or shown.
    const NO_FIELD: [&str; 19] = [
        "auto",
        "json",
        "json_lines",
        "verbose",
        "yes",
        "models",
        "help",
        "folds",
        "fold",
        "fold_seed",
        "as_classes",
        "print",
        "shell",
        "null",
        "top",
        // Of a folder of caches.
        "layers",
        // They choose the stage as well.
        "shard",
        "finish",
        "direct",
    ];

    #[test]
    fn every_argument_is_set_by_a_field() {
        let by_command = fields_by_command();
        for named in FieldNames::of(command(), &[]).commands.iter().filter(|named| !named.has_subcommands) {
            let (_, fields) =
                by_command.iter().find(|(command, _)| *command == named.name).expect(&named.name);
            let reached: BTreeSet<&str> = fields.iter().filter_map(|field| named.argument(field)).collect();
            for (id, argument) in named.options.iter().chain(&named.positionals) {
                let is_known = NO_FIELD.contains(&id.as_str()) || reached.contains(argument.as_str());
                assert!(is_known, "no field of {} sets {argument}", named.name);
            }
        }
    }
}
