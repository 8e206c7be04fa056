//! Where the network looked: the parts of a logit, the pages and plots that show them, and layers that have none.

use crate::documented::are_documented;
use crate::support::{Sandbox, cache, extract, train};
use headstart::data::decode::decode;
use headstart::head::SoftmaxClassifier;
use headstart::io::digest::sha256;
use serde_json::{Value, json};

/// The logit of a class by the head of the run `r` and the features that the cache `c` has of a picture.
fn logit(s: &Sandbox, picture: &str, label: &str) -> f64 {
    let classifier = SoftmaxClassifier::<String>::open(&s.path("r/head.safetensors")).unwrap();
    let class = classifier.classes().iter().position(|name| name == label).unwrap();
    let digest = sha256(&std::fs::read(s.path(picture)).unwrap());
    let rows = s.rows("c");
    let row =
        rows.keys.iter().position(|key| key.image_sha256 == digest && key.variant.to_string() == "none");
    let features = &rows.embeddings[row.unwrap() * rows.width..][..rows.width];
    let weight = classifier.head().weight_of(class);
    let products = features.iter().zip(weight).map(|(&x, &w)| f64::from(x) * f64::from(w));
    products.sum::<f64>() + f64::from(classifier.head().bias()[class])
}

/// Asserts that bias and positions sum to the logit of the head, and returns height and width of the map.
fn assert_sums(s: &Sandbox, pictures: &[&str]) -> [u64; 2] {
    let paths: Vec<String> = pictures.iter().map(|name| s.text(name)).collect();
    let mut args = vec!["predict", "r", "--neighbours", "0", "--device", "cpu", "--explain"];
    args.extend(paths.iter().map(String::as_str));
    let answers = s.json(&args);
    are_documented("predict", &answers);
    let mut size = [0; 2];
    for (answer, picture) in answers.as_array().unwrap().iter().zip(pictures) {
        let explained = &answer["explanation"];
        let label = explained["label"].as_str().unwrap();
        assert_eq!(answer["predictions"][0]["label"], label);
        let values: Vec<f64> =
            explained["values"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
        let sum = explained["bias"].as_f64().unwrap() + values.iter().sum::<f64>();
        let expected = logit(s, picture, label);
        let scale = values.iter().map(|value| value.abs()).sum::<f64>().max(1.0);
        assert!((sum - expected).abs() < 1e-5 * scale, "{picture}: {sum}, {expected}");
        assert!((explained["logit"].as_f64().unwrap() - expected).abs() < 1e-5 * scale);
        let spread = values.iter().fold(0.0, |most: f64, value| most.max((value - values[0]).abs()));
        assert!(spread > 1e-4, "positions differ: {values:?}");
        size = ["height", "width"].map(|side| explained[side].as_u64().unwrap());
        assert_eq!(size[0] * size[1], values.len() as u64);
    }
    size
}

#[test]
fn positions_and_bias_sum_to_the_logit_with_the_real_backbones() {
    for (backbone, size) in [("nsfwjs", [8, 8]), ("efficientnet-lite0", [7, 7])] {
        let s = Sandbox::new();
        s.images("in", &[("ant", 8), ("bee", 8)]);
        let to = ["--cache", "c", "--backbone", backbone, "--split", "50/25/25"];
        s.json(&[&["extract", "in"], &to[..]].concat());
        train(&s, "r", &["--epochs", "8"]);
        assert_eq!(assert_sums(&s, &["in/ant/000.png", "in/bee/003.png"]), size, "{backbone}");
    }
}

#[test]
fn standardized_heads_and_layers_with_positions_of_their_own_are_explained() {
    for (layer, size) in [("Mixed_6e", [3, 3]), ("Mixed_5d", [7, 7])] {
        let s = cache(&["--layer", layer, "--split", "60/25/15"]);
        train(&s, "r", &["--standardize", "--epochs", "4"]);
        assert_eq!(assert_sums(&s, &["in/ant/001.png", "in/cat/002.png"]), size, "{layer}");
    }
}

#[test]
fn pages_and_plots_show_what_the_json_says() {
    let s = cache(&["--layer", "Mixed_6e", "--split", "60/25/15"]);
    train(&s, "r", &["--epochs", "1"]);
    let pictures = ["in/ant/001.png", "in/cat/002.png"];
    let with = ["--explain", "--html", "page.html", "--plots", "looked", "--neighbours", "0"];
    let answers = s.json(&[&["predict", "r"], &pictures[..], &with[..]].concat());
    let page = std::fs::read_to_string(s.path("page.html")).unwrap();
    for (number, picture) in pictures.iter().enumerate() {
        let name = format!("explained-{}", number + 1);
        let numbers = numbers(&page, &name);
        assert_eq!(numbers, json!({"path": picture, "explanations": [answers[number]["explanation"]]}));
        let png = decode(&std::fs::read(s.path(&format!("looked/{name}.png"))).unwrap()).unwrap();
        let coloured = png.data().chunks(3).filter(|p| p[0].abs_diff(p[2]) > 90).count();
        assert!(coloured > 1000, "{name}: {coloured} coloured pixels");
        assert!(s.path(&format!("looked/{name}.svg")).exists());
    }
    assert!(page.contains("Zhou et al. 2016"), "the page says how to read it");
    let text = s.run(&["predict", "r", pictures[0], "--explain", "--neighbours", "0"]).stdout;
    assert!(text.contains("of 3 x 3 positions, the most "), "{text}");
    // Another picture of the same name is not replaced.
    std::fs::remove_file(s.path("looked/explained-1.svg")).unwrap();
    s.run(&[&["predict", "r"], &pictures[..], &with[..]].concat()).fails(1, &["another file is in the way"]);
}

/// The numbers of a plot in a page.
fn numbers(page: &str, name: &str) -> Value {
    let start = format!("<script type=\"application/json\" data-numbers=\"{name}\">");
    let (_, rest) = page.split_once(&start).unwrap_or_else(|| panic!("{name} is not in the page"));
    serde_json::from_str(rest.split("</script>").next().unwrap()).unwrap()
}

#[test]
fn a_report_explains_the_most_confident_errors() {
    let s = cache(&["--layer", "Mixed_6e", "--split", "60/10/30"]);
    train(&s, "r", &["--epochs", "1", "--lr", "0.00001"]);
    let plain = s.json(&["report", "r"]);
    let reported = s.json(&["report", "r", "--explain", "--plots", "plots"]);
    let explained: Vec<&str> = reported["plots"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .filter(|name| name.starts_with("explained-"))
        .collect();
    assert!(!explained.is_empty(), "an untrained head errs: {reported}");
    assert_eq!(
        plain["plots"].as_array().unwrap().len() + explained.len(),
        reported["plots"].as_array().unwrap().len(),
        "nothing is explained unless asked for"
    );
    let page = std::fs::read_to_string(s.path("r/report.html")).unwrap();
    for name in explained {
        let numbers = numbers(&page, name);
        let [predicted, truth] = &numbers["explanations"].as_array().unwrap()[..] else {
            panic!("{numbers}")
        };
        assert!(predicted["logit"].as_f64().unwrap() >= truth["logit"].as_f64().unwrap(), "{numbers}");
        let class = numbers["path"].as_str().unwrap().split('/').next().unwrap();
        assert_eq!(truth["label"], class);
        assert!(s.path(&format!("plots/{name}.png")).exists());
    }
}

#[test]
fn a_layer_that_is_no_mean_of_one_map_is_refused_before_a_picture_is_read() {
    for layer in ["Logits", "PreLogits+Mixed_6e"] {
        let s = Sandbox::new();
        s.images("in", &[("ant", 8), ("bee", 8)]);
        assert_eq!(extract(&s, "in", "c", &["--layer", layer, "--split", "50/25/25"]).code, 0);
        train(&s, "r", &["--epochs", "1"]);
        for command in [&["predict", "r", "in/ant/000.png"][..], &["report", "r"]] {
            let refused = s.run(&[command, &["--explain"]].concat());
            let layer = format!("the layer {layer} is not the mean of one map");
            refused.fails(1, &["small.onnx", &layer, "headstart extract", "--layer", "such as", "Mixed_"]);
        }
        s.json(&["predict", "r", "in/ant/000.png"]);
    }
}
