//! Frames, also as tungstenite reads them.

#![no_main]

use std::io::{self, Read, Write};

use delivery::fuzzing::{Said, Wire};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, WebSocket};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    delivery::fuzzing::decoder(input);
    compare(input);
});

/// Whatever we take without complaint, tungstenite takes, too, and hears the same. It takes more than we do: lengths that
/// are not in their shortest form, and any number of fragments.
fn compare(input: &[u8]) {
    let Some(wire) = Wire::read(input).filter(|wire| !wire.deflate) else { return };
    let (ours, violation) = wire.decoded();
    let theirs = theirs(wire.bytes, ours.len());
    if violation.is_none() {
        assert_eq!(ours.len(), theirs.len());
    }
    for (ours, theirs) in ours.iter().zip(&theirs) {
        let same = match (ours, theirs) {
            (Said::Text(ours), Message::Text(theirs)) => ours == theirs.as_str(),
            (Said::Binary(ours), Message::Binary(theirs)) => ours == theirs,
            (Said::Ping(ours), Message::Ping(theirs)) => ours == theirs,
            (Said::Pong, Message::Pong(_)) => true,
            // "Bad gateway" was registered after RFC 6455, and tungstenite does not know it.
            (Said::Close(Some(1014)), Message::Close(_)) => true,
            (Said::Close(ours), Message::Close(theirs)) => {
                *ours == theirs.as_ref().map(|theirs| u16::from(theirs.code))
            }
            _ => false,
        };
        assert!(same, "{ours:?} and {theirs:?}");
    }
}

fn theirs(bytes: &[u8], at_most: usize) -> Vec<Message> {
    let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
    let mut socket = WebSocket::from_raw_socket(Wired(bytes), Role::Server, Some(config));
    let mut messages = Vec::new();
    while messages.len() < at_most {
        match socket.read() {
            Ok(message) => messages.push(message),
            Err(_) => break,
        }
    }
    messages
}

/// Gives bytes and takes any.
struct Wired<'a>(&'a [u8]);

impl Read for Wired<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Wired<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
