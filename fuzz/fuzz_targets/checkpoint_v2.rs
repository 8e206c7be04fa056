//! A checkpoint of TensorFlow: length of the index, index, values.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    headstart_fuzz::checkpoint_v2(data);
});
