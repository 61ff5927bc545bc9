//! `redirect_uri` under libFuzzer.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::redirect_uri::run(input));
