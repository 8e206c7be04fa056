//! The scripts for a machine with a GPU, on the CPU: pieces are joined as they were, and the bench runs from start to end.

use crate::support::{CommandOutput, Sandbox, oracle_python, picture, root, small_network};
use headstart::data::decode::encode_png;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};

fn script(s: &Sandbox, script: &Path, args: &[&str]) -> CommandOutput {
    let mut command = Command::new(oracle_python());
    command.arg(script).args(args).current_dir(s.path("")).stdin(Stdio::null());
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    CommandOutput::of(&mut command)
}

#[test]
fn pieces_are_joined_as_they_were_and_damaged_ones_are_named() {
    let s = Sandbox::new();
    let bytes: Vec<u8> = (0..250_000u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect();
    s.write("in/wheels/a.whl", &bytes);
    s.write("in/wheels/sub/empty", b"");
    s.write("in/program", b"#!/bin/sh\n");
    let pack = root().join("benches/gpu/pack");
    let packed = script(&s, &pack, &["--out", "pieces", "--piece", "100000", "in/wheels", "in/program"]);
    assert_eq!(packed.code, 0, "{}", packed.stderr);
    assert!(packed.stdout.starts_with("3 pieces"), "{}", packed.stdout);
    let unpack = |args: &[&str]| script(&s, &s.path("pieces/unpack"), args);
    assert_eq!(unpack(&["--into", "out"]).code, 0);
    assert_eq!(std::fs::read(s.path("out/wheels/a.whl")).unwrap(), bytes);
    assert_eq!(std::fs::read(s.path("out/wheels/sub/empty")).unwrap(), b"");
    assert_eq!(std::fs::read(s.path("out/program")).unwrap(), b"#!/bin/sh\n");
    // A piece that did not come whole, one that did not come at all, and one with other bytes.
    let piece = s.path("pieces/piece-001");
    let whole = std::fs::read(&piece).unwrap();
    std::fs::write(&piece, &whole[..99]).unwrap();
    unpack(&["--into", "other"]).fails(1, &["piece-001 has 99 bytes, not 100000"]);
    std::fs::remove_file(&piece).unwrap();
    unpack(&["--check"]).fails(1, &["piece-001 is missing"]);
    let mut flipped = whole.clone();
    flipped[5] ^= 1;
    std::fs::write(&piece, flipped).unwrap();
    unpack(&["--into", "other"]).fails(1, &["piece-001 is damaged"]);
    assert!(!s.path("other").exists());
    script(&s, &pack, &["--out", "p", "gone"]).fails(2, &["gone: there is no such file or folder"]);
}

#[test]
fn the_bench_of_a_gpu_runs_on_the_cpu_from_start_to_end() {
    let s = Sandbox::new();
    small_network::install(&s);
    std::fs::create_dir(s.path("models")).unwrap();
    std::fs::rename(s.path("small.onnx"), s.path("models/small.onnx")).unwrap();
    for class in ["ant", "bee"] {
        for number in 0..3 {
            s.write(&format!("in/{class}/{number}.jpg"), &encode_png(&picture(class, number)));
        }
    }
    let python = oracle_python();
    let python = python.to_str().unwrap();
    let args = [
        "--headstart",
        env!("CARGO_BIN_EXE_headstart"),
        "--images",
        "in",
        "--models",
        "models",
        "--device",
        "cpu",
    ];
    let more = [
        "--backbone",
        "small",
        "--batches",
        "2,4",
        "--count",
        "8",
        "--rows",
        "8",
        "--seconds",
        "0.1",
        "--out",
        "out",
    ];
    let steps = ["--only", "machine,device,rows,refusals,speed,fidelity", "--python", python];
    let ran = script(&s, &root().join("benches/gpu/run"), &[&args[..], &more, &steps].concat());
    assert_eq!(ran.code, 0, "{}\n{}", ran.stderr, ran.stdout);
    let written: Value = serde_json::from_slice(&std::fs::read(s.path("out/result.json")).unwrap()).unwrap();
    let steps = &written["steps"];
    assert_eq!((&steps["rows"]["agree"], &steps["rows"]["images"]), (&true.into(), &8.into()), "{steps:#}");
    assert_eq!(steps["rows"]["cpu"]["provider"], "CPUExecutionProvider");
    assert_eq!(
        steps["refusals"]["as_wanted"],
        headstart::backbone::cuda::nvidia_driver().is_none(),
        "{steps:#}"
    );
    let own = &steps["speed"]["headstart"]["4"];
    assert!(own["images_per_second"].as_f64().unwrap() > 0.0 && own["of_bare_loop"].is_f64(), "{own}");
    assert!(
        own["stages"]["decode_seconds"].is_f64() && own["host_memory_mb"].as_f64().unwrap() > 10.0,
        "{own}"
    );
    let float32 = &steps["fidelity"]["float32"]["largest_relative_distance"];
    assert_eq!(float32, &0.0, "the same provider gives the same features");
    assert!(ran.stdout.contains("| headstart, files to Parquet, images/s |"), "{}", ran.stdout);
    // What was not run says why.
    let why = steps["speed"]["pytorch float32"]["not_run"].as_str().unwrap();
    assert!(why.contains("--torch-python"), "{why}");
}
