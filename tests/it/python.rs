//! The Python module: what it reads and raises, and the snippets of the page about features.

use crate::support::{self, CommandOutput, Sandbox, oracle_python, root, small_network};
use std::process::{Command, Stdio};

/// Runs `script` with the module and the program, as an environment with the wheel has them.
fn python(s: &Sandbox, script: &std::path::Path, args: &[&str]) -> CommandOutput {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_headstart")).parent().unwrap();
    let python = oracle_python();
    assert!(python.exists(), "{} is missing: run tests/run", python.display());
    let mut command = Command::new(python);
    command.arg(script).args(args).current_dir(s.path("")).stdin(Stdio::null());
    command.env("PYTHONPATH", root().join("python")).env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("PATH", format!("{}:{}", program.display(), std::env::var("PATH").unwrap()));
    CommandOutput::of(&mut command)
}

#[test]
fn the_module_reads_what_is_in_a_cache_and_raises_what_the_command_reports() {
    let s = support::cache(&["--augment", "flip", "--augment", "shift:5", "--split", "60/15/25"]);
    let said = python(&s, &root().join("tests/oracle/module.py"), &["c"]);
    assert_eq!((said.code, said.stdout.as_str()), (0, "ok\n"), "{}", said.stderr);
    assert!(said.stderr.contains("no such cache"), "what the command says is passed on: {}", said.stderr);
}

#[test]
fn the_snippets_of_the_page_about_features_run() {
    let s = Sandbox::new();
    s.images("photos", &[("ant", 40), ("bee", 40)]);
    let network = small_network::install(&s);
    let text = std::fs::read_to_string(root().join("docs/features.md")).unwrap();
    let (mut script, mut tried, mut untried) = (String::new(), 0, 0);
    // What comes before reads the files themselves: documented.
    let of_the_module = text.split_once("\n## From Python\n").unwrap().1;
    for section in of_the_module.split("\n### ") {
        let is_untried = section.lines().next().unwrap().ends_with("(untried)");
        let snippets = section.split("```python\n").skip(1).map(|rest| rest.split("```").next().unwrap());
        for snippet in snippets {
            if is_untried {
                untried += 1;
                continue;
            }
            tried += 1;
            script.push_str(snippet);
        }
    }
    assert!(tried >= 5 && untried == 3, "{tried} and {untried} snippets");
    // The default backbone takes a while.
    let extract = "\"--cache\", \"cache/photos\"";
    assert!(script.contains(extract));
    let script = script.replacen(extract, &format!("{extract}, \"--backbone\", {network:?}"), 1);
    let path = s.write("cookbook.py", script.as_bytes());
    let said = python(&s, &path, &[]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stdout.starts_with("80 (56, 128) 80"), "{}", said.stdout);
}
