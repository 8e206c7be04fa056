//! Numbers against implementations that are not ours: Pillow, pyarrow, NumPy, and Python's own ONNX Runtime.

use crate::support::{self, Sandbox, models, picture, python, root, small_network};
use headstart::data::decode::{self, encode_png};
use headstart::data::preprocess::{
    Filter, Normalization, Preprocessing, Region, Resize, resize, resize_bilinear,
};
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[test]
fn decoding_and_resizing_equal_pillow_byte_for_byte() {
    let s = Sandbox::new();
    let cases = json(&python("pillow.py", &[&s.path("")]));
    let cases = cases.as_array().unwrap();
    assert!(cases.len() > 60, "{} cases", cases.len());
    for case in cases {
        let read = |key: &str| std::fs::read(s.path(case[key].as_str().unwrap())).unwrap();
        let name = case["file"].as_str().unwrap();
        let image = decode::decode(&read("file")).unwrap_or_else(|e| panic!("{name}: {e}"));
        let size = |key: &str| case[key].as_u64().unwrap() as usize;
        assert_eq!((image.width(), image.height()), (size("width"), size("height")), "{name}");
        let expected = read("rgb");
        if case["lossy"].as_bool().unwrap() {
            // JPEG decoders differ by a few levels; the decoder is part of a cache's spec. A picture turned or decoded
            // wrongly is off by fifty and more.
            let off: u64 = image.data().iter().zip(&expected).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
            let mean = off as f64 / expected.len() as f64;
            assert!(mean < 2.0, "{name}: {mean}");
            continue;
        }
        assert!(image.data() == expected, "{name} decodes otherwise than Pillow");
        let (width, height) = (size("to_width"), size("to_height"));
        let resized = resize_bilinear(&image, width, height);
        assert!(resized.data() == read("resized"), "{name} to {width} x {height} differs from Pillow");
        let beside = |end: &str| std::fs::read(s.path(name).with_extension(end)).unwrap();
        for (end, filter) in [
            ("nearest", Filter::Nearest),
            ("box", Filter::Box),
            ("hamming", Filter::Hamming),
            ("bicubic", Filter::Bicubic),
            ("lanczos", Filter::Lanczos),
        ] {
            let resized = resize(&image, filter, Region::all(width), Region::all(height));
            assert!(
                resized.data() == beside(end),
                "{name} to {width} x {height}, {end}, differs from Pillow"
            );
        }
        let squared = Preprocessing {
            resize: Resize::LanczosPillow,
            both_sides: Some(45),
            margin_rounds_down: true,
            ..Preprocessing::whole(32, Normalization::Unit)
        };
        assert!(squared.resized(&image).data() == beside("squared"), "{name}, squared, differs from Pillow");
        let fitted = Preprocessing {
            resize: Resize::BicubicPillow,
            shorter_side: Some(45),
            size: 32,
            ..Preprocessing::named("unit").unwrap()
        };
        assert!(
            fitted.resized(&image).data() == beside("fitted"),
            "{name}, shorter side first, differs from Pillow"
        );
    }
}

#[test]
fn features_equal_those_of_pillow_and_pythons_onnx_runtime() {
    let s = Sandbox::new();
    s.images("in", &[("a", 6), ("b", 6)]);
    support::extract(
        &s,
        "in",
        "c",
        &["--augment", "shift:7", "--augment", "flip", "--augment-splits", "all"],
    );
    let output = json(&python("features.py", &[&s.path("c"), &s.path("in"), &s.path("small.onnx")]));
    assert_eq!(output["rows"], 72);
    let error = output["largest_relative_error"].as_f64().unwrap();
    assert!(error < 1e-5, "{error}");
    support::extract(&s, "in", "cropped", &["--crop", "0.6"]);
    let output = json(&python("features.py", &[&s.path("cropped"), &s.path("in"), &s.path("small.onnx")]));
    let error = output["largest_relative_error"].as_f64().unwrap();
    assert!(error < 1e-5, "cropped: {error}");
    assert_ne!(s.rows("cropped").embeddings[..128], s.rows("c").embeddings[..128]);
}

#[test]
fn pyarrow_pandas_polars_and_duckdb_read_a_cache_as_it_is_documented() {
    let s = Sandbox::new();
    s.images("in", &[("a b", 20), ("é'\"", 30)]);
    // Features of an image that is gone stay in the parts and are not in the join.
    let gone = s.write("in/a b/gone.png", &encode_png(&picture("gone", 0)));
    support::extract(&s, "in", "c", &["--augment", "flip"]);
    std::fs::remove_file(gone).unwrap();
    let stats = support::extract(&s, "in", "c", &["--augment", "flip"]).value();
    assert!(s.rows("c").keys.len() > stats["rows"].as_u64().unwrap() as usize);
    // What a killed writer leaves of a part is none of their business, whatever they make of names that begin with a dot.
    let part = headstart::cache::FeatureCache::open(&s.path("c")).unwrap().parts().unwrap().remove(0).path;
    std::fs::write(headstart::io::fs::temporary_path(&part), &std::fs::read(&part).unwrap()[..500]).unwrap();
    let read = json(&python("readers.py", &[&s.path("c")]));
    println!("readers that agree: {}", read["agreeing"]);
    assert_eq!(read["agreeing"], serde_json::json!(["pyarrow", "pandas", "Polars", "DuckDB"]));
    assert_eq!(read["samples"], stats["samples"]);
    assert_eq!(read["joined"], stats["rows"]);
    assert_eq!(read["splits"], stats["splits"]);
    assert_eq!(read["labels"], serde_json::json!(["a b", "é'\""]));
    assert_eq!(read["provider"], "CPUExecutionProvider");
    assert_eq!(
        (read["width"].as_u64(), read["type"].as_str()),
        (Some(small_network::WIDTH as u64), Some("float"))
    );
    let rows = s.rows("c");
    let sum: f64 = rows.embeddings.iter().map(|&v| f64::from(v)).sum();
    assert!((read["sum"].as_f64().unwrap() - sum).abs() < 1e-6 * sum.abs());
    assert_eq!((read["seed"].as_str(), read["fractions"].as_str()), (Some("0"), Some("70/5/25")));
    assert_eq!(read["split_rule_holds"], true, "the documented rule gives the same split in Python");
}

#[test]
fn exports_are_the_join_in_every_format() {
    let s = Sandbox::new();
    s.images("in", &[("a, \"b\"", 12), ("NA", 12), ("é", 9)]);
    std::fs::copy(s.path("in/NA/000.png"), s.path("in/NA/copy.png")).unwrap();
    let stats = support::extract(&s, "in", "c", &["--augment", "flip"]).value();
    let outs = ["flat.parquet", "flat.npy", "flat.safetensors", "flat.arrow"].map(|name| s.path(name));
    for out in &outs {
        let reported = s.json(&["cache", "export", &s.text("c"), "--out", out.to_str().unwrap()]);
        // A copy has its own row for each variant of its image.
        assert!(reported["rows"].as_u64() > stats["rows"].as_u64(), "{reported} {stats}");
        assert_eq!((&reported["width"], &reported["without_features"]), (&128.into(), &0.into()));
    }
    let [parquet, npy, safetensors, arrow] = &outs;
    let checked = json(&python("exports.py", &[&s.path("c"), parquet, npy, safetensors, arrow]));
    println!("{checked}");
    assert_eq!(checked.as_object().unwrap().len(), 6);
    s.run(&["cache", "export", &s.text("c"), "--out", &s.text("c/features/x.parquet")])
        .fails(2, &["the export cannot be inside the cache"]);
    s.run(&["cache", "export", &s.text("c"), "--out", &s.text("x.csv")])
        .fails(2, &["x.csv: the name of the file does not show its format", ".safetensors"]);
}

#[test]
fn lbfgs_finds_the_optimum_of_a_reference_in_float64() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 40), ("bee", 40), ("cat", 60)]);
    support::extract(&s, "in", "c", &[]);
    let (cache, run) = (s.text("c"), s.text("r"));
    let fit = |args: &[&str]| {
        let ours = s.json(&[&["train", &cache, "--run", &run, "--use", "none"], args].concat());
        let theirs = json(&python("lbfgs.py", &[&s.path("r"), &s.path("c")]));
        println!("{args:?}: {} {theirs}", ours["convergence"]);
        (ours, theirs)
    };
    let of = |theirs: &Value, key: &str| theirs[key].as_f64().unwrap();
    for args in [
        &["--l2", "0.001"][..],
        &["--l2", "0.1", "--label-smoothing", "0.1", "--class-weights", "balanced"],
        &["--l2", "0.001", "--standardize", "--class-weights", "balanced"],
        // With a hardly noticeable penalty the optimum is far away, and the weights must still be its own.
        &["--l2", "0.000001"],
    ] {
        let (ours, theirs) = fit(&[&["--solver", "lbfgs"], args].concat());
        assert_eq!(ours["converged"], true);
        let own = (&ours["solver"], &ours["epochs"], &ours["best_epoch"]);
        assert_eq!(own, (&"lbfgs".into(), &1.into(), &1.into()));
        assert!(of(&theirs, "largest_coefficient") > 1e-3, "{theirs}");
        assert!(of(&theirs, "relative_distance") < 1e-4, "{args:?}: {theirs}");
        assert_eq!(of(&theirs, "accuracy"), of(&theirs, "their_accuracy"));
        assert_eq!(s.json(&["evaluate", &run])["accuracy"].as_f64(), Some(of(&theirs, "accuracy")));
    }
    let (ours, theirs) = fit(&["--solver", "lbfgs-linfa", "--l2", "0.001"]);
    assert_eq!((&ours["converged"], &ours["solver"]), (&true.into(), &"lbfgs-linfa".into()));
    assert!(of(&theirs, "relative_distance") < 1e-3, "{theirs}");
}

#[test]
fn comparisons_agree_with_scipy() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 60), ("bee", 60), ("cat", 60)]);
    support::extract(&s, "in", "c", &[]);
    for (run, lr, epochs) in [("weak", "0.0001", "1"), ("strong", "0.01", "5")] {
        s.json(&["train", &s.text("c"), "--run", &s.text(run), "--lr", lr, "--epochs", epochs]);
    }
    let ours = s.json(&["compare", &s.text("weak"), &s.text("strong")]);
    let theirs = json(&python("compare.py", &[&s.path("weak"), &s.path("strong")]));
    let here = &ours["differences"][0];
    for key in ["only_run", "only_first"] {
        assert_eq!(here[key], theirs[key], "{ours} {theirs}");
    }
    assert_eq!(ours["images"], theirs["images"]);
    let near = |a: &Value, b: &Value| (a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-12;
    assert!(near(&here["p_value"], &theirs["p_value"]), "{here} {theirs}");
    assert!((0..2).all(|i| near(&here["interval"][i], &theirs["interval"][i])), "{here} {theirs}");
    assert!(here["only_run"].as_u64() != here["only_first"].as_u64(), "the runs differ: {here}");
}

#[test]
fn predictions_and_scores_follow_from_the_saved_head() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 40), ("bee", 40), ("cat", 60)]);
    support::extract(&s, "in", "c", &[]);
    let run = s.text("r");
    s.json(&["train", &s.text("c"), "--run", &run, "--epochs", "4", "--l2", "0.01"]);
    let ours = s.json(&["evaluate", &run]);
    let theirs = json(&python("head.py", &[&s.path("r"), &s.path("c")]));
    assert!(theirs["largest_difference"].as_f64().unwrap() < 1e-5, "{theirs}");
    assert_eq!(theirs["accuracy"], ours["accuracy"]);
    let near = |a: &Value, b: &Value| (a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-9;
    assert!(near(&theirs["macro_f1"], &ours["macro_f1"]), "{theirs} {ours}");
    for (i, class) in ours["composition"].as_array().unwrap().iter().enumerate() {
        let [truth, predicted] = [0, 1].map(|side| &theirs["composition"][side][i]);
        assert!(near(&class["truth"], truth) && near(&class["predicted"], predicted), "{theirs} {class}");
        let (t, p) = (truth.as_f64().unwrap(), predicted.as_f64().unwrap());
        assert!((class["relative_difference"].as_f64().unwrap() - (p - t) / t).abs() < 1e-9);
    }
    assert_eq!(ours["top_k"].as_array().unwrap().len(), 2, "the best three of three classes say nothing");
    assert!(near(&ours["top_k"][0]["accuracy"], &ours["accuracy"]));
    assert!(near(&ours["top_k"][1]["accuracy"], &theirs["top_2"]), "{ours} {theirs}");
    let [found, noted] =
        ["best_validation_loss", "recorded_validation_loss"].map(|key| theirs[key].as_f64().unwrap());
    assert!((found - noted).abs() < 1e-5, "{found} against {noted}");
}

#[test]
fn adam_agrees_with_numpy_step_by_step() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 40), ("bee", 40), ("cat", 60)]);
    support::extract(&s, "in", "c", &[]);
    let cache = s.text("c");
    // With one batch an epoch the order of rows does not matter, so two implementations must agree step by step.
    s.json(&[
        "train",
        &cache,
        "--run",
        &s.text("start"),
        "--epochs",
        "1",
        "--batch",
        "1000",
        "--lr",
        "1e-30",
    ]);
    let args = ["--epochs", "60", "--patience", "60", "--batch", "1000", "--l2", "0.05"];
    s.json(&[&["train", &cache, "--run", &s.text("r"), "--init", &s.text("start")], &args[..]].concat());
    let output = json(&python("adam.py", &[&s.path("start"), &s.path("r"), &s.path("c")]));
    assert_eq!(output["epochs"], 60);
    let error = output["largest_loss_difference"].as_f64().unwrap();
    assert!(error < 1e-4, "{error}");
}

#[test]
fn the_stored_known_answer_is_reached_from_the_real_backbone() {
    use headstart::backbone::{Device, SessionOptions, known_answer, onnx_runtime::OnnxBackbone};
    let model = std::fs::read(models().join("nsfwjs.onnx")).expect("run tests/run");
    let library = headstart::backbone::install::find_library(false).unwrap().expect("run tests/run");
    let silent = headstart::monitor::Silent;
    let steps = Preprocessing::named("unit").unwrap();
    let options = SessionOptions::new(Device::Cpu);
    let mut opened = OnnxBackbone::open(&library.path, model, "PreLogits", &steps, options, &silent).unwrap();
    let answer = known_answer::compute(opened[0].as_mut(), &steps).unwrap();
    let stored = known_answer::stored("nsfwjs").unwrap();
    let error = known_answer::relative_distance(&answer, &stored);
    assert!(answer.len() == 2048 && error < 1e-4, "{error}");
}

#[test]
fn the_requirements_of_the_tests_are_pinned() {
    let lock = std::fs::read_to_string(root().join("tests/requirements.lock")).unwrap();
    let pinned = lock.lines().filter(|line| line.contains("==")).count();
    assert!(pinned >= 4 && lock.matches("--hash=sha256:").count() >= pinned);
}
