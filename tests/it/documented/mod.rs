//! What README, docs and `--help` tell people to type and to read: the program takes every line, every option exists, every
//! link leads somewhere, every block runs as it is written or is listed with the suite that runs it, and the page of JSON
//! names the keys that are printed.

mod blocks;
mod json;
mod links;
mod person;

pub use json::are_documented;

use crate::support::root;
use person::Person;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A fenced block of a page: its language, and its lines.
struct Block {
    language: String,
    lines: Vec<String>,
}

/// README and the pages in docs by their names, and those for contributors beside them.
fn pages() -> Vec<(String, String)> {
    let docs = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = docs.chain(["README.md", "CONTRIBUTING.md", "SECURITY.md"].map(|name| root().join(name)));
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

/// The accuracies in README are those of the table on choosing, rounded.
#[test]
fn the_accuracies_of_readme_are_those_of_the_page_on_choosing() {
    let choosing = page("choosing.md");
    let of_features = |name: &str| -> Vec<String> {
        let row = choosing.lines().find(|line| line.starts_with(&format!("| {name}"))).unwrap();
        let cells = row.split('|').filter(|cell| cell.contains(" % ("));
        cells
            .map(|cell| format!("{:.0} %", cell.split('%').next().unwrap().trim().parse::<f64>().unwrap()))
            .collect()
    };
    let readme = page("README.md");
    let section = readme.split("## Choosing a layer").nth(1).unwrap().split("```").next().unwrap();
    let named: Vec<&str> = section.split_inclusive('%').filter(|part| part.ends_with(" %")).collect();
    let named: Vec<&str> = named.iter().map(|part| part.rsplit(' ').nth(1).unwrap()).collect();
    let percent = |text: &str| text.trim_end_matches(" %").to_string();
    let [lite0, default, mixed] =
        ["`efficientnet-lite0`", "`nsfwjs`, PreLogits", "`nsfwjs`, Mixed_7a"].map(of_features);
    let expected = [&lite0[1], &default[1], &lite0[0], &default[0], &mixed[0]].map(|text| percent(text));
    assert_eq!(named, expected);
}
