//! `events` under libFuzzer, which is shown how to change an event so that it stays one.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::events::run(input));
libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    fuzz::events::mutate::in_place(data, size, max_size, seed, libfuzzer_sys::fuzzer_mutate)
});
