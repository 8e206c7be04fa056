//! `train --auto`: the settings are chosen, and the head is that of the settings.

use crate::support::{self, Sandbox};
use serde_json::Value;

/// Two caches `c` and `d` of the same images with other crops, of three classes with mirrored variants.
fn caches() -> Sandbox {
    let s = Sandbox::new();
    s.images("in", &[("ant", 20), ("bee", 20), ("cat", 20)]);
    support::extract(&s, "in", "c", &["--augment", "flip"]);
    support::extract(&s, "in", "d", &["--crop", "0.5"]);
    s
}

fn auto(s: &Sandbox, run: &str, more: &[&str]) -> Value {
    s.json(&[&["train", &s.text("c"), "--auto", "--run", &s.text(run)], more].concat())
}

/// Cache, variants, standardization, label smoothing and penalty.
type Settings = (String, String, bool, f64, f64);

/// The settings of each candidate.
fn settings(tried: &Value) -> Vec<Settings> {
    let of = |one: &Value| {
        let text = |key: &str| one[key].as_str().unwrap().to_string();
        let number = |key: &str| one[key].as_f64().unwrap();
        let standardize = one["standardize"].as_bool().unwrap();
        (text("cache"), text("use"), standardize, number("label_smoothing"), number("l2"))
    };
    tried.as_array().unwrap().iter().map(of).collect()
}

#[test]
fn the_head_is_that_of_the_settings_that_it_chose() {
    let s = caches();
    let reported = auto(&s, "best", &[&s.text("d"), "--budget", "none"]);
    let selection = &reported["selection"];
    assert_eq!((&selection["folds"], &selection["repeats"]), (&5.into(), &4.into()));
    assert_eq!((&selection["images"], &selection["nested"]["n"]), (&42.into(), &20.into()));
    let tried = settings(&selection["tried"]);
    for path in [("c", false, 0.0), ("d", false, 0.0), ("c", false, 0.3), ("c", true, 0.0), ("c", true, 0.3)]
    {
        let own = (s.text(path.0), "none".to_string(), path.1, path.2);
        let is_own = |one: &&Settings| (&one.0, &one.1, one.2, one.3) == (&own.0, &own.1, own.2, own.3);
        assert!(tried.iter().filter(is_own).count() >= 2, "{own:?}: {tried:?}");
    }
    // The loss of the chosen one is within one standard error of the least, and on its path it is the least.
    let chosen = selection["chosen"].as_u64().unwrap() as usize;
    let candidates = selection["tried"].as_array().unwrap();
    assert_eq!(candidates[chosen]["difference"], 0.0);
    let worse = |one: &Value| one["difference"].as_f64().unwrap();
    let best = candidates.iter().min_by(|a, b| worse(a).total_cmp(&worse(b))).unwrap();
    assert!(-worse(best) <= best["standard_error"].as_f64().unwrap() + 1e-12, "{best}");
    let is_of_path = |one: &&Value| {
        ["cache", "use", "standardize", "label_smoothing"]
            .iter()
            .all(|key| one[*key] == candidates[chosen][*key])
    };
    assert!(candidates.iter().filter(is_of_path).all(|one| worse(one) >= 0.0));
    assert_eq!(s.record("best")["selection"], *selection);
    // `train` makes the same head, from the settings of the record alone.
    let (cache, variants, standardize, smoothing, l2) = &tried[chosen];
    let (l2, smoothing) = (l2.to_string(), smoothing.to_string());
    let mut same = vec!["train", cache, "--run", "", "--use", variants, "--solver", "lbfgs", "--l2", &l2];
    let (given, variants) = (s.text("given"), variants.replace('+', ","));
    (same[3], same[5]) = (&given, &variants);
    same.extend(standardize.then_some("--standardize"));
    same.extend(["--label-smoothing", &smoothing]);
    let alone = s.json(&same);
    assert_eq!((s.head("given"), &alone["selection"]), (s.head("best"), &Value::Null));
    // Neither threads nor a second time make another choice.
    let again = auto(&s, "again", &[&s.text("d"), "--budget", "none", "--threads", "1"]);
    assert_eq!((s.head("again"), &again["selection"]["tried"]), (s.head("best"), &selection["tried"]));
}

#[test]
fn it_prints_what_it_tried_and_how_the_choice_does() {
    let s = caches();
    let output = s.run(&["train", &s.text("c"), "--auto", "--run", &s.text("r")]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    let record = s.record("r");
    let tried = record["selection"]["tried"].as_array().unwrap().len();
    for part in [
        &format!("{tried} candidates in "),
        "each fitted in 5 folds within 42 train images, 4 times",
        "standardize",
        "accuracy of such a choice on folds that had no part in it",
        "test accuracy",
        "L-BFGS in",
    ] {
        assert!(output.stdout.contains(part), "{part}: {}", output.stdout);
    }
}

#[test]
fn a_budget_ends_the_search_wherever_it_is() {
    let s = caches();
    let none = s.run(&["train", &s.text("c"), "--auto", "--run", &s.text("r"), "--budget", "0s"]);
    none.fails(
        1,
        &["the --budget of 0 s was over before any candidate was fitted in all folds", "raise --budget"],
    );
    assert!(!s.path("r").exists());
    // Whatever a budget cuts, the candidates are the first ones of a search without one, and the head is theirs.
    let all = auto(&s, "all", &["--budget", "none"]);
    let all = settings(&all["selection"]["tried"]);
    for budget in ["0.2s", "1s", "3s"] {
        let output =
            s.run(&["train", &s.text("c"), "--auto", "--run", &s.text("r"), "--budget", budget, "--json"]);
        if output.code != 0 {
            output.fails(1, &["was over before any candidate"]);
            continue;
        }
        let reported = output.value();
        let selection = &reported["selection"];
        let tried = settings(&selection["tried"]);
        let is_one_path = |a: &Settings, b: &Settings| (&a.1, a.2, a.3) == (&b.1, b.2, b.3);
        let first = |path: &[Settings]| {
            let of_path = all.iter().filter(|one| is_one_path(one, &path[0]));
            of_path.take(path.len()).cloned().collect::<Vec<_>>() == path
        };
        assert!(tried.chunk_by(is_one_path).all(first), "{tried:?}");
        let seconds = selection["seconds"].as_f64().unwrap();
        let given: f64 = budget.trim_end_matches('s').parse().unwrap();
        assert_eq!(
            output.stderr.contains("the search took its --budget"),
            seconds >= given,
            "{}",
            output.stderr
        );
    }
}

#[test]
fn what_is_given_is_not_searched() {
    let s = caches();
    let loss = ["--label-smoothing", "0.1", "--class-weights", "balanced"];
    let more = [&["--use", "flip", "--standardize"][..], &loss].concat();
    let reported = auto(&s, "r", &more);
    let tried = settings(&reported["selection"]["tried"]);
    assert!(tried.iter().all(|one| (one.1.as_str(), one.2, one.3) == ("flip", true, 0.1)), "{tried:?}");
    let record = s.record("r");
    assert_eq!(record["config"]["class_weights"], "balanced");
}

#[test]
fn another_split_chooses_and_tests_on_its_own_images() {
    let s = caches();
    let own = auto(&s, "own", &["--use", "none"]);
    let other = auto(&s, "other", &["--use", "none", "--resplit", "7"]);
    assert_eq!(s.record("other")["division"]["resplit"]["seed"], 7);
    assert_ne!(own["selection"]["tried"], other["selection"]["tried"]);
    // `train` with what was chosen makes the same head on that split.
    let chosen = &other["selection"]["tried"][other["selection"]["chosen"].as_u64().unwrap() as usize];
    let (l2, smoothing) = (chosen["l2"].to_string(), chosen["label_smoothing"].to_string());
    let (c, given) = (s.text("c"), s.text("given"));
    let mut same = vec![
        "train",
        &c,
        "--run",
        &given,
        "--use",
        "none",
        "--solver",
        "lbfgs",
        "--l2",
        &l2,
        "--resplit",
        "7",
        "--label-smoothing",
        &smoothing,
    ];
    same.extend((chosen["standardize"] == true).then_some("--standardize"));
    s.json(&same);
    assert_eq!(s.head("given"), s.head("other"));
}

#[test]
fn two_images_a_class_are_enough() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 2), ("bee", 2)]);
    support::extract(&s, "in", "c", &[]);
    let reported = auto(&s, "r", &[]);
    assert_eq!(
        (&reported["selection"]["folds"], &reported["selection"]["nested"]),
        (&2.into(), &Value::Null)
    );
    let text = s.run(&["train", &s.text("c"), "--auto", "--run", &s.text("r")]).stdout;
    assert!(text.contains("too few folds") && text.contains("there are no test images"), "{text}");
}

#[test]
fn what_does_not_go_together_is_refused() {
    let s = caches();
    let (c, d, r) = (s.text("c"), s.text("d"), s.text("r"));
    let auto = |more: &[&str]| s.run(&[&["train", &c, "--auto", "--run", &r], more].concat());
    for (more, message) in [
        (&["--solver", "lbfgs"][..], "--auto"),
        (&["--l2", "0.1"], "--auto"),
        (&["--memory", "1GiB"], "--auto"),
        (&["--batch", "8"], "--batch cannot be used with --auto"),
        (&["--folds", "3"], "--folds alone cannot be used with --auto"),
        (&["--budget", "soon"], "\"soon\" is not a time"),
    ] {
        auto(more).fails(2, &[message]);
    }
    s.run(&["train", &c, &d, "--run", &r]).fails(2, &["only --auto takes several caches"]);
    s.run(&["train", &c, "--run", &r, "--budget", "5s"]).fails(2, &["--auto"]);
    support::extract(&s, "in", "e", &["--seed", "9"]);
    auto(&[&s.text("e")]).fails(1, &["its images, classes or splits are not those of", "--seed"]);
    assert!(!s.path("r").exists());
}
