//! One write: everything that is due to a connection, from its backlog and the tails it reads, in one system call.

use std::io::{self, IoSlice, Write};

use arrayvec::ArrayVec;
use bytes::Bytes;

use crate::audience::Audiences;
use crate::backlog::{Backlog, Rest, Then, What};
use crate::connection::Connection;
use crate::stats::Tally;
use crate::tail::{ALWAYS, Reader, Run};
use crate::tls::{Paid, Tls};

/// Most pieces of one write.
const PIECES: usize = 32;
/// Most keys whose frames go into one write.
const KEYS: usize = 16;

/// How one write went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flushed {
    /// Nothing more is due.
    Done,
    /// More may be due, and the socket takes it.
    More,
    /// The socket is full.
    Full,
    /// Frames that the cursor lacks are gone from the tail; nothing was written.
    Lagged(usize),
    /// The first thing due is the start or stop of a key, and no frame; nothing was written.
    Turn,
    /// The close frame has left.
    Farewell,
    /// The socket is broken.
    Broken,
}

/// Which cursors of a connection may have something due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scope {
    /// None: there is only a backlog.
    Nothing,
    /// Only this one, and there is no backlog.
    Only(usize),
    /// Any; look from this one on.
    From(usize),
}

/// What a write is made of.
#[derive(Clone, Copy, Debug)]
enum Piece {
    Rest,
    Pongs,
    Frame,
    Slice { cursor: usize, run: Run },
}

/// Memory for the description of one write, used again for the next.
#[derive(Default)]
pub(crate) struct Pieces {
    list: Vec<(Piece, usize)>,
    /// The cursors with something due.
    behind: Vec<usize>,
}

impl Pieces {
    /// The bytes of the write.
    fn offered(&self) -> usize {
        self.list.iter().map(|(_, len)| len).sum()
    }
}

/// The bytes of one write.
#[derive(Default)]
struct Plan<'a>(ArrayVec<IoSlice<'a>, PIECES>);

impl<'a> Plan<'a> {
    fn push(&mut self, bytes: &'a [u8]) {
        self.0.push(IoSlice::new(bytes));
    }

    /// The frames of a key are two pieces where they lie around the seam of the ring.
    fn has_room(&self) -> bool {
        self.0.remaining_capacity() >= 2
    }
}

/// Whether everything due went into the plan.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gathered {
    All,
    Part,
}

/// Writes once what is due, and notes what the socket took. `drained` counts the pages whose last frame left.
pub(crate) fn flush(
    conn: &mut Connection,
    audiences: &Audiences,
    scope: Scope,
    pieces: &mut Pieces,
    tally: &mut Tally,
    drained: &mut u32,
) -> Flushed {
    let Some(mut tls) = conn.tls.take() else {
        return write_plain(conn, audiences, scope, pieces, tally, drained);
    };
    // Kept outside meanwhile, because the frames that are encrypted are borrowed from the connection.
    let flushed = match pay(conn, &mut tls, tally) {
        Flushed::Done => encrypt(conn, &mut tls, audiences, scope, pieces, tally, drained),
        owing => owing,
    };
    conn.tls = Some(tls);
    flushed
}

fn encrypt(
    conn: &mut Connection,
    tls: &mut Tls,
    audiences: &Audiences,
    scope: Scope,
    pieces: &mut Pieces,
    tally: &mut Tally,
    drained: &mut u32,
) -> Flushed {
    let mut plan = Plan::default();
    let gathered = match gather(conn, audiences, scope, pieces, &mut plan) {
        Ok(gathered) => gathered,
        Err(instead) => return instead,
    };
    let offered = pieces.offered();
    let Ok(encrypted) = tls.encrypt(&plan.0) else { return Flushed::Broken };
    drop(plan);
    if settle(conn, audiences, pieces, encrypted, tally, drained) {
        tls.end();
    }
    conn.tidy();
    match (pay(conn, tls, tally), encrypted < offered, gathered) {
        (Flushed::Done, true, _) | (Flushed::Done, _, Gathered::Part) => Flushed::More,
        (paid, ..) => paid,
    }
}

fn write_plain(
    conn: &mut Connection,
    audiences: &Audiences,
    scope: Scope,
    pieces: &mut Pieces,
    tally: &mut Tally,
    drained: &mut u32,
) -> Flushed {
    let mut plan = Plan::default();
    let gathered = match gather(conn, audiences, scope, pieces, &mut plan) {
        Ok(gathered) => gathered,
        Err(instead) => return instead,
    };
    let offered = pieces.offered();
    let written = match (offered, plan.0.as_slice()) {
        (0, _) => Ok(0),
        (_, [only]) => (&conn.socket).write(only),
        (_, all) => (&conn.socket).write_vectored(all),
    };
    drop(plan);
    tally.writes += u64::from(offered > 0);
    let written = match written {
        Ok(0) if offered > 0 => return Flushed::Broken,
        Ok(written) => written,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Flushed::Full,
        Err(error) if error.kind() == io::ErrorKind::Interrupted => return Flushed::More,
        Err(_) => return Flushed::Broken,
    };
    tally.bytes += written as u64;
    conn.stalled_at = 0;
    let farewell = settle(conn, audiences, pieces, written, tally, drained);
    conn.tidy();
    match (farewell, written < offered, gathered) {
        (true, ..) => Flushed::Farewell,
        (false, true, _) => Flushed::Full,
        (false, false, Gathered::All) => Flushed::Done,
        (false, false, Gathered::Part) => Flushed::More,
    }
}

/// Gives the socket what was encrypted for it. `Done`: the socket took all of it, and no further frame was looked at.
fn pay(conn: &mut Connection, tls: &mut Tls, tally: &mut Tally) -> Flushed {
    match tls.pay(&conn.socket, tally) {
        Ok(Paid::All) => {
            conn.stalled_at = 0;
            Flushed::Done
        }
        Ok(Paid::Farewell) => Flushed::Farewell,
        Ok(Paid::Part { moved }) => {
            if moved {
                conn.stalled_at = 0;
            }
            Flushed::Full
        }
        Err(_) => Flushed::Broken,
    }
}

fn gather<'a>(
    conn: &'a Connection,
    audiences: &'a Audiences,
    scope: Scope,
    pieces: &mut Pieces,
    plan: &mut Plan<'a>,
) -> Result<Gathered, Flushed> {
    pieces.list.clear();
    let all_keys = find_behind(conn, audiences, scope, ALWAYS, &mut pieces.behind)?;
    let gathered = match &conn.backlog {
        None => Gathered::All,
        Some(backlog) => {
            add_urgent(backlog, pieces, plan);
            if !all_keys && let Some(first) = backlog.queue.front() {
                // A key beyond the limit may hold frames that go before the first item, so only frames before the
                // item are looked for.
                find_behind(conn, audiences, scope, first.stamp, &mut pieces.behind)?;
            }
            add_queue(conn, audiences, backlog, pieces, plan, all_keys)?
        }
    };
    let all = gathered == Gathered::All && add_slices(conn, audiences, ALWAYS, pieces, plan);
    match (pieces.list.is_empty(), all && all_keys) {
        (true, _) => Err(Flushed::Done),
        (false, true) => Ok(Gathered::All),
        (false, false) => Ok(Gathered::Part),
    }
}

fn add_urgent<'a>(backlog: &'a Backlog, pieces: &mut Pieces, plan: &mut Plan<'a>) {
    if let Some(rest) = &backlog.rest {
        plan.push(&rest.bytes);
        pieces.list.push((Piece::Rest, rest.bytes.len()));
    }
    if let Some(pongs) = &backlog.pongs {
        plan.push(pongs);
        pieces.list.push((Piece::Pongs, pongs.len()));
    }
}

/// Adds waiting frames, each behind what was published before it. `Part`: nothing may be added behind them.
fn add_queue<'a>(
    conn: &'a Connection,
    audiences: &'a Audiences,
    backlog: &'a Backlog,
    pieces: &mut Pieces,
    plan: &mut Plan<'a>,
    all_keys: bool,
) -> Result<Gathered, Flushed> {
    for item in &backlog.queue {
        let due = add_slices(conn, audiences, item.stamp, pieces, plan);
        let keys_first = !all_keys && !pieces.behind.is_empty();
        if !due || keys_first || !plan.has_room() {
            return Ok(Gathered::Part);
        }
        match &item.what {
            What::Frame(bytes, then) => {
                plan.push(bytes);
                pieces.list.push((Piece::Frame, bytes.len()));
                if *then == Then::Farewell || !all_keys {
                    return Ok(Gathered::Part);
                }
            }
            What::Start { .. } | What::Stop { .. } if pieces.list.is_empty() => return Err(Flushed::Turn),
            What::Start { .. } | What::Stop { .. } => return Ok(Gathered::Part),
        }
    }
    Ok(Gathered::All)
}

/// Finds the cursors that lack a frame published before `stamp`, at most [`KEYS`] of them; `Ok(false)` if there may
/// be more.
fn find_behind(
    conn: &Connection,
    audiences: &Audiences,
    scope: Scope,
    stamp: u64,
    behind: &mut Vec<usize>,
) -> Result<bool, Flushed> {
    behind.clear();
    let all = conn.cursors.len();
    let (first, count) = match scope {
        Scope::Nothing => (0, 0),
        Scope::Only(cursor) => (cursor, 1),
        Scope::From(cursor) if cursor < all => (cursor, all),
        Scope::From(_) => (0, all),
    };
    for index in (first..all).chain(0..first).take(count) {
        let cursor = &conn.cursors[index];
        let tail = audiences.tail(cursor.audience);
        if cursor.offset < tail.start() {
            return Err(Flushed::Lagged(index));
        }
        if cursor.offset < tail.end_before(stamp) {
            if behind.len() == KEYS {
                return Ok(false);
            }
            behind.push(index);
        }
    }
    Ok(true)
}

/// Adds the frames published before `stamp`; `false` if some had to stay out.
fn add_slices<'a>(
    conn: &'a Connection,
    audiences: &'a Audiences,
    stamp: u64,
    pieces: &mut Pieces,
    plan: &mut Plan<'a>,
) -> bool {
    let mut all = true;
    for position in 0..pieces.behind.len() {
        let index = pieces.behind[position];
        let cursor = &conn.cursors[index];
        let tail = audiences.tail(cursor.audience);
        let offset = planned(pieces, index, cursor.offset);
        let reader = Reader { offset, live_from: cursor.live_from, last: cursor.last };
        let Some(run) = tail.run(reader, stamp) else { continue };
        if !plan.has_room() {
            return false;
        }
        let (one, two) = tail.slices(run);
        plan.push(one);
        if !two.is_empty() {
            plan.push(two);
        }
        pieces.list.push((Piece::Slice { cursor: index, run }, one.len() + two.len()));
        all &= run.to >= tail.end_before(stamp);
    }
    all
}

/// The offset at which a cursor will be when the pieces so far have left.
fn planned(pieces: &Pieces, index: usize, offset: u64) -> u64 {
    let end = pieces.list.iter().rev().find_map(|(piece, _)| match piece {
        Piece::Slice { cursor, run } if *cursor == index => Some(run.to),
        Piece::Slice { .. } | Piece::Rest | Piece::Pongs | Piece::Frame => None,
    });
    end.unwrap_or(offset)
}

/// Notes what the socket took; `true` if the close frame has left.
fn settle(
    conn: &mut Connection,
    audiences: &Audiences,
    pieces: &Pieces,
    mut taken: usize,
    tally: &mut Tally,
    drained: &mut u32,
) -> bool {
    let mut farewell = false;
    for (piece, len) in &pieces.list {
        if taken == 0 && *len > 0 {
            break;
        }
        let now = taken.min(*len);
        taken -= now;
        let then = match *piece {
            Piece::Slice { cursor, run } => {
                tally.sends += 1;
                settle_slice(conn, audiences, cursor, run, now);
                Then::Nothing
            }
            Piece::Rest | Piece::Pongs | Piece::Frame => settle_own(conn, *piece, now),
        };
        match then {
            Then::Nothing => {}
            Then::Drained => *drained += 1,
            Then::Farewell => farewell = true,
        }
        // The pieces behind, even those without bytes, have not left.
        if now < *len {
            break;
        }
    }
    farewell
}

/// Notes that the socket took `now` bytes of a piece from the backlog. Returns what is to be done if that was all of
/// it.
fn settle_own(conn: &mut Connection, piece: Piece, now: usize) -> Then {
    let backlog = conn.backlog();
    let taken = match piece {
        Piece::Rest => backlog.rest.take().map(|rest| (rest.bytes, rest.then)),
        Piece::Pongs => backlog.pongs.take().map(|pongs| (pongs, Then::Nothing)),
        Piece::Frame | Piece::Slice { .. } => match backlog.pop().map(|item| item.what) {
            Some(What::Frame(bytes, then)) => Some((bytes, then)),
            Some(What::Start { .. } | What::Stop { .. }) | None => None,
        },
    };
    match taken {
        Some((mut bytes, then)) if now < bytes.len() => {
            backlog.rest = Some(Rest { bytes: bytes.split_off(now), then });
            Then::Nothing
        }
        Some((_, then)) => then,
        None => Then::Nothing,
    }
}

/// Moves a cursor over what the socket took of a run. When a frame has left only in part, its rest is copied into the
/// connection. Then the tail may forget the frame, and the cursor is at the border of two frames again.
fn settle_slice(conn: &mut Connection, audiences: &Audiences, cursor: usize, run: Run, now: usize) {
    let cursor = &mut conn.cursors[cursor];
    let tail = audiences.tail(cursor.audience);
    let taken = run.from + now as u64;
    cursor.offset = if taken == run.to { taken } else { tail.border(taken) };
    let seq = tail.seq_at(cursor.offset);
    if seq >= cursor.last {
        cursor.last = seq;
        if cursor.live_from == Reader::AHEAD {
            cursor.live_from = cursor.offset;
        }
    }
    if cursor.offset > taken {
        let rest = Run { from: taken, to: cursor.offset };
        let (one, two) = tail.slices(rest);
        let bytes = Bytes::from([one, two].concat());
        conn.backlog().rest = Some(Rest { bytes, then: Then::Nothing });
    }
}

#[cfg(test)]
#[path = "flush_tests.rs"]
mod tests;
