//! What README, docs and `--help` tell people to type: the program takes every line, every option exists, and the
//! examples run as they are written, in their order, on a folder of photographs that the test makes.

use crate::support::{self, CommandOutput, Sandbox, oracle_python, root, small_network};
use headstart::backbone::install::find_library;
use headstart::data::decode::encode_png;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A fenced block of a page: its language, and its lines.
struct Block {
    language: String,
    lines: Vec<String>,
}

/// README and the pages in docs by their names, but for `errors.md`, which another test writes from what the program prints.
fn pages() -> Vec<(String, String)> {
    let docs = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = docs.chain([root().join("README.md")]).filter(|path| !path.ends_with("errors.md"));
    let pages = pages.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let text = |path: PathBuf| {
        (path.file_name().unwrap().to_str().unwrap().to_string(), std::fs::read_to_string(path).unwrap())
    };
    let mut pages: Vec<_> = pages.map(text).collect();
    pages.sort();
    pages
}

fn page(name: &str) -> String {
    pages().into_iter().find(|(page, _)| page == name).unwrap().1
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line.strip_prefix("```") {
            Some(language) if !inside => {
                blocks.push(Block { language: language.trim().to_string(), lines: Vec::new() });
                inside = true;
            }
            Some(_) => inside = false,
            None if inside => blocks.last_mut().unwrap().lines.push(line.to_string()),
            None => {}
        }
    }
    blocks
}

/// What a person types into a shell: the lines of `sh` blocks, and those of `console` blocks behind a `$`.
fn typed(text: &str) -> Vec<String> {
    let lines = |block: Block| match block.language.as_str() {
        "sh" => block.lines,
        "console" => {
            block.lines.iter().filter_map(|line| line.strip_prefix("$ ")).map(str::to_string).collect()
        }
        _ => Vec::new(),
    };
    let lines = blocks(text).into_iter().flat_map(lines).map(|line| without_comment(&line).to_string());
    lines.filter(|line| !line.is_empty()).collect()
}

fn without_comment(line: &str) -> &str {
    line.split(" #").next().unwrap().trim()
}

/// A line without what the shell does with the output.
fn without_redirection(line: &str) -> &str {
    let mut is_quoted = false;
    let end = line.find(|c| {
        is_quoted ^= c == '"';
        !is_quoted && (c == '>' || c == '|')
    });
    &line[..end.unwrap_or(line.len())]
}

/// The words of a line as a shell makes them, for the quotes that the pages use.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (number, part) in line.split('"').enumerate() {
        match number % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_string)),
            _ => words.push(part.to_string()),
        }
    }
    words
}

/// The text outside fenced blocks between backticks.
fn inline_code(text: &str) -> Vec<String> {
    let prose: Vec<&str> = text.split("```").step_by(2).collect();
    prose.iter().flat_map(|part| part.split('`').skip(1).step_by(2)).map(str::to_string).collect()
}

/// All long options of the program.
fn options(command: &clap::Command) -> BTreeSet<String> {
    let own =
        command.get_arguments().filter_map(|argument| argument.get_long()).map(|name| format!("--{name}"));
    own.chain(command.get_subcommands().flat_map(options)).collect()
}

/// Options of other programs that the pages name.
const OF_OTHERS: [&str; 21] = [
    "--abi",
    "--base",
    "--binary",
    "--curves",
    "--dest",
    "--disable-pip-version-check",
    "--fill",
    "--fixtures",
    "--implementation",
    "--limit",
    "--no-cache-dir",
    "--no-deps",
    "--no-input",
    "--only-binary",
    "--open",
    "--platform",
    "--python-version",
    "--quick",
    "--quiet",
    "--require-hashes",
    "--requirement",
];

#[test]
fn the_program_takes_every_line_that_the_pages_show() {
    let mut seen = 0;
    for (name, text) in pages() {
        for line in typed(&text).iter().filter(|line| line.starts_with("headstart ") && !line.contains("..."))
        {
            let line = without_redirection(line);
            let taken = headstart::cli::command().try_get_matches_from(words(line));
            assert!(taken.is_ok(), "{name}: {line}\n{}", taken.unwrap_err());
            seen += 1;
        }
    }
    assert!(seen > 60, "{seen} lines");
}

#[test]
fn every_option_that_the_pages_name_exists() {
    let mut command = headstart::cli::command();
    command.build();
    let mut known = options(&command);
    known.extend(OF_OTHERS.iter().chain(&["--help"]).map(|option| option.to_string()));
    let mut seen = BTreeSet::new();
    for (name, text) in pages() {
        for code in inline_code(&text) {
            for word in code.split_whitespace().filter(|word| word.starts_with("--") && word.len() > 2) {
                let option = word.split(['=', ',', ';', ':']).next().unwrap().to_string();
                assert!(known.contains(&option), "{name} names {option}, which no command has: `{code}`");
                seen.insert(option);
            }
        }
    }
    assert!(seen.len() > 60, "{} options", seen.len());
    let unused: Vec<_> = OF_OTHERS.iter().filter(|option| !seen.contains(**option)).collect();
    assert!(unused.is_empty(), "no page names {unused:?}");
}

#[test]
fn the_times_of_readme_are_those_of_the_measurements() {
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_string()).collect::<Vec<_>>();
    let readme = page("README.md");
    let rows: Vec<_> = readme.lines().filter(|line| line.contains(" min | ")).map(cells).collect();
    assert_eq!(rows.len(), 3);
    let measured: Vec<_> = page("benchmarks.md").lines().map(cells).collect();
    for row in rows {
        let (images, seconds) = (&row[2], row[4].trim_end_matches(" s"));
        let of_row = measured
            .iter()
            .find(|other| other.get(1).is_some_and(|use_| use_.starts_with("`none")) && &other[2] == images);
        let of_row = of_row.unwrap_or_else(|| panic!("benchmarks.md has no row for {images} rows"));
        assert_eq!(of_row[4], seconds, "{images} rows");
    }
}

/// A person with an ONNX Runtime, a folder of photographs, and a small network in place of the default backbone.
struct Person {
    s: Sandbox,
    path: String,
}

impl Person {
    fn new() -> Self {
        let s = Sandbox::new();
        s.images("photos", &[("ant", 400), ("bee", 60), ("cat", 60)]);
        s.write("home/models/small.onnx", &small_network::with_classes(1001, &[]));
        s.write("home/models/slim.onnx", &small_network::with_classes(1001, &[]));
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_headstart")).parent().unwrap();
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
        let person = Self { s, path };
        person.types("headstart backbone use small");
        person
    }

    fn typed(&self, line: &str) -> CommandOutput {
        let library = find_library(false).unwrap().expect("run tests/run");
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).current_dir(self.s.path("")).env("PATH", &self.path).stdin(Stdio::null());
        shell
            .env("HOME", self.s.path(""))
            .env("ORT_DYLIB_PATH", library.path)
            .env("HEADSTART_HOME", self.s.path("home"));
        CommandOutput::of(&mut shell)
    }

    fn types(&self, line: &str) {
        let said = self.typed(line);
        assert_eq!(said.code, 0, "{line}\n{}{}", said.stdout, said.stderr);
    }
}

/// Examples that other tests run, or that nothing here can run, by their beginning.
const NOT_TYPED: [(&str, &str); 20] = [
    ("cargo ", "compiles the project"),
    ("tests/run", "runs this test"),
    ("headstart demo", "experiment::the_demo_..."),
    ("headstart setup", "clients, setup"),
    ("headstart classify", "needs packages of PyPI: backbones"),
    ("headstart data fetch", "needs a network: data_sets, download"),
    ("headstart backbone add", "network_folders"),
    ("headstart backbone quantize", "quantize"),
    ("headstart backbone use slim", "backbones"),
    ("headstart backbone import", "importers"),
    ("headstart backbone fetch", "needs a network: fetch"),
    ("headstart backbone verify slim", "backbones"),
    ("headstart backbone inspect nsfwjs", "backbones"),
    ("headstart experiment", "experiment"),
    ("headstart train cache/photos --run runs/sure", "needs a class of that name: decisions"),
    ("headstart predict runs/first holiday.jpg --explain", "needs a network with positions: explain"),
    ("headstart report runs/first --explain", "needs a network with positions: explain"),
    ("headstart export runs/first --web", "needs a package of npm: export"),
    ("tensorboard ", "tensorboard"),
    ("man ", "shows a page on a terminal: arrival"),
];

#[test]
fn the_examples_of_readme_and_help_run_as_they_are_written() {
    let person = Person::new();
    let (png, picture) = (|class, n| person.s.path(&format!("photos/{class}/{n:03}.png")), "ant");
    let copy = |to: &str| person.s.write(to, &std::fs::read(png(picture, 0)).unwrap());
    copy("holiday.jpg");
    copy("bison.jpg");
    // The small network in place of a second backbone.
    person.types("headstart extract photos --cache cache/photos-lite0 --layer Mixed_7a");
    person.s.images("others", &[("elk", 3)]);
    for (class, number) in [("ant", 900), ("ant", 901), ("bee", 900)] {
        person.s.write(&format!("new/{class}/{number}.png"), &encode_png(&support::picture(class, number)));
    }
    person.s.images("lfw", &[("a", 4), ("b", 3), ("c", 2)]);
    person.s.images("photos", &[("_unlabelled", 5)]);
    let mut used = BTreeSet::new();
    let mut ran = 0;
    for line in
        [typed(&page("README.md")), RUNS.map(str::to_string).to_vec(), typed(&page("commands.md"))].concat()
    {
        match NOT_TYPED.iter().find(|(beginning, _)| line.starts_with(beginning)) {
            Some((beginning, _)) => {
                used.insert(*beginning);
            }
            None => {
                person.types(&line);
                ran += 1;
            }
        }
    }
    assert!(ran > 25, "{ran} examples");
    let unused: Vec<_> = NOT_TYPED.iter().filter(|(beginning, _)| !used.contains(beginning)).collect();
    assert!(unused.is_empty(), "no page has {unused:?}");
}

/// The runs that the examples of `compare` and `tensorboard` speak of.
const RUNS: [&str; 4] = [
    "headstart train cache/photos --run runs/plain --use none",
    "headstart train cache/photos --run runs/flips --use none,flip",
    "headstart train cache/photos --run runs/shifts --use none,flip",
    "headstart train cache/photos --run runs/all --use none,flip",
];

#[test]
fn the_python_and_sql_of_the_pages_run() {
    let person = Person::new();
    person.types("headstart extract photos --cache cache/photos");
    let page = page("cache-format.md");
    let blocks = blocks(&page);
    let sql = blocks.iter().find(|block| block.language == "sql").unwrap().lines.join("\n");
    let mut script = format!("QUERY = \"\"\"{sql}\"\"\"\n");
    // `tests/readers/run` runs Spark.
    let of_python = blocks.iter().filter(|block| block.language == "python");
    let (spark, others): (Vec<_>, Vec<_>) =
        of_python.partition(|block| block.lines.iter().any(|line| line.contains("spark.")));
    assert!(spark.len() == 1 && others.len() >= 4, "{} and {} snippets", spark.len(), others.len());
    for block in others {
        script.push_str(&block.lines.join("\n"));
        script.push('\n');
    }
    script.push_str(
        "assert table.num_rows == len(frame) == len(matrix) == 520 and X.shape[1] == matrix.shape[1]\n",
    );
    person.s.write("snippets.py", script.as_bytes());
    let python = oracle_python();
    assert!(python.exists(), "{} is missing: run tests/run", python.display());
    let ran = CommandOutput::of(Command::new(python).arg("snippets.py").current_dir(person.s.path("")));
    assert_eq!(ran.code, 0, "{script}\n{}", ran.stderr);
}
