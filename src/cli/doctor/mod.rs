//! The subcommand `headstart doctor`: what is installed, where, and what is missing, on one page.

mod missing;
mod private_paths;

use super::device::{self, Devices};
use super::options::Global;
use super::output::{Outcome, print_result};
use super::progress::Terminal;
use super::text::{left_aligned_table, table_with_header};
use crate::backbone::catalog::{ListedBackbone, State, list_backbones};
use crate::backbone::install::{InstallFolder, Machine};
use crate::backbone::registry::registry;
use crate::error::Result;
use missing::Missing;
use private_paths::PrivatePaths;
use serde::Serialize;

/// Show what is installed, where, on which devices it runs, and what is missing with the command for it
///
/// Nothing is installed or changed. It ends with 0 even where something is missing; `missing` in the JSON lists that.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  headstart doctor\n  headstart doctor --bug-report")]
pub(super) struct Args {
    /// Leave private paths out, for a bug report: ~ stands for the home folder, and other folders are not named
    #[arg(long)]
    bug_report: bool,
}

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct Findings {
    version: &'static str,
    /// The version of ONNX Runtime that `setup` installs.
    pinned_runtime: &'static str,
    machine: Machine,
    #[serde(flatten)]
    devices: Devices,
    /// Backbones that are installed, and the one that is used where none is named.
    backbones: Vec<FoundBackbone>,
    missing: Vec<Missing>,
}

/// A backbone, as far as an installation is concerned.
#[derive(Debug, Serialize)]
struct FoundBackbone {
    name: String,
    state: State,
    is_default: bool,
    bytes: Option<u64>,
}

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let machine = Machine::inspect(&global.models);
    let devices = device::inspect(terminal);
    let listed = list_backbones(&global.models).map_err(|e| terminal.explain(&e));
    let mut missing = missing::all(&machine, &devices, listed.as_deref().unwrap_or_default());
    if let Err(reason) = &listed {
        missing.insert(
            0,
            Missing::new("the list of backbones", reason.clone(), "correct it as the reason says"),
        );
    }
    let wanted = |one: &ListedBackbone| one.state != State::Available || one.is_default;
    let backbones = listed.unwrap_or_default().into_iter().filter(wanted).map(FoundBackbone::from).collect();
    let pinned_runtime = &registry().runtime.version;
    let findings =
        Findings { version: env!("CARGO_PKG_VERSION"), pinned_runtime, machine, devices, backbones, missing };
    if !args.bug_report {
        print_result(global, &findings, || text(&findings))?;
        return Ok(Outcome::Done);
    }
    let private = PrivatePaths::of_this_process(&known_paths(&findings));
    let json = private.hide_in_json(serde_json::to_value(&findings).unwrap_or_default());
    print_result(global, &json, || private.hide(&text(&findings)))?;
    Ok(Outcome::Done)
}

impl From<ListedBackbone> for FoundBackbone {
    fn from(one: ListedBackbone) -> Self {
        Self { name: one.name, state: one.state, is_default: one.is_default, bytes: one.bytes }
    }
}

/// All paths that the findings name, as text.
fn known_paths(findings: &Findings) -> Vec<String> {
    let machine = &findings.machine;
    let folders = machine.folders.iter().filter_map(|folder| folder.path.clone());
    let programs = machine.programs.iter().filter_map(|program| program.path.clone());
    let paths = folders.chain(programs).chain(findings.devices.runtime.clone());
    let paths = paths.map(|path| path.display().to_string());
    let variables = machine.variables.iter().filter_map(|variable| variable.value.clone());
    paths.chain(variables.filter(|value| value.starts_with('/') || value.contains(":\\"))).collect()
}

fn text(findings: &Findings) -> String {
    let Findings { machine, missing, .. } = findings;
    let limit = machine.memory_limit.as_ref().map_or(String::new(), |limit| format!("; {limit}"));
    let memory =
        machine.memory.map_or(String::new(), |bytes| format!(", {:.1} GB of memory", bytes as f64 / 1e9));
    let mut out = format!(
        "headstart {} on {} {}{}, {} cores{memory}{limit}\n\n{}\n{}\n{}\n{}",
        findings.version,
        machine.os,
        machine.arch,
        machine.release.as_ref().map_or(String::new(), |release| format!(" ({release})")),
        machine.cores,
        devices(findings),
        backbones(&findings.backbones),
        folders(&machine.folders),
        programs(machine),
    );
    match missing.is_empty() {
        true => out.push_str("\nnothing is missing\n"),
        false => out.push_str("\nmissing:\n"),
    }
    for Missing { what, reason, remedy } in missing {
        out.push_str(&format!("- {what}: {reason}\n  {remedy}\n"));
    }
    out
}

/// The runtime, and what it runs on.
fn devices(findings: &Findings) -> String {
    let Devices { runtime, runtime_origin, runtime_version, devices, .. } = &findings.devices;
    let found = runtime.as_ref().zip(runtime_version.as_ref()).zip(runtime_origin.as_ref());
    let runtime = found.map_or("not usable".into(), |((path, version), origin)| {
        format!("{version} ({origin}): {}", path.display())
    });
    let mut rows = vec![vec!["ONNX Runtime".into(), runtime]];
    rows.extend(devices.iter().map(|device| vec![device.name.to_string(), device.state().to_string()]));
    left_aligned_table(&rows)
}

fn backbones(found: &[FoundBackbone]) -> String {
    let row = |one: &FoundBackbone| {
        let state = match one.state {
            State::Installed => "installed",
            State::Damaged => "damaged",
            State::Available => "not installed",
        };
        let default = if one.is_default { "where none is named" } else { "" };
        let size = one.bytes.map_or("-".into(), |bytes| format!("{:.1}", bytes as f64 / 1e6));
        [one.name.clone(), state.into(), size, default.into()]
    };
    table_with_header(["backbone", "state", "MB", "used"], found.iter().map(row))
}

fn folders(folders: &[InstallFolder]) -> String {
    let mut rows = vec![["place of", "path", "state", "free"].map(String::from).to_vec()];
    rows.extend(folders.iter().map(|folder| {
        let state = match (folder.exists, folder.is_writable) {
            (true, true) => "there",
            (false, true) => "not there yet",
            (_, false) => "not writable",
        };
        vec![
            folder.what.into(),
            folder.path.as_ref().map_or("none".into(), |path| path.display().to_string()),
            state.into(),
            folder.free.map_or("-".into(), |bytes| format!("{:.1} GB", bytes as f64 / 1e9)),
        ]
    }));
    left_aligned_table(&rows)
}

/// Programs that download, then variables that are set.
fn programs(machine: &Machine) -> String {
    let found = machine.programs.iter().filter_map(|one| Some((one.name, one.path.as_ref()?)));
    let mut rows: Vec<Vec<String>> =
        found.map(|(name, path)| vec![name.into(), path.display().to_string()]).collect();
    let absent: Vec<&str> =
        machine.programs.iter().filter(|one| one.path.is_none()).map(|one| one.name).collect();
    if !absent.is_empty() {
        rows.push(vec!["not found".into(), absent.join(", ")]);
    }
    rows.extend(machine.variables.iter().map(|variable| {
        vec![
            variable.name.into(),
            variable.value.clone().unwrap_or_else(|| "set (its value is not shown)".into()),
        ]
    }));
    left_aligned_table(&rows)
}
