//! Killed at random moments, again and again, and started again each time. `HEADSTART_KILLS=200` makes it 200 kills.

use crate::support::{CommandOutput, Sandbox, small_network};
use headstart::cache::FeatureCache;
use headstart::math::random::Rng;
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn after_kills_at_random_moments_the_rows_equal_those_of_an_undisturbed_run() {
    let kills: usize = std::env::var("HEADSTART_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(12);
    let s = Sandbox::new();
    s.images("in", &[("ant", 60), ("bee", 60), ("cat", 60)]);
    let network = small_network::install(&s);
    let images = s.text("in");
    let args = |cache: &str| {
        let fixed = ["extract", &images, "--backbone", &network, "--augment", "shift:5", "--json"];
        let more = ["--commit-every", "0", "--threads", "1", "--cache", cache];
        [&fixed[..], &more[..]].concat().into_iter().map(String::from).collect::<Vec<_>>()
    };
    let command = |cache: &str| {
        let args = args(cache);
        s.command(&args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let started = Instant::now();
    let whole = CommandOutput::of(&mut command("undisturbed")).value();
    let takes = started.elapsed();
    let undisturbed = s.rows("undisturbed");
    assert_eq!(whole["computed"], undisturbed.keys.len());
    let mut rng = Rng::new(kills as u64, 11);
    let (mut killed, mut caches) = (0, 0);
    while killed < kills {
        let cache = format!("c{caches}");
        caches += 1;
        loop {
            let before = FeatureCache::open(&s.path(&cache)).map_or(0, |cache| cache.keys().unwrap().len());
            let mut child = command(&cache).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
            // Anywhere from the first instruction to the last.
            let moment = takes.mul_f32(rng.uniform(0.0, 1.1));
            let is_done = ends_within(moment, || child.try_wait().unwrap().is_some());
            if killed == kills || is_done {
                let out = child.wait_with_output().unwrap();
                let stats: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
                assert_eq!(
                    stats["computed"],
                    undisturbed.keys.len() - before,
                    "only what was missing is computed"
                );
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            killed += 1;
        }
        assert_eq!(s.rows(&cache), undisturbed, "after {killed} kills");
        let names = std::fs::read_dir(s.path(&cache).join("features")).unwrap();
        let is_part = |name: String| name.starts_with("part-");
        assert!(names.into_iter().all(|entry| is_part(entry.unwrap().file_name().into_string().unwrap())));
    }
    println!("{killed} kills of {caches} extractions, each in the end equal to the undisturbed one");
}

/// Whether `is_done` becomes true before so much time has passed.
fn ends_within(moment: Duration, is_done: impl FnMut() -> bool) -> bool {
    let mut is_done = is_done;
    let started = Instant::now();
    while started.elapsed() < moment {
        if is_done() {
            return true;
        }
        std::thread::yield_now();
    }
    is_done()
}
