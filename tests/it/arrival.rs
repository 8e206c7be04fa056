//! What comes with the program: completions and manual pages.

use crate::support::Sandbox;
use std::process::{Command, Stdio};

#[test]
fn every_shell_gets_completions_of_commands_and_options() {
    let s = Sandbox::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let said = s.run(&["completions", shell]);
        assert_eq!(said.code, 0, "{}", said.stderr);
        for word in ["extract", "augment-splits", "predict"] {
            assert!(said.stdout.contains(word), "{shell} does not know {word}");
        }
        assert!(!said.stdout.contains("prove-runtime"), "{shell} names a hidden command");
    }
    s.run(&["completions", "csh"]).fails(2, &["bash"]);
    // The bash that runs the scripts of this project reads it and completes.
    s.write("headstart.bash", s.run(&["completions", "bash"]).stdout.as_bytes());
    let ask = "source ./headstart.bash; COMP_WORDS=(headstart predict --confi); COMP_CWORD=2; \
               _headstart headstart --confi predict; echo \"${COMPREPLY[@]}\"";
    let out =
        Command::new("bash").args(["-c", ask]).current_dir(s.path("")).stdin(Stdio::null()).output().unwrap();
    assert_eq!(
        String::from_utf8(out.stdout).unwrap().trim(),
        "--confidence",
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
}

#[test]
fn every_command_has_a_manual_page() {
    let s = Sandbox::new();
    let written = s.json(&["man", "--out", "man1"]);
    let mut names: Vec<String> = std::fs::read_dir(s.path("man1"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(written["files"].as_array().unwrap().len(), names.len());
    for name in ["headstart.1", "headstart-extract.1", "headstart-cache.1", "headstart-cache-verify.1"] {
        assert!(names.iter().any(|known| known == name), "{name} in {names:?}");
    }
    assert!(!names.iter().any(|name| name.contains("help") || name.contains("prove")), "{names:?}");
    let page = std::fs::read_to_string(s.path("man1/headstart-extract.1")).unwrap();
    assert!(page.contains(".TH headstart-extract 1") && page.contains("augment\\-splits"), "{page}");
    assert!(page.contains("headstart extract photos"), "the example is there: {page}");
    // They are replaced, and the page of another program is not.
    s.json(&["man", "--out", "man1"]);
    s.write("man1/headstart-train.1", b".TH train 1\n");
    s.run(&["man", "--out", "man1"]).fails(1, &["headstart-train.1: the manual page belongs here"]);
}
