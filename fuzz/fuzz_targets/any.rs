//! The reader that `HEADSTART_FUZZ_TARGET` names, with bytes that libFuzzer makes up.

#![no_main]

use headstart_fuzz::{READERS, Reader};
use std::sync::LazyLock;

static READER: LazyLock<Reader> = LazyLock::new(|| {
    let name = std::env::var("HEADSTART_FUZZ_TARGET").expect("HEADSTART_FUZZ_TARGET names a target");
    READERS.iter().find(|(reader, _)| *reader == name).expect("a target of fuzz/src/lib.rs").1
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    READER(data);
});
