//! `headstart backbone quantize` on a small Inception-v3: its answers, its certificate, and what it refuses.

use crate::documented::are_documented;
use crate::support::{CommandOutput, Sandbox, not_run, small_network};
use headstart::backbone::{CPU_PROVIDER, OPENVINO_PROVIDER};
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
    let args =
        ["backbone", "quantize", "small.onnx", "--images", "in", "--name", "small8", "--min-cosine", "0"];
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
    assert!(text.contains("small8: int8 of") && text.contains(" on CPUExecutionProvider: centred"), "{text}");
    let verified = run(&s, "models", &["backbone", "verify", "small8"]).stdout;
    assert!(verified.contains("cannot be computed in float64: the operator"), "{verified}");
    // The same images and settings give the same file.
    let again = quantize(&s, "others", &["--samples", "20", "--json"]).value();
    assert_eq!(again["sha256"], made["sha256"]);
}

#[test]
fn a_goal_of_fidelity_leaves_values_in_floats_until_it_is_reached() {
    let s = sandbox();
    let made = |models: &str, goal: &str| {
        let args = ["backbone", "quantize", "small.onnx", "--images", "in", "--name", "small8", "--json"];
        let made = run(&s, models, &[&args[..], &["--samples", "30", "--min-cosine", goal]].concat());
        assert_eq!(made.code, 0, "{}", made.stderr);
        made
    };
    let [none, lower] = ["0", "0.5"].map(|goal| made(goal, goal).value());
    assert_eq!(
        (&none["float_values"], &lower["float_values"]),
        (&serde_json::json!([]), &serde_json::json!([]))
    );
    let cosine = |made: &Value| made["fidelity"]["centred_cosine"]["mean"].as_f64().unwrap();
    let goal = format!("{:.6}", 1.0 - (1.0 - cosine(&none)) * 0.5);
    let higher = made("higher", &goal);
    // On the seven images that decide; the others need not gain with a network of random weights.
    assert!(!higher.stderr.contains("less than"), "{}", higher.stderr);
    let higher = higher.value();
    assert!(!higher["float_values"].as_array().unwrap().is_empty(), "{higher}");
    assert_ne!(higher["sha256"], none["sha256"]);
    assert_eq!(made("again", &goal).value()["sha256"], higher["sha256"], "the same choice each time");
    // What cannot be reached is said.
    let far = made("far", "0.9999999");
    assert!(far.stderr.contains("less than 0.9999999"), "{}", far.stderr);
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
fn a_backbone_of_16_bit_floats_is_nearer_and_needs_no_calibration() {
    let s = sandbox();
    let made = quantize(&s, "models", &["--format", "f16", "--json"]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let made = made.value();
    let fidelity = &made["fidelity"];
    assert_eq!((&fidelity["format"], &fidelity["weight_bits"]), (&"f16".into(), &16.into()));
    assert_eq!((&fidelity["calibration_images"], &fidelity["held_out_images"]), (&0.into(), &60.into()));
    let distance = fidelity["relative_distance"]["mean"].as_f64().unwrap();
    assert!(distance > 1e-6 && distance < 2e-3, "{fidelity}");
    assert_eq!((&made["convolutions"], &made["left_float"]), (&94.into(), &serde_json::json!({})));
    let ran = extract(&s, "half", "small8", &["PreLogits", "Mixed_6e"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let text = run(&s, "models", &["backbone", "list"]).stdout;
    assert!(text.contains("small8: f16 of"), "{text}");
    // Both formats of a backbone are measured on the devices of this machine.
    std::fs::copy(s.path("small.onnx"), s.path("models/small.onnx")).unwrap();
    let args = ["backbone", "quantize", "small", "--images", "in", "--name", "small16", "--format", "f16"];
    assert_eq!(run(&s, "models", &args).code, 0);
    let measured =
        run(&s, "models", &["device", "--bench", "--backbone", "small", "--seconds", "1", "--json"]);
    assert_eq!(measured.code, 0, "{}", measured.stderr);
    let bench = &measured.value()["bench"];
    let speeds = bench["speeds"].as_array().unwrap();
    let rate = |name: &str| {
        let on_cpu = |one: &&Value| one["backbone"] == name && one["device"] == "cpu";
        speeds.iter().find(on_cpu).unwrap()["images_per_second"].as_f64().unwrap()
    };
    assert!(rate("small") > 0.0 && rate("small16") > 0.0, "{bench}");
    let command = bench["command"].as_str().unwrap();
    assert!(
        command.starts_with("headstart extract IMAGES --cache CACHE --backbone small --device "),
        "{command}"
    );
    run(&s, "models", &["device", "--bench", "--backbone", "gone"])
        .fails(1, &["the backbone gone is not installed"]);
}

#[test]
fn what_cannot_be_quantized_is_refused_and_nothing_is_written() {
    let s = sandbox();
    quantize(&s, "models", &["--samples", "0"]).fails(2, &["--samples must be at least 1"]);
    let args = ["backbone", "quantize", "small.onnx", "--images", "in", "--name", "small8", "--min-cosine"];
    for goal in ["1", "NaN"] {
        run(&s, "models", &[&args[..], &[goal]].concat()).fails(2, &["--min-cosine must be at least 0"]);
    }
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

#[test]
fn integers_that_a_device_rounds_otherwise_are_said_and_wrong_ones_are_refused() {
    let s = sandbox();
    assert_eq!(quantize(&s, "models", &[]).code, 0);
    assert_eq!(extract(&s, "c", "small8", &[]).code, 0);
    let stored = std::fs::read_to_string(s.path("c/spec.json")).unwrap();
    let stored: Value = serde_json::from_str(&stored).unwrap();
    // As if another provider had given the first answer.
    let move_answer = |provider: &str, factor: f64| {
        let mut spec = stored.clone();
        let mut features = spec["known_answer"].clone();
        for value in features.as_array_mut().unwrap() {
            *value = (value.as_f64().unwrap() * factor).into();
        }
        spec["known_answer"] = match provider {
            CPU_PROVIDER => features,
            _ => serde_json::json!({ "provider": provider, "features": features }),
        };
        std::fs::write(s.path("c/spec.json"), spec.to_string()).unwrap();
    };
    let differs = "CPUExecutionProvider rounds some values to other integers than OpenVINOExecutionProvider: \
                   the features of a fixed image differ by 9.9e-3";
    let failed = "the known-answer test failed on CPUExecutionProvider";
    for (class, provider, factor, code, said) in [
        ("dog", OPENVINO_PROVIDER, 1.0, 0, None),
        ("eel", OPENVINO_PROVIDER, 1.01, 0, Some(differs)),
        ("fly", OPENVINO_PROVIDER, 1.1, 1, Some(failed)),
        ("gnu", CPU_PROVIDER, 1.01, 1, Some(failed)),
    ] {
        move_answer(provider, factor);
        s.images("in", &[(class, 3)]);
        let ran = extract(&s, "c", "small8", &[]);
        assert_eq!(ran.code, code, "{class}: {}", ran.stderr);
        assert_eq!(ran.stderr.contains("other integers"), said == Some(differs), "{class}: {}", ran.stderr);
        assert!(said.is_none_or(|said| ran.stderr.contains(said)), "{class}: {}", ran.stderr);
    }
}

/// Why OpenVINO cannot be used here, if so.
fn openvino_obstacle(s: &Sandbox) -> Option<String> {
    let devices = run(s, "models", &["device", "--json"]).value()["devices"].clone();
    let openvino = devices.as_array().unwrap().iter().find(|one| one["name"] == "openvino").unwrap();
    (openvino["usable"] != true).then(|| openvino["reason"].as_str().unwrap().to_string())
}

#[test]
fn integers_are_measured_on_the_device_that_is_named() {
    let s = sandbox();
    let on = |name: &str| -> Value {
        let args = ["--device", name, "--samples", "20", "--json"];
        let made = quantize(&s, &format!("models-{name}"), &args);
        assert_eq!(made.code, 0, "{}", made.stderr);
        made.value()["fidelity"].clone()
    };
    assert_eq!(on("cpu")["provider"], "CPUExecutionProvider");
    if let Some(why) = openvino_obstacle(&s) {
        return not_run("integers_are_measured_on_the_device_that_is_named: OpenVINO", &why);
    }
    let fidelity = on("openvino");
    assert_eq!(fidelity["provider"], "OpenVINOExecutionProvider");
    let distance = fidelity["relative_distance"]["mean"].as_f64().unwrap();
    assert!(distance > 0.0 && distance < 0.1, "{fidelity}");
    let extract = |cache: &str, device: &str| {
        let args = ["extract", "in", "--cache", cache, "--backbone", "small8", "--device", device];
        let ran = run(&s, "models-openvino", &args);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stderr
    };
    // A new cache keeps the answer of its own device; another one may add to it, which is said.
    extract("openvino", "openvino");
    s.images("in", &[("dog", 3)]);
    assert!(!extract("openvino", "openvino").contains("rounds some values"));
    s.images("in", &[("eel", 3)]);
    assert!(extract("openvino", "cpu").contains(
        "CPUExecutionProvider rounds some values to other integers than OpenVINOExecutionProvider"
    ));
}

#[test]
fn features_of_openvino_agree_with_those_of_the_cpu() {
    let s = sandbox();
    if let Some(why) = openvino_obstacle(&s) {
        return not_run("features_of_openvino_agree_with_those_of_the_cpu", &why);
    }
    let on = |device: &str| {
        let args =
            ["extract", "in", "--cache", device, "--backbone", "small.onnx", "--device", device, "--json"];
        let ran = run(&s, "models", &args);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        (ran.value()["provider"].clone(), s.rows(device))
    };
    let ((_, cpu), (provider, openvino)) = (on("cpu"), on("openvino"));
    assert_eq!((provider, &cpu.keys), ("OpenVINOExecutionProvider".into(), &openvino.keys));
    let width = cpu.embeddings.len() / cpu.keys.len();
    for (a, b) in cpu.embeddings.chunks(width).zip(openvino.embeddings.chunks(width)) {
        let distance = headstart::backbone::known_answer::relative_distance(b, a);
        assert!(distance < 1e-3, "{distance}");
    }
}
