//! `return_to` under libFuzzer.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::return_to::run(input));
