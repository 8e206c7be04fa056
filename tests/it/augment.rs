//! Augmentation: its pixels against Pillow, and variants of all kinds from `extract` to `train`.

use crate::support::{self, Sandbox, python};
use headstart::data::augment::Variant;
use headstart::data::pixels::Pixels;
use serde_json::Value;

#[test]
fn variants_equal_pillow_byte_for_byte() {
    let s = Sandbox::new();
    let cases: Value = serde_json::from_str(&python("augment.py", &[&s.path("")])).unwrap();
    let cases = cases.as_array().unwrap();
    assert!(cases.len() > 300, "{} cases", cases.len());
    let mut differ = Vec::new();
    for case in cases {
        let read = |key: &str| std::fs::read(s.path(case[key].as_str().unwrap())).unwrap();
        let size = |key: &str| case[key].as_u64().unwrap() as usize;
        let variant: Variant = case["variant"].as_str().unwrap().parse().unwrap();
        let made = variant.apply(&Pixels::new(size("width"), size("height"), read("source")));
        let expected = Pixels::new(size("to_width"), size("to_height"), read("expected"));
        if made != expected {
            differ.push(format!("{variant} of {} x {}", size("width"), size("height")));
        }
    }
    assert!(differ.is_empty(), "{} of {} differ: {}", differ.len(), cases.len(), differ.join(", "));
}

#[test]
fn variants_of_all_kinds_are_extracted_once_chosen_by_family_and_named_again() {
    let s = support::cache(&["--augment", "flip+rotate:10,noise:10", "--augment", "crop:0.8"]);
    let again =
        support::extract(&s, "in", "c", &["--augment", "noise:10,flip+rotate:-10,crop:0.8@tl"]).value();
    assert_eq!(again["computed"], 0);
    let rows = |used: &str| {
        support::train(&s, "r", &["--epochs", "1", "--use", used])["train_rows"].as_u64().unwrap()
    };
    let plain = rows("none");
    assert_eq!(rows("none,crop"), 6 * plain);
    assert_eq!(rows("none,flip+rotate,noise:10"), 4 * plain);
    let all = support::train(&s, "r", &["--epochs", "1"]);
    assert_eq!(all["train_rows"].as_u64().unwrap(), 9 * plain);
    let lacks = s.run(&["train", &s.text("c"), "--run", &s.text("x"), "--use", "rotate"]);
    lacks.fails(1, &["it holds no rotate variants"]);
    let shifted = support::extract(&s, "in", "n", &["--augment", "flip+shift:+0:+48"]);
    shifted.fails(2, &["a shift by 48 pixels leaves nothing"]);
}
