//! What the tests share: a temporary folder, the program and its output, caches and runs on a small network.

use headstart::backbone::Device;
use headstart::cache::spec::SCHEMA;
use headstart::cache::{BackboneSpec, FeatureCache, FeatureRows, PreprocessingSpec, Spec};
use headstart::data::augment::Augmentation;
use headstart::data::decode::encode_png;
use headstart::data::pixels::Pixels;
use headstart::data::preprocess::Preprocessing;
use headstart::extract::ExtractConfig;
use headstart::io::digest::sha256;
use headstart::math::random::Rng;
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

pub mod server;
pub mod small_network;

/// The spec of a cache of width 2 that no network computed.
pub fn spec() -> Spec {
    Spec {
        schema: SCHEMA.into(),
        backbone: BackboneSpec { name: "n".into(), title: "t".into(), graph_sha256: sha256(b"n") },
        layer: "l".into(),
        width: 2,
        preprocessing: PreprocessingSpec { decode: "d".into(), steps: Preprocessing::named("unit").unwrap() },
        known_answer: None,
    }
}

pub struct Sandbox {
    dir: tempfile::TempDir,
}

pub struct CommandOutput {
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

    pub fn run(&self, args: &[&str]) -> CommandOutput {
        CommandOutput::of(&mut self.command(args))
    }

    /// Runs the program and returns its JSON. Panics unless the exit code is 0 and stdout is one JSON document.
    pub fn json(&self, args: &[&str]) -> Value {
        let output = self.run(&[args, &["--json"]].concat());
        assert_eq!(output.code, 0, "{args:?}: {}", output.stderr);
        output.value()
    }

    /// The bytes of the head of a run.
    pub fn head(&self, run: &str) -> Vec<u8> {
        std::fs::read(self.path(run).join("head.safetensors")).unwrap()
    }

    /// The `run.json` of a run.
    pub fn record(&self, run: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.path(run).join("run.json")).unwrap()).unwrap()
    }

    /// All rows of a cache, sorted by key.
    pub fn rows(&self, cache: &str) -> FeatureRows {
        FeatureCache::open(&self.path(cache)).unwrap().rows(|_| true).unwrap()
    }
}

impl CommandOutput {
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

    /// Asserts that the program failed with `code` and printed all of `parts` on stderr and nothing on stdout.
    pub fn fails(&self, code: i32, parts: &[&str]) {
        assert_eq!((self.code, self.stdout.as_str()), (code, ""), "{}", self.stderr);
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} is not in: {}", self.stderr);
        }
    }
}

/// The text of the field `name` and the number of the field `number` of each object of an array.
pub fn numbers_by<'a>(array: &'a Value, name: &str, number: &str) -> Vec<(&'a str, u64)> {
    let pair = |object: &'a Value| (object[name].as_str().unwrap(), object[number].as_u64().unwrap());
    array.as_array().unwrap().iter().map(pair).collect()
}

/// A small picture: its colours depend on the class, its noise on the number.
pub fn picture(class: &str, number: usize) -> Pixels {
    let seed = class.bytes().fold(7u64, |seed, b| seed.wrapping_mul(31).wrapping_add(u64::from(b)));
    let mut of_class = Rng::new(seed, 5);
    let colour = [(); 3].map(|()| of_class.uniform(40.0, 200.0));
    let mut own = Rng::new(seed.wrapping_mul(1000).wrapping_add(number as u64), 6);
    let data = (0..64 * 48).flat_map(|_| colour.map(|c| (c + own.uniform(-40.0, 40.0)) as u8)).collect();
    Pixels::new(64, 48, data)
}

/// A cache `c` of three classes that differ in colour.
pub fn cache(more: &[&str]) -> Sandbox {
    let s = Sandbox::new();
    s.images("in", &[("ant", 40), ("bee", 40), ("cat", 60)]);
    assert_eq!(extract(&s, "in", "c", more).code, 0);
    s
}

/// Trains on the cache `c` and returns the JSON.
pub fn train(s: &Sandbox, run: &str, more: &[&str]) -> Value {
    s.json(&[&["train", &s.text("c"), "--run", &s.text(run)], more].concat())
}

/// `extract` with the small network: `images` to `cache`, with more arguments.
pub fn extract(sandbox: &Sandbox, images: &str, cache: &str, more: &[&str]) -> CommandOutput {
    let network = small_network::install(sandbox);
    let (images, cache) = (sandbox.text(images), sandbox.text(cache));
    sandbox.run(&[&["extract", &images, "--cache", &cache, "--backbone", &network, "--json"], more].concat())
}

/// Settings of an `extract` in this process: the small network on one thread of the CPU, four shifts of the train images, and
/// a part for each batch of four.
pub fn config(sandbox: &Sandbox, images: &str, cache: &str) -> ExtractConfig {
    let mut config = ExtractConfig::default();
    config.images = sandbox.path(images);
    config.cache = sandbox.path(cache);
    config.backbone.backbone = Some(small_network::install(sandbox));
    config.backbone.models = models();
    config.augment = vec![Augmentation::Shift(5)];
    config.device = Device::Cpu;
    config.batch = Some(4);
    config.threads = 1;
    config.commit_every = Duration::ZERO;
    config
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The folder that `setup` built the real backbone in.
pub fn models() -> PathBuf {
    root().join("models")
}

/// The folder `below` the reference data beside the project. Where it is missing, the calling test
/// does not run, which [`not_run`] says.
pub fn reference_data(test: &str, below: &str) -> Option<PathBuf> {
    let path = root().parent()?.join("shared").join(below);
    if path.is_dir() {
        return Some(path);
    }
    not_run(test, &format!("it needs the folder {}", path.display()));
    None
}

/// Says on stderr that `test` does not run, and why. Adds that line to the file named in `HEADSTART_NOT_RUN`, which
/// `tests/run` prints at the end.
pub fn not_run(test: &str, why: &str) {
    let line = format!("not run: {test}: {why}\n");
    // Not by `eprint!`, whose output the test harness hides.
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    if let Some(list) = std::env::var_os("HEADSTART_NOT_RUN") {
        let mut list = std::fs::OpenOptions::new().create(true).append(true).open(list).unwrap();
        list.write_all(line.as_bytes()).unwrap();
    }
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
