//! `openid_connect` under libFuzzer.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::openid_connect::run(input));
