//! What peers send: from the socket through the codec to the gateway.

use std::io::{self, Read};
use std::mem;

use crate::codec::{Decoder, Incoming, Terms};
use crate::connection::{Connection, Held, Phase};
use crate::farewell::PANICKED;
use crate::frame;
use crate::gateway::Closed;
use crate::header::Violation;
use crate::inflate::Inflater;
use crate::key::ConnId;
use crate::options::Options;
use crate::shard::Shard;
use crate::tls::Paid;
use crate::turns::guarded;

/// Most control frames that a peer may send between two beats.
const MAX_CONTROLS: u16 = 256;

/// Why reading from a peer ends.
enum End {
    Violation(Violation),
    /// The peer's close frame, with its code.
    Closed(Option<u16>),
    Panic,
}

impl Shard {
    /// Reads once, at most a scratch buffer full.
    pub(crate) fn read(&mut self, slot: usize) {
        let conn = &mut self.connections[slot];
        if conn.paused(&self.options) || conn.held.is_some() {
            return;
        }
        if conn.tls.is_some() {
            return self.read_encrypted(slot);
        }
        match (&conn.socket).read(&mut self.scratch) {
            Ok(0) => self.lose(slot),
            Ok(len) => {
                self.tally.reads += 1;
                conn.heard_at = self.now;
                // The kernel reports an edge once. It will not say again that there is more, or that the peer has
                // ended.
                if len == self.scratch.len() || conn.ended {
                    self.read_later(slot);
                }
                let mut scratch = mem::take(&mut self.scratch);
                let used = self.digest(slot, &mut scratch[..len]);
                self.hold(slot, used, |used| Held { bytes: scratch[used..len].to_vec(), at: 0 }, len);
                self.caught_up(slot);
                self.scratch = scratch;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => conn.catch_up(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.read_later(slot),
            Err(_) => self.lose(slot),
        }
    }

    fn read_encrypted(&mut self, slot: usize) {
        let conn = &mut self.connections[slot];
        let Some(tls) = &mut conn.tls else { return };
        let mut plain = mem::take(&mut self.plain);
        let read = tls.read(&conn.socket, &mut self.scratch, &mut plain);
        let owes = tls.owes();
        conn.ended |= tls.has_ended();
        if owes {
            self.wake(slot);
        }
        let conn = &mut self.connections[slot];
        match read {
            Ok(0) => self.lose(slot),
            Ok(len) => {
                self.tally.reads += 1;
                conn.heard_at = self.now;
                if len == self.scratch.len() || conn.ended {
                    self.read_later(slot);
                }
                let used = self.digest(slot, &mut plain);
                self.hold(slot, used, |used| Held { bytes: plain[used..].to_vec(), at: 0 }, plain.len());
                self.caught_up(slot);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => conn.catch_up(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.read_later(slot),
            Err(_) => {
                // The TLS alert tells the peer what was wrong. Without it the peer sees a broken connection.
                if let Some(tls) = &mut conn.tls {
                    let _: io::Result<Paid> = tls.pay(&conn.socket, &mut self.tally);
                }
                self.lose(slot);
            }
        }
        plain.clear();
        self.plain = plain;
    }

    /// Reads on from a connection that was paused, if it is not paused any more.
    pub(crate) fn hear_again(&mut self, slot: usize) {
        if let Some(conn) = self.connections.get_mut(slot)
            && !conn.paused(&self.options)
        {
            // The shard did not read while the connection was paused, so the connection was not silent.
            conn.heard_at = self.now;
            self.read_later(slot);
        }
    }

    /// Reads on from connections that had more to read, or that are not paused any more.
    pub(crate) fn read_on(&mut self) {
        for _ in 0..self.unread.len() {
            let Some(slot) = self.unread.pop_front() else { return };
            let Some(conn) = self.connections.get_mut(slot) else { continue };
            conn.unread = false;
            let Some(mut held) = conn.held.take() else {
                self.read(slot);
                continue;
            };
            let at = held.at;
            let used = self.digest(slot, &mut held.bytes[at..]);
            let len = held.bytes.len() - at;
            self.hold(slot, used, |used| Held { bytes: held.bytes, at: at + used }, len);
            if used == Some(len) {
                self.read_later(slot);
            }
        }
    }

    /// Keeps bytes that were read too early, if the connection is still there.
    fn hold(&mut self, slot: usize, used: Option<usize>, rest: impl FnOnce(usize) -> Held, len: usize) {
        if let Some(used) = used
            && used < len
            && let Some(conn) = self.connections.get_mut(slot)
        {
            conn.held = Some(Box::new(rest(used)));
        }
    }

    /// Notes it when nothing is left to be read or acted on.
    fn caught_up(&mut self, slot: usize) {
        if let Some(conn) = self.connections.get_mut(slot)
            && !conn.unread
            && conn.held.is_none()
            && !conn.paused(&self.options)
        {
            conn.catch_up();
        }
    }

    /// Acts on bytes. Returns how many of them are done with, or `None` when no further byte counts.
    fn digest(&mut self, slot: usize, bytes: &mut [u8]) -> Option<usize> {
        let conn = &mut self.connections[slot];
        let unanswered = conn.unanswered;
        let mut at = 0;
        let end = loop {
            if at == bytes.len() || conn.paused(&self.options) {
                break None;
            }
            let terms = terms(conn, &self.options, &mut self.inflater);
            match step(conn, &mut bytes[at..], terms, &mut self.tally.received) {
                Ok(Stepped { used, weight }) => {
                    at += used;
                    if !is_allowed(conn, self.now, weight) {
                        break Some(End::Violation(Violation::Flood));
                    }
                }
                Err(end) => break Some(end),
            }
        };
        self.unanswered += usize::from(conn.unanswered - unanswered);
        conn.decoder.release();
        if conn.paused(&self.options)
            && let Some(spending) = &mut conn.spending
        {
            spending.pause(self.now);
        }
        match end {
            None => {
                if conn.backlog.is_some() {
                    self.wake(slot);
                }
                Some(at)
            }
            Some(end) => {
                self.end(slot, end);
                None
            }
        }
    }

    fn end(&mut self, slot: usize, end: End) {
        let lingering = matches!(self.connections[slot].phase, Phase::Lingering { .. });
        match end {
            End::Closed(code) => self.part(slot, code),
            // The borders of frames are lost. Closing a socket with unread bytes would reset the connection, and the
            // peer might never read our close frame. So bytes that still come are dropped, until the peer ends or the
            // time is over.
            End::Violation(_) if lingering => {}
            End::Violation(violation) => {
                let code = violation.code();
                // Drops half a message of a peer that cannot be understood any more.
                self.connections[slot].decoder = Decoder::default();
                let reason = if violation == Violation::Flood {
                    self.options.flood_reason
                } else {
                    violation.reason()
                };
                self.expel_because(slot, code, reason, Closed::Protocol { code });
            }
            End::Panic => {
                self.tally.panics += 1;
                self.expel(slot, PANICKED, Closed::ByUs { code: PANICKED });
            }
        }
    }
}

/// What was agreed on with this peer, for the decoder.
fn terms<'a>(conn: &Connection, options: &Options, inflater: &'a mut Inflater) -> Terms<'a> {
    Terms { limit: options.max_message, inflater: conn.id.encoding().is_deflated().then_some(inflater) }
}

/// Counts what a peer sent against its allowance: bytes as they come, and a frame when its end has come.
fn is_allowed(conn: &mut Connection, now: u64, bytes: usize) -> bool {
    let frames = u64::from(!conn.decoder.is_inside_frame());
    conn.spending.as_mut().is_none_or(|spending| spending.allows(now, frames, bytes))
}

/// How far one step came.
struct Stepped {
    used: usize,
    /// The bytes that count against the allowance: of a deflated message its inflated length, because that is its
    /// cost.
    weight: usize,
}

/// Takes one step of the decoder, and acts on the message.
fn step(
    conn: &mut Connection,
    bytes: &mut [u8],
    terms: Terms<'_>,
    received: &mut u64,
) -> Result<Stepped, End> {
    let Connection { id, decoder, gateway, backlog, unanswered, unanswered_bytes, controls, phase, .. } =
        conn;
    let step = decoder.decode(bytes, terms).map_err(End::Violation)?;
    let mut stepped = Stepped { used: step.used, weight: step.used };
    let Some(incoming) = step.incoming else { return Ok(stepped) };
    if let Incoming::Close(code) = incoming {
        return Err(End::Closed(code));
    }
    // From a connection that is being closed, only the peer's close frame counts.
    let (Phase::Open, Some(gateway)) = (*phase, gateway) else { return Ok(stepped) };
    let told = match incoming {
        Incoming::Text(text) => {
            (*unanswered, *received) = (*unanswered + 1, *received + 1);
            *unanswered_bytes = unanswered_bytes.saturating_add(text.len() as u32);
            stepped.weigh(*id, text.len());
            guarded(|| gateway.on_text(*id, text))
        }
        Incoming::Binary(data) => {
            (*unanswered, *received) = (*unanswered + 1, *received + 1);
            *unanswered_bytes = unanswered_bytes.saturating_add(data.len() as u32);
            stepped.weigh(*id, data.len());
            guarded(|| gateway.on_binary(*id, data))
        }
        Incoming::Ping(payload) => {
            *controls += 1;
            backlog.get_or_insert_default().answer_ping(frame::pong(payload));
            Some(())
        }
        Incoming::Pong => {
            *controls += 1;
            Some(())
        }
        Incoming::Close(_) => Some(()),
    };
    match told {
        None => Err(End::Panic),
        Some(()) if *controls > MAX_CONTROLS => Err(End::Violation(Violation::Flood)),
        Some(()) => Ok(stepped),
    }
}

impl Stepped {
    fn weigh(&mut self, id: ConnId, message: usize) {
        if id.encoding().is_deflated() {
            self.weight = self.weight.max(message);
        }
    }
}
