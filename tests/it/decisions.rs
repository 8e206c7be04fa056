//! Curves of precision against recall beside scikit-learn's, and rules of decision: thresholds and costs, beside NumPy's.

use crate::support::{self, Sandbox, picture, python};
use headstart::data::decode::encode_png;
use serde_json::{Value, json};

const CLASSES: [&str; 3] = ["ant", "bee", "cat"];

/// A cache `c` of 100 images for each of three classes, split by `split`. Of each class one picture in `mixed` shows the next one.
fn cache(split: &str, mixed: usize) -> Sandbox {
    let s = Sandbox::new();
    for (i, class) in CLASSES.iter().enumerate() {
        for number in 0..100 {
            let shown = if number % mixed == mixed - 1 { CLASSES[(i + 1) % 3] } else { class };
            s.write(&format!("in/{class}/{number}.png"), &encode_png(&picture(shown, 100 * i + number)));
        }
    }
    assert_eq!(support::extract(&s, "in", "c", &["--split", split]).code, 0);
    s
}

fn train(s: &Sandbox, run: &str, more: &[&str]) -> Value {
    support::train(s, run, &[&["--epochs", "12"], more].concat())
}

/// A run whose probabilities tell the pictures apart.
fn optimum(s: &Sandbox, run: &str, more: &[&str]) -> Value {
    s.json(
        &[&["train", &s.text("c"), "--run", &s.text(run), "--solver", "lbfgs", "--l2", "0.001"], more]
            .concat(),
    )
}

fn near(ours: &Value, theirs: &Value, by: f64) -> bool {
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    (number(ours) - number(theirs)).abs() <= by
}

fn oracle(script: &str, s: &Sandbox, run: &str) -> Value {
    serde_json::from_str(&python(script, &[&s.path(run)])).unwrap()
}

#[test]
fn curves_and_their_areas_agree_with_scikit_learn() {
    let s = cache("30/20/50", 4);
    train(&s, "r", &[]);
    let ours = s.json(&["evaluate", &s.text("r")])["curves"].clone();
    let theirs = oracle("curves.py", &s, "r");
    let mut areas = Vec::new();
    for (ours, theirs) in ours["classes"].as_array().unwrap().iter().zip(theirs.as_array().unwrap()) {
        assert_eq!((&ours["name"], ours["images"].as_u64()), (&theirs["name"], Some(50)));
        for area in ["average_precision", "roc_area"] {
            assert!(near(&ours[area], &theirs[area], 1e-9), "{area}: {} {}", ours[area], theirs[area]);
            let [here, there] = [ours, theirs].map(|all| &all[format!("{area}_interval")]);
            for end in 0..2 {
                assert!(near(&here[end], &there[end], 0.02), "{area}: {here} {there}");
            }
        }
        let (points, expected) = (ours["points"].as_array().unwrap(), theirs["points"].as_array().unwrap());
        assert_eq!(points.len(), expected.len());
        for (point, expected) in points.iter().zip(expected) {
            for name in ["threshold", "precision", "recall", "false_positive_rate"] {
                assert!(near(&point[name], &expected[name], 1e-6), "{name}: {point} {expected}");
            }
        }
        areas.push(ours["average_precision"].as_f64().unwrap());
    }
    let mean = areas.iter().sum::<f64>() / 3.0;
    assert!(
        areas.iter().all(|area| *area < 0.99) && near(&ours["mean_average_precision"], &json!(mean), 1e-12)
    );
    let text = s.run(&["evaluate", &s.text("r")]).stdout;
    assert!(text.contains("mean average precision 0."), "{text}");
}

#[test]
fn thresholds_are_those_that_a_search_over_all_of_them_finds() {
    let s = cache("30/40/30", 8);
    let goals = [
        "--threshold",
        "ant=precision>=0.85",
        "--threshold",
        "bee=precision>=0.6",
        "--threshold",
        "bee=recall>=0.93",
    ];
    for (run, goals) in [("one", &goals[..2]), ("other", &goals[4..]), ("both", &goals[..4])] {
        let stats = optimum(&s, run, goals);
        let theirs = oracle("decisions.py", &s, run);
        let chosen = stats["decision"]["thresholds"].as_array().unwrap();
        assert_eq!(chosen.len(), goals.len() / 2);
        assert_eq!(stats["decision"], s.record(run)["decision"]);
        let scores = s.json(&["evaluate", &s.text(run)]);
        let decision = &scores["decision"];
        for (i, threshold) in chosen.iter().enumerate() {
            let evidence = &threshold["chosen_on"];
            assert_eq!((&evidence["from"], &evidence["images"]), (&json!("validation"), &json!(120)));
            for count in ["of_class", "answered", "correct"] {
                assert_eq!(evidence[count], theirs["kept"][i][count], "{run} {count}: {evidence}");
                assert_eq!(evidence[count], theirs["chosen"][i][count], "{run}: {evidence} {theirs}");
            }
            let (goal, test) = (&decision["goals"][i], &theirs["test"][i]);
            let of = if goal["measure"] == "recall" { &test["of_class"] } else { &test["answered"] };
            let rate = test["correct"].as_f64().unwrap() / of.as_f64().unwrap();
            assert!(near(&goal["rate"], &json!(rate), 1e-12), "{goal} {test}");
        }
        assert_eq!(decision["unsure"], theirs["unsure"]);
        let answered = 90.0 - theirs["unsure"].as_f64().unwrap();
        let accuracy = theirs["correct"].as_f64().unwrap() / answered;
        assert!(near(&decision["answered_accuracy"], &json!(accuracy), 1e-12), "{decision}");
        assert_eq!(scores["images"], 90);
    }
    let text = s.run(&["evaluate", &s.text("both")]).stdout;
    assert!(text.contains("ant=precision>=0.85") && text.contains("by the rule of the run"), "{text}");
}

#[test]
fn folds_choose_where_validation_images_are_few_or_missing() {
    for split in ["60/10/30", "70/0/30"] {
        let s = cache(split, 4);
        let stats = train(&s, "r", &["--threshold", "ant=recall>=0.9"]);
        let evidence = &stats["decision"]["thresholds"][0]["chosen_on"];
        let images = if split.starts_with("60") { 180 } else { 210 };
        assert_eq!((&evidence["from"], &evidence["images"]), (&json!("folds"), &json!(images)));
        assert!(10 * evidence["correct"].as_u64().unwrap() >= 9 * evidence["of_class"].as_u64().unwrap());
        let bare = train(&s, "bare", &[]);
        assert_eq!(s.head("r"), s.head("bare"), "the head is the same");
        assert_eq!(bare.get("decision"), None);
    }
}

#[test]
fn predict_and_its_files_answer_by_the_rule() {
    let s = cache("30/40/30", 8);
    optimum(&s, "r", &["--threshold", "ant=precision>=0.8"]);
    // A threshold that withholds all of one class, and one that claims all images of doubt for another.
    let mut record = s.record("r");
    let evidence = record["decision"]["thresholds"][0]["chosen_on"].clone();
    let threshold = |class: &str, measure: &str, at: f64| json!({"class": class, "measure": measure, "at_least": 0.9, "threshold": at, "chosen_on": evidence});
    record["decision"]["thresholds"] =
        json!([threshold("ant", "precision", 1.0), threshold("bee", "recall", 0.2)]);
    s.write("r/run.json", record.to_string().as_bytes());
    let expected = |predictions: &Value| {
        let probability = |label: &str| {
            let found = predictions.as_array().unwrap().iter().find(|one| one["label"] == label);
            found.unwrap()["probability"].as_f64().unwrap()
        };
        let first = predictions[0]["label"].as_str().unwrap();
        if probability("bee") >= 0.2 {
            "bee"
        } else if first == "ant" && probability("ant") < 1.0 {
            "unsure"
        } else {
            first
        }
        .to_string()
    };
    let answers = s.json(&["predict", &s.text("r"), &s.text("in"), "--neighbours", "0"]);
    let (mut seen, mut other) = (std::collections::BTreeMap::<String, usize>::new(), 0);
    for answer in answers.as_array().unwrap() {
        let wanted = expected(&answer["predictions"]);
        assert_eq!(answer["answer"], wanted, "{answer}");
        other += usize::from(answer["predictions"][0]["label"] != wanted);
        *seen.entry(wanted).or_default() += 1;
    }
    assert!(seen["unsure"] > 20 && seen["bee"] > 20 && other > 40, "{seen:?} {other}");
    let stats = s.json(&["predict", &s.text("r"), &s.text("in"), "--out", &s.text("a.jsonl")]);
    assert_eq!(stats["unsure"], seen["unsure"]);
    let lines = std::fs::read_to_string(s.path("a.jsonl")).unwrap();
    let count = |answer: &str| lines.matches(&format!("\"answer\":\"{answer}\"")).count();
    assert_eq!((count("bee"), count("unsure"), lines.lines().count()), (seen["bee"], seen["unsure"], 300));
    let text = s.run(&["predict", &s.text("r"), &s.text("in/ant/0.png"), "--neighbours", "0"]).stdout;
    assert!(text.contains("answer by the rule of the run: "), "{text}");
    s.json(&["report", &s.text("r")]);
    let page = std::fs::read_to_string(s.path("r/report.html")).unwrap();
    assert!(
        page.contains("By the rule of the run") && page.contains("bee=recall&gt;=0.9"),
        "goals are on the page"
    );
    // A later version of the rules is refused, not ignored.
    record["decision"]["schema"] = json!("decision-v9");
    s.write("r/run.json", record.to_string().as_bytes());
    s.run(&["evaluate", &s.text("r")]).fails(1, &["its rule of decision, decision-v9, is not one"]);
}

#[test]
fn costs_decide_for_the_answer_of_least_expected_cost() {
    let s = cache("30/20/50", 4);
    s.write("costs.csv", b"truth,bee,ant,cat\ncat,1,1,0\nant,20,0,20\nbee,0,1,1\n");
    let stats = train(&s, "r", &["--costs", &s.text("costs.csv")]);
    let matrix = json!([[0.0, 20.0, 20.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]);
    assert_eq!(stats["decision"]["costs"]["costs"], matrix);
    let scores = s.json(&["evaluate", &s.text("r")]);
    let (ours, theirs) = (&scores["decision"]["costs"], oracle("decisions.py", &s, "r"));
    for name in ["mean", "most_probable"] {
        assert!(near(&ours[name], &theirs[name], 1e-12), "{name}: {ours} {theirs}");
    }
    assert!(ours["difference"].as_f64().unwrap() < 0.0, "{ours}");
    assert_eq!(scores["decision"]["unsure"], 0);
    let text = s.run(&["evaluate", &s.text("r")]).stdout;
    assert!(text.contains("mean cost "), "{text}");
}

#[test]
fn goals_that_cannot_be_reached_or_known_are_refused_and_nothing_is_written() {
    let s = cache("30/20/50", 4);
    s.write("costs.csv", b"truth,ant,bee\nant,0,1\nbee,1,0\n");
    let (cache, run, costs) = (s.text("c"), s.text("r"), s.text("costs.csv"));
    for (more, code, expected) in [
        (&["--threshold", "dog=recall>=0.9"][..], 2, "names \"dog\", which is not a class"),
        (&["--threshold", "ant=recall>=1.5"], 2, "is not a goal for a class"),
        (&["--threshold", "ant=recall>=0.9", "--threshold", "ant=precision>=0.9"], 2, "two goals"),
        (
            &["--threshold", "ant=recall>=0.99"],
            1,
            "it needs 100 images of this class, and there are 30 train",
        ),
        (&["--threshold", "ant=precision>=0.94", "--epochs", "30"], 1, "the best precision is 0."),
        (&["--threshold", "ant=recall>=0.96", "--memory", "1MiB"], 2, "--memory"),
        (&["--costs", &costs], 2, "its header lacks the class \"cat\""),
        (&["--costs", "none.csv"], 1, "none.csv"),
        (&["--threshold", "ant=recall>=0.9", "--costs", &costs], 2, "cannot be used with"),
        (
            &["--threshold", "ant=recall>=0.9", "--folds", "3"],
            2,
            "--threshold and --costs cannot be used with --folds",
        ),
        (&["--threshold", "ant=recall>=0.9", "--auto"], 2, "cannot be used with"),
    ] {
        s.run(&[&["train", &cache, "--run", &run], more].concat()).fails(code, &[expected]);
        assert!(!s.path("r").exists(), "{more:?}");
    }
}
