//! The bad inputs of the table that concern experiments.

use super::nothing;
use crate::error_table::{Case, case};
use crate::support::Sandbox;

const TRY: &str = "experiment e.toml --images in --out new";

pub(super) const EXPERIMENTS: &[Case] = &[
    case("no such experiment", TRY, nothing),
    case("an experiment with an unknown key", TRY, |s| experiment(s, "sedes = 3", "")),
    case("an experiment without runs", TRY, |s| {
        s.write("e.toml", b"title = \"e\"\nrun = []\n[[cache]]\nname = \"c\"\n");
    }),
    case("an experiment with an unknown setting", TRY, |s| experiment(s, "settings = { rate = 0.1 }", "")),
    case("an experiment with a setting out of range", TRY, |s| experiment(s, "", "settings = { lr = 0 }")),
    case("an experiment with an unknown switch", TRY, |s| {
        experiment(s, "", "[[condition]]\nname = \"x\"\nswitches = [\"turbo\"]");
    }),
    case("a run of a cache that is not there", TRY, |s| experiment(s, "", "cache = \"deep\"")),
    case("a run that starts from itself", TRY, |s| experiment(s, "", "init = \"plain\"")),
    case("a run that is there twice", TRY, |s| experiment(s, "", "[[run]]\nname = \"plain\"")),
    case("a name that is no folder", TRY, |s| experiment(s, "", "[[run]]\nname = \"../plain\"")),
    case("a pair of runs that are not there", TRY, |s| experiment(s, "pairs = [[\"plain\", \"best\"]]", "")),
    case("one other split", TRY, |s| experiment(s, "resplits = 1", "")),
    case("an augmentation of a cache that is unknown", TRY, |s| {
        experiment(s, "", "[[cache]]\nname = \"d\"\naugment = [\"spin\"]");
    }),
    case("variants that no cache of the experiment has", TRY, |s| experiment(s, "", "use = [\"shift\"]"))
        .writes(&["new**"]),
    case("a search for families without splits", TRY, |s| experiment(s, "search_families = true", "")),
    case("a search for families that are not there", TRY, |s| {
        experiment(s, "search_families = true\nresplits = 3", "");
    }),
    case("an experiment without images", "experiment e.toml --images missing --out new", |s| {
        experiment(s, "", "");
    }),
    case("an experiment among other things", "experiment e.toml --images in --out mine", |s| {
        experiment(s, "", "");
        s.write("mine/thesis.tex", b"irreplaceable");
    }),
];

/// A small experiment with more keys in front and in its run.
fn experiment(s: &Sandbox, front: &str, run: &str) {
    let text = format!(
        "title = \"e\"\n{front}\n[[cache]]\nname = \"c\"\nbackbone = \"small.onnx\"\n[[run]]\nname = \"plain\"\n{run}\n"
    );
    s.write("e.toml", text.as_bytes());
}
