//! Deflated messages.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| delivery::fuzzing::inflate(input));
