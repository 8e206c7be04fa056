//! What a user of the library can rely on: every configuration has a default and can grow, and no text speaks of the
//! command line.

use super::literals::string_literals;
use super::sources;

/// Files whose strings are the arguments of another program.
const RUN_PROGRAMS: [(&str, &str); 2] =
    [("backbone/install/pip.rs", "pip"), ("backbone/install/npm.rs", "npm")];

#[test]
fn every_config_has_a_default_and_can_grow() {
    let sources = sources();
    let mut number = 0;
    for source in &sources {
        let lines: Vec<&str> = source.code.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let Some(declared) = line.strip_prefix("pub struct ") else { continue };
            let name: String = declared.chars().take_while(|c| c.is_alphanumeric()).collect();
            if !name.ends_with("Config") {
                continue;
            }
            number += 1;
            let attributes: Vec<&&str> =
                lines[..at].iter().rev().take_while(|line| line.starts_with('#')).collect();
            let has = |word: &str| attributes.iter().any(|attribute| attribute.contains(word));
            assert!(has("non_exhaustive"), "{}: {name} cannot grow", source.name);
            let by_hand = format!("impl Default for {name} ");
            let has_default = has("Default") || sources.iter().any(|source| source.code.contains(&by_hand));
            assert!(has_default, "{}: {name} has no default", source.name);
        }
    }
    assert!(number > 15, "only {number} configurations were found");
}

/// The library names fields and stages in backticks; the program renders them as options and commands.
#[test]
fn only_the_program_speaks_of_the_command_line() {
    let command = headstart::cli::command();
    let commands: Vec<String> =
        command.get_subcommands().map(|command| format!("headstart {}", command.get_name())).collect();
    let mut of_programs = 0;
    for source in sources().iter().filter(|source| !source.name.starts_with("cli/")) {
        for text in string_literals(&source.code) {
            let command = commands.iter().find(|command| text.contains(command.as_str()));
            assert_eq!(command, None, "{}: {text:?}", source.name);
            let runs_program = RUN_PROGRAMS.iter().any(|(file, _)| source.name == *file);
            of_programs += usize::from(runs_program && has_option(text));
            assert!(runs_program || !has_option(text), "{}: {text:?}", source.name);
        }
    }
    assert!(of_programs > 5, "the arguments of pip and npm were not seen");
}

/// Whether an option such as `--name` stands in `text`, and not a property of CSS such as `--name:{}px`.
fn has_option(text: &str) -> bool {
    text.match_indices("--").any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + 2..].chars().next();
        let is_property = text[at + 2..].trim_start_matches(|c: char| c.is_alphanumeric()).starts_with(":{");
        !is_property
            && !before.is_some_and(|c| c.is_alphanumeric() || c == '-')
            && after.is_some_and(|c| c.is_ascii_lowercase())
    })
}
