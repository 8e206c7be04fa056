//! A weights file inside a `.tar.gz`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    headstart_fuzz::weights_archive(data);
});
