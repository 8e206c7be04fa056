//! The bad inputs of the table that concern plans for several machines.

use super::{AGAIN, cut_to, nothing};
use crate::error_table::{Case, case};
use crate::support::{self, Sandbox};

const FINISH: &str = "extract in --cache c --backbone small.onnx --augment shift:5 --finish";

pub(super) const PLANS: &[Case] = &[
    case("a share of no plan", "extract in --cache c --backbone small.onnx --shard 1/2", nothing),
    case("the end of no plan", "extract in --cache c --backbone small.onnx --finish", nothing),
    case("a URL of an unknown kind", "train ftp://host/c --run new", nothing),
    case("a URL without a bucket", "cache info s3://", nothing),
    case("a URL for a program without object storage", "search s3://bucket/c in/ant/000.png", nothing),
    case("a URL for a command that takes folders", "predict r in --out a.csv --cache s3://bucket/c", nothing),
    case(
        "images in object storage without a plan",
        "extract s3://bucket/photos --cache c --backbone small.onnx",
        nothing,
    ),
    case("an extraction while a plan is not finished", AGAIN, plan),
    case("a compaction while a plan is not finished", "cache compact c", plan),
    case("the end of a plan whose chunks are not done", FINISH, plan),
    case(
        "the end of a plan with other settings",
        "extract in --cache c --backbone small.onnx --finish",
        plan,
    ),
    case("the plan of another version", FINISH, |s| {
        plan(s);
        let path = s.path("c/plan/plan.json");
        let mut header: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        header["program"] = "headstart 0.0.9".into();
        std::fs::write(path, header.to_string()).unwrap();
    }),
    case("a plan that is cut short", FINISH, |s| {
        plan(s);
        cut_to(s, "c/plan/plan.json", 20);
    }),
];

/// Plans further variants.
fn plan(s: &Sandbox) {
    support::extract(s, "in", "c", &["--augment", "shift:5", "--plan"]);
}
