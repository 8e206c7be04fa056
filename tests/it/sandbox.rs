//! A temporary folder, the program, and what it said.

use headstart::cache::{FeatureCache, FeatureRows};
use headstart::data::decode::encode_png;
use headstart::data::pixels::Pixels;
use headstart::math::random::Rng;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub struct Sandbox {
    dir: tempfile::TempDir,
}

pub struct Said {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Sandbox {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_string()
    }

    /// `folder/<class>/<number>.png`, `n` pictures for each class, all different.
    pub fn images(&self, folder: &str, classes: &[(&str, usize)]) -> PathBuf {
        for (class, n) in classes {
            for number in 0..*n {
                self.write(
                    &format!("{folder}/{class}/{number:03}.png"),
                    &encode_png(&picture(class, number)),
                );
            }
        }
        self.path(folder)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// The program, in this folder, with the models of the project.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_headstart"));
        command.current_dir(self.dir.path()).args(args).arg("--models").arg(models()).stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Said {
        Said::of(&mut self.command(args))
    }

    /// Runs, demands exit code 0 and one JSON document on stdout.
    pub fn json(&self, args: &[&str]) -> Value {
        let said = self.run(&[args, &["--json"]].concat());
        assert_eq!(said.code, 0, "{args:?}: {}", said.stderr);
        said.value()
    }

    /// All rows of a cache, sorted by key.
    pub fn rows(&self, cache: &str) -> FeatureRows {
        FeatureCache::open(&self.path(cache)).unwrap().rows(|_| true).unwrap()
    }
}

impl Said {
    pub fn of(command: &mut Command) -> Self {
        let out = loop {
            match command.output() {
                // Another test started a program while a script was being written, and so held it open for a moment.
                Err(e) if e.kind() == std::io::ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
                out => break out.unwrap(),
            }
        };
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: out.status.code().unwrap_or(-1), stdout: text(out.stdout), stderr: text(out.stderr) }
    }

    pub fn value(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}", self.stdout))
    }

    /// Demands a failure with `code` whose one message holds `parts`, and nothing on stdout.
    pub fn fails(&self, code: i32, parts: &[&str]) {
        assert_eq!((self.code, self.stdout.as_str()), (code, ""), "{}", self.stderr);
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} is not in: {}", self.stderr);
        }
    }
}

/// A small picture whose colours tell its class, with noise that tells it from its fellows.
pub fn picture(class: &str, number: usize) -> Pixels {
    let seed = class.bytes().fold(7u64, |seed, b| seed.wrapping_mul(31).wrapping_add(u64::from(b)));
    let mut of_class = Rng::new(seed, 5);
    let colour = [(); 3].map(|()| of_class.uniform(40.0, 200.0));
    let mut own = Rng::new(seed.wrapping_mul(1000).wrapping_add(number as u64), 6);
    let data = (0..64 * 48).flat_map(|_| colour.map(|c| (c + own.uniform(-40.0, 40.0)) as u8)).collect();
    Pixels::new(64, 48, data)
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The folder that `setup` built the real backbone in.
pub fn models() -> PathBuf {
    root().join("models")
}

/// The reference data beside the project, where they are.
pub fn shared() -> Option<PathBuf> {
    let path = root().parent()?.join("shared");
    path.join("reference").is_dir().then_some(path)
}

/// The Python that `tests/run` set up for the scripts of `tests/oracle`.
pub fn oracle_python() -> PathBuf {
    std::env::var_os("HEADSTART_TEST_PYTHON")
        .map_or_else(|| root().join("target/test-python/bin/python"), PathBuf::from)
}

/// Runs a script of `tests/oracle` with the Python that `tests/run` set up, and returns what it printed.
pub fn python(script: &str, args: &[&Path]) -> String {
    let python = oracle_python();
    assert!(python.exists(), "{} is missing: run tests/run", python.display());
    let out = Command::new(python).arg(root().join("tests/oracle").join(script)).args(args).output().unwrap();
    assert!(out.status.success(), "{script}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}
