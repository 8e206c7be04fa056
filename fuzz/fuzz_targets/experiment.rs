//! The TOML file of an experiment.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    headstart_fuzz::experiment_file(data);
});
