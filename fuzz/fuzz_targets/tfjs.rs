//! The scripts of a TensorFlow.js model.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    headstart_fuzz::tfjs(data);
});
