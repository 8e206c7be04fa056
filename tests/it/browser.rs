//! Pages in a real browser, headless, at the width of a phone and of a desktop, in light and dark: errors, layout, keyboard, accessibility.

use crate::report::{HOSTILE, PLOTS, is_part, plot_data, run};
use crate::support::{Sandbox, python};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Chromium, where `tests/run` found or installed it.
pub fn browser() -> PathBuf {
    let named = std::env::var_os("HEADSTART_TEST_BROWSER").map(PathBuf::from);
    let usual =
        ["chromium", "chromium-browser", "google-chrome"].map(|name| Path::new("/usr/bin").join(name));
    let found = named.or_else(|| usual.into_iter().find(|path| path.exists()));
    found.expect(
        "no browser: run tests/run, which installs Debian's chromium, or name one in HEADSTART_TEST_BROWSER",
    )
}

/// Opens pages, checks the rules that hold for every page, and returns the content of each.
fn look(pages: &[PathBuf]) -> Vec<Value> {
    let browser = browser();
    let args: Vec<&Path> =
        std::iter::once(browser.as_path()).chain(pages.iter().map(PathBuf::as_path)).collect();
    let expected: Vec<Value> = serde_json::from_str(&python("browser.py", &args)).unwrap();
    assert_eq!(expected.len(), pages.len());
    for (page, path) in expected.iter().zip(pages) {
        keeps_to_the_rules(page, path);
    }
    expected
}

fn keeps_to_the_rules(page: &Value, path: &Path) {
    let views = page["views"].as_array().unwrap();
    assert_eq!(views.len(), 4);
    for view in views {
        let (width, scheme) = (&view["width"], &view["scheme"]);
        for nothing in ["trouble", "requests", "axe", "cut", "outside", "unstuck", "cut_rows", "map"] {
            assert_eq!(
                view[nothing],
                Value::Array(Vec::new()),
                "{} at {width}, {scheme}: {nothing}",
                path.display()
            );
        }
        assert!(view["too_wide"].as_i64().unwrap() <= 0, "{} scrolls sideways at {width}", path.display());
        assert_eq!(view["unreached"], 0, "{}: the keyboard does not reach all at {width}", path.display());
        assert_eq!(view["paper"], "rgb(255, 255, 255)", "paper is white");
        let is_light = view["colours"][0] == "rgb(255, 255, 255)";
        assert_eq!(is_light, *scheme == "light", "{scheme}: {}", view["colours"]);
    }
    let headings: Vec<i64> =
        page["headings"].as_array().unwrap().iter().map(|h| h.as_i64().unwrap()).collect();
    assert_eq!((headings[0], headings.iter().filter(|h| **h == 1).count()), (1, 1));
    assert!(headings.windows(2).all(|pair| pair[1] <= pair[0] + 1), "headings skip a level: {headings:?}");
    let mut ids: Vec<&str> = page["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    ids.sort();
    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "two elements have one id: {ids:?}");
    assert_eq!(page["pictures"], page["images"], "every picture is shown and described");
    for (name, plot) in page["plots"].as_object().unwrap() {
        assert_eq!((&plot["drawn"], &plot["named"]), (&true.into(), &true.into()), "{name}");
    }
}

#[test]
fn a_report_works_on_a_phone_and_on_a_desktop() {
    let s = Sandbox::new();
    let run = run(&s, &HOSTILE);
    let stats = s.json(&["report", &run, "--out", &s.text("whole.html")]);
    s.json(&["report", &run, "--out", &s.text("bare.html"), "--images", &s.text("nowhere")]);
    let pages = look(&[s.path("whole.html"), s.path("bare.html")]);
    let expected = plot_data(&s, &run);
    for page in &pages {
        let plots = page["plots"].as_object().unwrap();
        assert_eq!(plots.len(), PLOTS.len());
        for name in PLOTS {
            assert!(is_part(&plots[name]["numbers"], &expected), "{name}: {}", plots[name]["numbers"]);
        }
        let text = page["text"].as_str().unwrap();
        assert!(HOSTILE.iter().all(|(name, _)| text.contains(name)), "names are shown as they are");
        let accuracy = format!("{:.1} %", 100.0 * expected["accuracy"].as_f64().unwrap());
        assert!(text.contains(&accuracy), "{accuracy} is not in the page");
    }
    assert!(pages[0]["images"].as_u64() >= stats["pictures"].as_u64() && pages[0]["missing"] == 0);
    assert!(pages[1]["images"] == 0 && pages[1]["missing"].as_u64() >= stats["pictures"].as_u64());
}

/// Names of 102 classes: short ones, some of capitals, two very long ones that differ at their ends, one written from right to left.
fn many_names() -> Vec<String> {
    let special = ["BACKGROUND_Google", "WWWWWWWWWWWWWWWWWW", "שלום_עולם"].map(String::from).into_iter();
    let long =
        (1..=2).map(|n| format!("a_class_whose_name_goes_on_and_on_until_nobody_reads_any_further_{n:04}"));
    special.chain(long).chain((0..97).map(|n| format!("class_of_things_{n:02}"))).collect()
}

#[test]
fn a_hundred_classes_and_twenty_runs_are_readable() {
    let s = Sandbox::new();
    let names = many_names();
    assert_eq!(names.len(), 102);
    let classes: Vec<(&str, usize)> = names.iter().map(|name| (name.as_str(), 4)).collect();
    s.images("in", &classes);
    assert_eq!(crate::support::extract(&s, "in", "c", &["--split", "50/25/25"]).code, 0);
    let rates: Vec<String> = (1..=11).map(|n| format!("0.{n:03}")).collect();
    s.json(&["sweep", "c", "--runs", "runs", "--lr", &rates.join(","), "--l2", "0,0.001", "--epochs", "3"]);
    let mut runs: Vec<String> = std::fs::read_dir(s.path("runs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("run.json").exists())
        .map(|path| {
            // Names as long as people give them.
            let name = path.file_name().unwrap().to_str().unwrap();
            let long = path.with_file_name(format!("adam_{name}_batch_32"));
            std::fs::rename(&path, &long).unwrap();
            long.to_str().unwrap().to_string()
        })
        .collect();
    runs.sort();
    assert_eq!(runs.len(), 22);
    s.json(&["report", &runs[0], "--out", "many.html"]);
    let runs: Vec<&str> = runs.iter().map(String::as_str).collect();
    s.json(&[&["compare"], &runs[..], &["--out", "compared.html"]].concat());
    let [report, compared] = &look(&[s.path("many.html"), s.path("compared.html")])[..] else { panic!() };
    for page in [report, compared] {
        for view in page["views"].as_array().unwrap() {
            assert_eq!(view["empty"], serde_json::json!([]), "the right third is used at {}", view["width"]);
        }
    }
    // The worst block and the whole matrix; the rest of the scores and of the composition is folded.
    assert_eq!((&report["matrices"], &report["folded"]), (&2.into(), &2.into()));
    assert_eq!(report["plots"]["confusion-worst"]["numbers"]["names"].as_array().unwrap().len(), 20);
    for plot in ["validation-loss", "train-accuracy"] {
        let plot = &compared["plots"][plot];
        assert_eq!((&plot["coloured"], &plot["grey"]), (&5.into(), &17.into()));
        assert!(plot["area"].as_f64().unwrap() > 120.0, "the plot has no height: {}", plot["area"]);
    }
    assert_eq!(compared["legend"], 6, "five runs and one line for the others");
    let text = compared["text"].as_str().unwrap();
    assert!(text.contains("The same in all runs: cache") && !text.contains("shuffle_seed"), "{text}");
    assert!(text.contains("adam_lr") && !text.contains("runs/adam"), "runs go by their short names: {text}");
}

#[test]
fn pages_of_labels_suggestions_and_near_duplicates_work_on_a_phone_and_on_a_desktop() {
    let several = crate::multi_label::trained();
    several.json(&["report", &several.text("r"), "--out", &several.text("labels.html")]);
    let some = crate::labels::with_unlabelled();
    let run = some.text("r");
    some.json(&["suggest", &run, "--n", "8", "--html", &some.text("suggested.html")]);
    some.json(&["report", &run, "--out", &some.text("mapped.html")]);
    let copies = crate::near_duplicates::with_copies();
    let (images, cache, page) = (copies.text("in"), copies.text("c"), copies.text("copies.html"));
    copies.json(&["data", "report", &images, "--cache", &cache, "--out", &page]);
    let pages = look(&[
        several.path("labels.html"),
        some.path("suggested.html"),
        some.path("mapped.html"),
        copies.path("copies.html"),
    ]);
    assert_eq!(
        [&pages[0], &pages[1], &pages[2], &pages[3]].map(|page| page["maps"].as_u64()),
        [Some(0), Some(0), Some(1), Some(1)]
    );
    for (page, said) in pages.iter().zip([
        &["Binary cross entropy", "Commands that make it again", "lowest average precision first"][..],
        &["the answer is bold", "Images to label"],
        &["a ring marks a wrong answer", "Skip the images of the map"],
        &["near-duplicate in another split", "within a cosine distance of 0.02"],
    ]) {
        let text = page["text"].as_str().unwrap();
        assert!(said.iter().all(|part| text.contains(part)), "{said:?}: {text}");
        assert!(page["images"].as_u64() > Some(5) && page["missing"] == 0, "{page}");
    }
    assert_eq!(pages[0]["tables"], serde_json::json!(["labels", "settings"]));
}

#[test]
fn all_other_pages_work_on_a_phone_and_on_a_desktop() {
    let s = Sandbox::new();
    run(&s, &HOSTILE);
    s.json(&["train", "c", "--run", "other", "--epochs", "4", "--lr", "0.001"]);
    s.json(&["compare", "r", "other", "--out", "compared.html"]);
    let image = format!("in/{}/000.png", HOSTILE[0].0);
    s.json(&["predict", "r", &image, "in/=1+1/001.png", "--html", "answers.html"]);
    let folder = Sandbox::new();
    crate::pages::folder(&folder);
    assert_eq!(folder.run(&["data", "report", "in"]).code, 3);
    s.json(&["data", "report", "in", "--cache", "c", "--out", "cached.html"]);
    let pages = look(&[
        s.path("compared.html"),
        s.path("answers.html"),
        folder.path("in-report.html"),
        s.path("cached.html"),
    ]);
    let plots = |at: usize| pages[at]["plots"].as_object().unwrap().len();
    assert_eq!([plots(0), plots(1), plots(2), plots(3)], [6, 0, 2, 2]);
    for page in &pages[1..] {
        let text = page["text"].as_str().unwrap();
        assert!(
            text.contains(HOSTILE[0].0) && text.contains(HOSTILE[1].0),
            "names are shown as they are: {text}"
        );
        assert!(page["images"].as_u64() > Some(5) && page["missing"] == 0, "{page}");
    }
}
