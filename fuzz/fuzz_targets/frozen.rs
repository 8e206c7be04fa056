//! A frozen graph of TensorFlow.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    headstart_fuzz::frozen(data);
});
