//! What would break for someone who trains, evaluates and predicts.

use crate::support::{self, cache, picture, small_network, train};
use headstart::data::decode::encode_png;
use serde_json::Value;

#[test]
fn a_head_is_trained_evaluated_and_used() {
    let s = cache(&[]);
    let trained = train(&s, "r", &[]);
    assert_eq!((trained["train_rows"].as_u64(), trained["validation_images"].as_u64()), (Some(98), Some(7)));
    let best = trained["best_epoch"].as_u64().unwrap();
    let epochs = trained["epochs"].as_u64().unwrap();
    assert!(1 <= best && best <= epochs && epochs <= 100);
    assert!(trained["seconds_per_epoch"].as_f64().unwrap() > 0.0);
    let record: Value = serde_json::from_slice(&std::fs::read(s.path("r/run.json")).unwrap()).unwrap();
    let losses: Vec<f64> = record["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["validation_loss"].as_f64().unwrap())
        .collect();
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(trained["validation"]["loss"].as_f64(), Some(least));
    assert_eq!(losses[best as usize - 1], least);
    let scores = s.json(&["evaluate", &s.text("r")]);
    assert_eq!((scores["images"].as_u64(), scores["split"].as_str()), (Some(35), Some("test")));
    let accuracy = scores["accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.9, "colours alone tell the classes: {accuracy}");
    let [low, high] = [0, 1].map(|i| scores["interval"][i].as_f64().unwrap());
    assert!(low < accuracy && accuracy <= high && high <= 1.0);
    assert_eq!(scores["majority_accuracy"].as_f64(), Some(15.0 / 35.0));
    assert_eq!(scores["batch_accuracies"].as_array().unwrap().len(), 2);
    let diagonal: u64 = (0..3).map(|i| scores["confusion"][i][i].as_u64().unwrap()).sum();
    assert_eq!(diagonal as f64 / 35.0, accuracy);
    assert_eq!(s.json(&["evaluate", &s.text("r"), "--split", "validation"])["images"], 7);
    s.write("new/bee.png", &encode_png(&picture("bee", 500)));
    let answers = s.json(&["predict", &s.text("r"), &s.text("new/bee.png")]);
    let ranked = answers[0]["predictions"].as_array().unwrap();
    assert_eq!(ranked[0]["label"], "bee");
    let total: f64 = ranked.iter().map(|p| p["probability"].as_f64().unwrap()).sum();
    assert!((total - 1.0).abs() < 1e-5);
}

#[test]
fn the_same_seed_gives_the_same_head_for_any_division_into_parts() {
    let s = cache(&["--augment", "flip"]);
    let run = |name: &str, seed: &str| {
        train(&s, name, &["--seed", seed, "--epochs", "10"]);
        std::fs::read(s.path(name).join("head.safetensors")).unwrap()
    };
    let first = run("a", "3");
    assert_ne!(first, run("b", "4"));
    // The same rows in other parts: extracted in two steps into another cache.
    support::extract(&s, "in", "other", &[]);
    support::extract(&s, "in", "other", &["--augment", "flip"]);
    s.json(&["train", &s.text("other"), "--run", &s.text("d"), "--seed", "3", "--epochs", "10"]);
    assert_eq!(first, std::fs::read(s.path("d/head.safetensors")).unwrap());
}

#[test]
fn a_run_is_replaced_and_anything_else_is_left_alone() {
    let s = cache(&[]);
    train(&s, "r", &["--epochs", "2"]);
    train(&s, "r", &["--epochs", "3"]);
    // Nothing that is not the run's own is ever replaced with it.
    s.write("r/photos/mine.jpg", b"irreplaceable");
    let output = s.run(&["train", &s.text("c"), "--run", &s.text("r"), "--epochs", "2"]);
    output.fails(1, &["r: the run there cannot be replaced: its folder holds \"photos\" as well"]);
    assert!(s.path("r/photos/mine.jpg").exists());
    let text = std::fs::read_to_string(s.path("r/run.json")).unwrap();
    assert!(text.contains("\"epochs\": 3"));
    s.write("thesis/chapter.tex", b"irreplaceable");
    let output = s.run(&["train", &s.text("c"), "--run", &s.text("thesis")]);
    output.fails(1, &["thesis: the folder is not empty and holds no run", "help: choose a new folder"]);
    assert!(s.path("thesis/chapter.tex").exists());
    let mut command = s.command(&["train", &s.text("c"), "--run", "."]);
    std::fs::create_dir(s.path("empty")).unwrap();
    let output = crate::support::CommandOutput::of(command.current_dir(s.path("empty")));
    output.fails(1, &["a run needs a folder of its own, not the current one"]);
    let beside: Vec<_> = std::fs::read_dir(s.path("")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(beside.iter().all(|name| !name.to_string_lossy().starts_with(".tmp-")), "{beside:?}");
}

#[test]
fn variants_are_chosen_by_family_or_name_and_must_be_complete() {
    let s = cache(&["--augment", "shift:6", "--augment", "flip"]);
    assert_eq!(train(&s, "r", &["--epochs", "1"])["train_rows"], 98 * 6);
    assert_eq!(train(&s, "r", &["--epochs", "1", "--use", "none,flip"])["train_rows"], 98 * 2);
    assert_eq!(train(&s, "r", &["--epochs", "1", "--use", "none,shift:+6:+0"])["train_rows"], 98 * 2);
    let fail = |used: &str| s.run(&["train", &s.text("c"), "--run", &s.text("x"), "--use", used]);
    fail("shift:+7:+0")
        .fails(1, &["0 of 98 train images have the variant shift:+7:+0", "computes what is missing"]);
    fail("spin").fails(2, &["\"spin\" is not a variant"]);
    fail("rotate").fails(1, &["it holds no rotate variants"]);
    // Another split makes new train images, which lack variants. The variants are left out with a note unless asked for.
    support::extract(&s, "in", "c", &["--seed", "9"]);
    let output = s.run(&["train", &s.text("c"), "--run", &s.text("r"), "--epochs", "1", "--json"]);
    assert_eq!(output.value()["train_rows"], 98);
    assert!(output.stderr.contains("flip is left out: "), "{}", output.stderr);
    fail("none,flip").fails(1, &["of 98 train images", "help: `headstart extract` with --augment computes"]);
    let resplit = ["train", &s.text("c"), "--run", &s.text("x"), "--use", "none,flip", "--resplit", "5"];
    s.run(&resplit).fails(1, &["of 98 train images", "with --augment and --augment-splits all computes"]);
}

#[test]
fn a_warm_start_must_not_have_seen_the_held_out_images() {
    let s = cache(&[]);
    let cold = train(&s, "cold", &["--epochs", "30"]);
    let warm = train(&s, "warm", &["--epochs", "1", "--init", &s.text("cold")]);
    let first = warm["validation"]["loss"].as_f64().unwrap();
    assert!(first < 2.0 * cold["validation"]["loss"].as_f64().unwrap() + 0.05, "{first}");
    support::extract(&s, "in", "c", &["--seed", "1"]);
    let output = s.run(&["train", &s.text("c"), "--run", &s.text("x"), "--init", &s.text("cold")]);
    output.fails(1, &["of its training images are now in validation or test"]);
    std::fs::rename(s.path("in/ant"), s.path("in/wasp")).unwrap();
    support::extract(&s, "in", "c", &["--seed", "0"]);
    let output = s.run(&["train", &s.text("c"), "--run", &s.text("x"), "--init", &s.text("cold")]);
    output.fails(1, &["its classes are ant, bee, cat, not bee, cat, wasp"]);
}

#[test]
fn a_chain_of_warm_starts_remembers_all_images_that_it_saw() {
    let s = cache(&[]);
    train(&s, "first", &["--epochs", "2"]);
    for class in ["ant", "bee", "cat"] {
        for number in 200..240 {
            s.write(&format!("more/{class}/{number}.png"), &encode_png(&picture(class, number)));
        }
    }
    support::extract(&s, "more", "m", &[]);
    s.json(&["train", &s.text("m"), "--run", &s.text("second"), "--init", &s.text("first"), "--epochs", "2"]);
    // The second run's own images are all others, yet its head has seen those of the first.
    support::extract(&s, "in", "c", &["--seed", "1"]);
    let output = s.run(&["train", &s.text("c"), "--run", &s.text("x"), "--init", &s.text("second")]);
    output.fails(1, &["of its training images are now in validation or test"]);
}

#[test]
fn predict_names_files_that_cannot_be_used_and_continues() {
    let s = cache(&[]);
    train(&s, "r", &["--epochs", "5"]);
    s.write("bad.png", b"no");
    let good = s.text("in/ant/000.png");
    let output = s.run(&["predict", &s.text("r"), &s.text("bad.png"), &good, &s.text("gone.png"), "--json"]);
    assert_eq!(output.code, 3);
    let answers = output.value();
    let reasons: Vec<bool> = answers.as_array().unwrap().iter().map(|a| a["reason"].is_string()).collect();
    assert_eq!(reasons, [true, false, true]);
    assert_eq!(answers[1]["predictions"].as_array().unwrap().len(), 3);
    for part in ["bad.png: not an image", "gone.png: could not be read"] {
        assert!(output.stderr.contains(part), "{part} in {}", output.stderr);
    }
    // The network that the features came from must be the one that is asked.
    s.write("small.onnx", &small_network::onnx(9));
    s.run(&["predict", &s.text("r"), &good])
        .fails(1, &["small.onnx: the file was changed or damaged: its digest is"]);
}

#[test]
fn runs_are_compared_on_their_common_images_under_one_label() {
    let s = cache(&[]);
    train(&s, "one", &["--epochs", "2"]);
    train(&s, "two", &["--epochs", "2", "--seed", "7"]);
    let same = s.json(&["compare", &s.text("one"), &s.text("one")]);
    assert_eq!((&same["images"], &same["left_out"]), (&35.into(), &0.into()));
    assert_eq!(same["differences"][0]["p_value"], 1.0);
    let text = s.run(&["compare", &s.text("one"), &s.text("two")]).stdout;
    assert!(text.contains("adam, seed 0") && text.contains("adam, seed 7"), "{text}");
    // Another seed of the split shares some of the test images.
    support::extract(&s, "in", "c", &["--seed", "1"]);
    train(&s, "other", &["--epochs", "2"]);
    let some = s.json(&["compare", &s.text("one"), &s.text("other")]);
    let (images, left) = (some["images"].as_u64().unwrap(), some["left_out"].as_u64().unwrap());
    assert!(images < 35 && images > 0, "{some}");
    assert_eq!(images + left, 2 * 35 - images, "each image is counted or left out: {some}");
    std::fs::rename(s.path("in/ant"), s.path("in/wasp")).unwrap();
    support::extract(&s, "in", "c", &["--seed", "0"]);
    train(&s, "renamed", &["--epochs", "2"]);
    let output = s.run(&["compare", &s.text("one"), &s.text("renamed")]);
    output.fails(1, &["is \"wasp\" here and \"ant\" in the first run"]);
}

#[test]
fn a_record_that_does_not_fit_its_predictions_is_an_error() {
    let s = cache(&[]);
    train(&s, "r", &["--epochs", "1"]);
    let path = s.path("r/run.json");
    let mut record: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let more = serde_json::json!({"name": "aardvark", "train": 0, "validation": 0, "test": 0});
    record["classes"].as_array_mut().unwrap().insert(0, more);
    std::fs::write(&path, record.to_string()).unwrap();
    let output = s.run(&["evaluate", &s.text("r")]);
    output.fails(1, &["its predictions have 3 classes, its record 4", "train again"]);
}

#[test]
fn a_record_without_a_solver_is_read_as_one_of_adam() {
    let s = cache(&[]);
    train(&s, "r", &["--epochs", "1", "--lr", "0.02"]);
    let path = s.path("r/run.json");
    let mut record: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(record["config"].as_object_mut().unwrap().remove("solver"), Some("adam".into()));
    std::fs::write(&path, record.to_string()).unwrap();
    let reported = s.json(&["compare", &s.text("r"), &s.text("r")]);
    let settings = &reported["runs"][0]["config"];
    assert_eq!((&settings["solver"], &settings["lr"]), (&"adam".into(), &0.02.into()));
}
