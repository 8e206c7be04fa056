//! What a person can do wrong and then mend: what holds after the failures of `error_table`, and what no table can say.

use crate::support::{self, Sandbox, small_network};

#[test]
fn every_command_shows_help_with_an_example_and_refuses_unknown_flags() {
    let s = Sandbox::new();
    let mut commands = vec![Vec::new()];
    while let Some(names) = commands.pop() {
        let whole = headstart::cli::command();
        let command = names.iter().fold(&whole, |command, name| command.find_subcommand(name).unwrap());
        let shown = command.get_subcommands().filter(|sub| !sub.is_hide_set());
        let below = shown.map(|sub| [&names[..], &[sub.get_name().to_string()]].concat());
        commands.extend(below);
        let command: Vec<&str> = names.iter().map(String::as_str).collect();
        let help = s.run(&[&command[..], &["--help"]].concat());
        assert_eq!(help.code, 0);
        assert!(
            help.stdout.contains("\nExample") && help.stdout.contains("--json"),
            "{command:?}: {}",
            help.stdout
        );
        s.run(&[&command[..], &["--no-such-flag"]].concat()).fails(2, &["--no-such-flag"]);
    }
    s.run(&[]).fails(2, &["Usage"]);
}

#[test]
fn data_too_small_to_train_on_says_what_to_do() {
    let s = Sandbox::new();
    s.images("one", &[("a", 30)]);
    support::extract(&s, "one", "c1", &[]);
    let train = |cache: &str| s.run(&["train", &s.text(cache), "--run", &s.text("r")]);
    train("c1").fails(1, &["there is one class only (a)", "two or more"]);
    s.images("few", &[("a", 6), ("b", 6)]);
    let output = support::extract(&s, "few", "c2", &[]);
    assert!(
        output.stderr.contains(
            "with 70/5/25 the validation split is empty; to have some, give more images or another --split"
        ),
        "{}",
        output.stderr
    );
    // Folds within the train images take the place of the validation images.
    assert_eq!(train("c2").code, 0);
    s.run(&["train", &s.text("c2"), "--run", &s.text("m"), "--memory", "1MiB"])
        .fails(1, &["the validation split is empty", "60/15/25"]);
    assert!(!s.path("m").exists());
}

#[test]
fn damaged_descriptions_and_runs_are_named_with_their_path() {
    let s = Sandbox::new();
    s.images("in", &[("a", 20), ("b", 20)]);
    support::extract(&s, "in", "c", &["--seed", "5", "--split", "50/25/25"]);
    assert_eq!(s.run(&["train", &s.text("c"), "--run", &s.text("r"), "--epochs", "1"]).code, 0);
    let cut = |name: &str| {
        let bytes = std::fs::read(s.path(name)).unwrap();
        std::fs::write(s.path(name), &bytes[..bytes.len() / 2]).unwrap();
    };
    cut("r/predictions.parquet");
    s.run(&["evaluate", &s.text("r")])
        .fails(1, &["predictions.parquet: not a readable Parquet file", "help: train again"]);
    cut("r/head.safetensors");
    s.run(&["predict", &s.text("r"), "x.png"]).fails(1, &["head.safetensors: not a head file"]);
    cut("r/run.json");
    s.run(&["evaluate", &s.text("r")]).fails(1, &["run.json: not a record that this version reads"]);
    // A memory of refusals can be done without; a description cannot, since it holds seed and fractions.
    cut("c/refused.parquet");
    let output = support::extract(&s, "in", "c", &[]);
    assert!(
        output.code == 0 && output.stderr.contains("warning: starting without the list of refused files"),
        "{}",
        output.stderr
    );
    cut("c/samples.parquet");
    support::extract(&s, "in", "c", &[])
        .fails(1, &["samples.parquet: not a readable Parquet file", "--seed and --split"]);
    std::fs::remove_file(s.path("c/samples.parquet")).unwrap();
    let again = support::extract(&s, "in", "c", &["--seed", "5", "--split", "50/25/25"]).value();
    assert_eq!((again["computed"].as_u64(), again["splits"]["train"].as_u64()), (Some(0), Some(20)));
}

#[test]
fn a_file_that_makes_a_reader_panic_is_called_damaged_and_nothing_else_is_printed() {
    let s = Sandbox::new();
    s.images("in", &[("a", 4), ("b", 4)]);
    support::extract(&s, "in", "c", &[]);
    for finding in std::fs::read_dir(support::root().join("fuzz/findings/samples")).unwrap() {
        std::fs::copy(finding.unwrap().path(), s.path("c/samples.parquet")).unwrap();
        let output = support::extract(&s, "in", "c", &[]);
        output.fails(1, &["samples.parquet: not a readable Parquet file: ", "--seed and --split"]);
        assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
    }
}

#[test]
fn cuda_without_a_usable_gpu_is_an_error_and_nothing_is_written() {
    let s = Sandbox::new();
    s.images("in", &[("a", 2), ("b", 2)]);
    let output = support::extract(&s, "in", "c", &["--device", "cuda"]);
    match headstart::backbone::cuda::nvidia_driver().is_some() {
        true => assert!(output.code == 0 || output.stderr.contains("help: "), "{}", output.stderr),
        false => {
            output.fails(
                1,
                &[
                    "cuda:0 cannot be used: this machine has no NVIDIA driver",
                    "help: install the driver of your GPU",
                ],
            );
            assert!(!s.path("c").exists());
        }
    }
    // Nor does a cache that is there change when the device cannot be had.
    support::extract(&s, "in", "c", &[]);
    s.images("in", &[("d", 2)]);
    let before = std::fs::read(s.path("c/samples.parquet")).unwrap();
    if support::extract(&s, "in", "c", &["--device", "cuda"]).code != 0 {
        assert_eq!(std::fs::read(s.path("c/samples.parquet")).unwrap(), before);
    }
}

#[test]
fn the_cpu_library_refuses_cuda_rather_than_falling_back() {
    let s = Sandbox::new();
    s.write("small.onnx", &small_network::onnx(1));
    let library = headstart::backbone::install::find_library(false).unwrap().expect("run tests/run");
    if library.has_cuda {
        return;
    }
    use headstart::backbone::{Device, SessionOptions, onnx_runtime::OnnxBackbone};
    use headstart::data::preprocess::Preprocessing;
    let model = small_network::onnx(1);
    let silent = headstart::monitor::Silent;
    let steps = Preprocessing { size: 75, ..Preprocessing::named("inception").unwrap() };
    let options = SessionOptions::new(Device::CUDA);
    let opened = OnnxBackbone::open(&library.path, model, "PreLogits", &steps, options, &silent);
    let error = opened.err().unwrap();
    assert_eq!(error.kind(), headstart::error::Kind::Device);
    assert!(
        error.with_causes().contains("CUDA execution provider is not enabled"),
        "{}",
        error.with_causes()
    );
}

#[test]
fn a_network_that_gives_another_known_answer_is_refused() {
    let s = Sandbox::new();
    s.images("in", &[("a", 3), ("b", 3)]);
    support::extract(&s, "in", "c", &[]);
    // The spec holds the first answer on the CPU; change it.
    let spec = std::fs::read_to_string(s.path("c/spec.json")).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&spec).unwrap();
    let known = json["known_answer"].as_array_mut().unwrap();
    assert_eq!(known.len(), small_network::WIDTH);
    for value in known.iter_mut() {
        *value = (value.as_f64().unwrap() * 1.01).into();
    }
    std::fs::write(s.path("c/spec.json"), json.to_string()).unwrap();
    let before = s.rows("c");
    s.images("in", &[("d", 3)]);
    let output = support::extract(&s, "in", "c", &[]);
    output.fails(1, &["the known-answer test failed on CPUExecutionProvider", "off by 9.9e-3"]);
    assert_eq!(s.rows("c"), before);
}

#[cfg(unix)]
#[test]
fn a_write_that_fails_half_way_loses_nothing_and_leaves_nothing() {
    use crate::support::CommandOutput;
    let s = Sandbox::new();
    s.images("in", &[("a", 40), ("b", 40)]);
    let network = small_network::install(&s);
    let (images, cache) = (s.text("in"), s.text("c"));
    let args = ["extract", &images, "--cache", &cache, "--backbone", &network];
    // Files may grow to 20 KiB: enough for the description, not for a part. As on a full disk, the write fails.
    let limited = |blocks: u32, args: &[&str]| {
        let program = s.command(args);
        let mut shell = std::process::Command::new("sh");
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        shell.arg("-c").arg(script).arg(program.get_program()).args(program.get_args());
        CommandOutput::of(&mut shell)
    };
    limited(40, &args).fails(1, &[".parquet: could not write: File too large", "help: free some space"]);
    let left: Vec<String> = std::fs::read_dir(s.path("c/features"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(left.is_empty(), "{left:?}");
    let done = support::extract(&s, "in", "c", &[]).value();
    assert_eq!((done["computed"].as_u64(), done["rows"].as_u64()), (Some(80), Some(80)));
    // A run that cannot be written leaves the one before.
    let run = s.text("r");
    s.json(&["train", &cache, "--run", &run, "--epochs", "2"]);
    let before = std::fs::read(s.path("r/run.json")).unwrap();
    limited(2, &["train", &cache, "--run", &run, "--epochs", "3"]).fails(1, &["could not write"]);
    assert_eq!(std::fs::read(s.path("r/run.json")).unwrap(), before);
    assert!(
        std::fs::read_dir(s.path("")).unwrap().all(|e| !e
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with(".tmp-"))
    );
}

#[cfg(target_os = "linux")]
#[test]
fn results_that_could_not_be_printed_are_a_failure_and_a_closed_pipe_is_not() {
    let s = Sandbox::new();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let out = s.command(&["backbone", "list"]).stdout(full).output().unwrap();
    let output = String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(1), "{output}");
    assert!(output.contains("could not be printed: No space left"), "{output}");
    let mut child = s.command(&["backbone", "list"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
