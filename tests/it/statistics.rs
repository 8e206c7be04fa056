//! Scores and intervals against scikit-learn, SciPy and a bootstrap.

use crate::support::{self, Sandbox, picture, python};
use headstart::data::decode::encode_png;
use headstart::metrics::{self, ConformalCalibration};
use serde_json::Value;

/// Two runs on 120 test images of three classes, a fifth of which show another class than their folder says.
fn runs() -> Sandbox {
    const CLASSES: [&str; 3] = ["ant", "bee", "cat"];
    let s = Sandbox::new();
    for (i, class) in CLASSES.iter().enumerate() {
        for number in 0..80 {
            let shown = if number % 5 == 4 { CLASSES[(i + 1) % 3] } else { class };
            s.write(&format!("in/{class}/{number}.png"), &encode_png(&picture(shown, 100 * i + number)));
        }
    }
    assert_eq!(support::extract(&s, "in", "c", &["--split", "30/20/50"]).code, 0);
    support::train(&s, "long", &["--epochs", "40"]);
    support::train(&s, "short", &["--epochs", "2", "--lr", "0.01"]);
    s
}

/// Whether each number of `theirs`, at any depth, is within `by` of that of `ours` of the same name.
fn agree(ours: &Value, theirs: &Value, by: f64) -> bool {
    match theirs {
        Value::Object(fields) => fields.iter().all(|(name, value)| agree(&ours[name], value, by)),
        Value::Array(values) => values.iter().enumerate().all(|(i, value)| agree(&ours[i], value, by)),
        Value::Null => ours.is_null(),
        value => (ours.as_f64().unwrap_or(f64::NAN) - value.as_f64().unwrap()).abs() <= by,
    }
}

#[test]
fn scores_and_intervals_agree_with_other_implementations() {
    let s = runs();
    let theirs: Value =
        serde_json::from_str(&python("statistics.py", &[&s.path("short"), &s.path("long")])).unwrap();
    let ours = s.json(&["evaluate", &s.text("short"), "--reject", "0.1"]);
    let expected = &theirs["evaluate"];
    for name in ["balanced_accuracy", "matthews_correlation", "cohens_kappa", "brier", "frequencies_loss"] {
        // The probabilities are float32.
        assert!(agree(&ours[name], &expected[name], 1e-6), "{name}: {} {}", ours[name], expected[name]);
    }
    for (name, key) in [("recall", "recall_interval"), ("precision", "precision_interval")] {
        for (class, expected) in
            ours["classes"].as_array().unwrap().iter().zip(expected[name].as_array().unwrap())
        {
            assert!(agree(&class[key], expected, 1e-9), "{name}: {} {expected}", class[key]);
        }
    }
    assert!(
        agree(&ours["reject"]["bound"], &expected["bound"], 1e-9),
        "{} {}",
        ours["reject"],
        expected["bound"]
    );
    let interval = &ours["macro_f1_interval"];
    assert!(
        agree(interval, &expected["macro_f1_interval"], 0.02),
        "{interval} {}",
        expected["macro_f1_interval"]
    );
    let (chance, their_chance) = (&ours["calibration"]["chance"], &expected["chance"]);
    for name in ["expected", "upper", "p_value"] {
        assert!(agree(&chance[name], &their_chance[name], 0.03), "{name}: {chance} {their_chance}");
    }
    let debiased = &ours["calibration"]["debiased_error"];
    assert!(agree(debiased, &their_chance["debiased"], 1e-6), "{debiased} {their_chance}");

    let compared = s.json(&["compare", &s.text("long"), &s.text("short")]);
    let (ours, theirs) = (&compared["differences"][0], &theirs["compare"]);
    for name in ["p_value", "mid_p_value", "macro_f1_difference"] {
        assert!(agree(&ours[name], &theirs[name], 1e-9), "{name}: {ours} {theirs}");
    }
    assert!(agree(&ours["macro_f1_interval"], &theirs["macro_f1_interval"], 0.02), "{ours} {theirs}");
    assert_eq!(ours["holm_p_value"], ours["p_value"], "one test needs no correction");
}

#[test]
fn a_share_that_is_not_whole_is_not_printed_as_all_or_nothing() {
    let s = runs();
    let text = s.run(&["evaluate", &s.text("short")]).stdout;
    for part in
        ["Matthews correlation", "by chance (95 % of the time", "Brier score", "recall  95 % interval"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("top 3"), "with three classes the truth is always among three: {text}");
}

#[test]
fn intervals_over_heads_agree_with_numpy_and_scipy() {
    let s = runs();
    for (name, args) in [
        ("seeds", &["--seeds", "3"][..]),
        ("splits", &["--resplit", "1,2,3", "--seeds", "2"]),
        ("folds", &["--folds", "4", "--seeds", "2"]),
    ] {
        let (cache, out) = (s.text("c"), s.text(name));
        let sweep = ["sweep", &cache, "--runs", &out, "--epochs", "3"];
        let ours = s.json(&[&sweep[..], args].concat());
        let file = s.write(&format!("{name}.json"), ours.to_string().as_bytes());
        let theirs: Value = serde_json::from_str(&python("over_heads.py", &[&file])).unwrap();
        let setting = &ours["settings"][0];
        assert!(agree(&setting["test_interval"], &theirs, 1e-9), "{name}: {setting} {theirs}");
    }
}

#[test]
fn corrections_and_confident_thresholds_agree_with_scipy() {
    let p_values = [0.011, 0.2, 0.013, 0.04, 1.0, 0.0001];
    let distances: Vec<f32> = (0..150).map(|i| (7 * i % 151) as f32).collect();
    for (alpha, confidence) in [(0.05, 0.95), (0.1, 0.5), (0.01, 0.7), (0.01, 0.99)] {
        let texts = [
            serde_json::json!(p_values).to_string(),
            serde_json::json!(distances).to_string(),
            alpha.to_string(),
            confidence.to_string(),
        ];
        let args = texts.each_ref().map(std::path::Path::new);
        let theirs: Value = serde_json::from_str(&python("tests_of_several.py", &args)).unwrap();
        assert!(agree(&serde_json::json!(metrics::holm_adjusted(&p_values)), &theirs["holm"], 1e-12));
        let known = ConformalCalibration::new(distances.clone());
        let ours = serde_json::json!(known.confident_threshold(alpha, confidence));
        assert!(agree(&ours, &theirs["threshold"], 0.0), "{alpha} {confidence}: {ours} {theirs}");
    }
}
