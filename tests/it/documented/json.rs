//! `docs/json.md` beside what the commands print: every printed key is on the page, and every key on the page is printed by
//! a command here, or listed with the suite that prints it.

use super::{Person, page};
use crate::support::{picture, root};
use headstart::data::decode::encode_png;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Commands that other tests run, which call [`are_documented`], or that print no JSON.
const ELSEWHERE: [(&str, &str); 7] = [
    ("backbone fetch", "fetch"),
    ("backbone import", "needs weights of full size: tests/parity/import_costs"),
    ("backbone quantize", "quantize"),
    ("completions", "prints a script"),
    ("data fetch", "data_sets"),
    ("demo", "acceptance"),
    ("worker", "answers a stream: distributed"),
];

/// Keys that need what is too slow or too odd for the test of this file: the section, how the key begins, and the suite that
/// prints it.
const RARE: [(&str, &str, &str); 13] = [
    ("data report", "doubtful_labels.suspects", "a label that is wrong: pages"),
    ("doctor", "machine.variables[].", "comfort"),
    ("doctor", "missing[].", "comfort"),
    ("backbone verify", "without_reference", "a network of operators that are not known: backbones"),
    ("device", "bench.", "measures for a while: quantize"),
    ("data report", "near_duplicates.accuracy", "near-duplicates across splits: near_duplicates"),
    ("fidelity", "", "quantize"),
    ("predict", "[].explanation.", "a network with positions: explain"),
    ("preprocessing", "margin_rounds_down", "networks of Hugging Face: network_folders"),
    ("spec.json", "known_answer", "a network that is not known: backbones"),
    ("run.json", "multi_label", "several labels: multi_label"),
    ("sweep", "heads[].failed", "solvers"),
    ("train", "multi_label", "several labels: multi_label"),
];

/// A key of the page: its path in a document, and the section and the key by which it is declared.
type Keys = BTreeMap<String, (String, String)>;

/// The keys of each section of the page, by the anchor of its heading: the path, and the anchor of the section whose keys are
/// below it.
fn sections() -> BTreeMap<String, Vec<(String, Option<String>)>> {
    let mut sections: BTreeMap<String, Vec<(String, Option<String>)>> = BTreeMap::new();
    let mut names = Vec::new();
    for line in page("json.md").lines() {
        if let Some(heading) = line.strip_prefix("### ") {
            names = heading.split(", ").map(anchor).collect();
            names.iter().for_each(|name| drop(sections.insert(name.clone(), Vec::new())));
        } else if let Some(rest) = line.strip_prefix("All keys of [") {
            let section = rest.split("](#").nth(1).unwrap().split(')').next().unwrap().to_string();
            let keys = sections[&section].clone();
            names.iter().for_each(|name| sections.get_mut(name).unwrap().extend(keys.clone()));
        } else if line.starts_with("| `") {
            let keys = keys_of(line.split(" | ").next().unwrap());
            names.iter().for_each(|name| sections.get_mut(name).unwrap().extend(keys.clone()));
        }
    }
    sections
}

fn anchor(heading: &str) -> String {
    heading.to_lowercase().replace(' ', "-").replace('.', "")
}

/// The keys of the first cell of a row; one that begins with a dot has the parent of the one before it.
fn keys_of(cell: &str) -> Vec<(String, Option<String>)> {
    let mut keys: Vec<(String, Option<String>)> = Vec::new();
    for item in cell.trim_start_matches("| ").split(", ") {
        let key = item.split('`').nth(1).unwrap_or_else(|| panic!("no key in {item:?} of {cell:?}"));
        let path = match key.strip_prefix('.') {
            Some(rest) => {
                let before = &keys.last().unwrap().0;
                format!("{}.{rest}", before.rsplit_once('.').unwrap_or_else(|| panic!("{cell:?}")).0)
            }
            None => key.to_string(),
        };
        let below = item.split("](#").nth(1).map(|rest| rest.split(')').next().unwrap().to_string());
        keys.push((path, below));
    }
    keys
}

/// All keys of a document that `section` describes.
fn keys(section: &str) -> Keys {
    let sections = sections();
    let mut keys = Keys::new();
    expand(&sections, &anchor(section), "", &mut keys);
    keys
}

fn expand(
    sections: &BTreeMap<String, Vec<(String, Option<String>)>>,
    section: &str,
    prefix: &str,
    keys: &mut Keys,
) {
    let declared = sections.get(section).unwrap_or_else(|| panic!("docs/json.md has no section {section}"));
    for (key, below) in declared {
        let path = joined(prefix, key);
        match below {
            Some(below) => expand(sections, below, &path, keys),
            None => drop(keys.insert(path, (section.to_string(), key.clone()))),
        }
    }
}

fn joined(prefix: &str, key: &str) -> String {
    let dot = if prefix.is_empty() || key.starts_with("[]") { "" } else { "." };
    format!("{prefix}{dot}{key}")
}

/// The paths of the values of a document; those that are null or empty apart, since keys may be missing below them.
#[derive(Default)]
struct Printed {
    values: BTreeSet<String>,
    empty: BTreeSet<String>,
}

impl Printed {
    fn add(&mut self, value: &Value, path: &str) {
        let is_table = |list: &[Value]| list.iter().any(Value::is_object);
        match value {
            Value::Object(map) if !map.is_empty() => {
                map.iter().for_each(|(key, value)| self.add(value, &joined(path, key)));
            }
            Value::Array(list) if is_table(list) => {
                let rows = list.iter().filter(|value| value.is_object());
                rows.for_each(|value| self.add(value, &format!("{path}[]")));
            }
            Value::Array(list) if !list.is_empty() => drop(self.values.insert(path.into())),
            Value::Null | Value::Object(_) | Value::Array(_) => drop(self.empty.insert(path.into())),
            _ => drop(self.values.insert(path.into())),
        }
    }
}

/// Whether `path` is the key `pattern` of the page, in which `*` stands for any name.
fn is_key(pattern: &str, path: &str) -> bool {
    match pattern.split_once('*') {
        Some((before, _)) => path.starts_with(before),
        None => pattern == path,
    }
}

/// Asserts that the page has every key of `document`, which a command of `section` printed.
pub fn are_documented(section: &str, document: &Value) {
    let unknown = compare(section, document, &mut BTreeSet::new());
    assert!(unknown.is_empty(), "docs/json.md does not have what {section} prints: {unknown:?}");
}

/// Returns the keys of `document` that the page does not have in `section`, and adds to `seen` where the others are declared.
fn compare(section: &str, document: &Value, seen: &mut BTreeSet<(String, String)>) -> Vec<String> {
    let keys = keys(section);
    let mut printed = Printed::default();
    printed.add(document, "");
    let mut unknown = Vec::new();
    for path in printed.values.iter().chain(&printed.empty) {
        let found: Vec<_> = keys.iter().filter(|(pattern, _)| is_key(pattern, path)).collect();
        seen.extend(found.iter().map(|(_, declared)| (*declared).clone()));
        let is_below = |pattern: &String| {
            let below = pattern.strip_prefix(path.as_str());
            below.is_some_and(|rest| rest.starts_with(['.', '[']) || path.is_empty())
        };
        if found.is_empty() && !(printed.empty.contains(path) && keys.keys().any(is_below)) {
            unknown.push(format!("{section}: {path}"));
        }
    }
    unknown
}

/// The names of all commands.
fn commands(command: &clap::Command, prefix: &str) -> Vec<String> {
    let below = command.get_subcommands().filter(|sub| sub.get_name() != "help" && !sub.is_hide_set());
    let names = below.flat_map(|sub| {
        let name = format!("{prefix}{}", sub.get_name());
        if sub.has_subcommands() { commands(sub, &format!("{name} ")) } else { vec![name] }
    });
    names.collect()
}

/// The pictures, files and networks that the commands below speak of.
fn prepare(person: &Person) {
    let s = &person.s;
    let png = |class: &str, number| encode_png(&picture(class, number));
    s.write("photos/ant/.DS_Store", b"");
    s.write("photos/ant/broken.jpg", b"no picture");
    s.write("photos/ant/copy.png", &png("ant", 1));
    s.write("photos/bee/conflict.png", &png("ant", 2));
    s.images("photos", &[("_unlabelled", 3)]);
    s.write("broken.jpg", b"no picture");
    s.write("alike/ant/one.png", &png("ant", 5));
    s.write("alike/ant/again.png", &[png("ant", 5), vec![0]].concat());
    s.images("small", &[("ant", 40), ("bee", 40)]);
    s.images("others", &[("elk", 3)]);
    s.write("others/elk/broken.jpg", b"no picture");
    for (class, number) in [("ant", 900), ("bee", 900), ("elk", 900)] {
        s.write(&format!("new/{class}/{number}.png"), &png(class, number));
    }
    s.write("costs.csv", b"truth,ant,bee\nant,0,10\nbee,1,0\n");
    let names: Vec<String> = (0..1001).map(|class| format!("class {class}")).collect();
    s.write("names.txt", names.join("\n").as_bytes());
    s.write("small.toml", EXPERIMENT.as_bytes());
    person.has_folder(&root().join("tests/fixtures/folders/vit"), "vit");
}

const EXPERIMENT: &str = r#"
title = "all kinds of keys"
seeds = 2
resplits = 2
split = "60/15/25"
pairs = [["flips", "plain"]]
published_minutes = 1

[settings]
epochs = 3

[[cache]]
name = "small"
backbone = "small"
augment = ["flip"]

[[run]]
name = "plain"
use = ["none"]
published = { accuracy = 0.5, epochs = 3, minutes = 1 }

[[run]]
name = "flips"
use = ["none", "flip"]

[[switch]]
name = "smoothing"
about = "a tenth of each target is spread over all classes"
settings = { label_smoothing = 0.1 }

[[condition]]
name = "as it is"
switches = []

[[condition]]
name = "smoothed"
switches = ["smoothing"]

[[baseline]]
name = "nearest neighbour"
kind = "nearest"
"#;

/// Sections of the page, and the lines whose output they describe, in this order.
const LINES: [(&str, &str); 68] = [
    ("device", "device"),
    ("doctor", "doctor"),
    ("backbone list", "backbone list"),
    ("backbone inspect", "backbone inspect small"),
    ("backbone use", "backbone use small"),
    ("backbone add", "backbone add vit --name tiny --layer last_hidden_state --pool cls"),
    ("backbone verify", "backbone verify small"),
    ("man", "man --out man"),
    ("data summary", "data summary photos"),
    ("data summary", "data summary alike --near-duplicates"),
    ("data report", "data report alike"),
    ("data select", "data select photos --top 2 --out selected"),
    ("data manifest", "data manifest photos --out photos.csv"),
    ("extract", "extract photos --cache cache/photos --augment flip --augment-splits all"),
    ("extract", "extract small --cache cache/grouped --group-by '([0-9]+)[.]' --split 60/15/25"),
    ("extract", "extract small --cache cache/none --split 75/0/25 --stretch-16bit 12"),
    ("extract", "extract photos --cache cache/square --dry-run"),
    ("extract", "extract small --cache cache/square --preprocess stretched,both-sides=80,size=75"),
    ("cache info", "cache info cache/square"),
    ("cache info", "cache info cache/photos"),
    ("cache info", "cache info cache/none"),
    ("cache verify", "cache verify cache/photos --images photos"),
    ("cache compact", "cache compact cache/photos"),
    ("cache export", "cache export cache/photos --out features.npy"),
    ("cache digest", "cache digest cache/photos"),
    ("plan", "extract small --cache cache/shared --plan"),
    ("shard", "extract small --cache cache/shared --shard 1/1"),
    ("finish", "extract small --cache cache/shared --finish"),
    ("plan", "extract small --cache cache/shared --plan"),
    ("shard", "extract small --cache cache/shared --shard 1/1"),
    ("finish", "extract small --cache cache/shared --finish"),
    ("cache info", "cache info cache/shared"),
    ("data report", "data report photos --cache cache/photos"),
    ("duplicates", "duplicates cache/photos --threshold 0.05"),
    ("data groups", "data groups --near-duplicates 0.05 --cache cache/photos --out groups.csv"),
    ("search", "search cache/photos bison.jpg broken.jpg"),
    ("train", "train cache/photos --run runs/plain --use none"),
    ("suggest", "suggest runs/plain --by mix --n 2"),
    ("train", "train cache/photos --run runs/init --use none --init runs/plain --memory 1GiB"),
    ("train", "train cache/photos --run runs/auto --auto"),
    ("train", "train cache/photos --run runs/heavy --epochs 3 --class-weights ant=2 --resplit 1"),
    ("train", "train cache/photos --run runs/sure --use none --threshold ant=precision>=0.6"),
    ("train", "train cache/none --run runs/folds --epochs 3"),
    ("train", "train cache/layers/PreLogits --run runs/costs --epochs 3 --costs costs.csv"),
    ("sweep", "train cache/grouped --run runs/five --folds 3 --epochs 3"),
    ("sweep", "sweep cache/photos --runs runs/rates --lr 0.01,0.001 --seeds 2 --resplit 1,2 --epochs 3"),
    ("sweep", "sweep cache/grouped --runs runs/path --solver lbfgs --l2 0.1,0.01 --select folds"),
    ("evaluate", "evaluate runs/plain --reject 0.2 --confidence 0.5 --strangers others --tta"),
    ("evaluate", "evaluate runs/sure"),
    ("evaluate", "evaluate runs/costs"),
    ("evaluate", "evaluate runs/five"),
    ("evaluate", "evaluate runs/rates"),
    ("evaluate", "evaluate runs/plain --images new --reject 0.2"),
    ("compare", "compare runs/plain runs/auto runs/init --out compared.html"),
    ("report", "report runs/plain"),
    ("tensorboard", "tensorboard runs/plain --logdir board --projector"),
    ("predict", "predict runs/plain bison.jpg broken.jpg --reject 0.2"),
    ("predict", "predict runs/sure bison.jpg"),
    ("predict", "predict runs/plain photos --reject 0.2 --out answers.parquet"),
    ("predict", "predict runs/sure new --out sure.parquet"),
    ("classify", "classify bison.jpg broken.jpg --backbone small --names names.txt"),
    ("export", "export runs/plain --onnx plain.onnx"),
    ("experiment", "experiment small.toml --images small"),
    ("layers", "layers cache/layers"),
    ("sweep", "sweep cache/layers --runs runs/layers --solver lbfgs --l2 0.1,0.01"),
    ("backbone inspect", "backbone inspect tiny"),
    ("evaluate", "evaluate runs/five/fold=1"),
    ("compare", "compare runs/heavy runs/heavy"),
];

#[test]
fn the_page_of_json_has_the_keys_that_are_printed() {
    let person = Person::new();
    prepare(&person);
    let (mut seen, mut unknown) = (BTreeSet::new(), Vec::new());
    let mut check = |section: &str, printed: &Value| unknown.extend(compare(section, printed, &mut seen));
    let run = |line: &str| -> Value {
        let quoted = line.replace("ant=precision>=0.6", "'ant=precision>=0.6'");
        let said = person.typed(&format!("headstart {quoted} --json"));
        assert!([0, 3].contains(&said.code), "{line}: {}", said.stderr);
        said.value()
    };
    // An object for each layer, with the cache beside the keys of an ordinary extraction.
    let layers = run("extract small --cache cache/layers --layer PreLogits --layer Mixed_7a");
    check("extract", &layers["layers"][0]);
    for (section, line) in LINES {
        check(section, &run(line));
    }
    let models = root().join("models").display().to_string();
    check("setup", &run(&format!("setup --models {models}")));
    let file = |name: &str| serde_json::from_slice(&std::fs::read(person.s.path(name)).unwrap()).unwrap();
    for run in ["plain", "init", "auto", "heavy", "sure", "folds", "costs", "five/fold=1"] {
        check("run.json", &file(&format!("runs/{run}/run.json")));
    }
    for cache in ["photos", "grouped", "none"] {
        check("spec.json", &file(&format!("cache/{cache}/spec.json")));
    }
    assert!(unknown.is_empty(), "docs/json.md does not have: {unknown:#?}");
    let is_elsewhere = |section: &str, key: &str| {
        let of_command = ELSEWHERE.iter().any(|(command, _)| anchor(command) == section);
        of_command || RARE.iter().any(|(name, begin, _)| anchor(name) == section && key.starts_with(begin))
    };
    let declared = sections().into_iter().flat_map(|(section, keys)| {
        keys.into_iter().filter(|(_, below)| below.is_none()).map(move |(key, _)| (section.clone(), key))
    });
    let unseen: Vec<_> =
        declared.filter(|key| !seen.contains(key) && !is_elsewhere(&key.0, &key.1)).collect();
    assert!(unseen.is_empty(), "docs/json.md has keys that nothing printed: {unseen:#?}");
}

#[test]
fn every_command_has_a_section_on_json() {
    let sections = sections();
    let mut command = headstart::cli::command();
    command.build();
    for name in commands(&command, "") {
        let is_run = LINES.iter().any(|(section, _)| *section == name) || name == "setup";
        let is_elsewhere = ELSEWHERE.iter().any(|(command, _)| *command == name);
        assert!(is_run != is_elsewhere, "{name} is run in this test, or listed with the suite that runs it");
        let prints = !["completions", "worker"].contains(&name.as_str());
        assert_eq!(sections.contains_key(&anchor(&name)), prints, "docs/json.md has a section on {name}");
    }
    let wrong =
        std::panic::catch_unwind(|| are_documented("cache export", &serde_json::json!({"nothing": 1})));
    assert!(wrong.is_err(), "a key that is not on the page is seen");
}
