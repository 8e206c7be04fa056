//! An HDF5 file of Keras.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    headstart_fuzz::keras(data);
});
