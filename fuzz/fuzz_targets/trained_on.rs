//! `train-images.parquet` of a run.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    headstart_fuzz::trained_on(data);
});
