//! A PNG image, and what extraction makes of its pixels.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    headstart_fuzz::png(data);
});
