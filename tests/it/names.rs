//! Names of classes and files that could be taken for something else: for columns of a table, or for the text around them.

use crate::support::{self, Sandbox};
use std::collections::HashSet;
use std::path::Path;
use std::process::Command;

/// Headings of columns as names of classes. The last is the confusion matrix's own column of the first.
const COLUMNS: [&str; 8] =
    ["truth", "path", "label", "probability", "predicted", "class", "embedding", "predicted_truth"];

/// The headings of each CSV file in a folder.
fn headings(folder: &Path) -> Vec<(String, Vec<String>)> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "csv"));
    let heading = |path: &Path| {
        let first = std::fs::read_to_string(path).unwrap().lines().next().unwrap().to_string();
        first.split(',').map(String::from).collect()
    };
    files.map(|path| (path.file_stem().unwrap().to_str().unwrap().to_string(), heading(&path))).collect()
}

#[test]
fn no_table_has_two_columns_of_one_name_whatever_the_classes_are_called() {
    let s = Sandbox::new();
    s.images("in", &COLUMNS.map(|class| (class, 8)));
    assert_eq!(support::extract(&s, "in", "c", &["--split", "50/25/25"]).code, 0);
    for run in ["truth", "run"] {
        support::train(&s, run, &["--epochs", "2"]);
    }
    s.json(&["report", "truth", "--out", "run.html", "--tables", "of-run"]);
    s.json(&["compare", "truth", "run", "--out", "compared.html", "--tables", "of-comparison"]);
    s.json(&["predict", "truth", "in/path/000.png", "--html", "page.html", "--tables", "of-predictions"]);
    s.json(&["data", "report", "in", "--cache", "c", "--out", "data.html", "--tables", "of-images"]);
    for format in ["npy", "parquet", "arrow", "safetensors"] {
        s.json(&["cache", "export", "c", "--out", &format!("exports/export.{format}")]);
    }
    let folders = ["of-run", "of-comparison", "of-predictions", "of-images", "exports"];
    let csv: Vec<_> = folders.iter().flat_map(|folder| headings(&s.path(folder))).collect();
    assert!(csv.len() > 10, "{csv:?}");
    for (table, columns) in &csv {
        assert_eq!(columns.iter().collect::<HashSet<_>>().len(), columns.len(), "{table}: {columns:?}");
    }
    let confusion = &csv.iter().find(|(table, _)| table == "confusion").unwrap().1;
    let mut classes = COLUMNS.map(|class| format!("predicted_{class}"));
    classes.sort();
    assert_eq!((confusion[0].as_str(), &confusion[1..]), ("truth", &classes[..]));
    let columns =
        "import sys, pyarrow.parquet as pq\nfor path in sys.argv[1:]: print(*pq.read_schema(path).names)";
    let files = ["exports/export.parquet", "truth/predictions.parquet"].map(|file| s.path(file));
    let out = Command::new(support::oracle_python()).args(["-c", columns]).args(files).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&out.stdout),
        "path label target split image_sha256 variant embedding\n\
         path image_sha256 variant split label predicted probabilities\n"
    );
}

/// Reverses the order of all that follows it in its paragraph.
const OVERRIDE: char = '\u{202e}';

/// What a page shows outside `bdi` elements, which isolate their text.
fn outside_bdi(page: &str) -> String {
    let rest = |part: &str| part.split_once("</bdi>").map_or(part, |(_, rest)| rest).to_string();
    page.split("<bdi>").map(rest).collect()
}

#[test]
fn direction_marks_in_names_are_escaped_on_terminals_and_isolated_on_pages() {
    let s = Sandbox::new();
    let classes = ["a\u{202e}b", "cat\u{2067}", "dog"].map(|class| (class, 16));
    s.images("in", &classes);
    std::fs::rename(s.path("in/dog/000.png"), s.path("in/dog/x\u{202e}gpj.png")).unwrap();
    s.write("in/dog/bad\u{202e}.jpg", b"not an image");
    let network = support::small_network::install(&s);
    let file = "in/dog/x\u{202e}gpj.png";
    let marked = format!("--no-such-flag{OVERRIDE}");
    for (code, command) in [
        (3, &["data", "summary", "in"][..]),
        (3, &["data", "report", "in", "--out", "data.html"]),
        (3, &["extract", "in", "--cache", "c", "--backbone", &network, "--split", "50/25/25"]),
        (0, &["cache", "info", "c"]),
        (0, &["cache", "export", "c", "--out", "e\u{202e}.parquet"]),
        (0, &["train", "c", "--run", "r\u{202e}", "--epochs", "2"]),
        (0, &["train", "c", "--run", "r", "--epochs", "2"]),
        (2, &["train", "c", "--run", "w", "--class-weights", "a\u{202e}=2"]),
        (0, &["evaluate", "r\u{202e}"]),
        (0, &["report", "r", "--out", "run.html", "--plots", "plots"]),
        (0, &["compare", "r", "r\u{202e}", "--out", "compared.html"]),
        (0, &["predict", "r", file, "--html", "answers.html"]),
        (1, &["evaluate", "none\u{202e}"]),
        (2, &["evaluate", "r", &marked]),
    ] {
        let output = s.run(command);
        let said = format!("{}{}", output.stdout, output.stderr);
        assert_eq!(output.code, code, "{command:?}: {said}");
        assert!(!said.contains([OVERRIDE, '\u{2067}']), "{command:?}: {said:?}");
    }
    assert!(s.run(&["evaluate", "r"]).stdout.contains("a\\u{202e}b"));
    for page in ["data.html", "run.html", "compared.html", "answers.html"] {
        let page = std::fs::read_to_string(s.path(page)).unwrap();
        assert!(page.contains(OVERRIDE), "the names are in the page");
        assert!(!outside_bdi(&page).contains([OVERRIDE, '\u{2067}']), "{:?}", outside_bdi(&page));
    }
    for plot in std::fs::read_dir(s.path("plots")).unwrap().map(|entry| entry.unwrap().path()) {
        assert!(!String::from_utf8_lossy(&std::fs::read(plot).unwrap()).contains(OVERRIDE));
    }
}
