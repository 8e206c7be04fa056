//! The person who types what the pages show, in an empty folder with some photographs.

use super::{Block, blocks};
use crate::support::{CommandOutput, Sandbox, models, oracle_python, picture, small_network};
use headstart::backbone::install::find_library;
use headstart::data::decode::encode_png;
use std::path::Path;
use std::process::{Command, Stdio};

/// A person with an ONNX Runtime, a folder of photographs, and a small network in place of the default backbone.
pub struct Person {
    pub s: Sandbox,
    path: String,
}

impl Person {
    pub fn new() -> Self {
        let s = Sandbox::new();
        s.images("photos", &[("ant", 400), ("bee", 60), ("cat", 60)]);
        s.write("home/models/small.onnx", &small_network::with_classes(1001, &[]));
        s.write("home/models/slim.onnx", &small_network::with_classes(1001, &[]));
        for name in ["bison.jpg", "coffee-mug.jpg", "holiday.jpg"] {
            s.write(name, &encode_png(&picture("ant", 0)));
        }
        let program = Path::new(env!("CARGO_BIN_EXE_headstart")).parent().unwrap();
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
        let person = Self { s, path };
        person.types("headstart backbone use small");
        person
    }

    /// Puts an installed network of the project into the person's own folder.
    pub fn has_backbone(&self, name: &str) {
        let bytes = std::fs::read(models().join(format!("{name}.onnx"))).expect("run tests/run");
        self.s.write(&format!("home/models/{name}.onnx"), &bytes);
    }

    /// Copies a folder of the test data.
    pub fn has_folder(&self, from: &Path, to: &str) {
        for entry in std::fs::read_dir(from).unwrap().flatten() {
            let name = format!("{to}/{}", entry.file_name().to_string_lossy());
            match entry.path() {
                path if path.is_dir() => self.has_folder(&path, &name),
                path => drop(self.s.write(&name, &std::fs::read(path).unwrap())),
            }
        }
    }

    fn runs(&self, program: &Path, args: &[&str]) -> CommandOutput {
        let library = find_library(false).unwrap().expect("run tests/run");
        let mut command = Command::new(program);
        command.args(args).current_dir(self.s.path("")).env("PATH", &self.path).stdin(Stdio::null());
        command
            .env("HOME", self.s.path(""))
            .env("ORT_DYLIB_PATH", library.path)
            .env("HEADSTART_HOME", self.s.path("home"));
        CommandOutput::of(&mut command)
    }

    pub fn typed(&self, line: &str) -> CommandOutput {
        self.runs(Path::new("sh"), &["-c", line])
    }

    pub fn types(&self, line: &str) {
        let said = self.typed(line);
        assert_eq!(said.code, 0, "{line}\n{}{}", said.stdout, said.stderr);
    }

    /// Runs the Python blocks of `page` that `is_run` chooses, one after the other in one program.
    pub fn runs_python(&self, page: &str, is_run: impl Fn(&Block) -> bool, more: &str) {
        let chosen: Vec<Block> =
            blocks(page).into_iter().filter(|block| block.language == "python" && is_run(block)).collect();
        let mut script: Vec<String> = chosen.iter().map(|block| block.lines.join("\n")).collect();
        script.push(more.to_string());
        let script = script.join("\n");
        self.s.write("snippets.py", script.as_bytes());
        let python = oracle_python();
        assert!(python.exists(), "{} is missing: run tests/run", python.display());
        let ran = self.runs(&python, &["snippets.py"]);
        assert_eq!(ran.code, 0, "{script}\n{}{}", ran.stdout, ran.stderr);
    }
}
