//! Extraction by several processes: the cache is the one that a single process makes, whatever happens to processes, receipts and
//! parts on the way.

use crate::support::{self, CommandOutput, Sandbox, models, oracle_python, python, root, small_network};
use headstart::backbone::Device;
use headstart::extract::distributed::{WorkerConfig, supervise};
use headstart::math::random::Rng;
use headstart::monitor::Collected;
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Images, one that is cut short and one that is no image, and the cache `one` that a single process makes of them.
struct Compared {
    s: Sandbox,
    network: String,
    digest: Value,
}

/// What is asked of both.
const WHAT: [&str; 4] = ["--augment", "flip", "--seed", "3"];

impl Compared {
    fn new() -> Self {
        let s = Sandbox::new();
        s.images("in", &[("ant", 20), ("bee", 24), ("cat", 16)]);
        let whole = std::fs::read(s.path("in/ant/000.png")).unwrap();
        // Its header is whole, so that only decoding finds it.
        s.write("in/bee/cut.png", &whole[..whole.len() / 2]);
        s.write("in/cat/words.png", b"no image");
        s.images("small", &[("ant", 8), ("bee", 8)]);
        std::fs::create_dir(s.path("packed")).unwrap();
        let network = small_network::install(&s);
        let compared = Self { s, network, digest: Value::Null };
        assert_eq!(compared.extract("one", &[]).code, 3);
        let digest = compared.digest("one");
        Self { digest, ..compared }
    }

    fn args(&self, cache: &str, more: &[&str]) -> Vec<String> {
        let (images, cache) = (self.s.text("in"), self.s.text(cache));
        let fixed = ["extract", &images, "--cache", &cache, "--backbone", &self.network, "--threads", "1"];
        [&fixed[..], &WHAT, more].concat().into_iter().map(String::from).collect()
    }

    fn command(&self, cache: &str, more: &[&str]) -> Command {
        self.s.command(&self.args(cache, more).iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn extract(&self, cache: &str, more: &[&str]) -> CommandOutput {
        CommandOutput::of(&mut self.command(cache, more))
    }

    fn json(&self, cache: &str, more: &[&str]) -> Value {
        let said = self.extract(cache, &[more, &["--json"]].concat());
        assert!([0, 3].contains(&said.code), "{more:?}: {}", said.stderr);
        said.value()
    }

    fn plan(&self, cache: &str) -> Value {
        self.json(cache, &["--plan", "--chunk-rows", "16"])
    }

    fn finish(&self, cache: &str) -> Value {
        self.json(cache, &["--finish", "--chunk-rows", "16"])
    }

    fn work(&self, cache: &str) -> Value {
        self.json(cache, &["--shard", "1/1"])
    }

    /// Goes through the pass over files, and plans the features.
    fn planned(&self, cache: &str) -> Value {
        assert_eq!(self.plan(cache)["pass"], "files");
        self.work(cache);
        self.finish(cache);
        self.plan(cache)
    }

    fn digest(&self, cache: &str) -> Value {
        self.s.json(&["cache", "digest", &self.s.text(cache)])
    }

    /// The features, the data set and the refused files are those of the single process.
    fn is_same(&self, cache: &str) {
        assert_eq!(self.digest(cache), self.digest, "{cache}");
        for file in ["samples.parquet", "refused.parquet", "spec.json"] {
            let [one, other] = ["one", cache].map(|c| std::fs::read(self.s.path(c).join(file)).unwrap());
            assert!(one == other, "{file} of {cache} differs");
        }
    }

    fn files(&self, folder: &str) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(self.s.path(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }
}

#[test]
fn the_digest_is_that_of_another_implementation_and_survives_compaction() {
    let s = support::cache(&["--augment", "flip", "--commit-every", "0"]);
    let digest = || s.json(&["cache", "digest", &s.text("c")]);
    let expected = |found: &Value| format!("{} {}\n", found["sha256"].as_str().unwrap(), found["rows"]);
    let before = digest();
    assert_eq!(python("cache_digest.py", &[&s.path("c")]), expected(&before));
    assert!(s.json(&["cache", "compact", &s.text("c")])["parts_before"].as_u64() > Some(1));
    assert_eq!(digest(), before);
    assert_eq!(python("cache_digest.py", &[&s.path("c")]), expected(&before));
    let text = s.run(&["cache", "digest", &s.text("c")]).stdout;
    assert!(text.starts_with(before["sha256"].as_str().unwrap()), "{text}");
}

#[test]
fn a_plan_that_workers_share_gives_the_cache_of_one_process() {
    let c = Compared::new();
    let files = c.plan("two");
    assert_eq!((&files["pass"], &files["rows"], &files["chunks"]), (&"files".into(), &62.into(), &4.into()));
    // Again: the same plan, nothing done.
    assert_eq!(c.plan("two"), files);
    let done = [1, 2].map(|number| c.json("two", &["--shard", &format!("{number}/2")])["chunks"].clone());
    assert_eq!(done, [2, 2]);
    assert_eq!(c.plan("two")["remaining"], serde_json::json!([]));
    assert_eq!(c.finish("two")["computed"], 62);
    let features = c.plan("two");
    assert_eq!(features["pass"], "features");
    let chunks = features["chunks"].as_u64().unwrap();
    for number in 1..=3 {
        c.json("two", &["--shard", &format!("{number}/3")]);
    }
    let finished = c.extract("two", &["--finish", "--chunk-rows", "16", "--json"]);
    assert_eq!(finished.code, 3, "bad files are listed as `extract` lists them");
    assert!(finished.stderr.contains("cat/words.png") && finished.stderr.contains("bee/cut.png"));
    // Without the image that is cut short another one is in its split, where it needs other variants or none.
    let mut missing = finished.value()["missing"].as_u64().unwrap();
    let mut parts = chunks;
    while missing > 0 {
        let again = c.plan("two");
        assert_eq!((again["rows"].as_u64(), &again["pass"]), (Some(missing), &"features".into()));
        c.work("two");
        parts += again["chunks"].as_u64().unwrap();
        missing = c.finish("two")["missing"].as_u64().unwrap();
    }
    assert_eq!(c.plan("two")["pass"], Value::Null);
    assert!(!c.s.path("two/plan").exists());
    c.is_same("two");
    assert_eq!(c.files("two/features").len() as u64, parts, "one part a chunk");
    let info = c.s.json(&["cache", "info", &c.s.text("two")]);
    assert_eq!(
        (&info["providers"], &info["mixed_hardware"]),
        (&serde_json::json!(["CPUExecutionProvider"]), &false.into())
    );
    assert_eq!(
        c.extract("two", &["--json"]).value()["computed"],
        0,
        "an ordinary extraction finds nothing missing"
    );
    c.s.json(&["cache", "compact", &c.s.text("two")]);
    c.is_same("two");
}

#[test]
fn killed_workers_lose_nothing_and_do_nothing_twice() {
    let c = Compared::new();
    let chunks = c.planned("killed")["chunks"].as_u64().unwrap() as usize;
    let work = || {
        let mut command = c.command("killed", &["--shard", "1/1", "--json"]);
        command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
    };
    let started = Instant::now();
    drop(work().wait_with_output());
    let takes = started.elapsed();
    std::fs::remove_dir_all(c.s.path("killed/plan/receipts")).unwrap();
    for part in c.files("killed/features") {
        std::fs::remove_file(part).unwrap();
    }
    let mut rng = Rng::new(23, 1);
    for _ in 0..6 {
        // Two at once, which both take every chunk; one of them is killed at any moment.
        let [mut killed, other] = [work(), work()];
        let (moment, since) = (takes.mul_f32(rng.uniform(0.0, 1.2)), Instant::now());
        while since.elapsed() < moment && killed.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        drop(killed.kill());
        killed.wait().unwrap();
        // One of the images is refused.
        assert!([Some(0), Some(3)].contains(&other.wait_with_output().unwrap().status.code()));
        let receipts = c.files("killed/plan/receipts");
        assert_eq!(receipts.len(), chunks);
        // The next round begins in the middle.
        receipts.iter().step_by(2).for_each(|receipt| std::fs::remove_file(receipt).unwrap());
    }
    c.work("killed");
    assert_eq!(c.files("killed/features").len(), chunks, "each chunk has one part");
    c.finish("killed");
    while c.plan("killed")["pass"] != Value::Null {
        c.work("killed");
        c.finish("killed");
    }
    c.is_same("killed");
}

#[test]
fn a_dropped_receipt_and_a_damaged_part_are_found_and_done_again() {
    let c = Compared::new();
    c.planned("c");
    c.work("c");
    let finish = || c.extract("c", &["--finish", "--chunk-rows", "16"]);
    let receipts = c.files("c/plan/receipts");
    std::fs::remove_file(&receipts[0]).unwrap();
    let parts = c.files("c/features");
    let mut bytes = std::fs::read(&parts[2]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&parts[2], bytes).unwrap();
    std::fs::remove_file(&parts[3]).unwrap();
    finish().fails(1, &["1 chunk without a receipt, 2 with a damaged part", "start workers again"]);
    assert_eq!(c.files("c/damaged").len(), 1);
    assert_eq!(c.plan("c")["remaining"].as_array().unwrap().len(), 3);
    // A part without a receipt that was damaged since: the worker does not take it for its own.
    std::fs::write(&parts[0], "damaged").unwrap();
    assert_eq!(c.work("c")["chunks"], 3);
    assert_eq!(c.files("c/features"), parts, "the same parts with the same bytes");
    assert!(c.extract("c", &[]).stderr.contains("a plan for several workers is not finished"));
    c.s.run(&["cache", "compact", &c.s.text("c")]).fails(1, &["a plan for several workers is not finished"]);
    c.extract("c", &["--finish"]).fails(2, &["the plan was made with other settings"]);
    assert_eq!(finish().code, 3);
    while c.plan("c")["pass"] != Value::Null {
        c.work("c");
        c.finish("c");
    }
    c.is_same("c");
}

#[test]
fn machines_that_give_other_bits_are_refused_unless_they_are_allowed() {
    let c = Compared::new();
    c.planned("c");
    c.work("c");
    let receipt = &c.files("c/plan/receipts")[1];
    let mut other: Value = serde_json::from_slice(&std::fs::read(receipt).unwrap()).unwrap();
    other["known_answer"] = "ab".repeat(32).into();
    std::fs::write(receipt, other.to_string()).unwrap();
    let finish = |more: &[&str]| c.extract("c", &[&["--finish", "--chunk-rows", "16"], more].concat());
    finish(&[]).fails(1, &["workers gave different bits", "abababababababab", "--mixed-hardware"]);
    assert_eq!(finish(&["--mixed-hardware"]).code, 3);
    assert_eq!(c.s.json(&["cache", "info", &c.s.text("c")])["mixed_hardware"], true);
}

#[test]
fn an_image_that_ends_the_worker_is_found_and_refused() {
    let c = Compared::new();
    c.planned("c");
    let mut config = WorkerConfig::default();
    config.cache = c.s.path("c");
    config.models = models();
    config.device = Device::Cpu;
    config.threads = 1;
    let log = c.s.path("requests");
    let start = || {
        let mut command = Command::new(oracle_python());
        command.arg(root().join("tests/oracle/ending_worker.py")).arg(&log).arg("5,6");
        command.arg(env!("CARGO_BIN_EXE_headstart")).args([
            "worker",
            "--direct",
            "--threads",
            "1",
            "--cache",
        ]);
        command.arg(c.s.path("c")).arg("--models").arg(models()).stderr(Stdio::null());
        command
    };
    // The first two chunks, as an engine asks for them.
    let requests = c.s.path("chunks.arrows");
    let script = "import pyarrow as pa, sys\nt = pa.table({'chunk': [0, 1]})\nw = pa.ipc.new_stream(sys.argv[1], t.schema)\nw.write_table(t)\nw.close()";
    let made = Command::new(oracle_python()).args(["-c", script]).arg(&requests).status().unwrap();
    assert!(made.success());
    let (mut receipts, monitor) = (Vec::new(), Collected::default());
    let input = std::io::BufReader::new(std::fs::File::open(&requests).unwrap());
    supervise(&config, &start, input, &mut receipts, &monitor).unwrap();
    let warnings = monitor.messages().warnings;
    assert_eq!(
        warnings.iter().filter(|warning| warning.contains("it ends the process")).count(),
        4,
        "{warnings:?}"
    );
    let asked = std::fs::read_to_string(&log).unwrap();
    assert_eq!(
        asked.lines().filter(|line| line.trim() == "-1 -1").count(),
        6,
        "each chunk is tried three times: {asked}"
    );
    assert_eq!(
        asked.lines().filter(|line| line.ends_with(" 5,6")).count(),
        2,
        "and then without the images: {asked}"
    );
    let receipt: Value =
        serde_json::from_slice(&std::fs::read(&c.files("c/plan/receipts")[0]).unwrap()).unwrap();
    let refused = receipt["refused"].as_array().unwrap();
    assert!(
        refused.iter().any(|refused| refused["reason"] == "the process that read it ended, each time"),
        "{receipt}"
    );
    c.work("c");
    let refused = c.finish("c")["refused"].clone();
    let ended =
        |refused: &&Value| refused["reason"].as_str().unwrap().contains("the process that read it ended");
    assert_eq!(refused.as_array().unwrap().iter().filter(ended).count(), 4, "{refused}");
}

#[test]
fn a_worker_answers_an_arrow_stream_and_says_what_is_wrong() {
    let c = Compared::new();
    let worker = |cache: &str, input: &[u8]| {
        let path = c.s.write("stdin", input);
        let mut command = c.s.command(&["worker", "--threads", "1", "--cache", &c.s.text(cache)]);
        let out = command.stdin(std::fs::File::open(path).unwrap()).output().unwrap();
        (out.status.code(), out.stdout, String::from_utf8(out.stderr).unwrap())
    };
    let (code, _, said) = worker("none", b"");
    assert!(code == Some(1) && said.contains("no such cache"), "{said}");
    let (code, _, said) = worker("one", b"chunk\n1\n");
    assert!(code == Some(1) && said.contains("not a readable stream of Arrow tables"), "{said}");
    c.planned("c");
    let script = "import pyarrow as pa, sys\nt = pa.table({'chunk': [int(n) for n in sys.argv[1:]]})\nw = pa.ipc.new_stream(sys.stdout.buffer, t.schema)\nw.write_table(t)\nw.close()";
    let stream = |chunks: &[&str]| {
        Command::new(oracle_python()).args(["-c", script]).args(chunks).output().unwrap().stdout
    };
    let (code, _, said) = worker("one", &stream(&["0"]));
    assert!(code == Some(1) && said.contains("there is no plan"), "{said}");
    let (code, _, said) = worker("c", &stream(&["900"]));
    assert!(code == Some(1) && said.contains("the plan has no chunk 900"), "{said}");
    let (code, receipts, said) = worker("c", &stream(&["1", "0", "1"]));
    assert_eq!(code, Some(0), "{said}");
    let out = c.s.write("receipts.arrows", &receipts);
    let script = "import pyarrow as pa, sys\nfor r in pa.ipc.open_stream(sys.argv[1]).read_all().to_pylist(): print(r['chunk'], r['part'][:5], len(r['sha256']), r['rows'] + r['refused'] > 0, r['provider'], len(r['known_answer']), r['seconds'] > 0)";
    let said = Command::new(oracle_python()).args(["-c", script]).arg(&out).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    let line = |chunk: u32| format!("{chunk} part- 64 True CPUExecutionProvider 64 True\n");
    assert_eq!(said, [1, 0, 1].map(line).concat());
    assert_eq!(c.files("c/plan/receipts").len(), 2);
}

/// A plan for images that a manifest or an archive lists, which then changes.
#[test]
fn a_plan_whose_manifest_or_archive_has_changed_is_replaced() {
    let c = Compared::new();
    let s = &c.s;
    s.json(&["data", "manifest", &s.text("small"), "--out", &s.text("m.csv")]);
    for (images, cache) in [("m.csv", "of-manifest"), ("a.tar", "of-archive")] {
        let pack = || {
            python("archives.py", &[&s.path("small"), &s.path("packed")]);
            std::fs::rename(s.path("packed/a.tar"), s.path("a.tar")).unwrap();
            std::fs::remove_dir_all(s.path("packed/shards")).unwrap();
        };
        pack();
        let extract = |more: &[&str]| {
            let (images, cache) = (s.text(images), s.text(cache));
            let fixed =
                ["extract", &images, "--cache", &cache, "--backbone", &c.network, "--threads", "1", "--json"];
            s.run(&[&fixed[..], more].concat())
        };
        assert_eq!(extract(&["--plan"]).value()["pass"], "files");
        assert_eq!(extract(&["--shard", "1/1"]).code, 0);
        assert_eq!(extract(&["--finish"]).code, 0);
        assert_eq!(extract(&["--plan"]).value()["pass"], "features");
        // An image is added.
        s.images("small", &[(&format!("{cache} more"), 3)]);
        pack();
        let manifest =
            s.json(&["data", "manifest", &s.text("small"), "--out", &s.text(&format!("{cache}.csv"))]);
        std::fs::rename(manifest["out"].as_str().unwrap(), s.path("m.csv")).unwrap();
        for step in [&["--shard", "1/1"][..], &["--finish"]] {
            extract(step).fails(1, &["it has changed since it was planned", "--plan"]);
        }
        let again = extract(&["--plan"]);
        assert_eq!(again.value()["pass"], "files", "{}", again.stderr);
        assert!(
            again.stderr.contains("the images have changed since they were planned: the plan is replaced")
        );
        while extract(&["--plan"]).value()["pass"] != Value::Null {
            assert_eq!(extract(&["--shard", "1/1"]).code, 0);
            assert_eq!(extract(&["--finish"]).code, 0);
        }
        let alone = s.text(&format!("{cache}-alone"));
        let images = s.text(images);
        assert_eq!(
            s.run(&["extract", &images, "--cache", &alone, "--backbone", &c.network, "--threads", "1"]).code,
            0
        );
        let digests = [cache, &format!("{cache}-alone")].map(|cache| c.digest(cache));
        assert_eq!(digests[0], digests[1]);
    }
}

#[test]
fn refusals_of_a_share_and_of_the_end_give_exit_code_3_with_names() {
    let c = Compared::new();
    assert_eq!(c.plan("c")["pass"], "files");
    let share = c.extract("c", &["--shard", "1/1", "--json"]);
    assert_eq!((share.code, &share.value()["refused"]), (3, &1.into()), "{}", share.stderr);
    assert_eq!(share.value()["refused_files"][0]["path"], "cat/words.png");
    assert!(share.stderr.contains("refused: cat/words.png: "), "{}", share.stderr);
    let finish = || c.extract("c", &["--finish", "--chunk-rows", "16", "--json"]);
    let files = finish();
    assert_eq!((files.code, &files.value()["refused"][0]["path"]), (3, &"cat/words.png".into()));
    c.plan("c");
    assert_eq!(c.extract("c", &["--shard", "1/1"]).code, 3, "bee/cut.png is cut short");
    // Where nothing is left of what was planned, the end says how to go on.
    for class in ["ant", "bee", "cat"] {
        std::fs::remove_dir_all(c.s.path(&format!("in/{class}"))).unwrap();
    }
    c.s.write("in/ant/1.png", b"no image");
    finish().fails(1, &["no file can be used", "delete the folder plan of the cache, and plan again"]);
}
