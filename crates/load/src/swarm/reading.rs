//! Incoming bytes: frames out of reads, deliveries out of frames.

use super::Swarm;
use super::conn::Phase;
use crate::people::Protocol;
use crate::wire::{self, Kind};
use serde::Deserialize;
use std::io::{self, Read};

/// The beginning of durable events of the native protocol.
const EVENT: &[u8] = br#"{"room":""#;
/// The beginning of chats of the simple protocol.
const CHAT: &[u8] = br#"{"type":"chat""#;

/// Frames that are looked at more closely.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Rare {
    Lagged {
        room: String,
    },
    Reply {
        id: Option<u64>,
        error: Option<Refusal>,
    },
    Error {},
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    retry_after_ms: Option<u64>,
}

impl Swarm {
    /// Reads a socket until it is empty.
    pub(super) fn read(&mut self, number: usize) {
        let mut scratch = std::mem::take(&mut self.scratch);
        while let Some(line) = &mut self.conns[number].line {
            let now = match line.socket.read(&mut scratch) {
                Ok(0) => {
                    self.gone(number);
                    break;
                }
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => {
                    self.gone(number);
                    break;
                }
            };
            self.read.reads += 1;
            if line.is_encrypted() {
                self.read_encrypted(number, &scratch[..now]);
            } else {
                self.take(number, &scratch[..now]);
            }
            // Less than was asked for: there is no more, and later bytes are a new event.
            if now < scratch.len() {
                break;
            }
        }
        self.scratch = scratch;
    }

    fn read_encrypted(&mut self, number: usize, bytes: &[u8]) {
        let Some(line) = &mut self.conns[number].line else { return };
        let mut plain = std::mem::take(&mut self.plain);
        match line.decrypt(bytes, &mut plain) {
            Ok(()) => self.take(number, &plain),
            Err(_) => self.gone(number),
        }
        plain.clear();
        self.plain = plain;
    }

    fn take(&mut self, number: usize, bytes: &[u8]) {
        let left = &mut self.conns[number].left;
        if left.is_empty() {
            let done = self.take_frames(number, bytes);
            self.conns[number].left.extend_from_slice(&bytes[done..]);
            return;
        }
        left.extend_from_slice(bytes);
        let mut all = std::mem::take(left);
        let done = self.take_frames(number, &all);
        all.drain(..done);
        self.conns[number].left = all;
    }

    /// Takes all whole frames; returns how many bytes they are.
    fn take_frames(&mut self, number: usize, bytes: &[u8]) -> usize {
        let mut done = 0;
        if self.conns[number].phase == Phase::Shaking {
            let Some(end) = wire::head_end(bytes) else { return 0 };
            let agrees =
                !self.way.deflate || memchr::memmem::find(&bytes[..end], b"permessage-deflate").is_some();
            if !bytes.starts_with(b"HTTP/1.1 101") || !agrees {
                self.gone(number);
                return bytes.len();
            }
            done = end;
            self.let_in(number);
        }
        let now = self.book.now();
        while let Some(frame) = wire::first(&bytes[done..]) {
            let payload = &bytes[done..][frame.payload.clone()];
            match frame.kind {
                Kind::Text if frame.deflated => match self.inflating.inflate(payload) {
                    Some(text) => self.hear(number, &text, frame.payload.end, now),
                    None => {
                        self.gone(number);
                        return bytes.len();
                    }
                },
                Kind::Text => self.hear(number, payload, frame.payload.end, now),
                Kind::Ping => {
                    let mut pong = Vec::with_capacity(payload.len() + 6);
                    wire::push_pong(&mut pong, payload);
                    self.write(number, &pong);
                }
                Kind::Close => self.gone(number),
                Kind::Other => {}
            }
            done += frame.payload.end;
        }
        done
    }

    fn hear(&mut self, number: usize, frame: &[u8], length: usize, now: u64) {
        if self.conns[number].phase != Phase::Ready {
            return self.greeted(number, frame);
        }
        let fresh = match self.protocol {
            Protocol::Native if frame.starts_with(EVENT) => self.place_event(number, frame),
            Protocol::Simple if frame.starts_with(CHAT) => self.place_chat(number, frame),
            Protocol::Native | Protocol::Simple => {
                self.look_closely(number, frame);
                None
            }
        };
        let Some(mark) = fresh else { return };
        if !self.book.hear(mark, now) {
            return;
        }
        self.read.frames += 1;
        self.read.bytes += length as u64;
        if self.crowd.people[number].sender == Some(mark.sender) {
            self.posting.heard(mark.sender);
        }
    }

    /// Checks a durable event against its room's order. Returns its mark, if it is a post that came for the first
    /// time.
    fn place_event(&mut self, number: usize, frame: &[u8]) -> Option<crate::mark::Mark> {
        let id = frame[EVENT.len()..].split(|byte| *byte == b'"').next()?;
        let rooms = &self.crowd.people[number].rooms;
        let index = match rooms.as_slice() {
            [room] if self.crowd.rooms[*room as usize].as_bytes() == id => 0,
            _ => {
                let room = self.rooms.get(id)?;
                rooms.iter().position(|own| own == room)?
            }
        };
        let seq = self.eye.seq(frame)?;
        let fresh = self.conns[number].tracks[index].take(seq, &mut self.faults);
        self.eye.mark(frame).filter(|_| fresh)
    }

    /// Checks a chat against the earlier chats of its sender. Returns its mark, if it came for the first time.
    fn place_chat(&mut self, number: usize, frame: &[u8]) -> Option<crate::mark::Mark> {
        let mark = self.eye.mark(frame)?;
        let room = *self.crowd.people[number].rooms.first()? as usize;
        let track = (mark.sender as usize).checked_sub(room * self.crowd.senders)?;
        let track = self.conns[number].tracks.get_mut(track)?;
        track.take(mark.count, &mut self.faults).then_some(mark)
    }

    fn look_closely(&mut self, number: usize, frame: &[u8]) {
        let refusal = || {
            let says_so = memchr::memmem::find(frame, br#""error""#).is_some();
            frame.starts_with(br#"{"type":"error""#) || (frame.starts_with(br#"{"type":"reply""#) && says_so)
        };
        if !frame.starts_with(br#"{"type":"lagged""#) && !refusal() {
            return;
        }
        match serde_json::from_slice(frame).unwrap_or(Rare::Other) {
            Rare::Lagged { room } => self.resume(number, &room),
            Rare::Reply { id: Some(count), error: Some(refusal) } => {
                self.refused(number, count, refusal.retry_after_ms);
            }
            Rare::Error {} => self.faults.refused += 1,
            Rare::Reply { .. } | Rare::Other => {}
        }
    }

    /// Asks for the events that were missed, as every client of the native protocol does.
    fn resume(&mut self, number: usize, room: &str) {
        self.read.lagged += 1;
        let Some(index) = self.rooms.get(room.as_bytes()) else { return };
        let Some(index) = self.crowd.people[number].rooms.iter().position(|own| own == index) else { return };
        let after = self.conns[number].tracks[index].next().saturating_sub(1);
        let resume = format!(r#"{{"id":0,"type":"resume","room":"{room}","after":{after}}}"#);
        let mut frame = Vec::new();
        wire::push_text(&mut frame, resume.as_bytes());
        self.write(number, &frame);
    }
}
