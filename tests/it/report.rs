//! The page about a run: its numbers are those of `evaluate`, its names are escaped, its pictures are the predicted files,
//! and it overwrites no other file. `reproduce` tests its commands.

use crate::support::{self, Sandbox, picture, python};
use headstart::data::decode::{decode, encode_png};
use serde_json::{Value, json};

/// Names that are markup, formulas, quotes or not Latin.
pub const HOSTILE: [(&str, usize); 4] =
    [("<script>alert(1)<", 40), ("=1+1", 40), ("a \"b\" & 'c'", 40), ("猫,_é", 40)];

/// A run of few epochs on classes of these names.
pub fn run(s: &Sandbox, classes: &[(&str, usize)]) -> String {
    s.images("in", classes);
    assert_eq!(support::extract(s, "in", "c", &["--augment", "flip"]).code, 0);
    s.json(&["train", &s.text("c"), "--run", &s.text("r"), "--epochs", "6"]);
    s.text("r")
}

/// The numbers of each plot, by name, as a program finds them in a page.
fn numbers(page: &str) -> Vec<(String, Value)> {
    let each = page.split("<script type=\"application/json\" data-numbers=\"").skip(1);
    each.map(|rest| {
        let (name, rest) = rest.split_once("\">").unwrap();
        (name.to_string(), serde_json::from_str(rest.split("</script>").next().unwrap()).unwrap())
    })
    .collect()
}

/// Whether `part` says nothing that `whole` does not say in the same place.
pub fn is_part(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(key, value)| whole.get(key).is_some_and(|other| is_part(value, other)))
        }
        (Value::Array(part), Value::Array(whole)) => {
            part.len() == whole.len() && part.iter().zip(whole).all(|(one, other)| is_part(one, other))
        }
        // A browser writes 1.0 as 1.
        (Value::Number(_), Value::Number(_)) => part.as_f64() == whole.as_f64(),
        _ => part == whole,
    }
}

/// The JSON that plots are drawn from: of `evaluate`, and the training of `run.json`.
pub fn plot_data(s: &Sandbox, run: &str) -> Value {
    let mut expected = s.json(&["evaluate", run]);
    let record = std::fs::read(s.path("r/run.json")).unwrap();
    let record: Value = serde_json::from_slice(&record).unwrap();
    for key in ["history", "best_epoch"] {
        expected[key] = record[key].clone();
    }
    expected
}

pub const PLOTS: [&str; 8] = [
    "training-loss",
    "training-accuracy",
    "confusion",
    "class-scores",
    "composition",
    "confidence",
    "reliability",
    "reliability-tempered",
];

#[test]
fn a_report_has_the_numbers_of_evaluate_and_escapes_names() {
    let s = Sandbox::new();
    let run = run(&s, &HOSTILE);
    let stats = s.json(&["report", &run, "--plots", &s.text("p"), "--tables", &s.text("t")]);
    assert_eq!((&stats["plots"], &stats["missing_pictures"]), (&json!(PLOTS), &0.into()));
    let page = std::fs::read_to_string(s.path("r/report.html")).unwrap();
    assert_eq!(stats["bytes"], page.len());
    assert!(!page.contains("<script>alert") && !page.contains("alert(1)<\""), "a name became markup");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;"));
    let (expected, numbers) = (plot_data(&s, &run), numbers(&page));
    assert_eq!(numbers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), PLOTS);
    for (name, numbers) in &numbers {
        assert!(
            !numbers.as_object().unwrap().is_empty() && is_part(numbers, &expected),
            "{name}: {numbers}\n{expected}"
        );
    }
    for name in PLOTS {
        let svg = std::fs::read_to_string(s.path(&format!("p/{name}.svg"))).unwrap();
        assert!(svg.starts_with("<?xml") && !svg.contains("var(") && !svg.contains("<script"), "{name}");
        let png = decode(&std::fs::read(s.path(&format!("p/{name}.png"))).unwrap()).unwrap();
        assert!(png.width() >= 900 && png.height() >= 400, "{name}: {} x {}", png.width(), png.height());
    }
    assert_eq!(std::fs::read_dir(s.path("p")).unwrap().count(), 2 * PLOTS.len());
    pandas_reads_the_same(&s, &expected, &stats);
}

/// The tables as pandas reads them against the JSON.
fn pandas_reads_the_same(s: &Sandbox, expected: &Value, stats: &Value) {
    let tables: Value = serde_json::from_str(&python("tables.py", &[&s.path("t")])).unwrap();
    let mut names: Vec<&str> =
        stats["tables"].as_array().unwrap().iter().map(|t| t.as_str().unwrap()).collect();
    names.sort();
    assert_eq!(tables.as_object().unwrap().keys().collect::<Vec<_>>(), names);
    // A spreadsheet would compute what begins with `=`.
    let name = |name: &Value| Value::from(name.as_str().unwrap().replace("=1+1", "'=1+1"));
    for (table, json, columns) in [
        ("classes", "classes", ["support", "predicted", "precision", "recall", "f1"].as_slice()),
        ("composition", "composition", &["truth", "predicted", "relative_difference"]),
    ] {
        let (rows, classes) = (tables[table].as_array().unwrap(), expected[json].as_array().unwrap());
        assert_eq!(rows.len(), 4);
        for (row, class) in rows.iter().zip(classes) {
            assert_eq!(row["class"], name(&class["name"]));
            for column in columns {
                assert_eq!(row[column].as_f64(), class[column].as_f64(), "{table} {column}: {row} {class}");
            }
        }
    }
    for (row, (class, counts)) in
        tables["confusion"].as_array().unwrap().iter().zip(
            expected["classes"].as_array().unwrap().iter().zip(expected["confusion"].as_array().unwrap()),
        )
    {
        assert_eq!(row["truth"], name(&class["name"]));
        for (other, count) in expected["classes"].as_array().unwrap().iter().zip(counts.as_array().unwrap()) {
            let column = format!("predicted_{}", other["name"].as_str().unwrap());
            assert_eq!(&row[&column], count, "{row}");
        }
    }
    for (row, epoch) in
        tables["training"].as_array().unwrap().iter().zip(expected["history"].as_array().unwrap())
    {
        let same = |key: &str| (row[key].as_f64().unwrap() - epoch[key].as_f64().unwrap()).abs() < 1e-12;
        assert!(
            ["epoch", "train_loss", "validation_loss", "train_accuracy", "validation_accuracy"]
                .into_iter()
                .all(same)
        );
    }
    let wrong: u64 =
        tables["confused-pairs"].as_array().unwrap().iter().map(|row| row["images"].as_u64().unwrap()).sum();
    let right: f64 = expected["accuracy"].as_f64().unwrap() * expected["images"].as_f64().unwrap();
    assert_eq!(wrong, expected["images"].as_u64().unwrap() - right.round() as u64);
}

#[test]
fn missing_and_changed_pictures_are_reported_and_not_shown() {
    let s = Sandbox::new();
    let run = run(&s, &[("ant", 30), ("bee", 30)]);
    let whole = s.json(&["report", &run]);
    let pictures = whole["pictures"].as_u64().unwrap();
    assert!(pictures >= 12, "{whole}");
    // Every file is there under its name, but they are other pictures.
    for class in ["ant", "bee"] {
        for number in 0..30 {
            s.write(&format!("in/{class}/{number:03}.png"), &encode_png(&picture("other", number)));
        }
    }
    let output = s.run(&["report", &run, "--json"]);
    assert_eq!(
        (output.code, &output.value()["missing_pictures"]),
        (0, &pictures.into()),
        "{}",
        output.stderr
    );
    assert!(output.stderr.contains("changed since its features were computed"), "{}", output.stderr);
    std::fs::rename(s.path("in"), s.path("moved")).unwrap();
    let output = s.run(&["report", &run, "--json"]);
    assert_eq!(output.code, 0);
    assert!(output.stderr.contains("--images"), "{}", output.stderr);
    let page = std::fs::read_to_string(s.path("r/report.html")).unwrap();
    assert!(page.contains("no picture") && page.contains("cannot be shown from") && !page.contains("<img"));
    s.images("again", &[("ant", 30), ("bee", 30)]);
    let found = s.json(&["report", &run, "--images", &s.text("again")]);
    assert_eq!((&found["pictures"], &found["missing_pictures"]), (&pictures.into(), &0.into()));
    // Without the cache too: only where its pictures were and how they were split is then unknown.
    std::fs::remove_dir_all(s.path("c")).unwrap();
    let output = s.run(&["report", &run]);
    assert!(output.code == 0 && output.stderr.contains("goes without the cache"), "{}", output.stderr);
    assert_eq!(s.json(&["report", &run, "--images", &s.text("again")])["pictures"], pictures);
}

#[test]
fn a_report_overwrites_no_other_file() {
    let s = Sandbox::new();
    let run = run(&s, &[("ant", 20), ("bee", 20)]);
    let train = |s: &Sandbox| s.json(&["train", &s.text("c"), "--run", &s.text("r"), "--epochs", "2"]);
    s.json(&["report", &run]);
    let first = std::fs::read(s.path("r/report.html")).unwrap();
    s.json(&["report", &run]);
    assert!(first == std::fs::read(s.path("r/report.html")).unwrap(), "the same run gives the same page");
    train(&s);
    assert!(!s.path("r/report.html").exists(), "a page about another head would be a lie");
    s.write("mine.html", b"<html>mine</html>");
    s.run(&["report", &run, "--out", &s.text("mine.html")]).fails(1, &["another file is in the way"]);
    assert_eq!(std::fs::read(s.path("mine.html")).unwrap(), b"<html>mine</html>");
    for (flag, place) in [("--plots", "r/plots"), ("--tables", "c/tables"), ("--out", "r/other.html")] {
        s.run(&["report", &run, flag, &s.text(place)]).fails(2, &[flag, "cannot be inside a"]);
        assert!(!s.path(place).exists());
    }
    train(&s);
}

#[test]
fn a_head_without_epochs_has_a_report_too() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 20), ("bee", 20)]);
    support::extract(&s, "in", "c", &[]);
    s.json(&["train", &s.text("c"), "--run", &s.text("r"), "--solver", "lbfgs", "--l2", "0.001"]);
    let stats = s.json(&["report", &s.text("r"), "--split", "validation"]);
    assert_eq!(stats["plots"][0], "confusion");
    let page = std::fs::read_to_string(s.path("r/report.html")).unwrap();
    assert!(page.contains("L-BFGS converged after") && !page.contains(" epoch"), "{page}");
    s.run(&["report", &s.text("r"), "--split", "train"]).fails(2, &["no predictions for the train split"]);
}
