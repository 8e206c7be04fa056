//! The bad inputs of the table that concern manifests, groups, archives, and the search among features.

use super::nothing;
use crate::error_table::{Case, case};
use crate::support::Sandbox;

const TAKE: &str = "extract m.csv --cache new --backbone small.onnx";

pub(super) const MANIFESTS: &[Case] = &[
    case("a manifest without a column of labels", TAKE, |s| manifest(s, "path,kind\nin/ant/000.png,ant\n")),
    case("a manifest whose first line is a row", TAKE, |s| manifest(s, "in/ant/000.png,ant\n")),
    case("an empty manifest", TAKE, |s| manifest(s, "")),
    case("a manifest in UTF-16", TAKE, |s| {
        let text: Vec<u8> = "\u{feff}path,label\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        s.write("m.csv", &text);
    }),
    case("two columns of one name", TAKE, |s| manifest(s, "path,label,label\nin/ant/000.png,ant,bee\n")),
    case("both one label and several", TAKE, |s| {
        manifest(s, "path,label,labels\nin/ant/000.png,ant,ant|bee\n")
    }),
    case(
        "two columns for labels",
        "extract m.csv --cache new --backbone small.onnx --label-column label --labels-column labels",
        |s| manifest(s, "path,label,labels\nin/ant/000.png,ant,ant|bee\n"),
    ),
    case(
        "a column that is not there",
        "extract m.csv --cache new --backbone small.onnx --split-column part",
        |s| manifest(s, "path,label\nin/ant/000.png,ant\n"),
    ),
    case("rows that cannot be used", TAKE, |s| {
        let mut rows: String =
            (0..20).map(|i| format!("in/ant/{i:03}.png,ant,,\nin/bee/{i:03}.png,bee,,\n")).collect();
        rows.push_str("in/ant/gone.png,ant,,\n,ant,,\nin/ant/000.png,bee,,\nin/ant/001.png,ant,later,\n");
        rows.push_str("in/bee/002.png,bee,,heavy\nin/ant,ant,,\n");
        manifest(s, &format!("path,label,split,weight\n{rows}"));
    })
    .writes(&["new**"]),
    case("a manifest of which no row can be used", TAKE, |s| manifest(s, "path,label\ngone.png,ant\n")),
    case(
        "a folder that is not there for the paths of a manifest",
        "extract m.csv --root nowhere --cache new --backbone small.onnx",
        |s| manifest(s, "path,label\nin/ant/000.png,ant\n"),
    ),
    case("a manifest over another file", "data manifest in --out m.csv", |s| manifest(s, "path,label\n")),
    case("a manifest of an unknown kind", "data manifest in --out m.xlsx", nothing),
    case("no regular expression", "extract in --group-by ( --cache new --backbone small.onnx", nothing),
    case("a distance above 2", "duplicates c --threshold 3", nothing),
    case("groups over another file", "data groups --near-duplicates 0.01 --cache c --out m.csv", |s| {
        manifest(s, "path,label\n");
    }),
    case("no neighbour to search for", "search c in/ant/000.png --neighbours 0", nothing),
    case("an image to search for that is not there", "search c in/ant/000.png gone.png", nothing),
];

fn manifest(s: &Sandbox, text: &str) {
    s.write("m.csv", text.as_bytes());
}
