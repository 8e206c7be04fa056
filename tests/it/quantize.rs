//! `headstart backbone quantize` on a small Inception-v3: its answers, its certificate, and what it refuses.

use crate::documented::are_documented;
use crate::support::{CommandOutput, Sandbox, small_network};
use serde_json::Value;
use std::process::{Command, Stdio};

/// Images of three classes, and the small network.
fn sandbox() -> Sandbox {
    let s = Sandbox::new();
    small_network::install(&s);
    s.images("in", &[("ant", 20), ("bee", 20), ("cat", 20)]);
    s
}

/// Runs the program in the sandbox, with the folder `models` of it.
fn run(s: &Sandbox, models: &str, args: &[&str]) -> CommandOutput {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headstart"));
    command.current_dir(s.path("")).args(args).args(["--models", models]).stdin(Stdio::null());
    CommandOutput::of(&mut command)
}

fn quantize(s: &Sandbox, models: &str, more: &[&str]) -> CommandOutput {
    let args = ["backbone", "quantize", "small.onnx", "--images", "in", "--name", "small8"];
    run(s, models, &[&args, more].concat())
}

fn extract(s: &Sandbox, cache: &str, backbone: &str, layers: &[&str]) -> CommandOutput {
    let args = ["extract", "in", "--cache", cache, "--backbone", backbone, "--device", "cpu"];
    let layers: Vec<&str> = layers.iter().flat_map(|layer| ["--layer", layer]).collect();
    run(s, "models", &[&args, &layers[..]].concat())
}

#[test]
fn a_quantized_backbone_is_near_the_one_of_floats_and_says_how_near() {
    let s = sandbox();
    let made = quantize(&s, "models", &["--samples", "20", "--json"]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let made = made.value();
    are_documented("backbone quantize", &made);
    let fidelity = &made["fidelity"];
    let number = |value: &Value| value.as_f64().unwrap();
    assert_eq!((&fidelity["calibration_images"], &fidelity["held_out_images"]), (&20.into(), &40.into()));
    assert!(number(&fidelity["cosine"]["mean"]) > 0.99, "{fidelity}");
    let distance = number(&fidelity["relative_distance"]["mean"]);
    assert!(distance > 0.0 && distance < 0.1, "{fidelity}");
    assert!(number(&fidelity["heads"]["float"]) > 0.5 && fidelity["heads"]["splits"] == 20, "{fidelity}");
    assert_eq!(made["convolutions"], 93, "all but the first: {made}");
    // Beside the file, and in the lists.
    let beside = std::fs::read(s.path("models/small8.fidelity.json")).unwrap();
    let beside: Value = serde_json::from_slice(&beside).unwrap();
    assert_eq!((&beside, &beside["graph_sha256"]), (fidelity, &made["sha256"]));
    let listed = run(&s, "models", &["backbone", "list", "--json"]).value();
    let listed = listed.as_array().unwrap().iter().find(|one| one["name"] == "small8").unwrap().clone();
    let inspect = |backbone: &str| run(&s, "models", &["backbone", "inspect", backbone, "--json"]).value();
    let (float, inspected) = (inspect("small.onnx"), inspect("small8"));
    assert_eq!((&listed["fidelity"], &inspected["fidelity"]), (&beside, &beside));
    assert_eq!(inspected["multiply_adds"], float["multiply_adds"], "integers are counted as floats are");
    let text = run(&s, "models", &["backbone", "list"]).stdout;
    assert!(text.contains("small8: int8 of"), "{text}");
    // The same images and settings give the same file.
    let again = quantize(&s, "others", &["--samples", "20", "--json"]).value();
    assert_eq!(again["sha256"], made["sha256"]);
}

#[test]
fn layers_of_a_quantized_backbone_are_the_same_alone_and_together() {
    let s = sandbox();
    let made = quantize(&s, "models", &[]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    for (cache, layers) in
        [("both", &["PreLogits", "Mixed_6e"][..]), ("last", &["PreLogits"]), ("inner", &["Mixed_6e"])]
    {
        let ran = extract(&s, cache, "small8", layers);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    for (alone, together) in [("last", "both/PreLogits"), ("inner", "both/Mixed_6e")] {
        let [alone, together] = [alone, together].map(|cache| s.rows(cache));
        assert_eq!(alone.keys, together.keys);
        assert_eq!(alone.embeddings, together.embeddings);
    }
    let refused = extract(&s, "last", "small.onnx", &[]);
    assert!(refused.code != 0 && refused.stderr.contains("backbone"), "another network: {}", refused.stderr);
}

#[test]
fn what_cannot_be_quantized_is_refused_and_nothing_is_written() {
    let s = sandbox();
    quantize(&s, "models", &["--samples", "0"]).fails(2, &["--samples must be at least 1"]);
    s.images("few", &[("ant", 9)]);
    std::fs::create_dir(s.path("none")).unwrap();
    for (folder, part) in [("few", "9 different images"), ("none", "no images"), ("missing", "missing")] {
        let args = ["backbone", "quantize", "small.onnx", "--images", folder, "--name", "small8"];
        run(&s, "models", &args).fails(1, &[part]);
    }
    assert!(!s.path("models").exists());
    let made = quantize(&s, "models", &[]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    quantize(&s, "models", &[]).fails(2, &["there is a backbone called small8 already", "remove the file"]);
    let named = |backbone: &str, name: &str| {
        run(&s, "models", &["backbone", "quantize", backbone, "--images", "in", "--name", name])
    };
    named("small8", "small88").fails(1, &["quantized already"]);
    named("small.onnx", "nsfwjs").fails(2, &["the name of other weights"]);
}
