//! Exported classifiers: what they answer in Python's own ONNX Runtime beside `predict`, and what stands in the way of one.

use crate::browser::browser;
use crate::support::{CommandOutput, Sandbox, cache, extract, python, root, small_network, train};
use headstart::data::pixels::Pixels;
use headstart::data::preprocess::{Preprocessing, Resize};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Pictures of several sizes, the first two of one.
const PICTURES: [&str; 5] = ["in/ant/000.png", "in/cat/005.png", "wide.png", "tall.png", "tiny.png"];

/// A run `r` on three classes, and pictures of several sizes beside its images.
fn run(more: &[&str]) -> Sandbox {
    let s = cache(&[&["--split", "60/25/15"], more].concat());
    train(&s, "r", &["--epochs", "6"]);
    for (name, width, height) in [("wide.png", 301, 97), ("tall.png", 80, 333), ("tiny.png", 5, 7)] {
        let data = (0..width * height * 3).map(|i| (i * i / 7 % 256) as u8).collect();
        let picture = Pixels::new(width, height, data);
        s.write(name, &headstart::data::decode::encode_png(&picture));
    }
    s
}

fn pictures(s: &Sandbox) -> Vec<PathBuf> {
    PICTURES.iter().map(|name| s.path(name)).collect()
}

fn export(s: &Sandbox, run: &str, more: &[&str]) -> Value {
    s.json(&[&["export", run, "--onnx", &s.text("classifier.onnx")], more].concat())
}

/// What Python's ONNX Runtime says of the exported file.
fn answers(s: &Sandbox) -> Value {
    let model = s.path("classifier.onnx");
    let pictures = pictures(s);
    let args: Vec<&Path> = std::iter::once(&model).chain(&pictures).map(PathBuf::as_path).collect();
    serde_json::from_str(&python("onnx_classifier.py", &args)).unwrap()
}

/// What `predict` says.
fn predictions(s: &Sandbox, run: &str, more: &[&str]) -> Value {
    let paths: Vec<String> = pictures(s).iter().map(|path| path.display().to_string()).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    s.json(&[&["predict", run, "--neighbours", "0", "--device", "cpu"], &paths[..], more].concat())
}

/// Asserts that an answer of the exported file is that of `predict`.
fn assert_same(answer: &Value, prediction: &Value, classes: &[String]) {
    let ranked = prediction["predictions"].as_array().unwrap();
    for class in ranked {
        let at = classes.iter().position(|name| *name == class["label"]).unwrap();
        let (found, expected) = (answer["probabilities"][at].as_f64(), class["probability"].as_f64());
        let difference = (found.unwrap() - expected.unwrap()).abs();
        assert!(difference <= 1e-5, "{found:?} {expected:?}");
    }
    let label = answer["label_index"].as_u64().unwrap() as usize;
    assert_eq!(classes[label], ranked[0]["label"].as_str().unwrap());
    if let Some(score) = prediction["score"].as_f64() {
        let distance = answer["distance"].as_f64().unwrap();
        assert!((distance - score).abs() <= 1e-4 * score.max(1.0), "{distance} {score}");
        assert_eq!(answer["is_known"], !prediction["unknown"].as_bool().unwrap());
    }
}

/// Compares all answers of the exported file with `predict`.
fn assert_answers(s: &Sandbox, run: &str, more: &[&str]) -> Value {
    let (found, expected) = (answers(s), predictions(s, run, more));
    let classes: Vec<String> =
        serde_json::from_str(found["metadata"]["headstart.classes"].as_str().unwrap()).unwrap();
    let answers = found["answers"].as_array().unwrap();
    assert_eq!(answers.len(), PICTURES.len());
    for (answer, prediction) in answers.iter().zip(expected.as_array().unwrap()) {
        assert_same(answer, prediction, &classes);
    }
    let batch = found["batch"].as_array().unwrap();
    assert!(batch.len() >= 2);
    for (answer, prediction) in batch.iter().zip(expected.as_array().unwrap()) {
        assert_same(answer, prediction, &classes);
    }
    assert!(found["known_answer"].as_f64().unwrap() <= 1e-5, "{}", found["known_answer"]);
    found
}

#[test]
fn an_exported_classifier_answers_as_predict_does_whatever_its_input() {
    let s = run(&[]);
    let inputs = [
        ("uint8", json!(["image", "tensor(uint8)", ["batch", "height", "width", 3]])),
        ("resized", json!(["image", "tensor(uint8)", ["batch", 75, 75, 3]])),
        ("float", json!(["image", "tensor(float)", ["batch", 3, 75, 75]])),
    ];
    for (input, expected) in inputs {
        let stats = export(&s, "r", &["--input", input, "--reject", "0.05"]);
        assert!(stats["difference"].as_f64().unwrap() < 1e-5, "{stats}");
        let found = assert_answers(&s, "r", &["--reject", "0.05"]);
        assert_eq!(found["inputs"], json!([expected]));
        let unknown: Vec<&Value> =
            found["answers"].as_array().unwrap().iter().map(|answer| &answer["is_known"]).collect();
        assert!(unknown.contains(&&json!(true)) && unknown.contains(&&json!(false)), "{unknown:?}");
    }
    export(&s, "r", &[]);
    let found = answers(&s);
    let names: Vec<&Value> = found["outputs"].as_array().unwrap().iter().map(|value| &value[0]).collect();
    assert_eq!(names, ["label_index", "probabilities", "features"]);
    let run: Value = serde_json::from_str(found["metadata"]["headstart.run"].as_str().unwrap()).unwrap();
    let head = headstart::io::digest::sha256(&s.head("r")).to_string();
    assert_eq!(run, json!({"name": "r", "time": s.record("r")["time"], "head_sha256": head}));
    assert_eq!(found["metadata"].get("headstart.reject"), None);
}

#[test]
fn a_temperature_layers_with_positions_and_a_crop_go_into_the_file() {
    let s = run(&["--layer", "Mixed_5b+PreLogits", "--crop", "0.8"]);
    let mut record = s.record("r");
    record["temperature"] = json!({"value": 2.5, "low": 2.0, "high": 3.0, "images": 35});
    s.write("r/run.json", record.to_string().as_bytes());
    export(&s, "r", &["--reject", "0.1"]);
    let found = assert_answers(&s, "r", &["--reject", "0.1"]);
    assert_eq!(found["metadata"]["headstart.temperature"], "2.5");
    assert_eq!(found["outputs"][2][2], json!(["batch", s.record("r")["spec"]["width"]]));
}

/// The network with batches of two alone: the open dimension, a name of five letters, becomes a number of as many bytes.
fn of_batches_of_two(mut model: Vec<u8>) -> Vec<u8> {
    let (open, two) = (b"\x12\x05batch", [8, 0x82, 0x80, 0x80, 0x80, 0x80, 0]);
    let places: Vec<usize> =
        (0..model.len() - open.len()).filter(|&at| model[at..].starts_with(open)).collect();
    assert!(places.len() >= 2);
    places.into_iter().for_each(|at| model[at..at + two.len()].copy_from_slice(&two));
    model
}

#[test]
fn a_standardized_head_and_another_kind_of_network_can_be_exported() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 12), ("bee", 12), ("cat", 12)]);
    let vit = root().join("tests/fixtures/folders/vit").display().to_string();
    let of_tokens = ["--layer", "last_hidden_state", "--pool", "mean-patches"];
    let cache = |name: &str, backbone: &str, more: &[&str]| {
        let args = ["extract", "in", "--cache", name, "--backbone", backbone, "--split", "50/25/25"];
        s.json(&[&args, more].concat());
        s.json(&["train", name, "--run", &format!("{name}-run"), "--standardize", "--epochs", "4"]);
    };
    cache("tokens", &vit, &of_tokens);
    s.write("two.onnx", &of_batches_of_two(small_network::onnx(1)));
    cache("two", &s.text("two.onnx"), &[]);
    let batch_of_one = root().join("tests/fixtures/batch-of-one.onnx").display().to_string();
    cache("one", &batch_of_one, &["--preprocess", "unit", "--batch", "1"]);
    s.run(&["export", "one-run", "--onnx", "c.onnx"])
        .fails(1, &["the classifier failed", "the network must take batches of any size"]);
    assert!(!s.path("c.onnx").exists());
    for (run, input) in [("tokens-run", "resized"), ("tokens-run", "uint8"), ("two-run", "uint8")] {
        let stats = s.json(&["export", run, "--onnx", "c.onnx", "--triton", "models", "--input", input]);
        assert!(stats["difference"].as_f64().unwrap() < 1e-5, "{run}: {stats}");
    }
    // A file of one batch size is not joined to batches of others.
    let config: Value =
        serde_json::from_str(&python("triton_config.py", &[&s.path("models/two-run/config.pbtxt")])).unwrap();
    assert_eq!((config.get("max_batch_size"), config.get("dynamic_batching")), (None, None));
    assert_eq!(config["input"][0]["dims"], json!(["2", "-1", "-1", "3"]));
    assert_eq!(config["output"][1]["dims"], json!(["2", "3"]));
}

#[test]
fn a_repository_for_triton_holds_the_classifier_its_configuration_and_its_labels() {
    let s = run(&[]);
    let stats = s.json(&["export", "r", "--triton", "models/all", "--reject", "0.1"]);
    assert_eq!((&stats["onnx"], &stats["triton"]), (&Value::Null, &json!("models/all/r")));
    let config = s.path("models/all/r/config.pbtxt");
    let parsed: Value = serde_json::from_str(&python("triton_config.py", &[&config])).unwrap();
    let of = |name: &str, kind: &str, dims: &[&str]| json!({"name": name, "data_type": kind, "dims": dims});
    let with = |value: Value, key: &str, more: Value| {
        let mut value = value;
        value[key] = more;
        value
    };
    let scalar = |name: &str, kind: &str| with(of(name, kind, &["1"]), "reshape", json!({}));
    let width = small_network::WIDTH.to_string();
    let expected = json!({
        "name": "r",
        "backend": "onnxruntime",
        "max_batch_size": 32,
        "input": [of("image", "TYPE_UINT8", &["-1", "-1", "3"])],
        "output": [
            scalar("label_index", "TYPE_INT64"),
            with(of("probabilities", "TYPE_FP32", &["3"]), "label_filename", json!("labels.txt")),
            of("features", "TYPE_FP32", &[&width]),
            scalar("distance", "TYPE_FP32"),
            scalar("is_known", "TYPE_BOOL"),
        ],
        "dynamic_batching": {},
    });
    assert_eq!(parsed, expected);
    assert_eq!(std::fs::read_to_string(s.path("models/all/r/labels.txt")).unwrap(), "ant\nbee\ncat\n");
    let onnx = std::fs::read(s.path("models/all/r/1/model.onnx")).unwrap();
    // Again, beside a file of its own.
    s.json(&["export", "r", "--triton", "models/all", "--onnx", "c.onnx", "--reject", "0.1"]);
    assert_eq!(std::fs::read(s.path("models/all/r/1/model.onnx")).unwrap(), onnx);
    assert_eq!(std::fs::read(s.path("c.onnx")).unwrap(), onnx);
}

#[test]
fn what_stands_in_the_way_of_an_export_is_said_and_nothing_is_lost() {
    let s = run(&[]);
    s.run(&["export", "r"]).fails(2, &["--onnx"]);
    s.run(&["export", "nowhere", "--onnx", "c.onnx"]).fails(1, &["nowhere: no such run"]);
    s.run(&["export", "r", "--onnx", "c.onnx", "--input", "bytes"])
        .fails(2, &["use uint8, resized or float"]);
    s.run(&["export", "r", "--onnx", "c.onnx", "--reject", "0.001"])
        .fails(2, &["--reject 0.001 needs 999 validation images"]);
    // The backbone itself is also an ONNX file of this program.
    let before = std::fs::read(s.path("small.onnx")).unwrap();
    s.run(&["export", "r", "--onnx", "small.onnx"]).fails(1, &["small.onnx", "another file is in the way"]);
    assert_eq!(std::fs::read(s.path("small.onnx")).unwrap(), before);
    s.write("models/r/mine.txt", b"mine");
    s.run(&["export", "r", "--triton", "models"]).fails(1, &["something else is in the way", "--triton"]);
    assert_eq!(std::fs::read(s.path("models/r/mine.txt")).unwrap(), b"mine");
    s.write("c.onnx", b"mine");
    s.run(&["export", "r", "--onnx", "c.onnx"]).fails(1, &["c.onnx: the classifier belongs here"]);
    assert!(!s.path("classifier.onnx").exists());
    std::fs::remove_file(s.path("small.onnx")).unwrap();
    s.run(&["export", "r", "--onnx", "d.onnx"]).fails(1, &["small.onnx", "--backbone"]);
    assert!(!s.path("d.onnx").exists());
}

#[test]
fn a_filter_without_an_exact_form_in_onnx_needs_resized_pictures() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 12), ("bee", 12)]);
    let lanczos = ["--preprocess", "inception,resize=lanczos,size=75", "--split", "50/25/25"];
    assert_eq!(extract(&s, "in", "c", &lanczos).code, 0);
    train(&s, "r", &["--epochs", "2"]);
    s.run(&["export", "r", "--onnx", "c.onnx"])
        .fails(2, &["the Lanczos filter has no exact form in ONNX", "use --input resized"]);
    s.json(&["export", "r", "--onnx", "c.onnx", "--input", "resized"]);
}

/// The npm package of ONNX Runtime for browsers, where `tests/run` put it.
fn ort_web() -> String {
    let named = std::env::var_os("HEADSTART_TEST_ORT_WEB").map(PathBuf::from);
    let path = named.unwrap_or_else(|| root().join("target/onnxruntime-web-1.30.0.tgz"));
    assert!(path.exists(), "{} is missing: run tests/run", path.display());
    path.display().to_string()
}

/// Exports the page `site`, with folders of the sandbox for what is installed.
fn export_page(s: &Sandbox, more: &[&str]) -> CommandOutput {
    let args = ["export", "r", "--web", "site", "--reject", "0.05", "--json"];
    let mut command = s.command(&[&args, more].concat());
    let library = headstart::backbone::install::find_library(false).unwrap().expect("run tests/run");
    command.env("HEADSTART_HOME", s.path("home")).env("ORT_DYLIB_PATH", library.path);
    CommandOutput::of(&mut command)
}

#[test]
fn the_page_answers_in_chromium_as_predict_does() {
    let s = run(&[]);
    s.write("broken.png", b"no picture");
    let package = ort_web();
    let ran = export_page(&s, &["--pictures", "--ort-web", &package]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    // The package is installed by now, and the page replaced.
    assert_eq!(export_page(&s, &["--pictures"]).code, 0);
    let (browser, site, broken) = (browser(), s.path("site"), s.path("broken.png"));
    let pictures = pictures(&s);
    let args = [&browser, &site].into_iter().chain(&pictures).chain([&broken]).map(PathBuf::as_path);
    let found: Value = serde_json::from_str(&python("web_classifier.py", &args.collect::<Vec<_>>())).unwrap();
    let expected = predictions(&s, "r", &["--reject", "0.05"]);
    let classes = ["ant", "bee", "cat"].map(String::from);
    for (path, prediction) in pictures.iter().zip(expected.as_array().unwrap()) {
        let answer = &found["answers"][path.file_name().unwrap().to_str().unwrap()];
        let same_names = json!({
            "probabilities": answer["probabilities"],
            "label_index": answer["labelIndex"],
            "distance": answer["distance"],
            "is_known": answer["isKnown"],
        });
        assert_same(&same_names, prediction, &classes);
        let is_known = answer["isKnown"] == true;
        assert_eq!(
            (answer["label"] == "unknown", answer["near"].as_u64()),
            (!is_known, Some(is_known.into()))
        );
        assert!(answer["text"].as_str().unwrap().contains(answer["label"].as_str().unwrap()));
    }
    let refused = found["answers"]["broken.png"]["text"].as_str().unwrap();
    assert!(refused.contains("Not classified: this browser cannot read it as a picture."), "{refused}");
    for view in found["views"].as_array().unwrap() {
        for nothing in ["trouble", "foreign", "axe"] {
            assert_eq!(view[nothing], json!([]), "{nothing}: {view}");
        }
        assert_eq!((&view["unreached"], &view["camera"]), (&json!(0), &json!(1)), "{view}");
        assert!(view["too_wide"].as_i64().unwrap() <= 0 && view["said"].as_str().unwrap().ends_with('.'));
    }
    assert!(found["hint"].as_str().unwrap().contains("must come from a web server"));
}

#[test]
fn a_page_needs_its_runtime_and_a_folder_of_its_own() {
    let s = run(&[]);
    export_page(&s, &[]).fails(
        1,
        &["ONNX Runtime for browsers is not installed", "`npm pack onnxruntime-web@1.30.0`", "--ort-web"],
    );
    s.write("other.tgz", b"another file");
    export_page(&s, &["--ort-web", "other.tgz"]).fails(1, &["other.tgz", "the download is cut short"]);
    std::fs::rename(s.path("in"), s.path("gone")).unwrap();
    let package = ort_web();
    export_page(&s, &["--pictures", "--ort-web", &package])
        .fails(1, &["none of the train images can be read", "leave --pictures out"]);
    assert!(!s.path("site").exists());
    s.write("site/mine.txt", b"mine");
    export_page(&s, &["--ort-web", &package]).fails(1, &["something else is in the way", "--web"]);
    assert_eq!(std::fs::read(s.path("site/mine.txt")).unwrap(), b"mine");
}

#[test]
fn the_script_of_the_page_resizes_as_we_do() {
    let s = Sandbox::new();
    let whole = Preprocessing { size: 20, ..Preprocessing::named("raw").unwrap() };
    let with = |resize| Preprocessing { resize, ..whole };
    let filters = [
        Resize::NearestPillow,
        Resize::BoxPillow,
        Resize::BilinearPillow,
        Resize::HammingPillow,
        Resize::BicubicPillow,
        Resize::LanczosPillow,
        Resize::BilinearTensorflow1,
    ];
    let bicubic = with(Resize::BicubicPillow);
    let more = [
        Preprocessing { shorter_side: Some(27), ..bicubic },
        Preprocessing { shorter_side: Some(25), margin_rounds_down: true, ..bicubic },
        Preprocessing { both_sides: Some(23), crop: 0.875, ..whole },
        Preprocessing { stretch: true, crop: 0.4, ..whole },
    ];
    let mut cases = Vec::new();
    for steps in filters.into_iter().map(with).chain(more) {
        for (width, height) in [(1, 1), (20, 20), (7, 90), (64, 48), (133, 71)] {
            let data: Vec<u8> = (0..width * height * 3).map(|i| (i * i / 5 % 241) as u8 + 9).collect();
            let rgba: Vec<u8> = data.chunks(3).flat_map(|rgb| [rgb[0], rgb[1], rgb[2], 255]).collect();
            let planes = steps.tensor(&Pixels::new(width, height, data));
            let positions = steps.size * steps.size;
            let expected: Vec<f32> = (0..3 * positions).map(|i| planes[i % 3 * positions + i / 3]).collect();
            cases.push(json!({"width": width, "height": height, "pixels": rgba, "steps": steps, "expected": expected}));
        }
    }
    let file = s.write("cases.json", json!(cases).to_string().as_bytes());
    let script = s.write("resize.mjs", include_bytes!("../../src/export/web/resize.js"));
    let mut node = std::process::Command::new("node");
    node.arg(root().join("tests/oracle/resize.mjs")).args([script, file]);
    let found = CommandOutput::of(&mut node);
    assert_eq!(found.code, 0, "{}", found.stderr);
    let found = found.value();
    assert_eq!(found["cases"], cases.len());
    assert!(found["differences"].as_array().unwrap().iter().all(|most| *most == 0), "{found}");
}
