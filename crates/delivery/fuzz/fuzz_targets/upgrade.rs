//! The headers of opening handshakes.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| delivery::fuzzing::upgrade(input));
