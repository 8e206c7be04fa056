//! A checkpoint of TensorFlow in one file.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    headstart_fuzz::checkpoint_v1(data);
});
