//! Images with several labels, from a manifest to scores, predictions, an ONNX file and a page.

use crate::support::{CommandOutput, Sandbox, extract, numbers_by, python, small_network};
use headstart::cache::FeatureCache;
use headstart::data::decode::encode_png;
use headstart::data::pixels::Pixels;
use headstart::math::random::Rng;
use serde_json::Value;
use std::fmt::Write;

/// A picture whose channels are light where the labels red, green and blue are.
fn picture(labels: [bool; 3], number: u64) -> Pixels {
    let mut own = Rng::new(number, 6);
    let level = |is_light: bool| if is_light { 150.0 } else { 110.0 };
    let data = (0..64 * 48)
        .flat_map(|_| labels.map(|is_light| (level(is_light) + 60.0 * own.uniform(-1.0, 1.0)) as u8));
    let data: Vec<u8> = data.collect();
    Pixels::new(64, 48, data)
}

/// A manifest `m.csv` of 160 images with 0 to 3 labels, and a cache `c` of them.
fn labelled() -> (Sandbox, CommandOutput) {
    let s = Sandbox::new();
    let mut text = String::from("path,labels\n");
    for number in 0..160u64 {
        let labels = [number % 2 == 0, number % 3 == 0, number % 5 < 2];
        s.write(&format!("data/in/{number:03}.png"), &encode_png(&picture(labels, number)));
        let names =
            ["red", "green", "blue"].iter().zip(labels).filter(|(_, has)| *has).map(|(name, _)| *name);
        let names: Vec<&str> = names.collect();
        let names = if names.is_empty() { "|".to_string() } else { names.join("|") };
        writeln!(text, "in/{number:03}.png,{names}").unwrap();
    }
    s.write("data/m.csv", text.as_bytes());
    let done = extract(&s, "data/m.csv", "c", &["--split", "50/20/30"]);
    (s, done)
}

pub fn trained() -> Sandbox {
    let (s, done) = labelled();
    assert_eq!(done.code, 0, "{}", done.stderr);
    let run = s.run(&["train", &s.text("c"), "--run", &s.text("r"), "--epochs", "60", "--standardize"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stdout.contains("of 3 labels") && run.stdout.contains("threshold of each label"),
        "{}",
        run.stdout
    );
    s
}

fn floats(values: &Value) -> Vec<f64> {
    values.as_array().unwrap().iter().map(|value| value.as_f64().unwrap_or(f64::NAN)).collect()
}

#[test]
fn each_label_is_divided_by_the_fractions() {
    let (s, done) = labelled();
    assert_eq!((&done.value()["samples"], &done.value()["classes"]), (&160.into(), &3.into()));
    // Labels are counted, not what occurs together.
    let summary = s.json(&["data", "summary", &s.text("data/m.csv")]);
    let counts = numbers_by(&summary["classes"], "name", "images");
    assert_eq!(counts, [("red", 80), ("blue", 64), ("green", 54)]);
    for text in [
        s.run(&["data", "summary", &s.text("data/m.csv")]).stdout,
        s.run(&["cache", "info", &s.text("c")]).stdout,
    ] {
        assert!(text.contains("160 images in 3 labels"), "{text}");
    }
    let report = s.run(&[
        "data",
        "report",
        &s.text("data/m.csv"),
        "--cache",
        &s.text("c"),
        "--out",
        &s.text("d.html"),
    ]);
    assert_eq!(report.code, 0, "{}", report.stderr);
    let page = std::fs::read_to_string(s.path("d.html")).unwrap();
    assert!(page.contains("Largest label") && !page.contains("majority-class baseline"));
    let samples = FeatureCache::open(&s.path("c")).unwrap().samples().unwrap();
    for label in ["red", "green", "blue"] {
        let has = |row: &&headstart::data::dataset::Sample| {
            row.file.labels.as_ref().unwrap().iter().any(|own| own == label)
        };
        let all = samples.rows.iter().filter(has).count() as f64;
        for (split, share) in [("train", 0.5), ("validation", 0.2), ("test", 0.3)] {
            let own = samples.rows.iter().filter(has).filter(|row| row.split.name() == split).count() as f64;
            assert!((own / all - share).abs() < 0.06, "{label} {split}: {own} of {all}");
        }
    }
    // Other formats say the same.
    for format in ["jsonl", "parquet"] {
        let out = s.text(&format!("data/m.{format}"));
        let written = s.json(&["data", "manifest", &s.text("data/m.csv"), "--out", &out]);
        assert_eq!(written["columns"], serde_json::json!(["path", "labels"]));
        assert_eq!(extract(&s, &format!("data/m.{format}"), "c", &["--dry-run"]).value()["computed"], 0);
    }
    s.write("data/list.jsonl", b"{\"path\": \"in/000.png\", \"labels\": [\"red\", \"blue\"]}\n{\"path\": \"in/001.png\", \"labels\": []}\n");
    assert_eq!(extract(&s, "data/list.jsonl", "d", &[]).code, 0);
    let rows = FeatureCache::open(&s.path("d")).unwrap().samples().unwrap().rows;
    let texts: Vec<&str> = rows.iter().map(|row| row.file.label.as_str()).collect();
    assert_eq!(texts, ["blue|red", "|"]);
}

#[test]
fn scores_and_thresholds_are_those_of_scikit_learn() {
    let s = trained();
    for split in ["test", "validation"] {
        let ours = s.json(&["evaluate", &s.text("r"), "--split", split]);
        let expected: Value =
            serde_json::from_str(&python("multi_label.py", &[&s.path("r"), split.as_ref()])).unwrap();
        assert_eq!(ours["images"], expected["images"]);
        let close = |what: &str, ours: f64, expected: f64| {
            assert!(
                (ours - expected).abs() < 1e-9 || (ours.is_nan() && expected.is_nan()),
                "{what}: {ours} {expected}"
            );
        };
        for (name, own) in [
            ("mean_average_precision", &ours["mean_average_precision"]),
            ("macro_f1", &ours["macro_f1"]),
            ("micro_f1", &ours["micro"]["f1"]),
            ("exact_match", &ours["exact_match"]),
            ("hamming_loss", &ours["hamming_loss"]),
        ] {
            close(name, own.as_f64().unwrap(), expected[name].as_f64().unwrap());
        }
        let labels = ours["labels"].as_array().unwrap();
        for (name, get) in [
            ("average_precision", (|label| &label["curve"]["average_precision"]) as fn(&Value) -> &Value),
            ("roc_area", |label| &label["curve"]["roc_area"]),
            ("precision", |label| &label["precision"]),
            ("recall", |label| &label["recall"]),
            ("f1", |label| &label["f1"]),
            ("support", |label| &label["support"]),
        ] {
            for (label, expected) in labels.iter().zip(floats(&expected[name])) {
                close(name, get(label).as_f64().unwrap_or(f64::NAN), expected);
            }
        }
        assert!(ours["mean_average_precision"].as_f64().unwrap() > 0.6, "{ours}");
    }
    let text = s.run(&["evaluate", &s.text("r")]).stdout;
    assert!(text.contains("mean average precision") && text.contains("blue"), "{text}");
}

#[test]
fn predictions_the_onnx_file_and_the_page_know_several_labels() {
    let s = trained();
    let network = small_network::install(&s);
    let images = [s.text("data/in/000.png"), s.text("data/in/001.png")];
    let found =
        s.json(&["predict", &s.text("r"), &images[0], &images[1], "--backbone", &network, "--device", "cpu"]);
    let thresholds = floats(&s.record("r")["multi_label"]["thresholds"]);
    for file in found.as_array().unwrap() {
        let of = |name: &str| {
            let all = file["predictions"].as_array().unwrap();
            all.iter().find(|one| one["label"] == name).unwrap()["probability"].as_f64().unwrap()
        };
        let names = ["blue", "green", "red"];
        let expected: Vec<&str> = names
            .into_iter()
            .zip(&thresholds)
            .filter(|(name, t)| of(name) >= **t)
            .map(|(name, _)| name)
            .collect();
        let expected = if expected.is_empty() { "none".into() } else { expected.join("|") };
        assert_eq!(file["answer"], expected, "{file}");
    }
    let onnx = s.text("c.onnx");
    let exported = s.run(&["export", &s.text("r"), "--onnx", &onnx, "--backbone", &network]);
    assert_eq!(exported.code, 0, "{}", exported.stderr);
    let bytes = std::fs::read(&onnx).unwrap();
    let holds = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(holds("Sigmoid") && holds("headstart.thresholds") && holds("multi-label-classifier-v1"));
    let page = s.json(&["report", &s.text("r"), "--tables", &s.text("t"), "--plots", &s.text("p")]);
    assert_eq!(page["tables"], serde_json::json!(["labels", "answers", "settings"]));
    let settings = std::fs::read_to_string(s.path("t/settings.csv")).unwrap();
    assert!(settings.contains("Labels of train images,") && !settings.contains("Train images"), "{settings}");
    let html = std::fs::read_to_string(s.path("r/report.html")).unwrap();
    assert!(html.contains("Mean average precision") && html.contains("label-scores"));
}

#[test]
fn what_is_for_one_class_an_image_refuses_several_labels() {
    let s = trained();
    let (cache, run) = (s.text("c"), s.text("r"));
    let one = "images have several labels";
    for more in [
        &["--solver", "lbfgs", "--l2", "0.1"][..],
        &["--memory", "100MB"],
        &["--hidden", "8"],
        &["--features", "bf16"],
        &["--class-weights", "balanced"],
        &["--class-weights", "red=2"],
        &["--auto"],
        &["--folds", "3"],
        &["--init", &run],
        &["--threshold", "red=precision>=0.9"],
    ] {
        s.run(&[&["train", &cache, "--run", &s.text("x")], more].concat()).fails(2, &[one]);
    }
    s.run(&["sweep", &cache, "--runs", &s.text("x"), "--lr", "0.1"]).fails(1, &["several labels"]);
    s.run(&["compare", &run, &run]).fails(1, &["several labels", "evaluate"]);
    s.run(&["suggest", &run]).fails(1, &["several labels"]);
    for option in ["--web", "--triton"] {
        s.run(&["export", &run, option, &s.text("w")]).fails(2, &[one, option]);
    }
    s.run(&["export", &run, "--onnx", &s.text("w"), "--reject", "0.1"]).fails(2, &[one]);
    s.run(&["evaluate", &run, "--tta"]).fails(2, &[one]);
    s.run(&["evaluate", &run, "--images", &s.text("data/m.csv")]).fails(2, &[one, "--images"]);
    s.run(&["tensorboard", &run, "--logdir", &s.text("w")]).fails(1, &["several labels"]);
    assert_eq!(extract(&s, "data/m.csv", "c2", &[]).code, 0);
    s.run(&["layers", &cache, &s.text("c2")]).fails(1, &["several labels"]);
    std::fs::create_dir(s.path("runs")).unwrap();
    std::fs::rename(s.path("r"), s.path("runs/r")).unwrap();
    s.run(&["evaluate", &s.text("runs")]).fails(1, &["several labels"]);
    std::fs::rename(s.path("runs/r"), s.path("r")).unwrap();
    s.run(&["data", "select", &s.text("data/m.csv"), "--out", &s.text("w")])
        .fails(1, &["its images have several labels, and a folder is one class"]);
    // Before anything is extracted.
    let experiment = "title = \"t\"\n[[cache]]\nname = \"c\"\n[[run]]\nname = \"r\"\nuse = [\"none\"]\n\
                      [[condition]]\nname = \"n\"\nswitches = []\n";
    s.write("e.toml", experiment.as_bytes());
    s.run(&["experiment", &s.text("e.toml"), "--images", &s.text("data/m.csv"), "--out", &s.text("x")])
        .fails(1, &["its images have several labels each, which an experiment cannot take"]);
    s.run(&["predict", &run, &s.text("data/in/000.png"), "--out", &s.text("w.csv")])
        .fails(2, &[one, "--out"]);
    s.run(&["predict", &run, &s.text("data/in/000.png"), "--explain"]).fails(2, &[one, "--explain"]);
    s.run(&["report", &run, "--explain"]).fails(2, &[one, "--explain"]);
    // One fold at a time is one split.
    let fold = ["--fold", "1", "--folds", "3", "--epochs", "2"];
    let fold = s.run(&[&["train", &cache, "--run", &s.text("fold")][..], &fold].concat());
    assert_eq!(fold.code, 0, "{}", fold.stderr);
    s.run(&["predict", &run, &s.text("data/in/000.png"), "--reject", "0.1"]).fails(2, &["--reject"]);
    s.run(&["evaluate", &run, "--reject", "0.1"]).fails(2, &[one]);
    assert!(!s.path("x").exists() && !s.path("w").exists());
    // Two rows with other labels for one path.
    s.write("data/two.csv", b"path,labels\nin/000.png,red\nin/000.png,red|blue\nin/001.png,blue\n");
    let two = extract(&s, "data/two.csv", "new", &[]);
    assert_eq!(two.code, 3);
    assert!(two.stderr.contains("two labels for one path: red on line 2, blue|red here"), "{}", two.stderr);
}
