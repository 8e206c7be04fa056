//! A network that gives no numbers for one image: refused by name everywhere, and remembered.

use crate::support::Sandbox;
use headstart::data::decode::encode_png;
use headstart::data::pixels::Pixels;

/// A field of a protobuf message with this content.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    assert!(content.len() < 16_384);
    let length = [content.len() as u8 | 0x80, (content.len() >> 7) as u8];
    [&[number << 3 | 2][..], &length, content].concat()
}

/// A field with a small number.
fn number(field: u8, value: u8) -> Vec<u8> {
    vec![field << 3, value]
}

/// The description of a float32 value `[batch, ...]`.
fn value(name: &str, dims: &[u8]) -> Vec<u8> {
    let batch = field(1, &field(2, b"batch"));
    let dims: Vec<u8> = dims.iter().flat_map(|dim| field(1, &number(1, *dim))).collect();
    let tensor = [number(1, 1), field(2, &[batch, dims].concat())].concat();
    [field(1, name.as_bytes()), field(2, &field(1, &tensor))].concat()
}

fn node(op: &str, input: &str, output: &str) -> Vec<u8> {
    let names = [field(1, input.as_bytes()), field(2, output.as_bytes()), field(4, op.as_bytes())];
    field(1, &names.concat())
}

/// An ONNX network whose features are the logarithms of the 4 x 4 pixels: those of black are infinite.
fn logarithms() -> Vec<u8> {
    let graph = [
        node("Flatten", "input", "flat"),
        node("Log", "flat", "PreLogits"),
        field(2, b"logarithms"),
        field(11, &value("input", &[3, 4, 4])),
        field(12, &value("PreLogits", &[48])),
    ];
    [number(1, 8), field(7, &graph.concat()), field(8, &number(2, 13))].concat()
}

fn sandbox() -> Sandbox {
    let s = Sandbox::new();
    s.images("in", &[("ant", 20), ("bee", 20)]);
    s.write("in/ant/black.png", &encode_png(&Pixels::new(64, 48, vec![0; 64 * 48 * 3])));
    s.write("log.onnx", &logarithms());
    s
}

#[test]
fn an_image_that_the_network_gives_no_numbers_for_is_refused_by_name_and_remembered() {
    let s = sandbox();
    let (images, cache, network) = (s.text("in"), s.text("c"), s.text("log.onnx"));
    let args =
        ["extract", &images, "--cache", &cache, "--backbone", &network, "--preprocess", "unit", "--json"];
    let line = "refused: ant/black.png: the network gave values that are no numbers (none)";
    let first = s.run(&args);
    assert!(first.code == 3 && first.stderr.contains(line), "{}", first.stderr);
    let first = first.value();
    assert_eq!((&first["samples"], &first["rows"], &first["computed"]), (&40.into(), &40.into(), &40.into()));
    // Nothing has changed: nothing is said to be added, and the network is not opened.
    let files = std::fs::read(s.path("c/samples.parquet")).unwrap();
    let second = s.run(&args);
    assert!(second.code == 3 && second.stderr.contains(line), "{}", second.stderr);
    assert!(!second.stderr.contains("since the last extraction"), "{}", second.stderr);
    assert_eq!(
        (&second.value()["computed"], &second.value()["provider"]),
        (&0.into(), &serde_json::Value::Null)
    );
    assert_eq!(std::fs::read(s.path("c/samples.parquet")).unwrap(), files);
    // It is the row that is remembered, not the path.
    std::fs::rename(s.path("in/ant/black.png"), s.path("in/bee/dark.png")).unwrap();
    let moved = s.run(&args);
    assert!(moved.code == 3 && moved.stderr.contains("refused: bee/dark.png"), "{}", moved.stderr);
    assert_eq!(moved.value()["computed"], 0);

    s.json(&["train", &cache, "--run", &s.text("r"), "--epochs", "2"]);
    let files = [s.text("in/bee/dark.png"), s.text("in/ant/000.png")];
    let said = s.run(&["predict", &s.text("r"), &files[0], &files[1], "--json"]);
    assert_eq!(said.code, 3);
    assert!(said.stderr.contains("dark.png: the network gave values that are no numbers"), "{}", said.stderr);
    let answers = said.value();
    assert_eq!(answers[0]["predictions"], serde_json::json!([]));
    assert_eq!(answers[1]["predictions"].as_array().unwrap().len(), 2);
}

#[test]
fn constant_features_are_said_in_one_line() {
    let s = sandbox();
    for class in ["ant", "bee"] {
        for n in 0..10u8 {
            // White but for one corner, which the crop leaves out.
            let mut data = vec![255; 64 * 48 * 3];
            data[0] = n;
            data[1] = class.len() as u8 + class.as_bytes()[0];
            s.write(&format!("white/{class}/{n}.png"), &encode_png(&Pixels::new(64, 48, data)));
        }
    }
    let (images, network) = (s.text("white"), s.text("log.onnx"));
    let args =
        ["extract", &images, "--cache", "c", "--backbone", &network, "--preprocess", "unit", "--crop", "0.5"];
    let said = s.run(&args);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(said.stderr.matches("warning: the features of the first 20 rows are all zero").count(), 1);
}
