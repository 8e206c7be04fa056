//! The bad inputs of the table, a file a chapter: what is typed, and how the working cache and run are spoilt before.

mod caches;
mod experiments;
mod exports;
mod images;
mod manifests;
mod networks;
mod plans;
mod runs;
mod typed;

use super::Case;
use crate::support::Sandbox;

const NEW: &str = "extract in --cache new --backbone small.onnx";
const AGAIN: &str = "extract in --cache c --backbone small.onnx";

/// The table, chapter by chapter.
pub(super) const CHAPTERS: [(&str, &[Case]); 9] = [
    ("Images", images::IMAGES),
    ("Manifests, groups and search", manifests::MANIFESTS),
    ("Caches", caches::CACHES),
    ("Plans for several machines", plans::PLANS),
    ("Runs", runs::RUNS),
    ("Exports and answers", exports::EXPORTS),
    ("Experiments", experiments::EXPERIMENTS),
    ("Networks, runtime, device", networks::NETWORKS),
    ("What was typed", typed::TYPED),
];

fn nothing(_: &Sandbox) {}

fn cut(s: &Sandbox, name: &str) {
    let bytes = std::fs::read(s.path(name)).unwrap();
    std::fs::write(s.path(name), &bytes[..bytes.len() / 2]).unwrap();
}

/// Keeps the first bytes of a file whose length varies, with the times that it holds.
fn cut_to(s: &Sandbox, name: &str, bytes: usize) {
    let whole = std::fs::read(s.path(name)).unwrap();
    std::fs::write(s.path(name), &whole[..bytes]).unwrap();
}
