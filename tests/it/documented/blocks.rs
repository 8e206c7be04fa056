//! Every block of every page runs as it is written, in the order of its page, or stands in a list with the suite that runs it.

use super::{Block, Person, blocks, page, pages, typed};
use crate::support::{self, root};
use headstart::data::decode::encode_png;
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};

/// Lines that other suites run, or that nothing can run, by their beginning.
const NOT_TYPED: [(&str, &str); 35] = [
    ("benches/", "measures for minutes or hours; scripts_exist_and_take_these_options looks at the line"),
    ("cargo ", "compiles the project"),
    ("HEADSTART_", "a suite of its own: kills"),
    ("headstart backbone fetch", "needs a network: fetch"),
    ("headstart backbone import", "importers"),
    ("headstart backbone inspect nsfwjs", "backbones"),
    ("headstart backbone quantize", "quantize"),
    ("headstart backbone use slim", "backbones"),
    ("headstart backbone verify slim", "backbones"),
    ("headstart device --bench", "measures for 40 s: quantize"),
    ("headstart classify", "needs packages of PyPI: backbones"),
    ("headstart data fetch", "needs a network: data_sets, download"),
    ("headstart demo", "experiment::the_demo_..."),
    ("headstart experiment", "experiment"),
    ("headstart export runs/first --web", "needs a package of npm: export"),
    ("headstart export runs/auto --web", "needs a package of npm: export"),
    ("headstart extract photos --cache cache/int8", "quantize"),
    ("headstart predict runs/first holiday.jpg --explain", "needs a network with positions: explain"),
    ("headstart report runs/first --explain", "needs a network with positions: explain"),
    ("headstart setup", "clients, setup"),
    ("headstart train cache/lfw --run runs/search", "needs real pictures: decisions"),
    ("headstart train cache/lfw --run runs/sure", "needs real pictures: decisions"),
    ("headstart train cache/photos --run runs/sure", "needs a class of that name: decisions"),
    ("headstart worker", "answers a stream: distributed"),
    ("man ", "shows a page on a terminal: arrival"),
    ("pieces/unpack", "gpu_bench"),
    ("pip install", "tests/wheel/run"),
    (
        "python benches/",
        "measures for minutes or hours; scripts_exist_and_take_these_options looks at the line",
    ),
    ("python3 -m http.server", "serves until it is stopped: export"),
    ("rm -rf ~/", "removes what is installed"),
    ("sha256sum", "needs data that are not ours"),
    ("target/test-python", "oracle"),
    ("tensorboard ", "serves until it is stopped: tensorboard"),
    ("tests/run", "runs this test"),
    ("tritonserver", "is not installed here"),
];

/// Blocks that are no lines of a shell: the page, the language, how many, and what runs them.
const OTHER_BLOCKS: [(&str, &str, usize, &str); 16] = [
    ("architecture.md", "text", 1, "a drawing"),
    ("cache-format.md", "text", 3, "lists of files, a formula"),
    ("design-notes.md", "text", 2, "drawings"),
    ("experiments.md", "toml", 1, "experiment::families"),
    ("export.md", "javascript", 1, "benches/exported_answers.py; its grammar here"),
    ("export.md", "python", 1, "an_exported_file_answers_as_the_page_shows"),
    ("export.md", "text", 1, "lines for a run of several labels: multi_label"),
    ("features.md", "python", 15, "the_python_and_sql_of_the_pages_run, python"),
    ("features.md", "r", 1, "untried, as the page says"),
    ("features.md", "sql", 1, "the_python_and_sql_of_the_pages_run"),
    ("manifests.md", "csv", 2, "the page is run with it"),
    ("models.md", "toml", 1, "the_settings_of_a_network_are_those_that_the_page_lists"),
    ("scale.md", "python", 2, "tests/scale/run"),
    ("scale.md", "text", 5, "commands of other programs; a list of files"),
    ("scoring.md", "python", 1, "the page is run with it"),
    ("trust.md", "csv", 1, "the page is run with it"),
];

/// Types every line of a page after those of `before`, and returns the person.
fn run(name: &str, before: &[&str], prepare: impl Fn(&Person)) -> Person {
    let person = Person::new();
    prepare(&person);
    before.iter().for_each(|line| person.types(line));
    let lines = typed(&page(name));
    let mut ran = 0;
    for line in lines.iter().filter(|line| !is_elsewhere(line)) {
        person.types(line);
        ran += 1;
    }
    assert!(ran > 0, "{name}: nothing to run");
    person
}

fn is_elsewhere(line: &str) -> bool {
    NOT_TYPED.iter().any(|(beginning, _)| line.starts_with(beginning))
}

/// A page whose lines need hours and data that are not ours. What they say is typed in other forms on other pages, and their
/// options exist.
const MEASURED: &str = "benchmarks.md";

/// The pages whose lines the tests below type.
const TYPED: [&str; 13] = [
    "README.md",
    "augmentation.md",
    "choosing.md",
    "commands.md",
    "export.md",
    "install.md",
    "lfw10.md",
    "manifests.md",
    "models.md",
    "scoring.md",
    "tensorboard.md",
    "trust.md",
    "tutorial.md",
];

const EXTRACT: &str = "headstart extract photos --cache cache/photos --augment flip";
const FIRST: &str = "headstart train cache/photos --run runs/first";

#[test]
fn every_line_runs_or_is_listed() {
    let mut used = BTreeSet::new();
    let mut elsewhere = BTreeMap::new();
    for (name, text) in pages() {
        for line in typed(&text) {
            match NOT_TYPED.iter().find(|(beginning, _)| line.starts_with(beginning)) {
                Some((beginning, _)) => drop(used.insert(*beginning)),
                None if TYPED.contains(&name.as_str()) || name == MEASURED => {}
                None => drop(elsewhere.insert(line, name.clone())),
            }
        }
    }
    assert!(elsewhere.is_empty(), "no test runs these lines: {elsewhere:#?}");
    let unused: Vec<_> = NOT_TYPED.iter().filter(|(beginning, _)| !used.contains(beginning)).collect();
    assert!(unused.is_empty(), "no page has {unused:?}");
}

#[test]
fn every_other_block_runs_or_is_listed() {
    let mut found: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (name, text) in pages() {
        for Block { language, lines } in blocks(&text) {
            assert!(!language.is_empty(), "{name}: a block without a language: {lines:#?}");
            // `commands_page` writes the usage of each command.
            let is_usage = name == "commands.md" && language == "text";
            if language != "sh" && language != "console" && !is_usage {
                *found.entry((name.clone(), language)).or_default() += 1;
            }
        }
        let indented = text.lines().scan(false, |inside, line| {
            *inside ^= line.starts_with("```");
            Some(!*inside && line.starts_with("    "))
        });
        assert_eq!(indented.filter(|is| *is).count(), 0, "{name} has a block that is indented, not fenced");
    }
    let listed = OTHER_BLOCKS
        .iter()
        .map(|(page, language, number, _)| ((page.to_string(), language.to_string()), *number));
    assert_eq!(found, listed.collect());
}

/// The scripts of measurements and suites exist, and know the options that the pages show.
#[test]
fn scripts_exist_and_take_these_options() {
    let mut seen = 0;
    for (name, text) in pages() {
        for line in typed(&text) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let is_script = |word: &&&str| {
                ["benches/", "tests/", "fuzz/", "packaging/"].iter().any(|top| word.starts_with(top))
            };
            let Some(script) = words.iter().find(is_script) else { continue };
            let path = root().join(script);
            let mut code = std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("{name} names {script}"));
            code.push_str(&std::fs::read_to_string(path.with_extension("py")).unwrap_or_default());
            let options =
                words.iter().take_while(|word| **word != "--").filter(|word| word.starts_with("--"));
            for option in options.filter(|option| option.len() > 2) {
                assert!(code.contains(option), "{name}: {script} has no {option}: {line}");
            }
            seen += 1;
        }
    }
    assert!(seen > 15, "{seen} scripts");
}

#[test]
fn the_examples_of_help_run() {
    let prepare = |person: &Person| {
        // The small network in place of a second backbone.
        person.types("headstart extract photos --cache cache/photos-lite0 --layer Mixed_7a");
        person.types(EXTRACT);
        for run in ["first", "plain", "flips", "shifts", "all"] {
            person.types(&format!("headstart train cache/photos --run runs/{run} --use none,flip"));
        }
        person.has_folder(&root().join("tests/fixtures/folders/dinov2"), "dinov2-small");
        person.s.images("others", &[("elk", 3)]);
        person.s.images("lfw", &[("a", 4), ("b", 3), ("c", 2)]);
        new_pictures(person);
        person.s.images("photos", &[("_unlabelled", 5)]);
        person.types(EXTRACT);
    };
    run("commands.md", &[], prepare);
}

/// A labelled set that came later.
fn new_pictures(person: &Person) {
    for (class, number) in [("ant", 900), ("ant", 901), ("bee", 900)] {
        for folder in ["new", "labelled"] {
            let file = format!("{folder}/{class}/{number}.png");
            person.s.write(&file, &encode_png(&support::picture(class, number)));
        }
    }
}

/// A reader goes on from README to the tutorial in the same folder, whose caches must not be in the way.
#[test]
fn readme_runs_and_then_the_tutorial() {
    let readme = typed(&page("README.md"));
    let before: Vec<&str> = readme.iter().map(String::as_str).filter(|line| !is_elsewhere(line)).collect();
    assert!(before.iter().any(|line| line.contains("--cache cache/photos")), "{before:?}");
    run("tutorial.md", &before, |person| {
        person.has_backbone("efficientnet-lite0");
        new_pictures(person);
    });
}

#[test]
fn choosing_runs() {
    run("choosing.md", &[], |person| {
        person.has_backbone("efficientnet-lite0");
    });
}

#[test]
fn installing_runs() {
    run("install.md", &[], |_| {});
}

#[test]
fn augmentation_runs() {
    run("augmentation.md", &[], |_| {});
}

#[test]
fn manifests_run() {
    run("manifests.md", &[], |person| {
        let text = page("manifests.md");
        let table = blocks(&text).into_iter().find(|block| block.language == "csv").unwrap().lines;
        person.s.write("scans.csv", table.join("\n").as_bytes());
        for (number, line) in table.iter().skip(1).enumerate() {
            let (path, rest) = line.split_once(',').unwrap();
            let class = rest.split(',').next().unwrap();
            person.s.write(path, &encode_png(&support::picture(class, number)));
        }
        // The second table is longer than the page shows.
        let mut chest = String::from("path,labels\n");
        for number in 0..120 {
            let labels = ["effusion|cardiomegaly", "effusion", "|"][number % 3];
            chest += &format!("chest/{number:04}.png,{labels}\n");
            let picture = support::picture(labels, number);
            person.s.write(&format!("chest/{number:04}.png"), &encode_png(&picture));
        }
        person.s.write("chest.csv", chest.as_bytes());
        let python = support::oracle_python();
        person.types(&format!("cd photos && {} -m zipfile -c ../photos.zip *", python.display()));
        person.s.images("photos", &[("_unlabelled", 60)]);
        person.types(EXTRACT);
        person.types("headstart train cache/photos --run runs/first --use none --epochs 3");
    });
}

#[test]
fn models_run() {
    run("models.md", &[], |person| {
        person.has_folder(&root().join("tests/fixtures/folders/dinov2"), "dinov2-small");
    });
}

/// Two of the article's people with as many pictures as they have.
fn faces(person: &Person) {
    let people = [("Tony_Blair", 144), ("Ariel_Sharon", 77), ("George_W_Bush", 530)];
    for (name, images) in people {
        for number in 1..=images {
            let png = encode_png(&support::picture(name, number));
            person.s.write(&format!("lfw/{name}/{name}_{number:04}.jpg"), &png);
        }
    }
}

#[test]
fn the_article_by_hand_runs() {
    run("lfw10.md", &[], faces);
}

#[test]
fn trust_runs() {
    run(
        "trust.md",
        &["headstart extract lfw --cache cache/lfw", "headstart train cache/lfw --run runs/all"],
        faces,
    );
}

#[test]
fn the_costs_of_the_page_on_trust_are_taken() {
    let person = Person::new();
    person.s.images("two", &[("ant", 60), ("bee", 60)]);
    let text = page("trust.md");
    let table = blocks(&text).into_iter().find(|block| block.language == "csv").unwrap().lines;
    person.s.write("costs.csv", table.join("\n").as_bytes());
    person.types("headstart extract two --cache cache/two");
    person.types("headstart train cache/two --run runs/costs --costs costs.csv");
}

#[test]
fn scoring_runs() {
    let person = run("scoring.md", &[EXTRACT, FIRST], new_pictures);
    let check = "assert classes == ['ant', 'bee', 'cat'], classes";
    person.runs_python(&page("scoring.md"), |_| true, check);
}

#[test]
fn tensorboard_runs() {
    let runs = ["plain", "flips"].map(|run| format!("headstart train cache/photos --run runs/{run}"));
    run("tensorboard.md", &[EXTRACT, &runs[0], &runs[1]], |_| {});
}

#[test]
fn an_exported_file_answers_as_the_page_shows() {
    let person = run("export.md", &[EXTRACT, FIRST], |_| {});
    let check = "assert classes[label_index[0]] == 'ant' and probabilities.shape == (1, 3)";
    person.runs_python(&page("export.md"), |_| true, check);
    let text = page("export.md");
    let script = blocks(&text).into_iter().find(|block| block.language == "javascript").unwrap().lines;
    let path = person.s.write("answer.mjs", script.join("\n").as_bytes());
    let node = Command::new("node").arg("--check").arg(path).stdin(Stdio::null()).output();
    match node {
        Ok(checked) => assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr)),
        Err(_) => support::not_run("documented: the grammar of JavaScript", "it needs node"),
    }
}

#[test]
fn the_python_and_sql_of_the_pages_run() {
    let person = Person::new();
    person.types("headstart extract photos --cache cache/photos");
    let page = page("features.md");
    // What follows needs the module of the wheel: python.
    let reading = page.split("\n## From Python\n").next().unwrap();
    let blocks = blocks(reading);
    let sql = blocks.iter().find(|block| block.language == "sql").unwrap().lines.join("\n");
    let query = format!("```python\nQUERY = \"\"\"{sql}\"\"\"\n```\n");
    // `tests/readers/run` runs Spark.
    let is_spark = |block: &Block| block.lines.iter().any(|line| line.contains("spark."));
    assert_eq!(blocks.iter().filter(|block| is_spark(block)).count(), 1);
    let check =
        "assert table.num_rows == len(frame) == len(matrix) == 520 and X.shape[1] == matrix.shape[1]\n";
    person.runs_python(&(query + reading), |block| !is_spark(block), check);
}

/// The example of `headstart.toml`, with the names of a network that is at hand.
#[test]
fn the_settings_of_a_network_are_those_that_the_page_lists() {
    let person = Person::new();
    person.has_folder(&root().join("tests/fixtures/folders/vit"), "mine");
    let text = page("models.md");
    let toml = blocks(&text).into_iter().find(|block| block.language == "toml").unwrap().lines.join("\n");
    let mut ours = toml.clone();
    for (shown, own) in [
        ("\"input\"", "\"pixel_values\""),
        ("\"features\"", "\"last_hidden_state\""),
        ("interpolate = 1", ""),
        ("shorter_side = 256", "shorter_side = 40"),
        ("size = 224", "size = 32"),
    ] {
        assert!(ours.contains(shown), "{shown} is not in {toml}");
        ours = ours.replace(shown, own);
    }
    person.s.write("mine/headstart.toml", ours.as_bytes());
    person.types("headstart extract photos --cache cache/mine --backbone ./mine");
    // The line that is commented out, in place of the one before it.
    let line = ours.lines().find(|line| line.starts_with("# scale = ")).expect("a scale of one's own");
    let without: Vec<&str> = ours.lines().filter(|line| !line.starts_with("scale = ")).collect();
    let custom = without.join("\n").replace(line, line.trim_start_matches("# "));
    person.s.write("mine/headstart.toml", custom.as_bytes());
    person.types("headstart extract photos --cache cache/custom --backbone ./mine");
}
