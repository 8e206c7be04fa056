//! Pages about a folder of images, predictions and comparisons: their numbers are those of the JSON, names are escaped, and
//! missing files are tolerated.

use crate::report::{HOSTILE, is_part, run};
use crate::support::{self, Sandbox, models, picture, python};
use headstart::data::decode::{decode, encode_png};
use headstart::evaluate::predict::{Predictor, PredictorConfig};
use headstart::monitor::Silent;
use serde_json::{Value, json};

/// The numbers of each plot of a page equal those of the JSON; no name has become markup.
fn agrees(page: &str, reported: &Value, plots: &[&str]) {
    assert!(!page.contains("<script>alert") && !page.contains("alert(1)<\""), "a name became markup");
    let mut named = Vec::new();
    for rest in page.split("<script type=\"application/json\" data-numbers=\"").skip(1) {
        let (name, rest) = rest.split_once("\">").unwrap();
        let numbers: Value = serde_json::from_str(rest.split("</script>").next().unwrap()).unwrap();
        assert!(is_part(&numbers, reported), "{name}: {numbers}");
        named.push(name);
    }
    assert_eq!(named, plots);
}

fn text(s: &Sandbox, name: &str) -> String {
    std::fs::read_to_string(s.path(name)).unwrap()
}

/// A page without the places at which long names may break.
fn unbroken(page: &str) -> String {
    page.replace("<wbr>", "")
}

/// Pictures of several sizes and hostile names, copies under one label and under two, files that are none.
pub fn folder(s: &Sandbox) {
    s.images("in", &HOSTILE.map(|(name, _)| (name, 5)));
    s.write("in/=1+1/wide.png", &encode_png(&headstart::data::pixels::Pixels::new(90, 10, vec![7; 2700])));
    s.write("in/=1+1/copy.png", &encode_png(&picture("=1+1", 0)));
    s.write("in/猫,_é/under another label.png", &encode_png(&picture("=1+1", 1)));
    s.write("in/=1+1/<img src=x onerror=alert(1)>.png", b"not an image");
    std::fs::create_dir(s.path("in/empty")).unwrap();
}

#[test]
fn a_page_about_a_folder_agrees_with_the_summary() {
    let s = Sandbox::new();
    folder(&s);
    let args = ["data", "report", "in", "--plots", "p", "--tables", "t", "--json"];
    let output = s.run(&args);
    assert_eq!(output.code, 3, "{}", output.stderr);
    let reported = output.value();
    let mut summary = s.run(&["data", "summary", "in", "--json"]).value();
    summary["seconds"] = reported["seconds"].clone();
    assert!(is_part(&summary, &reported), "{reported}");
    assert_eq!(reported["page"]["out"], "in-report.html");
    let page = text(&s, "in-report.html");
    assert_eq!(reported["page"]["bytes"], page.len());
    agrees(&page, &reported, &["composition", "sizes"]);
    let names = unbroken(&page);
    assert!(names.contains("&lt;script&gt;alert(1)&lt;") && names.contains("&lt;img src=x"));
    // Five files of 64 x 48 in each of four classes, less two under two labels, one copy more; one of 90 x 10.
    let pairs = json!([{"width": 64, "height": 48, "images": 20}, {"width": 90, "height": 10, "images": 1}]);
    assert_eq!((&reported["sizes"]["pairs"], &reported["sizes"]["distinct"]), (&pairs, &json!(2)));
    let paths: Vec<&Value> = reported["duplicates"].as_array().unwrap().iter().map(|d| &d["paths"]).collect();
    let conflict = json!(["=1+1/001.png", "猫,_é/under another label.png"]);
    assert_eq!(paths, [&conflict, &json!(["=1+1/000.png", "=1+1/copy.png"])]);
    let variants: Vec<&Value> =
        reported["augmentation"]["variants"].as_array().unwrap().iter().map(|v| &v["variant"]).collect();
    assert_eq!(
        variants,
        [
            "none",
            "shift:+30:+0",
            "shift:-30:+0",
            "shift:+0:+30",
            "shift:+0:-30",
            "flip",
            "rotate:+10",
            "rotate:-10",
            "brightness:0.8",
            "contrast:1.2",
            "blur:2",
            "crop:0.8@c"
        ]
    );
    assert_eq!(reported["augmentation"]["cached"], false);
    for name in ["composition.svg", "composition.png", "sizes.svg"] {
        assert!(s.path("p").join(name).exists(), "{name}");
    }
    let tables: Value = serde_json::from_str(&python("tables.py", &[&s.path("t")])).unwrap();
    let classes = tables["classes"].as_array().unwrap();
    assert_eq!(classes.len(), 5, "one for each class, the empty one too: {tables}");
}

#[test]
fn a_folder_without_a_usable_file_has_a_page_that_says_so() {
    let s = Sandbox::new();
    s.write("in/<b>ant/words.txt", b"not an image");
    s.write("in/bee/empty.jpg", b"");
    let output = s.run(&["data", "report", "in", "--json"]);
    assert_eq!(
        (output.code, &output.value()["images"], &output.value()["augmentation"]),
        (3, &json!(0), &Value::Null)
    );
    let page = text(&s, "in-report.html");
    agrees(&page, &output.value(), &[]);
    let names = unbroken(&page);
    assert!(
        names.contains("the file is empty") && names.contains("&lt;b&gt;ant") && !names.contains("<b>ant")
    );
}

#[test]
fn with_a_cache_the_page_shows_its_splits_and_its_variants() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 20), ("bee", 12)]);
    let crop = ["--augment", "shift:5", "--crop", "0.5"];
    assert_eq!(support::extract(&s, "in", "c", &crop).code, 0);
    let reported = s.json(&["data", "report", "in", "--cache", "c", "--out", "deep/er/page.html"]);
    agrees(&text(&s, "deep/er/page.html"), &reported, &["composition", "splits"]);
    let splits = json!([
        {"name": "ant", "splits": {"train": 14, "validation": 1, "test": 5}},
        {"name": "bee", "splits": {"train": 9, "validation": 0, "test": 3}},
    ]);
    assert_eq!(reported["splits"], splits);
    let preview = &reported["augmentation"];
    assert_eq!((&preview["cached"], &preview["preprocessing"]["crop"]), (&json!(true), &json!(0.5)));
    assert_eq!(preview["variants"].as_array().unwrap().len(), 5);
    assert_eq!(preview["variants"][0], json!({"variant": "none", "size": [64, 48], "input": [75, 75]}));
    let train: Vec<String> = train_paths(&s, "c");
    assert!(
        train.contains(&preview["path"].as_str().unwrap().to_string()),
        "only train images have variants"
    );
}

fn train_paths(s: &Sandbox, cache: &str) -> Vec<String> {
    let samples = headstart::cache::FeatureCache::open(&s.path(cache)).unwrap().samples().unwrap();
    let train = samples.rows.into_iter().filter(|row| row.split == headstart::data::dataset::Split::Train);
    train.map(|row| row.file.path).collect()
}

#[test]
fn a_page_of_predictions_agrees_with_predict_and_works_without_the_pictures() {
    let s = Sandbox::new();
    run(&s, &HOSTILE);
    let hostile = format!("in/{}/000.png", HOSTILE[0].0);
    s.write("<img src=x>.png", b"not an image");
    let args =
        ["predict", "r", &hostile, "in/=1+1/003.png", "<img src=x>.png", "--neighbours", "4", "--json"];
    let output = s.run(&[&args[..], &["--html", "page.html"]].concat());
    assert_eq!(output.code, 3, "{}", output.stderr);
    let reported = output.value();
    let page = text(&s, "page.html");
    for (i, rest) in page.split("data-numbers=\"answer-").skip(1).enumerate() {
        let json = rest.split_once("\">").unwrap().1.split("</script>").next().unwrap();
        assert_eq!(serde_json::from_str::<Value>(json).unwrap(), reported[i]);
    }
    assert!(!page.contains("<script>alert") && !page.contains("<img src=x>"), "a name became markup");
    assert_eq!(page.matches("class=\"missing\"").count(), 0);
    // Each image is in the cache, so that it is the nearest to itself.
    for (i, path) in ["<script>alert(1)</000.png", "=1+1/003.png"].iter().enumerate() {
        let near = reported[i]["neighbours"].as_array().unwrap();
        assert_eq!((near.len(), &near[0]["path"]), (4, &json!(path)));
        assert!(near[0]["distance"].as_f64().unwrap() < 1e-5, "{}", near[0]);
        let distances: Vec<f64> = near.iter().map(|one| one["distance"].as_f64().unwrap()).collect();
        assert!(distances.windows(2).all(|pair| pair[0] <= pair[1]));
    }
    let output = s.run(&["predict", "r", "in/=1+1/003.png"]);
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert!(
        lines[1].contains(" %  █") && lines[5].starts_with("  nearest cached images"),
        "{}",
        output.stdout
    );
    assert!(lines[6].contains("=1+1  0.0000") && lines[6].ends_with("=1+1/003.png"), "{}", output.stdout);
    // Pictures that are gone leave frames, a cache that is gone a warning.
    std::fs::rename(s.path("in"), s.path("moved")).unwrap();
    s.json(&["predict", "r", "moved/=1+1/003.png", "--html", "page.html"]);
    assert_eq!(text(&s, "page.html").matches("class=\"missing\"").count(), 3);
    std::fs::remove_dir_all(s.path("c")).unwrap();
    let output = s.run(&["predict", "r", "moved/=1+1/003.png", "--html", "page.html", "--json"]);
    assert_eq!(output.code, 0);
    assert!(output.stderr.contains("warning: without nearest images: "), "{}", output.stderr);
    assert!(output.value()[0].get("neighbours").is_none() && output.value()[0]["predictions"].is_array());
    let output = s.run(&["predict", "r", "moved/=1+1/003.png", "--neighbours", "0"]);
    assert!(output.stderr.is_empty() && !output.stdout.contains("nearest"), "{}", output.stderr);
}

#[test]
fn a_predictor_classifies_files_and_images_in_memory_alike() {
    let s = Sandbox::new();
    run(&s, &[("ant", 20), ("bee", 20)]);
    let mut config = PredictorConfig::new(s.path("r"));
    (config.models, config.neighbours) = (models(), 2);
    let mut predictor = Predictor::open(&config, &Silent).unwrap();
    assert_eq!(predictor.classes(), ["ant", "bee"]);
    s.write("none.png", b"not an image");
    let files = predictor.predict_files(&[s.path("in/ant/000.png"), s.path("none.png")]).unwrap();
    let image = decode(&std::fs::read(s.path("in/ant/000.png")).unwrap()).unwrap();
    let images = predictor.predict_images(&[image.clone(), image]).unwrap();
    let json = |value: &headstart::evaluate::predict::ImagePrediction| serde_json::to_value(value).unwrap();
    assert_eq!(
        [json(&images[0]), json(&images[1])],
        [json(&files[0].prediction), json(&files[0].prediction)]
    );
    assert_eq!(images[0].neighbours.as_ref().unwrap()[0].path, "ant/000.png");
    assert!(files[0].image_sha256.is_some() && files[0].reason.is_none());
    assert!(files[1].reason.is_some() && files[1].prediction.predictions.is_empty());
    let reported =
        s.run(&["predict", "r", "in/ant/000.png", "none.png", "--neighbours", "2", "--json"]).value();
    assert_eq!(json(&files[0].prediction)["neighbours"], reported[0]["neighbours"]);
    assert_eq!(json(&files[0].prediction)["predictions"], reported[0]["predictions"]);
}

#[test]
fn nearest_images_are_those_that_numpy_finds() {
    let s = Sandbox::new();
    run(&s, &[("ant", 20), ("bee", 20)]);
    let reported = s.json(&["predict", "r", "in/bee/007.png", "--neighbours", "40"]);
    let theirs: Vec<Value> =
        serde_json::from_str(&python("nearest.py", &[&s.path("c"), "bee/007.png".as_ref()])).unwrap();
    let ours = reported[0]["neighbours"].as_array().unwrap();
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        let [a, b] = [ours, theirs].map(|one| one["distance"].as_f64().unwrap());
        assert!((a - b).abs() < 1e-5, "{ours} {theirs}");
        for key in ["label", "split"] {
            assert_eq!(ours[key], theirs[key], "{ours} {theirs}");
        }
    }
}

#[test]
fn a_page_of_a_comparison_agrees_with_its_json() {
    let s = Sandbox::new();
    run(&s, &HOSTILE);
    let train = |run: &str, more: &[&str]| s.json(&[&["train", "c", "--run", run], more].concat());
    train("runs/<b>slow", &["--lr", "0.0001", "--epochs", "3"]);
    train("runs/best", &["--solver", "lbfgs", "--l2", "0.01"]);
    let reported = s.json(&[
        "compare",
        "r",
        "runs/<b>slow",
        "runs/best",
        "--out",
        "page.html",
        "--plots",
        "p",
        "--tables",
        "t",
    ]);
    let page = text(&s, "page.html");
    let curves = ["validation-loss", "train-loss", "validation-accuracy", "train-accuracy"];
    agrees(&page, &reported, &[&["accuracy", "differences"], &curves[..]].concat());
    assert!(!page.contains("<b>"), "a name became markup");
    let mut plain = s.json(&["compare", "r", "runs/<b>slow", "runs/best"]);
    plain["page"] = reported["page"].clone();
    assert_eq!(plain, reported, "the page changes no figure");
    let record: Value = serde_json::from_slice(&std::fs::read(s.path("r/run.json")).unwrap()).unwrap();
    assert_eq!(reported["runs"][0]["history"], record["history"]);
    let epochs: Vec<usize> =
        (0..3).map(|i| reported["runs"][i]["history"].as_array().unwrap().len()).collect();
    assert_eq!(epochs, [6, 3, 1]);
    assert!(page.contains("Without a curve, fitted in one step: best."), "L-BFGS has no curve");
    let tables: Value = serde_json::from_str(&python("tables.py", &[&s.path("t")])).unwrap();
    assert_eq!(tables["curves"].as_array().unwrap().len(), 6 + 3 + 1);
    for name in ["accuracy.svg", "differences.png", "train-loss.svg"] {
        assert!(s.path("p").join(name).exists(), "{name}");
    }
    // Nothing is written among the files of a run, which `train` replaces whole.
    s.run(&["compare", "r", "runs/best", "--out", "r/page.html"]).fails(2, &["--out cannot be inside a run"]);
}

#[test]
fn wrong_labels_and_near_duplicates_are_found() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 30), ("bee", 30)]);
    s.write("in/bee/an ant.png", &encode_png(&picture("ant", 77)));
    // The same pixels in other bytes: some are in another split than what they were made from.
    for number in 0..8 {
        let mut again = encode_png(&picture("ant", number));
        again.extend([0; 9]);
        s.write(&format!("in/ant/again {number}.png"), &again);
    }
    assert_eq!(support::extract(&s, "in", "c", &["--split", "50/20/30"]).code, 0);
    let reported = s.json(&["data", "report", "in", "--cache", "c", "--tables", "t"]);
    s.json(&["train", "c", "--run", "folds", "--folds", "5", "--use", "none"]);
    let theirs: Value =
        serde_json::from_str(&python("label_issues.py", &[&s.path("c"), &s.path("folds")])).unwrap();
    let issues = &reported["doubtful_labels"];
    assert_eq!((&issues["images"], &issues["folds"]), (&json!(69), &json!(5)));
    let ours: Vec<Value> = issues["suspects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|suspect| json!([suspect["path"], suspect["label"], suspect["suggested"]]))
        .collect();
    assert_eq!(Value::Array(ours), theirs["issues"], "the answers are those of train --folds 5 --use none");
    assert_eq!(issues["suspects"][0]["path"], "bee/an ant.png");
    let pairs = reported["near_duplicates"]["pairs"].as_array().unwrap();
    assert_eq!(pairs.len(), theirs["pairs"].as_array().unwrap().len());
    for (ours, theirs) in pairs.iter().zip(theirs["pairs"].as_array().unwrap()) {
        let difference = ours["distance"].as_f64().unwrap() - theirs[0].as_f64().unwrap();
        assert!(difference.abs() < 1e-5, "{ours} {theirs}");
        assert_ne!(ours["images"][0]["split"], ours["images"][1]["split"]);
    }
    let first = pairs[0]["images"].to_string();
    assert!(pairs[0]["distance"].as_f64().unwrap() < 1e-6 && first.contains("again"), "{first}");
    let page = text(&s, "in-report.html");
    assert!(unbroken(&page).contains("bee/an ant.") && page.contains("Label issues"), "the suspect is shown");
    let tables: Value = serde_json::from_str(&python("tables.py", &[&s.path("t")])).unwrap();
    assert_eq!(tables["near-duplicates"].as_array().unwrap().len(), pairs.len());
    assert_eq!(tables["doubtful-labels"][0]["path"], "bee/an ant.png");
}
