//! A state dict of PyTorch.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    headstart_fuzz::pytorch(data);
});
