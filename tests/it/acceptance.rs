//! The real backbone on real work: the demo everywhere, the reference data where they are.

use crate::documented::are_documented;
use crate::support::{Sandbox, models, python, reference_data};
use headstart::backbone::{
    Device, SessionOptions, known_answer::relative_distance, onnx_runtime::OnnxBackbone,
};
use headstart::data::decode;
use headstart::data::preprocess::Preprocessing;
use serde_json::Value;
use std::process::Command;

#[test]
fn the_demo_does_the_whole_job() {
    let s = Sandbox::new();
    let stats = s.json(&["demo", "--dir", "a demo's"]);
    are_documented("demo", &stats);
    assert!(stats["pixel_accuracy"].as_f64().unwrap() <= 0.60, "{}", stats["pixel_accuracy"]);
    assert!(stats["evaluate"]["accuracy"].as_f64().unwrap() >= 0.90, "{}", stats["evaluate"]["accuracy"]);
    assert!(
        stats["extract"]["classes"].as_u64() >= Some(6) && stats["extract"]["samples"].as_u64() >= Some(240)
    );
    // The second time the features are there already, and the text ends with three commands that work.
    let again = s.run(&["demo", "--dir", "a demo's"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(again.stdout.contains("0 of them computed now"), "{}", again.stdout);
    let next = again.stdout.split("try next:\n").nth(1).unwrap();
    assert_eq!(next.lines().count(), 3);
    for command in next.lines().take(2) {
        let ran = Command::new("sh").arg("-c").arg(command).current_dir(s.path("")).output().unwrap();
        assert!(ran.status.success(), "{command}: {}", String::from_utf8_lossy(&ran.stderr));
    }
}

#[test]
fn features_agree_with_the_reference_features() {
    let Some(golden) = reference_data("features_agree_with_the_reference_features", "reference/golden")
    else {
        return;
    };
    let facts: Value = serde_json::from_slice(&std::fs::read(golden.join("golden.json")).unwrap()).unwrap();
    let npy = std::fs::read(golden.join("prelogits_nsfwjs_f32.npy")).unwrap();
    let expected: Vec<f32> = npy[npy.len() - 8 * 2048 * 4..]
        .chunks(4)
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
        .collect();
    let model = std::fs::read(models().join("nsfwjs.onnx")).expect("run tests/run");
    let library = headstart::backbone::install::find_library(false).unwrap().expect("run tests/run");
    let silent = headstart::monitor::Silent;
    let steps = Preprocessing::named("unit").unwrap();
    let options = SessionOptions::new(Device::Cpu);
    let mut backbone = OnnxBackbone::open(&library.path, model, "PreLogits", &steps, options, &silent)
        .unwrap()
        .swap_remove(0);
    for (i, file) in facts["files"].as_array().unwrap().iter().enumerate() {
        let file = file.as_str().unwrap();
        let read = |path: std::path::PathBuf| decode::decode(&std::fs::read(path).unwrap()).unwrap();
        let image = read(golden.join(file));
        let resized = steps.resized(&image);
        assert!(resized == read(golden.join("resized").join(file)), "{file} enters with other pixels");
        let sum: u64 = resized.data().iter().map(|&v| u64::from(v)).sum();
        assert_eq!(Some(sum), facts["resized_u8_sum"][i].as_u64(), "{file}");
        let mut pixels = vec![0; steps.input_bytes()];
        steps.planes(&image, &mut pixels);
        let row = backbone.embed(&pixels, 1).unwrap().into_finite().unwrap();
        let error = relative_distance(&row, &expected[i * 2048..(i + 1) * 2048]);
        println!("{file}: relative L2 error {error:.2e}");
        assert!(error < 1e-4, "{file}: {error}");
    }
}

#[test]
fn every_endpoint_is_a_value_of_that_name_with_the_golden_mean_and_norm() {
    let test = "every_endpoint_is_a_value_of_that_name_with_the_golden_mean_and_norm";
    let Some(golden) = reference_data(test, "reference/golden") else { return };
    let output = python("endpoints.py", &[&models().join("nsfwjs.onnx"), &golden]);
    let endpoints: Value = serde_json::from_str(&output).unwrap();
    let endpoints = endpoints.as_object().unwrap();
    assert_eq!(endpoints.len(), 19);
    for (name, errors) in endpoints {
        println!("{name}: {errors}");
        for what in ["mean", "l2"] {
            assert!(errors[what].as_f64().unwrap() < 1e-4, "{name}: {errors}");
        }
    }
}

#[test]
fn the_articles_images_split_as_published() {
    let Some(images) = reference_data("the_articles_images_split_as_published", "data/lfw10") else { return };
    let s = Sandbox::new();
    let (images, cache) = (images.to_str().unwrap().to_string(), s.text("c"));
    let args =
        ["extract", &images, "--cache", &cache, "--augment", "shift:30", "--augment", "flip", "--dry-run"];
    let stats = s.json(&args);
    assert_eq!((stats["samples"].as_u64(), stats["computed"].as_u64()), (Some(1456), Some(6591)));
    assert_eq!(stats["splits"], serde_json::json!({"train": 1027, "validation": 68, "test": 361}));
    assert_eq!(stats["refused"].as_array().unwrap().len(), 0);
}
