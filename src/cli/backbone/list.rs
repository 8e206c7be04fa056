//! `headstart backbone list`: the backbones as tables.

use super::inspect::gflop;
use crate::backbone::catalog::{ListedBackbone, State, list_backbones};
use crate::cli::fidelity_text::summary;
use crate::cli::options::Global;
use crate::cli::output::{Outcome, print_result};
use crate::cli::text::{left_aligned_table, table_with_header};
use crate::data::preprocess::Preprocessing;
use crate::error::Result;

pub(super) fn list(global: &Global) -> Result<Outcome> {
    let listed = list_backbones(&global.models)?;
    print_result(global, &listed, || text(&listed))?;
    Ok(Outcome::Done)
}

fn text(listed: &[ListedBackbone]) -> String {
    let header = ["backbone", "state", "MB", "parameters", "GFLOP", "top-1", "classes"];
    let mut out = table_with_header(header, listed.iter().map(row));
    let about = |one: &ListedBackbone| {
        let how = one.preprocessing.as_ref().map_or_else(|| "unknown preprocessing".into(), steps);
        vec![
            one.name.clone(),
            format!("{}; {}; {how}", one.title, one.licence.as_deref().unwrap_or("your own")),
        ]
    };
    out.push_str(&format!("\n{}\n", left_aligned_table(&listed.iter().map(about).collect::<Vec<_>>())));
    out.push_str("MB: of the ONNX file where it is installed, else of the download; -: not known\n");
    let quantized =
        listed.iter().filter_map(|one| Some(format!("{}: {}\n", one.name, summary(one.fidelity.as_ref()?))));
    out.push_str(&quantized.collect::<String>());
    let published =
        listed.iter().filter_map(|one| Some(format!("{}: {}", one.name, one.top1_source.as_ref()?)));
    out.push_str(&format!(
        "top-1: published accuracy on ImageNet in percent ({})\n",
        published.collect::<Vec<_>>().join("; ")
    ));
    let choose = |one: &ListedBackbone| Some(format!("{}: {}\n", one.name, one.advice.as_ref()?));
    out.push_str(&format!("\nwhich one:\n{}", listed.iter().filter_map(choose).collect::<String>()));
    out.push_str("your own images decide: headstart layers CACHE... compares backbones and layers\n\n");
    if let Some(default) = listed.iter().find(|one| one.is_default) {
        out.push_str(&format!("where no backbone is named: {}\n", default.name));
    }
    out
}

fn row(one: &ListedBackbone) -> [String; 7] {
    fn or_dash<T>(value: Option<T>, text: impl Fn(T) -> String) -> String {
        value.map_or_else(|| "-".into(), text)
    }
    let state = match one.state {
        State::Installed => "installed",
        State::Damaged => "damaged",
        _ => "available",
    };
    [
        one.name.clone(),
        state.into(),
        or_dash(one.bytes.or(one.download_bytes), |bytes| format!("{:.1}", bytes as f64 / 1e6)),
        or_dash(one.parameters, |n| n.to_string()),
        or_dash(one.multiply_adds, |n| format!("{:.2}", gflop(n))),
        or_dash(one.top1, |percent| percent.to_string()),
        or_dash(one.classes, |n| n.to_string()),
    ]
}

/// How pixels enter the network, in a few words.
fn steps(steps: &Preprocessing) -> String {
    let part = match (steps.shorter_side, steps.crop < 1.0) {
        (Some(side), _) => format!("shorter side to {side}, of that the centre of"),
        (None, true) => format!("centre {} % of each side to", 100.0 * steps.crop),
        (None, false) => "whole image to".into(),
    };
    format!("{part} {0} x {0} ({1}), {2}", steps.size, steps.resize, steps.normalization)
}
