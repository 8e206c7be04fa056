//! `docs/commands.md`: every command and option, from the declarations that parse them. `HEADSTART_BLESS=1 tests/run
//! commands_page` rewrites it after a change of the command line.

use crate::support::root;
use clap::{Arg, Command};

const HEAD: &str = "\
# Commands

This page lists every command and option.
A test writes it from the declarations that parse the command line, and fails when it is out of date.

Every command prints its result on stdout and everything else on stderr.
Long work shows a progress bar when stderr is a terminal, else a line every few seconds.
An option that is not listed is refused.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | failed, or damage was found |
| 2 | usage: the arguments make no sense |
| 3 | finished, with inputs refused; each is named on stderr and in the JSON |
| 130, 143 | stopped by Ctrl-C or `kill` |
";

/// The page for the command line `root`.
fn page(mut root: Command) -> String {
    root.build();
    let mut out = String::from(HEAD);
    out.push_str("\n| command | what it does |\n|---|---|\n");
    for command in leaves(&root) {
        let name = command.get_bin_name().unwrap();
        let anchor: String = name.chars().map(|c| if c == ' ' { '-' } else { c }).collect();
        out.push_str(&format!(
            "| [`{name}`](#{anchor}) | {} |\n",
            cell(&command.get_about().unwrap().to_string())
        ));
    }
    out.push_str("\n## Options of every command\n\n");
    out.push_str(&table(&root, |argument| argument.is_global_set()));
    leaves(&root).into_iter().for_each(|command| out.push_str(&section(command)));
    out
}

/// The commands that run something, in the order of `--help`.
fn leaves(command: &Command) -> Vec<&Command> {
    let mut all = Vec::new();
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help" && !sub.is_hide_set()) {
        if sub.has_subcommands() { all.extend(leaves(sub)) } else { all.push(sub) }
    }
    all
}

fn section(command: &Command) -> String {
    let name = command.get_bin_name().unwrap();
    let about = command.get_long_about().or(command.get_about()).unwrap().to_string();
    let mut out = format!("\n## {name}\n\n{}\n", prose(&about));
    let usage = command.clone().render_usage().to_string();
    out.push_str(&format!("\n```text\n{}\n```\n", usage.trim_start_matches("Usage: ").trim()));
    let own = |argument: &&Arg| !argument.is_global_set() && argument.get_id() != "help";
    if command.get_arguments().any(|argument| own(&argument)) {
        out.push_str(&format!("\n{}", table(command, |argument| own(&argument))));
    }
    let examples = command.get_after_help().unwrap_or_else(|| panic!("{name} has no example")).to_string();
    let lines: Vec<&str> = examples.lines().skip(1).map(str::trim).collect();
    out.push_str(&format!("\n```sh\n{}\n```\n", lines.join("\n")));
    out
}

fn table(command: &Command, is_shown: impl Fn(&Arg) -> bool) -> String {
    let mut out = String::from("| argument | default | what it does |\n|---|---|---|\n");
    for argument in command.get_arguments().filter(|argument| is_shown(argument)) {
        let help = argument.get_help().unwrap_or_else(|| panic!("{argument} has no help")).to_string();
        let (help, default) = match help.split_once(" [default: ") {
            Some((help, rest)) => {
                let (default, rest) = rest.split_once(']').unwrap();
                (format!("{help}{rest}"), default.to_string())
            }
            None => (help, declared_default(argument)),
        };
        let typed = typed(argument).replace('|', "\\|");
        out.push_str(&format!("| `{typed}` | {} | {} |\n", cell(&default), cell(&help)));
    }
    out
}

/// An argument as it is typed, such as `--run <RUN>`.
fn typed(argument: &Arg) -> String {
    let names = argument.get_value_names().unwrap_or_default();
    let value = names.first().map_or(String::new(), |name| format!("<{name}>"));
    let more = if argument.get_num_args().is_some_and(|number| number.max_values() > 1) { "..." } else { "" };
    match argument.get_long() {
        Some(long) if argument.get_action().takes_values() => format!("--{long} {value}"),
        Some(long) => format!("--{long}"),
        None => format!("{value}{more}"),
    }
}

fn declared_default(argument: &Arg) -> String {
    if argument.is_hide_default_value_set() || !argument.get_action().takes_values() {
        return String::new();
    }
    let values: Vec<String> =
        argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    values.join(", ")
}

/// Text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "\\<").replace('\n', " ")
}

/// Text with a sentence on each line.
fn prose(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(|paragraph| format!("{}.", paragraph.trim_end_matches('.')));
    paragraphs.collect::<Vec<_>>().join("\n\n").replace('<', "\\<").replace(". ", ".\n")
}

#[test]
fn the_page_of_commands_is_up_to_date() {
    let page = page(headstart::cli::command());
    let path = root().join("docs/commands.md");
    if std::env::var_os("HEADSTART_BLESS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    for (line, written) in page.lines().zip(written.lines()) {
        assert_eq!(
            line, written,
            "docs/commands.md is out of date: HEADSTART_BLESS=1 tests/run commands_page"
        );
    }
    assert_eq!(page.lines().count(), written.lines().count(), "docs/commands.md is out of date");
}
